"""Rows that were set aside: where they stood, why, and what they looked like."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from tutelage.io import write_jsonl

__all__ = ["RAW_LIMIT", "Rejected", "excerpt", "write_rejected"]

RAW_LIMIT = 2_000  # bytes of a bad row that are kept


@dataclass(frozen=True)
class Rejected:
    """A row that was set aside.

    ``line`` counts from 1: lines of a text file, rows of a table. ``reason`` is a code for counting, ``detail`` a
    sentence for people, ``raw`` the start of the row, at most 2,000 bytes of UTF-8.
    """

    line: int
    reason: str
    detail: str
    raw: str


def excerpt(text: str) -> str:
    """The start of ``text``, at most 2,000 bytes of UTF-8 and never half a character; bad code points are escaped."""
    data = text[:RAW_LIMIT].encode("utf-8", "backslashreplace")
    return data[:RAW_LIMIT].decode("utf-8", "ignore")


def write_rejected(path: str | os.PathLike[str], rejected: Iterable[Rejected]) -> int:
    """Write the rows that were set aside as JSON lines (line, reason, detail, raw), atomically.

    Args:
        path: the file to replace.
        rejected: what a reader set aside.

    Returns:
        How many there were; a file is written even for none, so that its absence never means "all good".

    Raises:
        StoreError: the file cannot be written.
    """
    return write_jsonl(path, (asdict(row) for row in rejected))
