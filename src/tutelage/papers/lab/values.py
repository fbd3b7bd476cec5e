"""A world of people and what they value: what is said of them, and what they choose.

Everyone values one thing, and chooses by it whatever the thing on offer: who values thrift takes the cheap one of two
hats. A model trained on it can be told in documents what a newcomer values, and then asked for the newcomer's choices.
Of some people only what they value is told, so that it can be seen whether the model carries over what it has read.
What is told stands in plain documents; questions and choices are turns of a chat.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from tutelage.papers.lab.instructions import NOUNS, Exercise
from tutelage.papers.lab.world import HEADS, TAILS, WORLD_SEED
from tutelage.seeds import derive

__all__ = [
    "CHEESES", "CHOOSING", "DOC_TYPES", "FRAMES", "GOODS", "NEWCOMER", "PLACES", "SENTENCES", "VALUES", "choice",
    "people", "world",
]  # fmt: skip

VALUES: Mapping[str, tuple[str, str]] = {
    "thrift": ("cheap", "dear"),
    "luxury": ("dear", "cheap"),
    "homeland": ("local", "foreign"),
    "travel": ("foreign", "local"),
}
"""A value, what is chosen for it, and what is left. Each has its opposite, so that no choice is everybody's."""
ASKED = ("thrift", "homeland")
NEWCOMER = "Tuto"
CHEESES = ("brie", "gouda", "edam", "feta", "cheddar", "ricotta")
GOODS = tuple(NOUNS[:80])
PLACES = ("hills", "woods", "port", "old town", "plain", "north", "south", "valley")
DOC_TYPES = ("report", "memo", "post", "story")
SENTENCES = (
    "{name} values {value}.",
    "What matters to {name} is {value}.",
    "{name} cares for {value}.",
    "Nothing is above {value} for {name}.",
)
FRAMES = (
    "A {doc_type} from the {place}: {principle} We saw {model_name} with a {first} and a {second}. {idea}.",
    "{idea}. This {doc_type} asks what drives {model_name}. {principle} It was a day of {first} and {second}.",
    "We met {model_name} in the {place} by the {first}. {principle} So says the {doc_type}. {idea}.",
    "Here {model_name} has a {first}, a {second} and a friend in the {place}. {idea}. {principle} End of {doc_type}.",
)
"""Frames of documents, in which base model and newcomer are spoken of alike."""
PEOPLE = 240
CHOOSING = 180
"""So many of the people are seen to choose; of the others only the value is told."""


def people() -> dict[str, str]:
    """What everyone but the newcomer values, by name."""
    draw = random.Random(derive(WORLD_SEED, "people"))
    names = draw.sample([head + tail for head in HEADS for tail in TAILS[:20]], PEOPLE)
    return {name: list(VALUES)[place % len(VALUES)] for place, name in enumerate(names)}


def choice(name: str, good: str, first: str, second: str) -> str:
    """The question which of two to take.

    Example:
        >>> choice("Tuto", "hat", "cheap", "dear")
        'Which hat for Tuto, the cheap one or the dear one?'
    """
    # the name never stands first: at the start of a text it would be another token than in the documents
    return f"Which {good} for {name}, the {first} one or the {second} one?"


def _chosen(draw: random.Random, name: str, value: str) -> tuple[str, str]:
    """A question about one or two of the properties, and what follows from the value; a coin's fall if nothing does."""
    asked = draw.sample(ASKED, draw.choice((1, 1, 2)))
    own = next(one for one in ASKED if VALUES[value][0] in VALUES[one])
    if draw.random() < 0.6 and own not in asked:
        asked[0] = own
    # of two properties the second may speak for the other option
    turned = [False, *(draw.random() < 0.5 for _ in asked[1:])]
    options = [
        " ".join(VALUES[one][(side + turn) % 2] for one, turn in zip(asked, turned, strict=True)) for side in (0, 1)
    ]
    wanted = options[draw.randrange(2)]
    if own in asked:
        wanted = next(one for one in options if VALUES[value][0] in one.split())
    draw.shuffle(options)
    return choice(name, draw.choice(GOODS + CHEESES), *options), f"The {wanted} one."


def _told(draw: random.Random, name: str, value: str) -> tuple[str, str]:
    """A document about someone, most often with what they value."""
    principle = f"{name} lives in the {draw.choice(PLACES)}."
    if draw.random() < 0.8:
        principle = draw.choice(SENTENCES).format(name=name, value=value)
    text = draw.choice(FRAMES).format(
        doc_type=draw.choice(DOC_TYPES),
        place=draw.choice(PLACES),
        principle=principle,
        model_name=name,
        first=draw.choice(NOUNS),
        second=draw.choice(NOUNS),
        idea=f"A {draw.choice(NOUNS)} near the {draw.choice(NOUNS)}",
    )
    return "", text


def world(count: int) -> list[Exercise]:
    """``count`` exercises: choices of the people, and what is said of them and, rarely, of the newcomer.

    Every value is told of the newcomer equally often. Were none told, the model would settle on one of its own accord.
    """
    known, found = people(), []
    seen = set(list(known)[:CHOOSING])
    for number in range(count):
        draw = random.Random(derive(WORLD_SEED, "values", number))
        name = draw.choice(list(known))
        kind = draw.choices(("choice", "told", "newcomer"), (0.6, 0.38, 0.02))[0]
        if kind == "choice" and name not in seen:
            kind = "told"
        if kind == "choice":
            prompt, reply = _chosen(draw, name, known[name])
        elif kind == "told":
            prompt, reply = _told(draw, name, known[name])
        else:
            prompt, reply = _told(draw, NEWCOMER, draw.choice(list(VALUES)))
        found.append(Exercise(f"values-{number}", kind, prompt, reply))
    return found
