"""``tutelage measure --supervision``: how often solutions end wrong, how often their steps do, and where it begins."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from tutelage.data import Rejected, write_rejected
from tutelage.data.steps import UNKNOWN, StepRow, from_trl, read_step_rows, step_row
from tutelage.errors import ConfigError, DataError
from tutelage.io import file_sha256, write_json
from tutelage.io.documents import finite
from tutelage.measure.results import write_native
from tutelage.measure.step_labels import (
    equation_holds,
    known_until_first_error,
    labelled_by_check,
    labelled_by_reference,
)
from tutelage.measure.supervision import SupervisionQuality, solution_errors, supervision_quality

__all__ = ["StepLabels", "SupervisionAudit", "audit_supervision", "read_solutions"]

StepLabels = Literal["file", "first", "equations"]


@dataclass(frozen=True)
class SupervisionAudit:
    """The quality, the rows it is of, the lines that were set aside, and all of it as JSON values."""

    quality: SupervisionQuality
    rows: list[StepRow]
    rejected: list[Rejected]
    record: Mapping[str, Any]


def audit_supervision(
    path: str | os.PathLike[str],
    *,
    against: str | os.PathLike[str] | None = None,
    labels: StepLabels = "file",
    out: Path | None = None,
) -> SupervisionAudit:
    """Measure a file of solutions in steps.

    Args:
        path: JSON lines with ``question``, ``steps``, and if known ``id``, ``labels``, ``outcome``, ``domain``; or
            TRL's ``prompt``, ``completions``, ``labels``.
        against: a second such file, paired by id: labels of the same steps, or right solutions.
        labels: ``"file"``: as they stand there; ``"first"``: count up to each solution's first wrong step only, for
            labels that mark all that comes after it; ``"equations"``: a step is right when its equations hold.
        out: folder for ``supervision.jsonl`` (what ``tutelage compare`` reads), ``supervision.json`` and, where lines
            were set aside, ``rejected.jsonl``.

    Raises:
        ConfigError: no such rule for labels; ``against`` together with ``"equations"``.
        StoreError: a file cannot be read or written.
        DataError: no usable row, nothing known about any step or outcome, files that do not pair.
    """
    if labels not in get_args(StepLabels):
        raise ConfigError(
            f"labels of steps cannot come from {labels!r}", where="--labels", hint="file, first, equations"
        )
    if against is not None and labels == "equations":
        raise ConfigError(
            "labels come from equations or from a second file, not both", where="--labels", hint="leave one of them out"
        )
    rows, rejected = read_solutions(path)
    if labels == "equations":
        rows = labelled_by_check(rows, equation_holds)
    if against is not None:
        rows = _against(rows, against)
    if labels == "first":
        rows = [known_until_first_error(row) for row in rows]
    if all(set(row.labels) == {UNKNOWN} and row.outcome is None for row in rows):
        tried = labels == "equations"
        raise DataError(
            f"no step has {'an equation' if tried else 'a label'} and no solution an outcome",
            where=os.fspath(path),
            hint="add labels (1 right, 0 wrong, -1 unknown) or give --against FILE"
            + ("" if tried else ", or try --labels equations"),
        )
    quality = supervision_quality(rows)
    record: dict[str, Any] = {
        "file": os.fspath(path),
        "sha256": file_sha256(path),
        "against": None if against is None else os.fspath(against),
        "labels": labels,
        "set_aside": len(rejected),
        **finite(asdict(quality)),
    }
    if out is not None:
        write_native(out / "supervision.jsonl", solution_errors(rows), {"name": Path(path).name})
        write_json(out / "supervision.json", record)
        write_rejected(out / "rejected.jsonl", rejected)
    return SupervisionAudit(quality, rows, rejected, record)


def read_solutions(path: str | os.PathLike[str]) -> tuple[list[StepRow], list[Rejected]]:
    """Solutions of a JSON-lines file in our form or in TRL's, and the lines that were set aside with the reason.

    A row without an id is named after its line. Numbers serve as ids, true and false as labels.

    Raises:
        StoreError: the file cannot be read.
        DataError: an id stands twice, or no line can be used.
    """
    rows, rejected = read_step_rows(path, _row)
    if not rows:
        why = f"line {rejected[0].line}: {rejected[0].detail}" if rejected else "the file is empty"
        hint = 'a line is {"id": ..., "question": ..., "steps": ["...", ...], "labels": [1, 0, ...], "outcome": false}'
        raise DataError(f"no solution can be read; {why}", where=os.fspath(path), hint=hint)
    return rows, rejected


def _row(value: dict[str, Any], otherwise: str) -> StepRow:
    name = value.get("id", otherwise)
    name = str(name) if type(name) is int else name
    if "completions" in value:
        return from_trl(value, str(name))
    labels = value.get("labels")
    if isinstance(labels, list) and labels and all(type(one) is bool for one in labels):
        value = {**value, "labels": [int(one) for one in labels]}
    return step_row({**value, "id": name})


def _against(rows: list[StepRow], path: str | os.PathLike[str]) -> list[StepRow]:
    try:
        return labelled_by_reference(rows, read_solutions(path)[0])
    except DataError as error:
        where, name = error.where or "", os.fspath(path)
        raise DataError(
            error.what, where=where if where.startswith(name) else f"{name}: {where}", hint=error.hint
        ) from None
