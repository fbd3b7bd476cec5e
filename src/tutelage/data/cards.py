"""General Points: make 24 from the numbers of some cards; an exact solver, and rows for any way to count faces."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache

from tutelage.errors import RangeError
from tutelage.functional.numbers_game import numbers_reference
from tutelage.seeds import derive
from tutelage.types import Row

__all__ = ["FACES", "FACES_AS_TEN", "REGULAR_FACES", "card_rows", "solve_numbers"]

FACES = ("J", "Q", "K")
FACES_AS_TEN: Mapping[str, int] = dict.fromkeys(FACES, 10)
"""How the paper's training rows count the face cards."""
REGULAR_FACES: Mapping[str, int] = {"J": 11, "Q": 12, "K": 13}
RANKS = ("A", *map(str, range(2, 11)), *FACES)
PROMPT = """Make {target} from the {count} cards {cards}, each used once, with + - * / and brackets.
{faces}
Answer in JSON with the fields cards, number, formula."""


def solve_numbers(numbers: Sequence[int], target: Fraction | int = 24) -> str | None:
    """An expression of all the numbers, each used once, that is exactly ``target``; None when there is none.

    Any two of the values left are joined by + - * / in exact fractions until one is left: every expression is reached.
    The first found is returned; the same numbers in any order give the same one.

    Args:
        numbers: two to six whole numbers of at least 0; six take seconds.
        target: the value to reach.

    Raises:
        RangeError: fewer than one or more than six numbers, or a negative one.

    Source: own derivation.

    Example:
        >>> solve_numbers([3, 3, 8, 8])
        '8/(3-(8/3))'
        >>> solve_numbers([1, 1, 1, 1]) is None
        True
    """
    if not 1 <= len(numbers) <= 6 or min(numbers) < 0:
        raise RangeError(f"{list(numbers)} are not one to six whole numbers of at least 0")
    return _solved(tuple(sorted(int(number) for number in numbers)), Fraction(target))


@lru_cache(maxsize=100_000)
def _solved(numbers: tuple[int, ...], target: Fraction) -> str | None:
    found = _search([(Fraction(number), str(number)) for number in numbers], target, set())
    return None if found is None else found.removeprefix("(").removesuffix(")") if found[0] == "(" else found


def _search(left: list[tuple[Fraction, str]], target: Fraction, failed: set[tuple[Fraction, ...]]) -> str | None:
    if len(left) == 1:
        return left[0][1] if left[0][0] == target else None
    key = tuple(sorted(value for value, _ in left))
    if key in failed:
        return None
    for first in range(len(left)):
        for second in range(first + 1, len(left)):
            rest = [one for place, one in enumerate(left) if place not in (first, second)]
            for joined in _joined(left[first], left[second]):
                if (found := _search([*rest, joined], target, failed)) is not None:
                    return found
    failed.add(key)
    return None


def _joined(one: tuple[Fraction, str], other: tuple[Fraction, str]) -> Iterator[tuple[Fraction, str]]:
    """Both values joined in every way."""
    (a, left), (b, right) = one, other
    yield a + b, f"({left}+{right})"
    yield a * b, f"({left}*{right})"
    yield a - b, f"({left}-{right})"
    yield b - a, f"({right}-{left})"
    if b != 0:
        yield a / b, f"({left}/{right})"
    if a != 0:
        yield b / a, f"({right}/{left})"


def card_rows(
    count: int,
    faces: Mapping[str, int] = FACES_AS_TEN,
    *,
    cards: int = 4,
    counted: Mapping[str, int] | None = None,
    target: int = 24,
    seed: int = 0,
) -> list[Row]:
    """Rows of General Points whose hands can be solved; ``reference`` is "numbers = target" for the verifiers.

    Args:
        count: how many.
        faces: what the prompt says that J, Q and K count.
        cards: in a hand.
        counted: what the scorer counts them, None for ``faces``. When they differ the row is a probe of whether the
            prompt is read: the hand can be solved either way and holds a face card, and the answer is the scorer's.
        target: the value to reach.
        seed: the same rows for the same seed.

    Raises:
        RangeError: no cards or no rows asked for.
    """
    if count < 1 or not 2 <= cards <= 6:
        raise RangeError(f"{count} rows of {cards} cards")
    draw, counted = random.Random(derive(seed, "cards")), counted or faces
    rows: list[Row] = []
    while len(rows) < count:
        hand = [draw.choice(RANKS) for _ in range(cards)]
        said, numbers = [[_number(card, by) for card in hand] for by in (faces, counted)]
        formula = solve_numbers(numbers, target)
        if formula is None or solve_numbers(said, target) is None:
            continue
        if counted != faces and said == numbers:
            continue
        answer = {"cards": hand, "number": numbers, "formula": f"{formula}={target}"}
        told = ", ".join(f"{face} counts as {faces[face]}" for face in FACES)
        content = PROMPT.format(target=target, count=cards, cards=" ".join(hand), faces=told)
        rows.append(
            Row(
                id=f"cards-{len(rows)}",
                prompt=[{"role": "user", "content": content}],
                completion=[{"role": "assistant", "content": json.dumps(answer)}],
                group=" ".join(map(str, sorted(numbers))),
                reference=numbers_reference(numbers, target),
            )
        )
    return rows


def _number(card: str, faces: Mapping[str, int]) -> int:
    return faces[card] if card in FACES else 1 if card == "A" else int(card)
