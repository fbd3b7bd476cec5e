"""Countdown in small: reach a value with three numbers, each used once; and what the base model knows of arithmetic."""

from __future__ import annotations

import random
from functools import cache
from itertools import product

from transformers import PreTrainedTokenizerBase

from tutelage.functional.numbers_game import numbers_reference
from tutelage.papers.lab.instructions import Exercise
from tutelage.papers.lab.tokenizer import trained_tokenizer
from tutelage.seeds import derive
from tutelage.types import Row
from tutelage.verify import parse_expression

__all__ = ["countdown_pool", "countdown_tokenizer", "general_exercises"]

SHAPES = ("{a}{p}{b}{q}{c}", "({a}{p}{b}){q}{c}", "{a}{p}({b}{q}{c})")
SIGNS = "+-*"


@cache
def _solved(most: int, target: int) -> dict[tuple[tuple[int, ...], int], tuple[str, ...]]:
    """Every way to reach a value from 1 to ``target`` with three numbers in their order, shortest first."""
    found: dict[tuple[tuple[int, ...], int], set[str]] = {}
    for (a, b, c), p, q in product(product(range(1, most + 1), repeat=3), SIGNS, SIGNS):
        left, right = _joined(_joined(a, p, b), q, c), _joined(a, p, _joined(b, q, c))
        plain = right if q == "*" and p != "*" else left
        for shape, value in zip(SHAPES, (plain, left, right), strict=True):
            if 1 <= value <= target:
                found.setdefault(((a, b, c), value), set()).add(shape.format(a=a, b=b, c=c, p=p, q=q))
    return {key: tuple(sorted(texts, key=lambda t: (len(t), t))) for key, texts in sorted(found.items())}


def _joined(a: int, sign: str, b: int) -> int:
    return a + b if sign == "+" else a - b if sign == "-" else a * b


def countdown_pool(*, most: int = 9, target: int = 40) -> list[Row]:
    """Every problem that can be solved with the numbers in their order, with one of its shortest solutions.

    ``group`` is its hardness: easy where some solution needs no brackets. An answer in another order counts as well.
    """
    rows = []
    for (numbers, value), texts in _solved(most, target).items():
        short = [text for text in texts if len(text) == len(texts[0])]
        answer = short[derive(1, "countdown", *numbers, value) % len(short)]
        rows.append(
            Row(
                id="-".join(map(str, (*numbers, value))),
                prompt=[{"role": "user", "content": f"{' '.join(map(str, numbers))} = {value}"}],
                completion=[{"role": "assistant", "content": answer}],
                reference=numbers_reference(numbers, value),
                group="hard" if "(" in answer else "easy",
            )
        )
    return rows


def general_exercises(count: int, seed: int, *, most: int = 9) -> list[Exercise]:
    """What the base model knows: the value of an expression, and to write some expression of three numbers."""
    draw, found = random.Random(derive(seed, "countdown", "general")), list[Exercise]()
    while len(found) < count:
        a, b, c = (draw.randint(1, most) for _ in range(3))
        text = draw.choice(SHAPES).format(a=a, b=b, c=c, p=draw.choice(SIGNS), q=draw.choice(SIGNS))
        if len(found) % 4 == 0:
            task = ("value", f"{text} ?", str(_value(text)))
        elif len(found) % 2 == 1:
            task = ("write", f"{a} {b} {c} = ?", text)
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
