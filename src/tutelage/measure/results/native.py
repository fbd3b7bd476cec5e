"""Tutelage's own result files: one JSON-lines file a task, a header first, then one item a line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tutelage.errors import DataError
from tutelage.io import Line, read_jsonl, write_jsonl
from tutelage.measure.results.cells import shown
from tutelage.measure.results.columns import TEXTS, Columns
from tutelage.measure.results.table import MetricFacts, TaskResults

__all__ = ["FORMAT", "is_native", "read_native", "write_native"]

FORMAT = "tutelage-results"
_VERSION = 1
_FACTS = {"higher_is_better": (bool,), "unit": (str,), "version": (int,), "baseline": (float, int, type(None))}
_SCORES = (float, int, type(None))
_MUST_BE_TEXT = {*TEXTS, "missing"}
_AGAIN = "measure again, or copy the file again"


def write_native(path: Path, results: TaskResults, system: Mapping[str, Any] | None = None) -> None:
    """Write one task's results, atomically.

    Args:
        path: the file, by habit ``TASK.jsonl``.
        results: the task as one system answered it.
        system: what is known of the system (name, hash of its weights, ...).

    Raises:
        StoreError: the disk is full, the folder read-only, ...; an older file is intact.
    """
    write_jsonl(path, _lines(results, dict(system or {})))


def _lines(results: TaskResults, system: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {
        "format": FORMAT,
        "version": _VERSION,
        "task": results.task,
        "task_version": results.version,
        "metrics": {name: asdict(facts) for name, facts in results.metrics.items()},
        "items": len(results.ids),
        "system": system,
    }
    columns = {key: getattr(results, column) for key, column in TEXTS.items()}
    present = {key: column for key, column in columns.items() if column is not None}
    for i, item in enumerate(results.ids):
        scores = {name: float(values[i]) for name, values in results.values.items()}
        line: dict[str, Any] = {"id": item}
        line["scores"] = {name: None if math.isnan(value) else value for name, value in scores.items()}
        line |= {key: column[i] for key, column in present.items()}
        if results.groups:
            line["groups"] = {name: labels[i] for name, labels in results.groups.items()}
        if item in results.missing:
            line["missing"] = results.missing[item]
        yield line


def is_native(head: object) -> bool:
    """Whether the first line of a file says that it is one of ours."""
    return isinstance(head, dict) and head.get("format") == FORMAT


def read_native(path: Path) -> tuple[TaskResults, dict[str, Any]]:
    """One task's results and what the file says of the system.

    Raises:
        DataError: the file is not whole or not of this format; file and line are named.
    """
    lines = read_jsonl(path)
    head = _value(next(lines, None), path)
    metrics = _checked_head(head, path)
    items = Columns(head["task"])
    first: dict[str, str] | None = None
    for line in lines:
        where = f"{path}:{line.number}"
        row = _checked_row(_value(line, path), metrics, where)
        texts = {key: row[key] for key in TEXTS if key in row}
        first = texts if first is None else first
        if texts.keys() != first.keys():
            odd = next(key for key in TEXTS if (key in texts) != (key in first))
            unlike = f"{'has' if odd in texts else 'has no'} {odd}, unlike the items before it"
            raise DataError(f"item {shown(row['id'])} {unlike}", where=where, hint=_AGAIN)
        _add(items, row, texts, where)
    if len(items.rows) != head.get("items"):
        raise DataError(
            f"the file ends early: its header promises {shown(head.get('items'))} items, it holds {len(items.rows)}",
            where=str(path),
            hint=_AGAIN,
        )
    return items.table(metrics, str(head.get("task_version") or "")), dict(head.get("system") or {})


def _add(items: Columns, row: Mapping[str, Any], texts: Mapping[str, str], where: str) -> None:
    item = row["id"]
    try:
        items.add(item, texts, where, row.get("groups"), row["scores"])
    except OverflowError as error:
        raise DataError(f"a score of item {shown(item)} is too large", where=where, hint=_AGAIN) from error
    if "missing" in row:
        items.without(item, row["missing"])


def _value(line: Line | None, path: Path) -> Any:
    if line is None:
        raise DataError("the file is empty", where=str(path), hint=_AGAIN)
    if line.error is not None:
        raise DataError(line.error, where=f"{path}:{line.number}", hint=_AGAIN)
    return line.value


def _checked_head(head: Any, path: Path) -> dict[str, MetricFacts]:
    where = f"{path}:1"
    if not is_native(head):
        raise DataError("this is not a result file of Tutelage", where=where, hint="its first line is a header")
    if head.get("version") != _VERSION:
        raise DataError(
            f"result files of version {shown(head.get('version'))} are not known here",
            where=where,
            hint="update Tutelage",
        )
    declared = head.get("metrics")
    if not isinstance(head.get("task"), str) or not isinstance(declared, dict) or not declared:
        raise DataError("the header must name the task and its metrics", where=where, hint=_AGAIN)
    if not isinstance(head.get("system") or {}, dict):
        raise DataError("the header's system must be an object", where=where, hint=_AGAIN)
    return {name: _facts(name, facts, where) for name, facts in declared.items()}


def _facts(name: str, declared: Any, where: str) -> MetricFacts:
    if not isinstance(declared, dict) or declared.keys() - _FACTS.keys():
        raise DataError(f"the header describes {shown(name)} in a way that is not known here", where=where, hint=_AGAIN)
    wrong = [key for key, value in declared.items() if type(value) not in _FACTS[key]]
    if wrong:
        raise DataError(f"{wrong[0]} of {shown(name)} is {shown(declared[wrong[0]])}", where=where, hint=_AGAIN)
    return MetricFacts(**declared)


def _checked_row(value: Any, metrics: Mapping[str, MetricFacts], where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("id"), str) or not isinstance(value.get("scores"), dict):
        raise DataError("an item needs an id (text) and scores", where=where, hint=_AGAIN)
    item, scores = value["id"], value["scores"]
    if scores.keys() != metrics.keys():
        raise DataError(
            f"item {shown(item)} has scores for {sorted(scores)}, the header has {sorted(metrics)}",
            where=where,
            hint=_AGAIN,
        )
    for name, score in scores.items():
        if type(score) not in _SCORES:
            raise DataError(
                f"the score {name} of item {shown(item)} is {shown(score)}, not a number",
                where=where,
                hint="write a number, or null where there is none",
            )
    for key, part in value.items():
        if type(part) is not str and key in _MUST_BE_TEXT:
            raise DataError(f"the {key} of item {shown(item)} is not text", where=where, hint=_AGAIN)
    groups = value.get("groups", {})
    if not isinstance(groups, dict) or not all(type(label) is str for label in groups.values()):
        raise DataError(f"the groups of item {shown(item)} must map names to labels", where=where, hint=_AGAIN)
    return value
