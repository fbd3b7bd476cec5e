"""Countdown in small: reach a value with three numbers, each used once; and what the base model knows of arithmetic."""

from __future__ import annotations

import random
from functools import cache
from itertools import combinations_with_replacement, permutations, product

from transformers import PreTrainedTokenizerBase

from tutelage.papers.lab.instructions import Exercise
from tutelage.papers.lab.tokenizer import trained_tokenizer
from tutelage.seeds import derive
from tutelage.types import Row
from tutelage.verify import countdown_reference, parse_expression

__all__ = ["countdown_pool", "countdown_tokenizer", "general_exercises"]

SHAPES = ("{a}{p}{b}{q}{c}", "({a}{p}{b}){q}{c}", "{a}{p}({b}{q}{c})")
SIGNS = "+-*"


@cache
def _solved(most: int, target: int) -> dict[tuple[tuple[int, ...], int], tuple[str, ...]]:
    """Every way to reach a value from 1 to ``target`` with three numbers from 1 to ``most``, shortest first."""
    found: dict[tuple[tuple[int, ...], int], set[str]] = {}
    for numbers in combinations_with_replacement(range(1, most + 1), 3):
        for (a, b, c), p, q in product(sorted(set(permutations(numbers))), SIGNS, SIGNS):
            left, right = _joined(_joined(a, p, b), q, c), _joined(a, p, _joined(b, q, c))
            plain = right if q == "*" and p != "*" else left
            for shape, value in zip(SHAPES, (plain, left, right), strict=True):
                if 1 <= value <= target:
                    found.setdefault((numbers, value), set()).add(shape.format(a=a, b=b, c=c, p=p, q=q))
    return {key: tuple(sorted(texts, key=lambda t: (len(t), t))) for key, texts in sorted(found.items())}


def _joined(a: int, sign: str, b: int) -> int:
    return a + b if sign == "+" else a - b if sign == "-" else a * b


def countdown_pool(*, most: int = 9, target: int = 60) -> list[Row]:
    """Every solvable problem, with one of its shortest solutions as the answer; ``group`` is its hardness.

    Easy ones have three or more solutions of the shortest length, hard ones fewer.
    """
    rows = []
    for (numbers, value), texts in _solved(most, target).items():
        shown = list(numbers)
        random.Random(derive(0, "countdown", *numbers, value)).shuffle(shown)
        short = [text for text in texts if len(text) == len(texts[0])]
        answer = short[derive(1, "countdown", *numbers, value) % len(short)]
        rows.append(
            Row(
                id="-".join(map(str, (*numbers, value))),
                prompt=[{"role": "user", "content": f"{' '.join(map(str, shown))} = {value}"}],
                completion=[{"role": "assistant", "content": answer}],
                reference=countdown_reference(numbers, value),
                group="easy" if len(short) > 2 else "hard",
            )
        )
    return rows


def general_exercises(count: int, seed: int, *, most: int = 9) -> list[Exercise]:
    """What the base model knows: the value of an expression, and to write some expression of three numbers."""
    draw, found = random.Random(derive(seed, "countdown", "general")), list[Exercise]()
    while len(found) < count:
        a, b, c = (draw.randint(1, most) for _ in range(3))
        text = draw.choice(SHAPES).format(a=a, b=b, c=c, p=draw.choice(SIGNS), q=draw.choice(SIGNS))
        shown = [a, b, c]
        draw.shuffle(shown)
        if len(found) % 4 == 0:
            task = ("value", f"{text} ?", str(_value(text)))
        elif len(found) % 2 == 1:
            task = ("write", f"use {' '.join(map(str, shown))}", text)
        else:
            short = f"{a}{draw.choice(SIGNS)}{b}"
            task = ("step", f"{short} ?", str(_value(short)))
        found.append(Exercise(f"{task[0]}-{len(found)}", *task))
    return found


def _value(text: str) -> int:
    made = parse_expression(text)
    assert made is not None
    assert made.value is not None
    return int(made.value)


@cache
def countdown_tokenizer() -> PreTrainedTokenizerBase:
    """One token a character."""
    return trained_tokenizer(["0123456789+-*/()= ?use"], seen=10**9)
