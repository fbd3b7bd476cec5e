"""Results from any file or folder that holds them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from tutelage.errors import DataError, nearest
from tutelage.io.failure import disk_errors
from tutelage.measure.results.cells import clean
from tutelage.measure.results.dotted import label_name
from tutelage.measure.results.inspect_log import read_inspect, read_inspect_document
from tutelage.measure.results.lm_eval import read_lm_eval, sample_files
from tutelage.measure.results.native import read_native
from tutelage.measure.results.plain import read_plain
from tutelage.measure.results.run_folder import is_run, measured_folder, read_folder
from tutelage.measure.results.sniffing import READABLE, Kind, is_native_file, kind_of
from tutelage.measure.results.table import Results, TaskResults

__all__ = ["read_results"]

_SUFFIXES = (".jsonl", ".ndjson", ".json", ".eval", ".csv", ".tsv")


def read_results(
    source: str | Path,
    *,
    name: str | None = None,
    task: str | None = None,
    groups: Collection[str] = (),
    lower_is_better: Collection[str] = (),
) -> Results:
    """What one system did on each item, from whatever tool wrote it down.

    Readable are our own result files and folders of them, run folders of ``tutelage tune`` (the main arm), samples of
    lm-eval (``--log_samples``) and their folders, logs of inspect (``.eval``, ``.json``) and their folders, and CSV or
    JSON lines with an id and scores in each row. The kind is told by content; see ``docs/result-files.md``.

    Args:
        source: file or folder.
        name: of the system; by default what the source says, else the name of the file or folder.
        task: the task to read, of several; for a file that names none, its name.
        groups: further breakdowns, by column or place in a sample, such as ``metadata.topic`` or ``doc.subject``.
        lower_is_better: metrics of which less is better, where the source does not say so.

    Returns:
        Tables by task, with notes on all that was assumed or left out.

    Raises:
        DataError: nothing readable is there, or it is damaged, with file, line or item, and cure.
        StoreError: the disk refuses.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "new.csv"
        >>> _ = file.write_text("id,exact\\n1,true\\n2,false\\n")
        >>> results = read_results(file)
        >>> results.name, results.tasks["results"].values["exact"]
        ('new', array([1., 0.]))
    """
    path = Path(source)
    if not path.is_file() and not path.is_dir():
        raise DataError("there is no such file or folder", where=clean(str(path)), hint="check the path")
    try:
        with disk_errors(path, "read"):
            found = _folder(path, task, groups) if path.is_dir() else _file(path, task, groups)
    except RecursionError as error:
        raise DataError("nested too deeply", where=str(path), hint="look at what wrote it") from error
    tasks = _chosen(found, task)
    _check_groups(tasks, groups, path)
    tasks = {label: _directed(table, lower_is_better) for label, table in tasks.items()}
    _check_metrics(tasks, lower_is_better, path)
    return replace(found, name=name or clean(found.name), tasks=tasks)


def _file(path: Path, task: str | None, groups: Collection[str]) -> Results:
    kind: Kind = kind_of(path)
    if kind == "native":
        table, system = read_native(path)
        return Results(str(system.get("name") or path.stem), str(path), {table.task: table}, system)
    if kind in ("lm-eval samples", "lm-eval averages"):
        return read_lm_eval(path, task=task, groups=groups)
    if kind == "inspect archive":
        return read_inspect(path, groups=groups)
    if kind == "inspect document":
        return read_inspect_document(path, groups=groups)
    tables, notes = read_plain(path, is_table=kind == "table", task=task, groups=groups)
    return Results(path.stem, str(path), tables, notes=tuple(notes))


def _folder(path: Path, task: str | None, groups: Collection[str]) -> Results:
    if is_run(path):
        measured = measured_folder(path)
        return replace(_folder(measured, task, groups), name=f"{path.name}/{measured.name}")
    if sample_files(path):
        return read_lm_eval(path, task=task, groups=groups)
    files = sorted(file for file in path.iterdir() if file.is_file() and file.suffix.casefold() in _SUFFIXES)
    files = [file for file in files if file.name != "results.json"]
    if not files:
        raise DataError(
            "the folder holds no results",
            where=str(path),
            hint=f"it holds: {', '.join(sorted(file.name for file in path.iterdir())[:8]) or 'nothing'}; {READABLE}",
        )
    native = [file for file in files if is_native_file(file)]
    if native:
        others = [file.name for file in files if file not in native]
        notes = [f"{path.name}: passed over {', '.join(others[:8])}"] if others else []
        if (path / "work").is_dir() and not (path / "results.json").exists():
            notes.append(f"{path.name}: measuring was stopped before its end; tasks may be absent")
        return replace(read_folder(path, native), notes=tuple(notes))
    if all(kind_of(file).startswith("inspect") for file in files):
        return _newest(path, [_file(file, task, groups) for file in files])
    return _plain_folder(path, files, groups)


def _newest(folder: Path, logs: Iterable[Results]) -> Results:
    """Of each task the newest log."""
    newest: dict[str, Results] = {}
    older = []
    for log in sorted(logs, key=lambda log: str(log.facts.get("created", ""))):
        label = next(iter(log.tasks))
        if label in newest:
            older.append(Path(newest[label].source).name)
        newest[label] = log
    models = sorted({log.name for log in newest.values()})
    if len(models) > 1:
        raise DataError(
            f"the folder holds logs of several models: {', '.join(models[:5])}",
            where=str(folder),
            hint="give one log, or one folder for each model",
        )
    notes = [f"{folder.name}: passed over {', '.join(older[:8])}; of each task the newest log is read"] if older else []
    return Results(
        name=models[0],
        source=str(folder),
        tasks={label: log.tasks[label] for label, log in newest.items()},
        facts=next(iter(newest.values())).facts,
        notes=(*notes, *(note for log in newest.values() for note in log.notes)),
    )


def _plain_folder(folder: Path, files: Iterable[Path], groups: Collection[str]) -> Results:
    """Files of one system, each a task by the name of its file."""
    tasks: dict[str, TaskResults] = {}
    notes: list[str] = []
    for file in files:
        read = _file(file, file.stem, groups)
        twice = sorted(tasks.keys() & read.tasks.keys())
        if twice:
            raise DataError(
                f"the task {twice[0]!r} stands in two files", where=str(file), hint="give one folder for each system"
            )
        tasks |= read.tasks
        notes += read.notes
    return Results(folder.name, str(folder), tasks, notes=tuple(notes))


def _chosen(found: Results, task: str | None) -> dict[str, TaskResults]:
    if task is None:
        return dict(found.tasks)
    if task not in found.tasks:
        close = nearest(task, found.tasks)
        raise DataError(
            f"there is no task {task!r}",
            where=found.source,
            hint=f"did you mean {close!r}?" if close else f"there are: {', '.join(list(found.tasks)[:12])}",
        )
    return {task: found.tasks[task]}


def _check_groups(tasks: dict[str, TaskResults], groups: Collection[str], path: Path) -> None:
    known = {label for table in tasks.values() for label in table.groups}
    for group in groups:
        if label_name(group) not in known:
            raise DataError(
                f"no item has {group!r} to break results down by",
                where=str(path),
                hint=f"breakdowns that are there: {', '.join(sorted(known)) or 'none'}",
            )


def _directed(table: TaskResults, lower: Collection[str]) -> TaskResults:
    if not set(lower) & table.metrics.keys():
        return table
    facts = {
        metric: replace(fact, higher_is_better=False) if metric in lower else fact
        for metric, fact in table.metrics.items()
    }
    return replace(table, metrics=facts)


def _check_metrics(tasks: dict[str, TaskResults], lower: Collection[str], path: Path) -> None:
    known = {metric for table in tasks.values() for metric in table.metrics}
    for metric in lower:
        if metric not in known:
            close = nearest(metric, known)
            raise DataError(
                f"no task has the metric {metric!r}",
                where=str(path),
                hint=f"did you mean {close!r}?" if close else f"there are: {', '.join(sorted(known))}",
            )
