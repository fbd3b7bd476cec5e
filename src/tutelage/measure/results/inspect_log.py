"""Logs of inspect, as archives (``.eval``) and as documents (``.json``)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tutelage.errors import DataError
from tutelage.measure.results.cells import as_text, shown
from tutelage.measure.results.eval_archive import EvalArchive, open_archive
from tutelage.measure.results.foreign_json import read_document
from tutelage.measure.results.inspect_samples import Samples
from tutelage.measure.results.table import Results

__all__ = ["read_inspect", "read_inspect_document"]

_VERSIONS = (1, 2)
_SHELL = re.compile(r"(samples/.+_epoch_\d+)/sample\.json", re.DOTALL)
_AGAIN = "copy the file again, or write it again with `inspect log convert`"
_UNFINISHED = {
    "started": "the run never finished (status started)",
    "cancelled": "the run was cancelled (status cancelled)",
    "error": "the run ended with an error (status error)",
}


def read_inspect(path: Path, *, groups: Collection[str] = ()) -> Results:
    """The one task of a log.

    Each scorer is a metric; a scorer with several values is one metric each, ``SCORER.VALUE``. With several epochs an
    item is ``ID#EPOCH`` and the sample is its cluster.

    Args:
        path: the log.
        groups: places in a sample to break results down by, such as ``metadata.topic``.

    Raises:
        DataError: with file, member or sample, and cure.
    """
    with open_archive(path) as archive:
        return _read(path, _header(archive), _members(archive), groups)


def read_inspect_document(path: Path, *, groups: Collection[str] = ()) -> Results:
    """As :func:`read_inspect`, from a ``.json`` log."""
    document = read_document(path)
    if not isinstance(document, dict):
        raise DataError("this is no log of inspect", where=str(path), hint=_AGAIN)
    samples = document.pop("samples", None) or []
    if not isinstance(samples, list):
        raise DataError(f"samples must be a list, this is {shown(samples)}", where=str(path), hint=_AGAIN)
    numbered = ((sample, f"{path}, samples[{number}]") for number, sample in enumerate(samples))
    return _read(path, document, numbered, groups)


def _header(archive: EvalArchive) -> Mapping[str, Any]:
    for name in ("header.json", "_journal/start.json"):
        if name in archive.names:
            header = archive.json(name)
            if not isinstance(header, dict):
                raise DataError(f"{name} must be an object", where=str(archive.path), hint=_AGAIN)
            return header
    raise DataError("this log of inspect has no header", where=str(archive.path), hint=_AGAIN)


def _members(archive: EvalArchive) -> Iterator[tuple[Any, str]]:
    """Every sample; of one that is kept in parts, the part with its scores."""
    shells = {found[1] for name in archive.names if (found := _SHELL.fullmatch(name))}
    for name in archive.names:
        if not name.startswith("samples/") or not name.endswith(".json"):
            continue
        where = f"{archive.path}, member {name!r}"
        folder = next((shell for shell in shells if name.startswith(f"{shell}/")), None)
        if folder is None:
            yield archive.json(name), where
        elif name == f"{folder}/sample.json":
            sample = archive.json(name)
            if isinstance(sample, dict) and f"{folder}/metadata.json" in archive.names:
                sample["metadata"] = archive.json(f"{folder}/metadata.json")
            yield sample, where


def _read(
    path: Path, header: Mapping[str, Any], samples: Iterable[tuple[Any, str]], groups: Collection[str]
) -> Results:
    if header.get("version") not in _VERSIONS or isinstance(header.get("version"), bool):
        raise DataError(
            f"logs of inspect of version {shown(header.get('version'))} are not known here",
            where=str(path),
            hint="write it with a release of inspect whose logs have version 2, or update Tutelage",
        )
    spec = header.get("eval")
    if not isinstance(spec, dict) or not isinstance(spec.get("task"), str):
        raise DataError("the log does not name its task", where=str(path), hint=_AGAIN)
    items = Samples(spec["task"], _epochs(spec), groups)
    for sample, where in samples:
        items.add(sample, where)
    status = header.get("status", "started")
    _check_whole(path, header, len(items))
    version = spec.get("task_version")
    table, notes = items.table(str(path), "" if version is None else as_text(version))
    return Results(
        name=as_text(spec.get("model")) or path.stem,
        source=str(path),
        tasks={table.task: table},
        facts=_system(spec),
        notes=(*_status(spec["task"], status, header), *notes),
    )


def _epochs(spec: Mapping[str, Any]) -> int:
    config = spec.get("config")
    epochs = config.get("epochs") if isinstance(config, dict) else None
    return epochs if isinstance(epochs, int) and not isinstance(epochs, bool) else 1


def _check_whole(path: Path, header: Mapping[str, Any], read: int) -> None:
    """A log that finished holds the samples that its results count."""
    results = header.get("results")
    promised = results.get("completed_samples") if isinstance(results, dict) else None
    if read == 0:
        raise DataError(
            "the log has no samples",
            where=str(path),
            hint="run inspect without --no-log-samples; logs of averages cannot be compared item by item",
        )
    if isinstance(promised, int) and promised > read:
        raise DataError(
            f"the log is not whole: its header counts {promised} completed samples, it holds {read}",
            where=str(path),
            hint=_AGAIN,
        )


def _status(task: str, status: Any, header: Mapping[str, Any]) -> list[str]:
    notes = []
    if status != "success":
        error = header.get("error")
        message = as_text(error.get("message")) if isinstance(error, dict) else ""
        told = _UNFINISHED.get(str(status), f"the run has the status {shown(status)}")
        notes.append(f"{task}: {told}{': ' if message else ''}{message}; only samples that were logged are read")
    if header.get("invalidated"):
        notes.append(f"{task}: samples of this log were declared invalid")
    return notes


def _system(spec: Mapping[str, Any]) -> dict[str, Any]:
    packages = spec.get("packages")
    found = {key: as_text(spec[key]) for key in ("model", "created", "task_id", "run_id") if spec.get(key)}
    if isinstance(packages, dict):
        found |= {f"{name}_version": as_text(version) for name, version in packages.items()}
    return {"tool": "inspect"} | found
