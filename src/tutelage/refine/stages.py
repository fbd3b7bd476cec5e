"""Generate, validate, try again: the loop that every rewriting refiner shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from tutelage.refine.calls import Said

__all__ = ["Attempt", "Check", "first_valid"]

T = TypeVar("T")


@dataclass(frozen=True)
class Check:
    """Whether a text may be used; ``reason`` is a code for counting, ``detail`` is for people."""

    ok: bool
    reason: str = "ok"
    detail: str = ""
    similarity: float | None = None


@dataclass(frozen=True)
class Attempt(Generic[T]):
    """One text that was generated for an item, by what, and what the check said."""

    said: Said
    source: T
    check: Check


def first_valid(
    items: Sequence[T],
    attempts: int,
    generate: Callable[[list[T], int], list[tuple[Said, str]]],
    validate: Callable[[list[T], list[Said]], list[Check]],
) -> list[list[Attempt[str]]]:
    """For each item, generate until a text passes, at most ``attempts`` times.

    Args:
        items: what to generate for.
        attempts: the most tries for one item.
        generate: texts for some items at try number k = 0, 1, ..., each with the name of its prompt.
        validate: one check per text.

    Returns:
        For each item its attempts in order; only the last can have passed.
    """
    tried: list[list[Attempt[str]]] = [[] for _ in items]
    for k in range(attempts):
        open_ = [i for i, made in enumerate(tried) if not made or not made[-1].check.ok]
        if not open_:
            break
        batch = [items[i] for i in open_]
        answers = generate(batch, k)
        checks = validate(batch, [said for said, _ in answers])
        for i, (said, source), check in zip(open_, answers, checks, strict=True):
            tried[i].append(Attempt(said, source, check))
    return tried
