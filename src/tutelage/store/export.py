"""The store's content as flat tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tutelage.io.jsonl import write_jsonl
from tutelage.store.encoding import decode, number_text, text_safe

__all__ = ["NUMBERS", "TABLES", "rows_of", "write_jsonl_tables"]

TABLES = {
    "runs": "SELECT id, kind, folder, status, config, command, created, ended, summary FROM runs ORDER BY seq",
    "metrics": (
        "SELECT runs.id AS run, step, name, value FROM metrics JOIN runs ON runs.seq = metrics.run"
        " ORDER BY runs.seq, name, step"
    ),
    "scores": (
        'SELECT runs.id AS run, arm, metric, version, item, value, cluster AS "group", output'
        " FROM scores JOIN score_sets ON score_sets.seq = scores.score_set JOIN runs ON runs.seq = score_sets.run"
        " ORDER BY score_sets.seq, position"
    ),
    "artifacts": (
        "SELECT runs.id AS run, name, path, sha256 FROM artifacts JOIN runs ON runs.seq = artifacts.run"
        " ORDER BY artifacts.id"
    ),
}
NUMBERS = {"value"}  # columns in which NULL is NaN
_JSON = {"config", "summary"}


def rows_of(connection: sqlite3.Connection, table: str) -> Iterator[dict[str, Any]]:
    """The rows of one of :data:`TABLES` as the database has them, NaN restored."""
    cursor = connection.execute(TABLES[table])
    names = [column[0] for column in cursor.description]
    for row in cursor:
        yield {
            name: float("nan") if part is None and name in NUMBERS else part
            for name, part in zip(names, row, strict=True)
        }


def write_jsonl_tables(connection: sqlite3.Connection, folder: Path) -> list[Path]:
    """One ``.jsonl`` a table, strict JSON; configurations and summaries as objects."""
    files = []
    for table in TABLES:
        file = folder / f"{table}.jsonl"
        write_jsonl(file, (_strict(row) for row in rows_of(connection, table)))
        files.append(file)
    return files


def _strict(row: dict[str, Any]) -> dict[str, Any]:
    return {
        name: text_safe(decode(part)) if name in _JSON else number_text(part) if name in NUMBERS else part
        for name, part in row.items()
    }
