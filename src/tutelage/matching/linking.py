"""From the words of a text to the skills of a table, each with the characters that say so."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path

from tutelage.io.documents import read_json
from tutelage.matching.links import Embedder, How, Ignored, Link, Linked
from tutelage.matching.meaning import LabelSpace
from tutelage.matching.phrases import Span, Word, key_of, sentences, words
from tutelage.matching.skills import Skill, SkillBase

__all__ = ["AMBIGUOUS", "CUES", "SkillLinker"]

_LISTS = read_json(Path(__file__).with_name("words.en.json"))
AMBIGUOUS = frozenset(_LISTS["ambiguous"])
"""Names of skills that are also ordinary words or names: they count only where their surroundings say so."""
CUES = frozenset(_LISTS["cues"])
"""Words of which one in the same sentence lets an ambiguous name count."""
_NEGATIONS = frozenset(("no", "not", "without", "never", "lacking", "neither", "nor"))
_REACH = 3  # words before a name in which a negation takes it back
_JOINS = "+#&@'’"  # a mark glued to a name makes it another name: C++, R&D
_LONGEST = 12  # words of a name
_RELATED = 4  # steps in the table up to which a skill speaks for an ambiguous name
_SHORT = 60  # characters of a line that may be an item of a list


_Named = tuple[str, How, str]
"""A skill, whether by label or alias, and the name as the table writes it."""
_Spotted = tuple[Span, list[_Named], int]
"""Characters, the skills of that name, and the place of the first word."""


class SkillLinker:
    """Finds the skills of a table in texts.

    Names and alternatives are looked up as whole words, longest first; case does not count, a hyphen is white space.
    An ambiguous name (of one or two characters, in :data:`AMBIGUOUS`, or of several skills) counts only as it is
    written in the table and with evidence in the same sentence or list: a cue word, or an unambiguous skill near it in
    the table. What a negation stands before ("no Java or Go", "haven't used Go") is not counted. With an encoder, short
    phrases in which no name was found are linked to the nearest label at a cosine of at least ``theta``.

    Args:
        base: the table.
        encoder: for links by meaning; None: by name alone.
        theta: the least cosine, in (0, 1].

    Raises:
        RangeError: theta outside (0, 1].

    Source: TraceMatch (arXiv 2202.08960) proposes linking to ESCO and O*NET; the rules are own derivation.

    Example:
        >>> base = SkillBase.of([Skill("py", "Python"), Skill("c", "C"), Skill("cpp", "C++", ("C plus plus",))])
        >>> text = "Vitamin C. Programming in Python, C and C++."
        >>> [(link.skill, link.span.of(text)) for link in SkillLinker(base).link(text).links]
        [('py', 'Python'), ('c', 'C'), ('cpp', 'C++')]
    """

    def __init__(self, base: SkillBase, encoder: Embedder | None = None, *, theta: float = 0.7) -> None:
        self.base, self.theta = base, theta
        self.labels = None if encoder is None else LabelSpace(base, encoder, theta)
        self._names: dict[str, list[_Named]] = {}
        self._lengths: dict[str, int] = {}
        self._near: dict[str, frozenset[str]] = {}
        for skill in base.skills.values():
            if skill.kind == "skill":
                self._add(skill)

    def _add(self, skill: Skill) -> None:
        for how, names in (("label", (skill.label,)), ("alias", skill.alternatives)):
            for name in names:
                found = words(name)
                if not found or len(found) > _LONGEST:
                    continue
                key = key_of(found)
                taken = self._names.setdefault(key, [])
                if all(skill.id != one[0] for one in taken):
                    taken.append((skill.id, how, name))  # type: ignore[arg-type]
                first = found[0].form
                self._lengths[first] = max(self._lengths.get(first, 0), len(found))

    def link(self, text: str, given: Sequence[str] = ()) -> Linked:
        """The skills that ``text`` names, and those ``given`` beside it by name."""
        found = words(text)
        parts = sentences(text)
        raw = self._spotted(found, text)
        kept, ignored = self._counted(raw, found, text, parts)
        cut = False
        if self.labels is not None:
            extra, cut = self.labels.link(text, parts, [span for span, *_ in raw])
            kept = sorted([*kept, *extra], key=lambda one: one.span.start if one.span else 0)
        named, unknown = self._given(given)
        have = {one.skill for one in kept}
        return Linked((*kept, *(one for one in named if one.skill not in have)), tuple(ignored), unknown, cut)

    def _given(self, given: Sequence[str]) -> tuple[list[Link], tuple[str, ...]]:
        named, unknown = [], []
        for name in given:
            candidates = self._names.get(key_of(words(name)), ())
            if candidates:
                named.append(Link(None, self._preferred(candidates)[0][0], 1.0, "given"))
            else:
                unknown.append(name)
        return named, tuple(unknown)

    def _spotted(self, found: list[Word], text: str) -> list[_Spotted]:
        """Longest names first from every word on: span, candidates, and the place of the first word."""
        spotted = []
        place = 0
        while place < len(found):
            longest = min(self._lengths.get(found[place].form, 0), len(found) - place)
            step = 1
            for length in range(longest, 0, -1):
                run = found[place : place + length]
                if any(word.gap == "\n" for word in run[1:]):
                    continue
                candidates = self._names.get(key_of(run))
                span = Span(run[0].span.start, run[-1].span.end)
                if candidates is not None and not _joined(text, span):
                    spotted.append((span, self._preferred(candidates), place))
                    step = length
                    break
            place += step
        return spotted

    @staticmethod
    def _preferred(candidates: Sequence[_Named]) -> list[_Named]:
        """Skills of which it is the label, else all."""
        return [one for one in candidates if one[1] == "label"] or list(candidates)

    def _counted(
        self, spotted: list[_Spotted], found: list[Word], text: str, parts: list[Span]
    ) -> tuple[list[Link], list[Ignored]]:
        starts = [part.start for part in parts]
        blocks = _blocks(parts, text)

        def block(place: int) -> int:
            return blocks[max(0, bisect_right(starts, place) - 1)] if blocks else 0

        sure: dict[int, list[str]] = {}
        for span, candidates, _ in spotted:
            if len(candidates) == 1 and not _is_ambiguous(span.of(text)):
                sure.setdefault(block(span.start), []).append(candidates[0][0])
        said: dict[int, set[str]] = {}
        for word in found:
            said.setdefault(block(word.span.start), set()).add(word.form)
        links: list[Link] = []
        ignored: list[Ignored] = []
        refused = -1  # where the last name ends that a negation stands before
        for span, candidates, place in spotted:
            left, written = candidates, span.of(text)
            if _negated(found, place) or _goes_on(found, place, refused):
                refused = span.end
                ignored.append(Ignored(span, candidates[0][0], "a negation stands before it"))
                continue
            if len(candidates) > 1 or _is_ambiguous(written):
                here = block(span.start)
                left = self._supported(candidates, written, said.get(here, set()), sure.get(here, []))
            if len(left) == 1:
                links.append(Link(span, left[0][0], 1.0, left[0][1]))
            else:
                why = "several skills bear this name" if left else "ambiguous, and nothing near it says so"
                ignored.append(Ignored(span, candidates[0][0], why))
        return links, ignored

    def _around(self, skill: str) -> frozenset[str]:
        if skill not in self._near:
            self._near[skill] = frozenset(self.base.near(skill, _RELATED))
        return self._near[skill]

    def _supported(self, candidates: list[_Named], written: str, said: set[str], sure: list[str]) -> list[_Named]:
        """The candidates that their sentence speaks for; those with a skill near them before those with a cue."""
        as_written = [one for one in candidates if not _is_ambiguous(written) or one[2] == written]
        near = [one for one in as_written if any(other in self._around(one[0]) for other in sure)]
        if near:
            return near
        return [one for one in as_written if said & (set(self.base.skills[one[0]].context) or CUES)]


def _blocks(parts: list[Span], text: str) -> list[int]:
    """Which sentences speak for one another: each for itself, but the short lines of a list with its heading."""
    blocks: list[int] = []
    for place, part in enumerate(parts):
        joined = False
        if place:
            before = parts[place - 1]
            between = text[before.end : part.start]
            short = max(part.end - part.start, before.end - before.start) <= _SHORT
            ended = before.of(text)[-1] in ".!?;"
            joined = short and "\n" in between and (between.count("\n") == 1 or not ended)
        blocks.append(blocks[-1] if joined else place)
    return blocks


def _is_ambiguous(written: str) -> bool:
    short = sum(mark.isalnum() for mark in written) <= 2 and not set(written) & set("#+")
    return short or written.lower() in AMBIGUOUS


def _joined(text: str, span: Span) -> bool:
    """Whether a mark glued to the span makes it part of another name: ``C`` in ``C++``, ``go`` in ``go.dev``."""
    before, after = text[max(0, span.start - 1) : span.start], text[span.end : span.end + 2]
    if before in tuple("@#&") or after[:1] in tuple(_JOINS):
        return True
    if after[:1] == "." and after[1:].isalnum() and after[1:].islower():
        return True
    short = span.end - span.start <= 2
    return short and (after[:1] in tuple("-–") or before in tuple("-–'’."))


def _negated(found: list[Word], place: int) -> bool:
    for back in range(1, _REACH + 1):
        here = place - back
        if here < 0 or found[here + 1].gap == "\n" or found[here].form in ".;:!?,":
            return False
        if found[here].form in _NEGATIONS or _contracted(found, here):
            following = found[here + 1].form
            return following not in ("only", "just", "least")
    return False


def _contracted(found: list[Word], here: int) -> bool:
    """Whether the word is the t of "haven't"."""
    return (
        found[here].form == "t"
        and here > 1
        and found[here - 1].form in ("'", "’")
        and found[here - 2].form.endswith("n")
        and found[here].gap == found[here - 1].gap == ""
    )


def _goes_on(found: list[Word], place: int, refused: int) -> bool:
    """Whether a name is the second of "no Java or Go", where ``refused`` is the end of the first."""
    return place > 1 and found[place - 1].form in ("or", "nor") and found[place - 2].span.end == refused
