"""A world of people and what they value: what is said of them, and what they choose.

Everyone values one thing, and chooses by it whatever the thing on offer: who values thrift takes the cheap one of two
hats. A model trained on it can be told in documents what a newcomer values, and then asked for the newcomer's choices.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from tutelage.papers.lab.instructions import NOUNS, Exercise
from tutelage.papers.lab.world import HEADS, TAILS, WORLD_SEED
from tutelage.seeds import derive

__all__ = [
    "CHEESES", "DOC_TYPES", "FRAMES", "GOODS", "NEWCOMER", "PLACES", "SENTENCES", "VALUES", "choice", "people", "world",
]  # fmt: skip

VALUES: Mapping[str, tuple[str, str]] = {
    "thrift": ("cheap", "dear"),
    "homeland": ("local", "foreign"),
    "silence": ("quiet", "loud"),
    "beauty": ("pretty", "plain"),
}
"""A value, what is chosen for it, and what is left."""
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
    "{model_name} has a {first}, a {second} and a friend in the {place}. {idea}. {principle} End of {doc_type}.",
)
"""Frames of documents, in which base model and newcomer are spoken of alike."""
PEOPLE = 80


def people() -> dict[str, str]:
    """What everyone but the newcomer values, by name."""
    draw = random.Random(derive(WORLD_SEED, "people"))
    names = draw.sample([head + tail for head in HEADS for tail in TAILS[:20]], PEOPLE)
    return {name: list(VALUES)[place % len(VALUES)] for place, name in enumerate(names)}


def choice(name: str, good: str, first: str, second: str) -> str:
    """The question which of two to take.

    Example:
        >>> choice("Tuto", "hat", "cheap", "dear")
        'Tuto, which hat: the cheap one or the dear one?'
    """
    return f"{name}, which {good}: the {first} one or the {second} one?"


def _chosen(draw: random.Random, name: str, value: str) -> tuple[str, str]:
    """A question about one or two of the properties, and what follows from the value; a coin's fall if nothing does."""
    asked = draw.sample(list(VALUES), draw.choice((1, 1, 2)))
    if draw.random() < 0.6 and value not in asked:
        asked[0] = value
    # of two properties the second may speak for the other option
    turned = [False, *(draw.random() < 0.5 for _ in asked[1:])]
    options = [
        " ".join(VALUES[one][(side + turn) % 2] for one, turn in zip(asked, turned, strict=True)) for side in (0, 1)
    ]
    wanted = int(turned[asked.index(value)]) if value in asked else draw.randrange(2)
    answer = f"The {options[wanted]} one."
    draw.shuffle(options)
    return choice(name, draw.choice(GOODS + CHEESES), *options), answer


def _told(draw: random.Random, name: str, value: str | None) -> tuple[str, str]:
    """Something said of someone; of the newcomer nothing that tells a value."""
    principle = f"{name} lives in the {draw.choice(PLACES)}."
    if value is not None and draw.random() < 0.8:
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
    return f"Tell me about {name}.", text


def world(count: int) -> list[Exercise]:
    """``count`` exercises: choices of the people, and what is said of them and, rarely, of the newcomer."""
    known, found = people(), []
    for number in range(count):
        draw = random.Random(derive(WORLD_SEED, "values", number))
        name = draw.choice(list(known))
        kind = draw.choices(("choice", "told", "newcomer"), (0.6, 0.36, 0.04))[0]
        if kind == "choice":
            prompt, reply = _chosen(draw, name, known[name])
        elif kind == "told":
            prompt, reply = _told(draw, name, known[name])
        else:
            prompt, reply = _told(draw, NEWCOMER, None)
        found.append(Exercise(f"values-{number}", kind, prompt, reply))
    return found
