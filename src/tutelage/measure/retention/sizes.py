"""How much of each ability is measured, and which items: always the same ones."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tutelage.errors import RangeError

__all__ = ["SIZES", "VERSION", "SizeName", "SuiteSize", "chosen", "size_of"]

VERSION = 1
"""Raised whenever an item, a prompt or a check changes: scores of different versions are never compared."""

SizeName = Literal["smoke", "quick", "standard", "full"]


@dataclass(frozen=True)
class SuiteSize:
    """Items of each probe, and the caps in tokens. An asset with fewer items gives all it has."""

    instructions: int
    instruction_tokens: int
    arithmetic: int
    arithmetic_tokens: int
    knowledge: int
    reading: int
    passages: int
    passage_tokens: int
    replies: int
    reply_tokens: int


SIZES: Mapping[str, SuiteSize] = {
    "smoke": SuiteSize(4, 24, 4, 32, 3, 3, 2, 48, 2, 8),
    "quick": SuiteSize(30, 40, 32, 40, 80, 40, 16, 128, 16, 32),
    "standard": SuiteSize(120, 64, 120, 48, 300, 150, 64, 256, 64, 64),
    "full": SuiteSize(600, 96, 400, 64, 3000, 360, 400, 512, 200, 128),
}


def size_of(name: str) -> SuiteSize:
    """The size of that name.

    Raises:
        RangeError: there is none.
    """
    if name not in SIZES:
        raise RangeError(f"no suite size is called {name!r}", hint=f"use one of: {', '.join(SIZES)}")
    return SIZES[name]


def chosen(rows: Iterable[Mapping[str, Any]], n: int, purpose: str) -> list[Mapping[str, Any]]:
    """The first ``n`` rows in the order of SHA-1 over purpose and id: the same ones on every machine, and a beginning
    of a larger choice for the same purpose.
    """
    return sorted(rows, key=lambda row: hashlib.sha1(f"{purpose}\0{row['id']}".encode()).hexdigest())[:n]
