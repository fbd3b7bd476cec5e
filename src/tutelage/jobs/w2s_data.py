"""What a file holds for ``tutelage w2s``: texts or numbers, truth on some rows, perhaps given labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.data import Rejected
from tutelage.data.delimited import undecodable
from tutelage.data.formats import detect, records
from tutelage.data.rejected import excerpt
from tutelage.errors import DataError, nearest
from tutelage.jobs.w2s_config import W2sConfig
from tutelage.seeds import derive
from tutelage.types import FloatArray, IntArray

__all__ = ["Parts", "Table", "parted", "read_table"]

WEAK_LABEL = "weak_label"
_ROW_SUM = 1e-3
_NOT_UTF8 = "bytes that are not UTF-8; write the file anew: iconv -f LATIN1 -t UTF-8 FILE > NEW"
_FEWEST = 10
_Given = Mapping[str, float]


@dataclass(frozen=True)
class Table:
    """The usable rows, in file order [N].

    ``truth`` [N] is -1 where it is not known, ``given`` [N, K] NaN where the supervisor's label is not. ``groups`` [N]
    says which rows are the same text and stay on one side of every split; rows of numbers are each their own.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...] | None
    numbers: FloatArray | None
    weak_numbers: FloatArray | None
    classes: tuple[str, ...]
    truth: IntArray
    given: FloatArray | None
    groups: tuple[str, ...]
    rejected: tuple[Rejected, ...]


@dataclass(frozen=True)
class Parts:
    """Places of the rows that are tested on, that the teacher learns from (none with given labels), the student's."""

    test: IntArray
    teacher: IntArray
    pool: IntArray


def read_table(config: W2sConfig) -> Table:
    """Read the rows and the supervisor's labels, if there are any.

    Raises:
        DataError: a file, column, number or probability that cannot be used, an id that stands twice, fewer than two
            classes; with file and line.
    """
    path = Path(config.data).expanduser()
    rows, rejected = _rows(path)
    numeric = config.columns()
    needed = numeric or (config.text,)
    weak_numeric = config.columns("weak_features")
    if not rows:
        why = f"line {rejected[0].line}: {rejected[0].detail}" if rejected else "there is nothing but column names"
        raise DataError(f"no row can be read; {why}", where=str(path), hint="a row holds a text and, if known, a label")
    _need((*needed, *weak_numeric), rows, path, "--features" if numeric else "--text")
    _need((config.label,), rows, path, "--label")
    usable: list[tuple[int, Mapping[str, Any]]] = []
    for line, row in rows:
        if not numeric and not str(row.get(config.text) or "").strip():
            rejected.append(Rejected(line, "empty", f"no text in column {config.text!r}", str(dict(row))[:200]))
        else:
            usable.append((line, row))
    if not usable:
        raise DataError(
            f"there is no usable row; line {rejected[0].line}: {rejected[0].detail}",
            where=str(path),
            hint=f"{len(rejected)} rows were set aside: mend them",
        )
    ids = _ids(usable, config.id, path)
    truth = [_name(row.get(config.label)) for _, row in usable]
    given = _given(config, usable, ids, path, rejected)
    names = {one for one in truth if one is not None} | {name for one in given.values() for name in one}
    classes = tuple(sorted(names))
    if len(classes) < 2:
        known = f"the only class is {classes[0]!r}" if classes else f"no row has truth in column {config.label!r}"
        raise DataError(known, where=str(path), hint="name the column with --label; two classes at least are needed")
    place = {name: k for k, name in enumerate(classes)}
    table = np.full((len(ids), len(classes)), np.nan)
    for i, one in enumerate(ids):
        if one in given:
            table[i] = [given[one].get(name, 0.0) for name in classes]
    numbers = _numbers(usable, numeric, path) if numeric else None
    return Table(
        ids=ids,
        texts=None if numeric else tuple(str(row[config.text]) for _, row in usable),
        numbers=numbers,
        weak_numbers=_numbers(usable, weak_numeric, path) if numeric else None,
        classes=classes,
        truth=np.array([-1 if name is None else place[name] for name in truth]),
        given=table if given else None,
        groups=ids if numeric else tuple(" ".join(str(row[config.text]).casefold().split()) for _, row in usable),
        rejected=tuple(rejected),
    )


def parted(table: Table, config: W2sConfig) -> Parts:
    """Split the rows; equal texts never straddle. The test takes rows with truth (and a given label, with labels).

    Raises:
        DataError: too few rows with truth, or none left for the teacher, the student or the ceiling.
    """
    known = table.truth >= 0
    labelled = np.ones(len(known), bool) if table.given is None else ~np.isnan(table.given[:, 0])
    both = known & labelled
    if int(both.sum()) < 2 * _FEWEST:
        what = "rows with truth" if table.given is None else "rows with truth and a label of the supervisor"
        hint = f"at least {2 * _FEWEST}: without truth nobody can say what was recovered"
        raise DataError(f"{int(both.sum())} {what}", where=config.data, hint=hint)
    test = _share(table.groups, both, config.test, config.seed, "test")
    held = {table.groups[i] for i in np.flatnonzero(test)}
    rest = np.array([group not in held for group in table.groups])
    teacher = np.zeros(len(known), bool)
    if table.given is None:
        teacher = _share(table.groups, rest & known, config.split, config.seed, "teacher")
        taken = {table.groups[i] for i in np.flatnonzero(teacher)}
        pool = rest & np.array([group not in taken for group in table.groups])
    else:
        pool = rest & labelled
    for name, part in (("the student", pool), ("the ceiling", pool & known)):
        if int(part.sum()) < 2 or (name == "the ceiling" and len(set(table.truth[part])) < 2):
            raise DataError(
                f"{int(part.sum())} rows are left for {name}, of two classes or more",
                where=config.data,
                hint="give truth on more rows, or lower --set test=... and split=...",
            )
    return Parts(np.flatnonzero(test), np.flatnonzero(teacher), np.flatnonzero(pool))


def _share(groups: Sequence[str], of: Any, share: float, seed: int, label: str) -> Any:
    """About ``share`` of the rows ``of``, whole groups at a time, in the order of a hash."""
    rows: dict[str, list[int]] = {}
    for i in np.flatnonzero(of):
        rows.setdefault(groups[int(i)], []).append(int(i))
    wanted, found = share * int(np.sum(of)), np.zeros(len(groups), bool)
    for group in sorted(rows, key=lambda one: derive(seed, "w2s", label, one)):
        if found.sum() + len(rows[group]) / 2 > wanted and found.any():
            break
        found[rows[group]] = True
    return found


def _rows(path: Path) -> tuple[list[tuple[int, Mapping[str, Any]]], list[Rejected]]:
    kind, _ = detect(path)
    rows, rejected = [], []
    for record in records(path, kind):
        if record.problem is not None:
            rejected.append(Rejected(record.line, record.problem[0], record.problem[1], record.raw[:200]))
        elif not isinstance(record.value, Mapping):
            rejected.append(
                Rejected(record.line, "not_a_row", "this is no object with columns", str(record.value)[:200])
            )
        elif undecodable(record.value):
            rejected.append(Rejected(record.line, "not_utf8", _NOT_UTF8, excerpt(str(record.value))))
        else:
            rows.append((record.line, record.value))
    return rows, rejected


def _need(columns: Sequence[str], rows: Sequence[tuple[int, Mapping[str, Any]]], path: Path, flag: str) -> None:
    there = {name for _, row in rows for name in row}
    for column in columns:
        if column not in there:
            close = nearest(column, there)
            seen = ", ".join(sorted(map(str, there))[:12]) or "no columns"
            hint = f"did you mean {close!r}?" if close else f"the file has {seen}; name it with {flag}"
            raise DataError(f"there is no column {column!r}", where=str(path), hint=hint)


def _ids(rows: Sequence[tuple[int, Mapping[str, Any]]], column: str, path: Path) -> tuple[str, ...]:
    found: dict[str, int] = {}
    for line, row in rows:
        name = _name(row.get(column)) or f"row-{line}"
        if name in found:
            raise DataError(
                f"the id {name!r} stands twice, first on line {found[name]}",
                where=f"{path}:{line}",
                hint=f"ids of column {column!r} name one row each; `--set id=none` names rows by their lines",
            )
        found[name] = line
    return tuple(found)


def _name(value: Any) -> str | None:
    """A cell as the name of a class or item; None where it is empty."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    return (str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)).strip() or None


def _numbers(rows: Sequence[tuple[int, Mapping[str, Any]]], columns: Sequence[str], path: Path) -> FloatArray:
    found = np.empty((len(rows), len(columns)))
    for i, (line, row) in enumerate(rows):
        for j, column in enumerate(columns):
            found[i, j] = _number(row.get(column), f"{path}:{line}", column)
    return found


def _number(value: Any, where: str, column: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(
            f"{value!r} in column {column!r} is no finite number", where=where, hint="fill it or leave it out"
        )
    return number


def _given(
    config: W2sConfig,
    rows: Sequence[tuple[int, Mapping[str, Any]]],
    ids: Sequence[str],
    path: Path,
    rejected: list[Rejected],
) -> dict[str, _Given]:
    """The supervisor's labels by id: from a file of its own, or from the column ``weak_label`` of the rows.

    Labels of ids that no row has are added to ``rejected``.
    """
    if config.weak_labels:
        file = Path(config.weak_labels).expanduser()
        labelled, bad = _rows(file)
        if bad:
            raise DataError(bad[0].detail, where=f"{file}:{bad[0].line}", hint="mend the line")
        _need((config.id,), labelled, file, "--set id=...")
        names = _ids(labelled, config.id, file)
        found = {
            name: _label(row, config.id, f"{file}:{line}") for name, (line, row) in zip(names, labelled, strict=True)
        }
        known = set(ids)
        strangers = [(name, line) for name, (line, _) in zip(names, labelled, strict=True) if name not in known]
        if len(strangers) == len(found):
            raise DataError(
                "none of these ids is in the data",
                where=str(file),
                hint=f"here they are like {strangers[0][0]!r}, in the data like {ids[0]!r}; "
                f"rows without a column {config.id!r} are named by their lines",
            )
        rejected += [
            Rejected(line, "label_of_no_row", f"in {file.name}: the id {name!r} is in no usable row of the data", name)
            for name, line in strangers
        ]
        return {name: one for name, one in found.items() if name in known}
    found = {}
    for name, (line, row) in zip(ids, rows, strict=True):
        value = row.get(WEAK_LABEL)
        if isinstance(value, Mapping):
            found[name] = _distribution(value, f"{path}:{line}")
        elif _name(value) is not None:
            found[name] = {str(_name(value)): 1.0}
    return found


def _label(row: Mapping[str, Any], id_column: str, where: str) -> _Given:
    if WEAK_LABEL in row:
        name = _name(row[WEAK_LABEL])
        if name is None:
            raise DataError("an empty weak_label", where=where, hint="leave the line out: no label is no label")
        return {name: 1.0}
    return _distribution({key: value for key, value in row.items() if key != id_column}, where)


def _distribution(cells: Mapping[str, Any], where: str) -> _Given:
    found = {str(name): _number(value, where, str(name)) for name, value in cells.items()}
    total = sum(found.values())
    if not found or min(found.values()) < 0 or abs(total - 1) > _ROW_SUM:
        raise DataError(
            f"probabilities that sum to {total:.4g} or lie below 0",
            where=where,
            hint="one column a class, each row summing to 1; or a column weak_label with a class",
        )
    return {name: value / total for name, value in found.items()}
