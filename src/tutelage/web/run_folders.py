"""Runs that lie in folders and not in the store: read once, into a store of their own."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.errors import TutelageError
from tutelage.io import read_jsonl
from tutelage.io.documents import read_json
from tutelage.measure.results import read_results
from tutelage.store import Store
from tutelage.types import Scores

__all__ = ["read_run_folders"]


def read_run_folders(folders: Iterable[Path], store: Store) -> list[str]:
    """Enter the runs in ``folders``; what could not be read, and why.

    Args:
        folders: each a run's folder (with ``run.json``), or a folder that holds some.
        store: receives them.
    """
    problems = []
    for folder in folders:
        found = [folder] if (folder / "run.json").is_file() else sorted(p.parent for p in folder.glob("*/run.json"))
        if not found:
            problems.append(f"{folder}: there is no run here")
        for one in found:
            try:
                _enter(one.absolute(), store)
            except (TutelageError, OSError, KeyError, TypeError, ValueError) as error:
                problems.append(f"{one}: {getattr(error, 'what', error)}")
    return problems


def _enter(folder: Path, store: Store) -> None:
    facts = read_json(folder / "run.json")
    name = str(facts["id"])
    if facts.get("job", "tune") != "tune":
        return  # its report is a page of its own
    store.create_run(name, "tune", folder, _settings(folder), str(facts["command"]), str(facts["created"]))
    report = _json(folder / "report.json")
    headline = report.get("headline")
    store.update_run(
        name, status="done" if report else "interrupted", summary=headline if isinstance(headline, Mapping) else {}
    )
    if (folder / "metrics.jsonl").is_file():
        store.log(name, _steps(folder / "metrics.jsonl"))
    for measured in sorted((folder / "measure").glob("*")):
        for scores in _scores(measured):
            store.add_scores(name, measured.name, scores)


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "config.toml"
    return _with_none(tomllib.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _with_none(value: Any) -> Any:
    """TOML has no null; our files write ``{ none = true }``."""
    if not isinstance(value, dict):
        return value
    return None if value == {"none": True} else {key: _with_none(inner) for key, inner in value.items()}


def _json(path: Path) -> Mapping[str, Any]:
    value = read_json(path) if path.is_file() else {}
    return value if isinstance(value, Mapping) else {}


def _steps(path: Path) -> Iterator[tuple[int, str, float]]:
    for line in read_jsonl(path):
        if line.error is not None:
            continue
        row = dict(line.value)
        arm, step = row.pop("arm"), row.pop("step")
        yield from ((step, f"{arm}/{name}", value) for name, value in row.items() if isinstance(value, int | float))


def _scores(folder: Path) -> Iterator[Scores]:
    try:
        results = read_results(folder)
    except TutelageError:
        return  # an arm without results of its own
    for task, table in results.tasks.items():
        for metric, values in table.values.items():
            known = [n for n, value in enumerate(values) if not math.isnan(value)]
            ids = tuple(table.ids[n] for n in known)
            kept = np.array([values[n] for n in known], dtype=np.float64)
            clusters = None if table.clusters is None else tuple(table.clusters[n] for n in known)
            yield Scores(f"{task}/{metric}", ids, kept, clusters, None, table.metrics[metric].higher_is_better)
