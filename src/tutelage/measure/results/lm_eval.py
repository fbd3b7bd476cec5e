"""What EleutherAI's lm-evaluation-harness leaves behind: samples by task, averages, and folders of both."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tutelage.errors import DataError
from tutelage.measure.results.cells import as_text
from tutelage.measure.results.foreign_json import read_document
from tutelage.measure.results.joined import joined
from tutelage.measure.results.lm_eval_samples import read_samples
from tutelage.measure.results.table import MetricFacts, Results, TaskResults

__all__ = ["read_lm_eval", "sample_files"]

_NAME = re.compile(r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)")
_AVERAGES = re.compile(r".+_(?P<time>\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)")


class _File(NamedTuple):
    path: Path
    task: str
    time: str


def sample_files(folder: Path) -> list[Path]:
    """The samples of every task, in ``folder`` or the folder of a model below it."""
    return sorted(file for pattern in ("samples_*.jsonl", "*/samples_*.jsonl") for file in folder.glob(pattern))


def read_lm_eval(path: Path, *, task: str | None = None, groups: Collection[str] = ()) -> Results:
    """Results of one run.

    The subtasks of a group (``mmlu``) are read as one task with a breakdown by ``task``; ids are then ``SUBTASK/ID``.

    Args:
        path: a file of samples, one of averages (whose samples lie beside it), or the output folder.
        task: the name of the task, for a file of samples whose name does not tell it.
        groups: places in a sample to break results down by, such as ``doc.subject``.

    Raises:
        DataError: with file, line and cure.
    """
    files, notes = _files(path, task)
    averages = {file.time: _averages(file) for file in files}
    tables: dict[str, TaskResults] = {}
    for file in files:
        items, left_out = read_samples(file.path, file.task, groups)
        facts, version, unknown = _facts(averages[file.time], file.task, items.metrics)
        if items.metrics:
            tables[file.task] = items.table(facts, version)
        notes += left_out + unknown
    if not tables:
        raise DataError(
            f"no metric has one number for each item; {'; '.join(notes)}",
            where=str(path),
            hint="compare a task with a metric such as acc, acc_norm, exact_match or f1 of each item",
        )
    newest = averages[max(averages)]
    tables, merged = _grouped(tables, newest)
    return Results(
        name=as_text(newest.get("model_name")) or files[0].path.parent.name or path.stem,
        source=str(path),
        tasks=tables,
        facts=_system(newest),
        notes=tuple(notes + merged + _limited(newest)),
    )


def _files(path: Path, task: str | None) -> tuple[list[_File], list[str]]:
    if path.is_dir():
        return _newest([_named(file, None) for file in sample_files(path)], path)
    if path.suffix == ".json" and (found := _AVERAGES.fullmatch(path.stem)):
        of_run = [_named(file, None) for file in sample_files(path.parent)]
        of_run = [file for file in of_run if file.time == found["time"]]
        if of_run:
            return of_run, []
    elif path.suffix != ".json":
        return [_named(path, task)], []
    raise DataError(
        "these are averages of lm-eval; no samples of that run lie beside them",
        where=str(path),
        hint="run lm_eval with --log_samples and give its output folder",
    )


def _named(path: Path, task: str | None) -> _File:
    found = _NAME.fullmatch(path.stem)
    return _File(path, found["task"], found["time"]) if found else _File(path, task or path.stem, "")


def _newest(files: list[_File], folder: Path) -> tuple[list[_File], list[str]]:
    """Of each task the newest file."""
    models = sorted({file.path.parent.name for file in files})
    if len(models) > 1:
        raise DataError(
            f"the folder holds samples of several models: {', '.join(models[:5])}",
            where=str(folder),
            hint=f"give the folder of one of them, such as {folder / models[0]}",
        )
    newest: dict[str, _File] = {}
    for file in sorted(files, key=lambda file: file.time):
        newest[file.task] = file
    older = len(files) - len(newest)
    note = f"{folder.name}: {older} older files of samples passed over; of each task the newest run is read"
    return sorted(newest.values()), [note] if older else []


def _averages(file: _File) -> dict[str, Any]:
    """The averages of the run that wrote ``file``, empty when they are not there."""
    if not file.time:
        return {}
    for candidate in sorted(file.path.parent.glob(f"*_{file.time}.json")):
        document = read_document(candidate)
        if not isinstance(document, dict) or not isinstance(document.get("results"), dict):
            raise DataError("these are no averages of lm-eval", where=str(candidate), hint="copy the folder again")
        return document
    return {}


def _part(document: Mapping[str, Any], *keys: str) -> Any:
    value: Any = document
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _facts(
    averages: Mapping[str, Any], task: str, metrics: Iterable[str]
) -> tuple[dict[str, MetricFacts], str, list[str]]:
    """Directions of a task's metrics, the version of the task, and what is not known of them."""
    directions = {name: _part(averages, "higher_is_better", task, name.partition(",")[0]) for name in metrics}
    unknown = [name for name, up in directions.items() if not isinstance(up, bool)]
    version, shots = _part(averages, "versions", task), _part(averages, "n-shot", task)
    told = [as_text(version)] if version is not None else []
    if shots is not None:
        told.append(f"{as_text(shots)}-shot")
    note = f"{task}: more is taken to be better for {', '.join(unknown)}; lm-eval's averages do not say"
    return (
        {name: MetricFacts(higher_is_better=up is not False) for name, up in directions.items()},
        ", ".join(told),
        [note] if unknown else [],
    )


def _system(averages: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("model_name", "model_source", "lm_eval_version", "transformers_version", "date", "chat_template_sha")
    found = {key: averages[key] for key in kept if averages.get(key) is not None}
    return {"tool": "lm-eval"} | found


def _limited(averages: Mapping[str, Any]) -> list[str]:
    limit = _part(averages, "config", "limit")
    return [] if limit is None else [f"the run was limited to {as_text(limit)} items of each task (--limit)"]


def _grouped(tables: dict[str, TaskResults], averages: Mapping[str, Any]) -> tuple[dict[str, TaskResults], list[str]]:
    """Subtasks of a group as one task, where they have a metric in common."""
    declared = averages.get("group_subtasks")
    subtasks: dict[str, list[str]] = {}
    if isinstance(declared, dict):
        subtasks = {group: below for group, below in declared.items() if isinstance(below, list) and below}
    children = {child for below in subtasks.values() for child in below}
    found: dict[str, TaskResults] = {}
    notes: list[str] = []
    inside: set[str] = set()
    for group in subtasks:
        leaves = {leaf: via for leaf, via in _leaves(group, subtasks).items() if leaf in tables}
        if group in children or len(leaves) < 2:
            continue
        nested = any(via != leaf for leaf, via in leaves.items())
        parts, version = [tables[leaf] for leaf in leaves], _facts(averages, group, ())[1]
        whole, said = joined(group, parts, version, list(leaves.values()) if nested else [])
        notes += said
        if whole is not None:
            found[group] = whole
            inside |= leaves.keys()
    return found | {name: table for name, table in tables.items() if name not in inside}, notes


def _leaves(group: str, subtasks: Mapping[str, list[str]]) -> dict[str, str]:
    """Tasks below a group, each with the member of the group through which it belongs."""
    found: dict[str, str] = {}
    seen = {group}
    for child in subtasks[group]:
        waiting = [child]
        while waiting:
            name = waiting.pop(0)
            if not isinstance(name, str) or name in seen:
                continue
            seen.add(name)
            below = subtasks.get(name, [])
            waiting = [*below, *waiting]
            if not below:
                found[name] = child
    return found
