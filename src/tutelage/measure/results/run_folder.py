"""Folders of Tutelage: what ``measure`` wrote, and the measurements inside a run of ``tune``."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tutelage.errors import DataError
from tutelage.measure.results.native import read_native
from tutelage.measure.results.table import Results, TaskResults

__all__ = ["is_run", "measured_folder", "read_folder"]


def is_run(folder: Path) -> bool:
    """Whether ``folder`` is that of a run of ``tutelage tune``."""
    return (folder / "run.json").is_file()


def measured_folder(run: Path) -> Path:
    """Where a run keeps the measurements of its main arm: ``measure/ARM``.

    Raises:
        DataError: the run has not measured it yet, its configuration does not say which arm is the main one, or it is
            one of ``tutelage w2s``, in which no system is the main one.
    """
    systems = sorted(path.parent for path in run.glob("*/w2s.jsonl"))
    if systems:
        raise DataError(
            "this run of `tutelage w2s` measured several systems",
            where=str(run),
            hint=f"give the folder of one: {', '.join(map(str, systems))}",
        )
    config = run / "config.toml"
    try:
        arm = tomllib.loads(config.read_text(encoding="utf-8")).get("method", "raft")
    except (OSError, ValueError) as error:
        raise DataError(
            f"the configuration of the run cannot be read: {error}",
            where=str(config),
            hint=f"give one of the folders in {run / 'measure'}",
        ) from error
    folder = run / "measure" / str(arm)
    if not folder.is_dir():
        there = sorted(path.name for path in (run / "measure").glob("*") if path.is_dir())
        raise DataError(
            f"the run has no measurements of {arm}",
            where=str(run),
            hint=f"finish it with `tutelage resume {run}`"
            + (f"; measured so far: {', '.join(str(run / 'measure' / name) for name in there)}" if there else ""),
        )
    return folder


def read_folder(folder: Path, files: Iterable[Path]) -> Results:
    """The tasks of a folder of our own result files.

    Raises:
        DataError: a file is damaged, or two hold the same task.
    """
    tasks: dict[str, TaskResults] = {}
    origin: dict[str, Path] = {}
    facts: Mapping[str, Any] = {}
    for file in files:
        table, system = read_native(file)
        if table.task in tasks:
            raise DataError(
                f"two files hold the task {table.task}: {origin[table.task].name} and {file.name}",
                where=str(folder),
                hint="give one folder for each system",
            )
        tasks[table.task], origin[table.task] = table, file
        facts = system or facts
    return Results(name=str(facts.get("name") or folder.name), source=str(folder), tasks=tasks, facts=facts)
