"""Results that a user wrote: CSV or JSON lines with an id and one or more scores in each row."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tutelage.data.delimited import delimited_records
from tutelage.data.json_document import json_records
from tutelage.data.record import Record
from tutelage.errors import DataError
from tutelage.io import read_jsonl
from tutelage.measure.results.cells import as_id, as_number, as_text, shown, text_number
from tutelage.measure.results.columns import Columns
from tutelage.measure.results.table import TaskResults

__all__ = ["UNNAMED", "read_plain"]

UNNAMED = "results"  # the task of a file that names none: the same for old and new

_NAMES: dict[str, tuple[str, ...]] = {
    "id": ("id", "item_id", "item", "sample_id", "question_id"),
    "task": ("task",),
    "seed": ("seed", "epoch"),
    "prompt": ("prompt", "question", "input"),
    "target": ("target", "expected", "reference", "gold"),
    "output": ("output", "response", "completion", "prediction", "generation"),
    "choice": ("choice",),
    "cluster": ("cluster",),
}
_NEVER_SCORES = ("", "unnamed: 0", "index", "row", "line", "answer", "label")
_EMPTY = "leave the cell empty (JSON: null) where there is no score"


@dataclass
class _Frame:
    """All rows of a file by column; None where a row has no such cell."""

    path: Path
    is_text: bool
    lines: array[int] = field(default_factory=lambda: array("q"))
    columns: dict[str, list[Any]] = field(default_factory=dict)

    def add(self, line: int, row: Mapping[str, Any]) -> None:
        at = len(self.lines)
        self.lines.append(line)
        for name, cell in row.items():
            column = self.columns.setdefault(name, [])
            if len(column) < at:
                column.extend([None] * (at - len(column)))
            column.append(cell)

    def close(self) -> None:
        for column in self.columns.values():
            column.extend([None] * (len(self.lines) - len(column)))

    def where(self, row: int) -> str:
        return f"{self.path}:{self.lines[row]}"


@dataclass
class _Numbers:
    """A column read as numbers: values with NaN for none, how many cells are numbers, how many something else."""

    values: array[float] = field(default_factory=lambda: array("d"))
    numbers: int = 0
    others: int = 0
    first_other: int = -1


def read_plain(
    path: Path,
    *,
    is_table: bool,
    task: str | None = None,
    groups: Collection[str] = (),
) -> tuple[dict[str, TaskResults], list[str]]:
    """Tasks of a file with one item a row, and what a reader must know of how it was read.

    A score is a column whose cells are numbers or true and false (at least half of those that are not empty; another
    value among them is then an error), unless its name says that it is something else, such as an id.

    Args:
        path: the file.
        is_table: CSV or TSV; else JSON lines or an array.
        task: name of the task when the file has no column of that name.
        groups: columns to break results down by, besides ``group.NAME`` and ``groups``.

    Raises:
        DataError: with line and cure; nothing is left out silently.
    """
    frame = _frame(path, is_table)
    roles = _roles(frame)
    if "id" not in roles:
        raise DataError(
            f"no column holds ids; the columns are {_listed(frame.columns)}",
            where=f"{path}:1",
            hint="add a column `id` with one id for each item, the same for both systems",
        )
    kept = _groups(frame, groups)
    scores, ignored = _scores(frame, {*roles.values(), *kept.values()})
    tasks = _tasks(frame, roles, kept, scores, task or UNNAMED)
    return {name: items.table() for name, items in tasks.items()}, _notes(path, roles, scores, ignored)


def _frame(path: Path, is_table: bool) -> _Frame:
    frame = _Frame(path, is_table)
    for record in _records(path, is_table):
        where = f"{path}:{record.line}"
        if record.problem is not None:
            raise DataError(record.problem[1], where=where, hint="mend that row, or write the file again")
        if not isinstance(record.value, dict):
            raise DataError(f"a row must be an object, this is {shown(record.value)}", where=where, hint=_EMPTY)
        frame.add(record.line, record.value if is_table else _flat(record.value, where))
    frame.close()
    if not frame.lines:
        raise DataError("the file has no items", where=str(path), hint="write one row for each item")
    if is_table:
        _refuse_bytes(frame)
    return frame


def _records(path: Path, is_table: bool) -> Iterator[Record]:
    if is_table:
        return delimited_records(path, None, json_cells=False)
    with path.open("rb") as stream:
        if stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"[":
            return json_records(path)
    return (
        Record(line.number, line.value, None if line.error is None else ("", line.error)) for line in read_jsonl(path)
    )


def _flat(row: Mapping[str, Any], where: str) -> dict[str, Any]:
    """``{"scores": {"a": 1}, "groups": {"g": "x"}}`` as columns ``scores.a`` and ``group.g``."""
    flat: dict[str, Any] = {}
    for name, cell in row.items():
        if name in ("scores", "groups") and cell is not None:
            if not isinstance(cell, dict):
                raise DataError(f"{name} must map names to values, this is {shown(cell)}", where=where, hint=_EMPTY)
            flat |= {f"{'scores' if name == 'scores' else 'group'}.{key}": value for key, value in cell.items()}
        else:
            flat[name] = cell
    return flat


def _refuse_bytes(frame: _Frame) -> None:
    """Bytes that are not UTF-8 stand in a table's cells as lone surrogates."""
    for name, column in frame.columns.items():
        try:
            (name + "".join(column)).encode()
        except UnicodeEncodeError as error:
            bad = (row for row, cell in enumerate(column) if any("\ud800" <= letter <= "\udfff" for letter in cell))
            row = next(bad, None)
            where = f"{frame.path}:1" if row is None else frame.where(row)
            raise DataError("not UTF-8", where=where, hint="save the file as UTF-8") from error


def _roles(frame: _Frame) -> dict[str, str]:
    """Which column is the id, the prompt, ..."""
    folded = {name.strip().casefold(): name for name in frame.columns}
    found = {role: next((folded[name] for name in names if name in folded), None) for role, names in _NAMES.items()}
    return {role: name for role, name in found.items() if name is not None}


def _groups(frame: _Frame, wanted: Collection[str]) -> dict[str, str]:
    """Columns of labels, by name of the breakdown."""
    found = {name.removeprefix("group."): name for name in frame.columns if name.startswith("group.")}
    return found | {name: name for name in wanted if name in frame.columns}


def _scores(frame: _Frame, taken: Collection[str]) -> tuple[dict[str, array[float]], list[str]]:
    """Values of every column of scores, NaN where a cell is empty; and the columns that were passed over."""
    scores: dict[str, array[float]] = {}
    ignored: dict[str, _Numbers] = {}
    for name in frame.columns:
        if name in taken:
            continue
        declared = not frame.is_text and name.startswith("scores.")
        found = _numbers(frame, name)
        named_otherwise = name.strip().casefold() in _NEVER_SCORES
        if declared or (found.numbers and found.numbers >= found.others and not named_otherwise):
            if found.others:
                raise _not_a_number(frame, name, found)
            scores[name.removeprefix("scores.") if declared else name] = found.values
        else:
            ignored[name] = found
    if not scores:
        text = next(((name, found) for name, found in ignored.items() if found.others), None)
        if text is not None:
            raise _not_a_number(frame, *text)
        raise DataError(
            f"no column holds scores; the columns are {_listed(frame.columns)}",
            where=str(frame.path),
            hint="add a column with a number, or true and false, for each item",
        )
    return scores, list(ignored)


def _numbers(frame: _Frame, name: str) -> _Numbers:
    found = _Numbers()
    for row, cell in enumerate(frame.columns[name]):
        if cell is None or (frame.is_text and not cell.strip()):
            found.values.append(math.nan)
            continue
        value = text_number(cell) if frame.is_text else as_number(cell)
        if value is not None and math.isfinite(value):
            found.values.append(value)
            found.numbers += 1
        else:
            found.values.append(math.nan)
            found.others += 1
            found.first_other = row if found.others == 1 else found.first_other
    return found


def _not_a_number(frame: _Frame, name: str, found: _Numbers) -> DataError:
    cell = frame.columns[name][found.first_other]
    return DataError(
        f"{name} is {shown(cell)}, not a number",
        where=frame.where(found.first_other),
        hint=f"write 0.5, 1, true, ...; {_EMPTY}; if {name} is no score, rename it to answer or take it out",
    )


def _tasks(
    frame: _Frame, roles: Mapping[str, str], groups: Mapping[str, str], scores: Mapping[str, array[float]], unnamed: str
) -> dict[str, Columns]:
    """The rows as tables, one a task; a score that no item of a task has is none of that task."""
    tasks: dict[str, Columns] = {}
    cells = {role: frame.columns[name] for role, name in roles.items()}
    texts = {role: column for role, column in cells.items() if role not in ("id", "task", "seed")}
    labels = {name: frame.columns[column] for name, column in groups.items()}
    for row in range(len(frame.lines)):
        where = frame.where(row)
        task = as_id(cells["task"][row], where) if "task" in cells else unnamed
        items = tasks.get(task) or tasks.setdefault(task, Columns(task))
        item = as_id(cells["id"][row], where)
        found = {role: as_text(column[row]) for role, column in texts.items()}
        if "cluster" in cells or "seed" in cells:
            found["cluster"] = found.get("cluster") or item
        if "seed" in cells:
            item = f"{item}#{as_id(cells['seed'][row], where)}"
        shown_in = {name: as_text(column[row]) for name, column in labels.items()}
        items.add(item, found, where, shown_in, {name: values[row] for name, values in scores.items()})
    for items in tasks.values():
        items.drop_empty()
        if not items.metrics:
            raise DataError(f"no item of task {items.task!r} has a score", where=str(frame.path), hint=_EMPTY)
        items.explain()
    return tasks


def _notes(path: Path, roles: Mapping[str, str], scores: Collection[str], ignored: list[str]) -> list[str]:
    notes = [f"{path.name}: scores are {_listed(scores)}; more is better, unless said otherwise"]
    renamed = [f"{role} from {name}" for role, name in roles.items() if role != name]
    if renamed:
        notes.append(f"{path.name}: {_listed(renamed)}")
    if ignored:
        notes.append(f"{path.name}: not scores, passed over: {_listed(ignored)}")
    return notes


def _listed(names: Collection[str]) -> str:
    shown_names = [name or "(no name)" for name in names]
    return ", ".join(shown_names[:12]) + (f" and {len(shown_names) - 12} more" if len(shown_names) > 12 else "")
