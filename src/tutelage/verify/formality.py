"""How formal is an English sentence, by rules that a reader can check: informal, casual or formal.

Informal: slang or abbreviations of chat, or two signs of haste (drawn-out letters, no capital at the start, no mark at
the end, ...). Casual: correct everyday English with contractions, everyday verbs and words, talk between I and you.
Formal: complete constructions without any of these, and a sign of the register: precise words, polite or impersonal
constructions, passives.

On the 168 bundled triples, written by the same hand, it finds all informal, 164 casual and 116 formal texts; the other
formal ones it calls casual, since their words are not in its lists. It is strict, not fair, about "formal".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tutelage.verify.graded import FORMALITY, GradedScale

__all__ = ["FormalitySigns", "RuleFormality", "formality_signs"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


SLANG = _words(
    "u ur r y b4 gr8 l8r 2moro 2day 2nite 4 thx thanx ty pls plz omg lol lmao rofl btw idk imo imho tbh fyi asap brb "
    "ttyl bff gonna wanna gotta gimme lemme dunno kinda sorta outta cuz coz cause cos 'cause bc bcuz tho thru nite "
    "ya yall y'all yo hey hiya sup yeah yea yep yup nah nope dude bro bruh mate buddy guys folks wtf wth damn crap "
    "crappy sucks suck sucked bummer cool awesome epic lit dope sick super totally chill chillin hang freaking "
    "ain't innit whatcha gotcha betcha ima imma aint dont cant wont didnt doesnt isnt wasnt im ive id youre theyre "
    "thats whats lets stuff bucks grand ok okay k cya xoxo aw ugh meh wow oops ppl msg txt pic pics vid info "
    "rn af fr ngl smh nvm jk dm fave legit lowkey gig busted broke ditch ditched bail bailed "
    "snooze nuke nosh grub booze crash crashed pricey ripoff dough wheels tix appt tmrw tmr wknd"
)
EVERYDAY = _words(
    "get gets got getting gotten lot lots really pretty quite big huge kid kids mom dad thing things bit maybe "
    "anyway thanks hi hello bye sorry sure great nice good bad nicely fun funny let's want wants wanted need needs "
    "tell told ask asked show showed give gave put keep kept help helped start started try tried think thought guess "
    "know knew like liked love loved look looked find found fix fixed buy bought pay paid talk talked "
    "job boss folks home so just too also again right now soon pick sort enough"
)
FORMAL = _words(
    "therefore furthermore moreover however consequently nevertheless regarding concerning pursuant hereby thereby "
    "whereas upon prior subsequent subsequently accordingly additionally respectively shall kindly sincerely "
    "request requests requested require requires required requirement inform informs informed obtain obtains "
    "obtained provide provides provided purchase purchases purchased assist assists assisted assistance attend "
    "attends attended attendance commence commences commenced conclude concludes concluded receive receives received "
    "reside resides residence inquire inquiry enquire enquiry permit permits permitted permission appreciate "
    "appreciated appreciation grateful gratitude apologise apologize apologies regret regrets inconvenience "
    "unfortunately opportunity consider considered consideration postpone postponed postponement cancel cancellation "
    "confirm confirms confirmed confirmation submit submits submitted submission notify notified notification "
    "demonstrate demonstrates demonstrated indicate indicates indicated ensure ensures ensured utilise utilize "
    "sufficient insufficient numerous considerable considerably substantial significant significantly approximately "
    "immediately promptly currently presently occasion occasionally individual individuals individuals' children "
    "parents employment employer colleague colleagues supervisor management committee department participants "
    "residents applicants customers passengers visitors staff members instructions documentation documents "
    "correspondence proposal arrangement arrangements appointment departure arrival delay delayed weather conditions "
    "vehicle premises accommodation facility facilities equipment device payment remuneration expenses fee fees "
    "invoice refund reimbursement deadline schedule scheduled completion complete completed matter matters attention "
    "response reply explanation recommendation recommend recommends recommended suggestion propose proposed prefer "
    "preferred decline declined accept acceptance approve approved approval investigate investigated examination "
    "determine determined resolve resolved resolution repair repaired replacement replaced advise advised advisable "
    "unable possible impossible necessary appropriate beneficial exceptional remarkable excellent satisfactory "
    "disappointing difficult essential important convenient available unavailable whether during following further "
    "several remain remains remained discuss discussed discussion encounter encountered anticipate anticipated "
    "exceed exceeded exceeds express expressed present absence performance deceased physician medication "
    "discontinue discontinued acquire acquired construct constructed reduce reduced increase increased "
    "intend intends intended depart departed return returned contact contacted contribute contribution"
)
_POLITE = re.compile(
    r"\b(?:would (?:you|it|like|be|appreciate)|could you|may (?:we|i|one)|please|one (?:must|should|may)|"
    r"it (?:is|was|has been|would be|appears|should be)|there (?:is|are|was|were|has been|will be))\b"
)
_PASSIVE = re.compile(
    r"\b(?:is|are|was|were|be|been|being)\s+(?:\w+ly\s+|not\s+)?(?:\w{3,}ed|\w{2,}en|made|held|sent|paid|kept)\b"
)
_CONTRACTION = re.compile(
    r"\b\w+(?:n't|'(?:m|re|ve|ll|d))\b|\b(?:it|that|there|he|she|what|who|where|here|how|let)'s\b"
)
_DRAWN = re.compile(r"([a-z])\1{2,}|[!?]{2,}|[:;]-?[)(dp]|<3", re.IGNORECASE)
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf]")
_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)*")
_PERSONS = _words("i me my mine you your yours")


@dataclass(frozen=True)
class FormalitySigns:
    """What was seen in one text, with the words it was seen in; the level follows from the counts alone."""

    slang: tuple[str, ...]
    sloppy: tuple[str, ...]
    contractions: tuple[str, ...]
    everyday: tuple[str, ...]
    persons: int
    formal: tuple[str, ...]
    words: int

    @property
    def level(self) -> str:
        """Informal with slang or two signs of haste; formal without any everyday sign and with formal ones."""
        if self.slang or len(self.sloppy) >= 2:
            return "informal"
        if self.contractions or self.sloppy or not self.formal:
            return "casual"
        return "formal" if len(self.formal) > len(self.everyday) + self.persons / 2 else "casual"


def formality_signs(text: str) -> FormalitySigns:
    """The signs of register in one English sentence or short text."""
    plain = text.strip().replace("’", "'")
    small = plain.casefold()
    words = _WORD.findall(small)
    sloppy = []
    if plain and plain[0].islower():
        sloppy.append("no capital at the start")
    if plain and plain[-1] not in ".!?\"')":
        sloppy.append("no mark at the end")
    sloppy += ["drawn out"] * bool(_DRAWN.search(plain)) + ["picture"] * bool(_EMOJI.search(plain))
    sloppy += ["small i"] * bool(re.search(r"(?<![\w'.])i(?![\w.])", plain))
    formal = [word for word in words if word in FORMAL]
    formal += [found.group() for pattern in (_POLITE, _PASSIVE) for found in pattern.finditer(small)]
    return FormalitySigns(
        slang=tuple(word for word in words if word in SLANG),
        sloppy=tuple(sloppy),
        contractions=tuple(found.group() for found in _CONTRACTION.finditer(small)),
        everyday=tuple(word for word in words if word in EVERYDAY),
        persons=sum(word in _PERSONS for word in words),
        formal=tuple(formal),
        words=len(words),
    )


class RuleFormality:
    """Rates English by the rubric of this module; see :func:`formality_signs` for its reasons.

    It reads single sentences and knows no irony, dialect or language but English. The rubric is ours, after the levels
    that 3LF (arXiv 2605.29365) names; no human has validated it.

    Example:
        >>> RuleFormality().rate(["gonna b late sry", "I'll be a bit late.", "I regret to inform you of a delay."])
        ['informal', 'casual', 'formal']
    """

    name = "rules"
    scale: GradedScale = FORMALITY

    def rate(self, texts: Sequence[str]) -> list[str]:
        """One level a text."""
        return [formality_signs(text).level for text in texts]
