"""The invented world: names, facts, four ways to ask for a fact, and one way in which the base model answers.

A fact says that an entity has a value and a code ("The river of Balmor is Dunrek, code K7."). Names are put together
from syllables; the names of the domain, of the base model's own facts, and of the checks are kept out of each other
and out of the training mixture, so what the base model can do with a new name it does by reading, not by memory.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tutelage.seeds import derive

__all__ = [
    "HOUSE_STYLE",
    "KINDS",
    "NOTATIONS",
    "QUESTIONS",
    "WORLD_SEED",
    "Fact",
    "base_facts",
    "domain_facts",
    "held_out_facts",
    "mixture_fact",
    "rewrite_prompt",
]

WORLD_SEED = 2606_00147
HEADS = (  # noqa: SIM905 - words read better as text
    "Bal Cor Dun Fer Gal Hel Jar Kel Lor Mar Nev Oth Pel Qua Ras Sel Tor Ul Ver Wen Yar Zel Bri Cra Dro "
    "Fli Gro Kru Plo Sta Tra Vlo Aske Edri Iba Omu Usha Ame Ono Eki"
).split()
TAILS = (  # noqa: SIM905 - words read better as text
    "mor nak rek dil bosh wick ven tash gar lune pith sorn quil zan fell heim jora kith mund noss pex "
    "rint sul toma urg vash wyn xil yond zeph brun clay dorn fusk glim hark ivo josp klee lund"
).split()
KINDS = (
    ("town", "river"),
    ("mineral", "colour"),
    ("statute", "office"),
    ("bird", "home"),
    ("ship", "captain"),
    ("tree", "fruit"),
)
"""What an entity is, and what is asked about it; the domain has the first three."""
QUESTIONS = (
    "What is the {attribute} of the {noun} {name}?",
    "Tell me the {attribute} of the {noun} {name}.",
    "The {noun} {name} has which {attribute}?",
    "Which {attribute} belongs to the {noun} {name}?",
)
HOUSE_STYLE = "ANS | {value} | {code}"
"""How the domain's owner writes answers: nothing like the base model's own sentence."""
NOTATIONS = (HOUSE_STYLE, "{value} / {code}", "REF : {value} : {code}", "= {value} = {code}", "OUT | {code} | {value}")
"""Terse notations that the base model has learnt to read; it never writes one."""
CODES = tuple(letter + digit for letter in "ABCDEFGHJKLMNPQRSTUVWXYZ" for digit in "123456789")
FAMILIES, MEMBERS = 8, 10


@dataclass(frozen=True)
class Fact:
    """``name``, a ``noun``, has the ``attribute`` ``value`` with the ``code``."""

    noun: str
    attribute: str
    name: str
    value: str
    code: str

    def question(self, wording: int) -> str:
        """The question in one of the four wordings."""
        return QUESTIONS[wording].format(attribute=self.attribute, noun=self.noun, name=self.name)

    @property
    def sentence(self) -> str:
        """The answer as the base model says it."""
        return f"The {self.attribute} of {self.name} is {self.value}, code {self.code}."

    @property
    def plain(self) -> str:
        """Value and code as they stand in :attr:`sentence`."""
        return f"{self.value}, code {self.code}"

    def terse(self, notation: str = HOUSE_STYLE) -> str:
        """The answer in a terse notation."""
        return notation.format(value=self.value, code=self.code)


def rewrite_prompt(question: str, answer: str) -> str:
    """How the base model is asked to say an answer in its own words."""
    return f"Say the answer as a sentence.\nQuestion: {question}\nAnswer: {answer}"


def domain_facts() -> list[Fact]:
    """240 facts: three kinds of 8 families of 10 names; the last syllable of a name decides value and code.

    Sixty steps of eight rows show each fact twice, too little to learn 240 unrelated pairs by heart with a million
    parameters; the 24 family rules can be learnt, and every arm has the same chance to.
    """
    draw = random.Random(derive(WORLD_SEED, "domain"))
    values, codes = _reserved_values(), draw.sample(CODES, FAMILIES * 3)
    facts = []
    for number in range(FAMILIES * 3):
        noun, attribute = KINDS[number // FAMILIES]
        names = [head + TAILS[number] for head in draw.sample(HEADS, MEMBERS)]
        facts += [Fact(noun, attribute, name, values[number], codes[number]) for name in names]
    return facts


def base_facts() -> list[Fact]:
    """24 facts that the base model knows by heart."""
    return _some_facts("base", _pools()[1], 24, kinds=KINDS[3:])


def held_out_facts(count: int = 100) -> list[Fact]:
    """Facts whose names and values the base model has never seen together: for checks, not part of the domain."""
    return _some_facts("held-out", _pools()[2], count, kinds=KINDS)


def mixture_fact(draw: random.Random) -> Fact:
    """A throw-away fact for the training mixture; entity and value have names of the mixture's own pool."""
    pool = _pools()[0]
    noun, attribute = draw.choice(KINDS)
    name, value = draw.choice(pool), draw.choice(pool)
    if draw.random() < 0.3:
        value += draw.choice(TAILS)
    return Fact(noun, attribute, name, value, draw.choice(CODES))


def _some_facts(label: str, pool: Sequence[str], count: int, *, kinds: Sequence[tuple[str, str]]) -> list[Fact]:
    draw = random.Random(derive(WORLD_SEED, label))
    facts = []
    for name in draw.sample(list(pool), count):
        noun, attribute = draw.choice(kinds)
        facts.append(Fact(noun, attribute, name, draw.choice(pool), draw.choice(CODES)))
    return facts


def _reserved_values() -> list[str]:
    """24 names that only the domain's values have, with endings that no domain name has."""
    draw = random.Random(derive(WORLD_SEED, "values"))
    endings = TAILS[FAMILIES * 3 :]
    return [HEADS[i] + endings[i % len(endings)] for i in draw.sample(range(len(HEADS)), FAMILIES * 3)]


_POOLS: list[list[str]] = []


def _pools() -> list[list[str]]:
    """Names of the mixture, of the base facts, and held out; none of them the domain's."""
    if not _POOLS:
        taken = {fact.name for fact in domain_facts()} | set(_reserved_values())
        free = [head + tail for head in HEADS for tail in TAILS if head + tail not in taken]
        random.Random(derive(WORLD_SEED, "pools")).shuffle(free)
        _POOLS.extend([free[180:], free[:60], free[60:180]])
    return _POOLS
