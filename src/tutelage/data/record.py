"""One record of a file of rows, before anything is known about its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["Format", "Record"]

Format = Literal["jsonl", "json", "csv", "tsv", "parquet", "datasets", "task"]
"""Of a file or folder; "task" says that the rows come from no file but from an embedded task."""


@dataclass(frozen=True)
class Record:
    """One record of a file: its ``value``, or a ``problem`` (reason code, sentence) and the start of it."""

    line: int
    value: Any
    problem: tuple[str, str] | None = None
    raw: str = ""
    split: str | None = None
