"""Messages that say one thing in three registers: informal, casual and formal, from a small grammar."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from tutelage.papers.lab.instructions import Exercise
from tutelage.papers.lab.world import WORLD_SEED
from tutelage.seeds import derive

__all__ = ["LEVELS", "Message", "instruction", "messages", "shown", "speakers"]

LEVELS = ("informal", "casual", "formal")
Three = tuple[str, str, str]

FRAMES: tuple[Three, ...] = (
    ("pls send {thing} {time}", "Can you send me {thing} {time}?", "It is requested that {thing} be submitted {time}."),
    ("gonna get {thing} {time}", "I'm going to get {thing} {time}.", "The purchase of {thing} is intended {time}."),
    (
        "lol i lost {thing} {time}",
        "I've lost {thing}, sorry, it was {time}.",
        "The loss of {thing} was reported {time}.",
    ),
    (
        "u gotta fix {thing} {time}",
        "You'll need to fix {thing} {time}.",
        "It is required that {thing} be repaired {time}.",
    ),
    ("cant find {thing} {time}", "I can't find {thing} {time}.", "It has been impossible to locate {thing} {time}."),
    (
        "yo gimme {thing} {time}",
        "Let's have {thing} {time}, thanks.",
        "The provision of {thing} would be appreciated {time}.",
    ),
    (
        "dont touch {thing} {time}",
        "Please don't touch {thing} {time}.",
        "It is not permitted to operate {thing} {time}.",
    ),
    (
        "omg check {thing} {time}",
        "You should look at {thing} {time}, it's great.",
        "An examination of {thing} is recommended {time}.",
    ),
)
THINGS: tuple[Three, ...] = (
    ("the pics", "the pictures", "the photographs"),
    ("ur car", "your car", "the vehicle"),
    ("the mac", "the laptop", "the portable computer"),
    ("my cash", "my money", "the funds"),
    ("the tix", "the tickets", "the admission documents"),
    ("the grub", "the food", "the refreshments"),
    ("that app", "that program", "the software application"),
    ("the docs", "the papers", "the documentation"),
    ("her phone", "her phone", "the mobile telephone"),
    ("the keys 2 the flat", "the keys to the flat", "the means of access to the residence"),
)
TIMES: tuple[Three, ...] = (
    ("2moro", "tomorrow", "on the following day"),
    ("rn", "right now", "at the present moment"),
    ("b4 the wknd", "before the weekend", "prior to the weekend"),
    ("2nite", "tonight", "during the present evening"),
    ("asap", "as soon as you can", "at the earliest opportunity"),
    ("at like 4", "around four", "at approximately four"),
)
NEXT = (("informal", "casual"), ("casual", "informal"), ("casual", "formal"), ("formal", "casual"))


@dataclass(frozen=True)
class Message:
    """One meaning: the number of its frame, its thing and its time."""

    frame: int
    thing: int
    time: int

    @property
    def id(self) -> str:
        """Unique among the messages."""
        return f"{self.frame}-{self.thing}-{self.time}"

    def at(self, level: str) -> str:
        """The message on a level of :data:`LEVELS`."""
        k = LEVELS.index(level)
        return FRAMES[self.frame][k].format(thing=THINGS[self.thing][k], time=TIMES[self.time][k])


def messages() -> list[Message]:
    """All 480 in an order that is fixed and mixed."""
    found = [Message(*key) for key in product(range(len(FRAMES)), range(len(THINGS)), range(len(TIMES)))]
    random.Random(derive(WORLD_SEED, "registers")).shuffle(found)
    return found


def instruction(target: str, text: str) -> str:
    """How a level is asked for."""
    return f"Make it {target} : {text}"


def shown(examples: Sequence[tuple[str, str]], text: str) -> str:
    """The request by examples: pairs of source and rewrite, then the text."""
    return " ".join(f"{a} => {b} |" for a, b in examples) + f" {text} =>"


def speakers(count: int, seed: int, known: Sequence[Message]) -> list[Exercise]:
    """What the base model learns from: copies on every level, and rewrites by one to two examples.

    The examples go one level up or down, never from informal to formal or back, and no level is ever named.
    """
    found = []
    for number in range(count):
        draw = random.Random(derive(WORLD_SEED, "speakers", seed, number))
        one = draw.choice(list(known))
        if draw.random() < 0.3:
            text = one.at(draw.choice(LEVELS))
            found.append(Exercise(f"{seed}-{number}", "copy", f"Copy : {text}", text))
            continue
        source, target = draw.choice(NEXT)
        others = draw.sample(list(known), draw.randint(1, 2))
        prompt = shown([(other.at(source), other.at(target)) for other in others], one.at(source))
        found.append(Exercise(f"{seed}-{number}", "shown", prompt, one.at(target)))
    return found
