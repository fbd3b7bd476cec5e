"""Items of several sources in one order, of which every beginning holds all of them."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest
from typing import TypeVar

__all__ = ["in_turn"]

T = TypeVar("T")


def in_turn(columns: Iterable[Iterable[T]]) -> list[T]:
    """One of each column, then the next of each, until all are through.

    Example:
        >>> in_turn(["aaa", "b", "cc"])
        ['a', 'b', 'c', 'a', 'c', 'a']
    """
    nothing = object()
    return [one for row in zip_longest(*columns, fillvalue=nothing) for one in row if one is not nothing]  # type: ignore[misc]
