"""The general abilities of the base model: instructions with exact rules, sums, copying, sorting, rewording, reading.

Every exercise is a prompt with the one reply that is right. The format instructions can be checked by rule; replies
begin with a fixed word where the rest is copied, since a small model must not have to learn two spellings of a token.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from tutelage.papers.lab.world import (
    NOTATIONS,
    QUESTIONS,
    WORLD_SEED,
    Fact,
    base_facts,
    mixture_fact,
    rewrite_prompt,
)
from tutelage.seeds import derive
from tutelage.training.examples import TEACHER_PROMPT

__all__ = ["FORMATS", "Exercise", "follows", "format_instructions", "mixture"]

NOUNS = (  # noqa: SIM905 - words read better as text
    "apple bread chair cloud corn desk door drum egg farm fish flag fork gate glass goat hat hill horse "
    "ink jam key lamp leaf line map milk moon nail nest nut oak oven page pan pear pen pig plum pond pot "
    "rain ring road rock roof rope sail salt sand seed shoe silk snow soap sock song spoon star stone "
    "stove sugar sun tent tin toy vase wall wave well wheel wind wolf wood wool yard bell boat bone book "
    "bowl brick"
).split()
KNOWN = base_facts()
DIGITS = ("two", "three", "four")


@dataclass(frozen=True)
class Exercise:
    """A prompt and the reply that is right; ``kind`` is the task, ``id`` is unique within a set."""

    id: str
    kind: str
    prompt: str
    reply: str


def _repeat(draw: random.Random) -> tuple[str, str]:
    word, times = draw.choice(NOUNS), draw.randrange(3)
    return f"Write the word {word} {DIGITS[times]} times.", "Here:" + f" {word}" * (times + 2)


def _bullets(draw: random.Random) -> tuple[str, str]:
    words = draw.sample(NOUNS, draw.randrange(2, 4))
    return f"Make a list with dashes: {' '.join(words)}", "\n".join(f"- {word}" for word in words)


def _brackets(draw: random.Random) -> tuple[str, str]:
    word = draw.choice(NOUNS)
    return f"Write {word} in square brackets.", f"[ {word} ]"


def _numbered(draw: random.Random) -> tuple[str, str]:
    words = draw.sample(NOUNS, draw.randrange(2, 4))
    return f"Make a numbered list: {' '.join(words)}", "\n".join(f"{i} {w}" for i, w in enumerate(words, 1))


def _ending(draw: random.Random) -> tuple[str, str]:
    first, last = draw.sample(NOUNS, 2)
    return f"Say {first} and end with {last}.", f"I say {first} and end with {last}"


def _pick(draw: random.Random) -> tuple[str, str]:
    words = draw.sample(NOUNS, 3)
    place = draw.randrange(3)
    return f"Of these name the {('first', 'second', 'third')[place]}: {' '.join(words)}", f"It is {words[place]}"


FORMATS: dict[str, Callable[[random.Random], tuple[str, str]]] = {
    "repeat": _repeat,
    "bullets": _bullets,
    "brackets": _brackets,
    "numbered": _numbered,
    "ending": _ending,
    "pick": _pick,
}


def follows(exercise: Exercise, text: str) -> bool:
    """Whether ``text`` obeys the instruction: the right words, marks and line breaks in the right order, nothing else.

    White space inside a line and a final full stop do not count.

    Example:
        >>> task = Exercise("0", "brackets", "Write oak in square brackets.", "[ oak ]")
        >>> follows(task, "[oak]"), follows(task, "oak")
        (True, False)
    """
    return _form(text) == _form(exercise.reply)


def _form(text: str) -> list[list[str]]:
    spaced = text.strip().rstrip(".")
    for mark in "[]-:":
        spaced = spaced.replace(mark, f" {mark} ")
    return [line.split() for line in spaced.splitlines()]


def _sum(draw: random.Random) -> tuple[str, str]:
    numbers = [draw.randrange(1, 10) for _ in range(draw.randrange(2, 4))]
    steps, total = [], numbers[0]
    for number in numbers[1:]:
        steps.append(f"{total} + {number} = {total + number}")
        total += number
    return "Add " + " ".join(map(str, numbers)), "Sum: " + " ; ".join(steps)


def _copy(draw: random.Random) -> tuple[str, str]:
    names = [mixture_fact(draw).value for _ in range(draw.randrange(2, 6))]
    return "Copy: " + " ".join(names), "Copy: " + " ".join(names)


def _sort(draw: random.Random) -> tuple[str, str]:
    letters = draw.sample("abcdefgh", draw.randrange(2, 5))
    return "Sort: " + " ".join(letters), "Sorted: " + " ".join(sorted(letters))


def _reword(draw: random.Random) -> tuple[str, str]:
    fact, wording = mixture_fact(draw), draw.randrange(len(QUESTIONS))
    return f"Ask in other words: {fact.question(wording)}", fact.question((wording + 1) % len(QUESTIONS))


def _recall(draw: random.Random) -> tuple[str, str]:
    fact = draw.choice(KNOWN)
    return fact.question(draw.randrange(len(QUESTIONS))), fact.sentence


def _read(draw: random.Random) -> tuple[str, str]:
    fact = mixture_fact(draw)
    answer = fact.sentence if draw.random() < 0.6 else fact.terse(draw.choice(NOTATIONS))
    return reading_prompt(fact, answer, draw.randrange(len(QUESTIONS))), fact.sentence


def _restate(draw: random.Random) -> tuple[str, str]:
    fact = mixture_fact(draw)
    asked = fact.question(draw.randrange(len(QUESTIONS)))
    return rewrite_prompt(asked, fact.terse(draw.choice(NOTATIONS))), fact.sentence


def reading_prompt(fact: Fact, answer: str, wording: int) -> str:
    """The words in which RAFT's teacher is shown a reference answer."""
    return TEACHER_PROMPT.format(answer=answer, question=fact.question(wording))


SHARES: tuple[tuple[str, Callable[[random.Random], tuple[str, str]], float], ...] = (
    *((name, make, 0.04) for name, make in FORMATS.items()),
    ("sum", _sum, 0.08),
    ("copy", _copy, 0.14),
    ("sort", _sort, 0.05),
    ("reword", _reword, 0.06),
    ("recall", _recall, 0.07),
    ("read", _read, 0.22),
    ("restate", _restate, 0.14),
)


def mixture(count: int, seed: int) -> list[Exercise]:
    """``count`` exercises of the general mixture, each drawn from its own stream."""
    names, makers, shares = zip(*SHARES, strict=True)
    found = []
    for number in range(count):
        draw = random.Random(derive(WORLD_SEED, "mixture", seed, number))
        (which,) = draw.choices(range(len(names)), weights=shares)
        found.append(Exercise(f"{seed}-{number}", names[which], *makers[which](draw)))
    return found


def format_instructions(count: int = 60) -> list[Exercise]:
    """Rule-checked instructions, the same number of each kind."""
    found: list[Exercise] = []
    for number in range(count):
        kind = list(FORMATS)[number % len(FORMATS)]
        draw = random.Random(derive(WORLD_SEED, "format", number))
        found.append(Exercise(f"format-{number}", kind, *FORMATS[kind](draw)))
    return found
