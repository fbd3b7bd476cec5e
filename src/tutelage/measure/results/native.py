"""Tutelage's own result files: one JSON-lines file a task, a header first, then one item a line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.errors import DataError
from tutelage.io import read_jsonl, write_jsonl
from tutelage.measure.results.table import MetricFacts, TaskResults

__all__ = ["FORMAT", "is_native", "read_native", "write_native"]

FORMAT = "tutelage-results"
_VERSION = 1
_TEXTS = {
    "prompt": "prompts",
    "target": "targets",
    "output": "outputs",
    "choice": "choices",
    "cluster": "clusters",
    "asked": "asked",
}


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
    columns = {key: getattr(results, column) for key, column in _TEXTS.items()}
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
    head = _value(next(lines, None), path, 1)
    if not is_native(head):
        raise DataError("this is not a result file of Tutelage", where=f"{path}:1", hint="its first line is a header")
    if head.get("version") != _VERSION:
        raise DataError(
            f"result files of version {head.get('version')!r} are not known here",
            where=f"{path}:1",
            hint="update Tutelage",
        )
    metrics = _metrics(head, path)
    rows = [_row(_value(line, path, line.number), metrics, f"{path}:{line.number}") for line in lines]
    if len(rows) != head.get("items"):
        raise DataError(
            f"the file ends early: its header promises {head.get('items')} items, it holds {len(rows)}",
            where=str(path),
            hint="measure again, or copy the file again",
        )
    return _table(head, metrics, rows, path), dict(head.get("system") or {})


def _value(line: Any, path: Path, number: int) -> Any:
    if line is None:
        raise DataError("the file is empty", where=str(path))
    if line.error is not None:
        raise DataError(line.error, where=f"{path}:{number}", hint="measure again, or copy the file again")
    return line.value


def _metrics(head: Mapping[str, Any], path: Path) -> dict[str, MetricFacts]:
    where = f"{path}:1"
    declared = head.get("metrics")
    if not isinstance(head.get("task"), str) or not isinstance(declared, dict) or not declared:
        raise DataError("the header must name the task and its metrics", where=where)
    try:
        return {str(name): MetricFacts(**facts) for name, facts in declared.items()}
    except TypeError as error:
        raise DataError("the header describes a metric in a way that is not known here", where=where) from error


def _row(value: Any, metrics: Mapping[str, MetricFacts], where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("id"), str) or not isinstance(value.get("scores"), dict):
        raise DataError("an item needs an id (text) and scores", where=where)
    if set(value["scores"]) != set(metrics):
        raise DataError(
            f"item {value['id']!r} has scores for {sorted(value['scores'])}, the header has {sorted(metrics)}",
            where=where,
        )
    for name, score in value["scores"].items():
        if score is not None and (isinstance(score, bool) or not isinstance(score, int | float)):
            raise DataError(f"the score {name} of item {value['id']!r} is {score!r}, not a number", where=where)
    for key in _TEXTS:
        if key in value and not isinstance(value[key], str):
            raise DataError(f"the {key} of item {value['id']!r} is not text", where=where)
    groups = value.get("groups", {})
    if not isinstance(groups, dict) or not all(isinstance(label, str) for label in groups.values()):
        raise DataError(f"the groups of item {value['id']!r} must map names to labels", where=where)
    return value


def _table(
    head: Mapping[str, Any], metrics: Mapping[str, MetricFacts], rows: list[dict[str, Any]], path: Path
) -> TaskResults:
    def column(key: str) -> tuple[str, ...] | None:
        present = [row for row in rows if key in row]
        if present and len(present) != len(rows):
            without = next(row["id"] for row in rows if key not in row)
            raise DataError(f"item {without!r} has no {key}, others have one", where=str(path))
        return tuple(row[key] for row in rows) if present else None

    names = {name for row in rows for name in row.get("groups", {})}
    groups = {name: tuple(row.get("groups", {}).get(name, "") for row in rows) for name in sorted(names)}
    values = {
        name: np.array([math.nan if row["scores"][name] is None else row["scores"][name] for row in rows], dtype=float)
        for name in metrics
    }
    texts = {column_name: column(key) for key, column_name in _TEXTS.items()}
    try:
        return TaskResults(
            task=str(head["task"]),
            ids=tuple(row["id"] for row in rows),
            values=values,
            metrics=metrics,
            version=str(head.get("task_version") or ""),
            groups=groups,
            missing={row["id"]: str(row["missing"]) for row in rows if row.get("missing")},
            **texts,
        )
    except DataError as error:
        raise DataError(error.what, where=f"{path}, {error.where}") from error
