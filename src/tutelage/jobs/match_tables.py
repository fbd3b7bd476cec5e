"""What users know of persons: their groups, and who suits which job."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tutelage.data.delimited import delimited_records, undecodable
from tutelage.errors import DataError
from tutelage.io import read_jsonl
from tutelage.matching.documents import Document

__all__ = ["read_groups", "read_qualified"]


def _rows(path: Path, keys: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    """Rows of a CSV or JSONL file that hold ``keys``, each with its place."""
    kind = path.suffix.lower()
    if not path.is_file() or kind not in (".csv", ".tsv", ".jsonl"):
        raise DataError("not a CSV or JSONL file", where=str(path), hint=f"with the columns {', '.join(keys)}")
    if kind == ".jsonl":
        found = [(f"{path}:{line.number}", line.value, line.error) for line in read_jsonl(path)]
    else:
        records = delimited_records(path, "\t" if kind == ".tsv" else None)
        found = [(f"{path}:{one.line}", one.value, one.problem[1] if one.problem else None) for one in records]
    for where, row, error in found:
        if error is not None or not isinstance(row, dict):
            raise DataError(error or "not an object", where=where, hint="mend the row, or leave it out")
        if undecodable(row):
            raise DataError("not UTF-8", where=where, hint="save the file as UTF-8")
        lacking = [key for key in keys if key not in row]
        if lacking:
            raise DataError(f"no column {lacking[0]!r}", where=where, hint=f"it needs {', '.join(keys)}")
    return [(where, row) for where, row, _ in found]


def read_groups(path: Path, resumes: Sequence[Document]) -> dict[str, str]:
    """The group of every resume that the file names.

    Raises:
        DataError: an unknown resume, one in two groups, or a bad row.
    """
    known = {one.id for one in resumes}
    found: dict[str, str] = {}
    for where, row in _rows(path, ("id", "group")):
        key, group = str(row["id"]), str(row["group"]).strip()
        if key not in known:
            raise DataError(
                f"there is no resume {key!r}", where=where, hint="ids are those of the resumes that were read"
            )
        if found.setdefault(key, group) != group:
            raise DataError(f"the resume {key!r} is in two groups", where=where)
    return {key: group for key, group in found.items() if group}


def read_qualified(path: Path, jobs: Sequence[Document], resumes: Sequence[Document]) -> dict[tuple[str, str], float]:
    """1.0 or 0.0 for every pair (job, resume) that the file names.

    Raises:
        DataError: an unknown pair, another value, or a bad row.
    """
    ours, theirs = {one.id for one in jobs}, {one.id for one in resumes}
    found: dict[tuple[str, str], float] = {}
    for where, row in _rows(path, ("job", "resume", "qualified")):
        job, resume, value = str(row["job"]), str(row["resume"]), str(row["qualified"]).strip()
        if job not in ours or resume not in theirs:
            what = f"job ad {job!r}" if job not in ours else f"resume {resume!r}"
            raise DataError(
                f"there is no {what}", where=where, hint="ids are those of the ads and resumes that were read"
            )
        if value not in ("0", "1", "0.0", "1.0"):
            raise DataError(
                f"qualified is {value!r}", where=where, hint="1 for yes, 0 for no; leave out what is unknown"
            )
        if found.setdefault((job, resume), float(value)) != float(value):
            raise DataError(f"{job!r} and {resume!r} are judged 1 and 0", where=where, hint="leave one of the rows out")
    return found
