"""Files of rows: tell the format by content, then read record by record, with a reason for each that is bad."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tutelage.data.columns import find_layout
from tutelage.data.delimited import delimited_records
from tutelage.data.json_document import WRAPPERS, json_records
from tutelage.data.record import Format, Record
from tutelage.errors import DataError
from tutelage.io import read_jsonl

__all__ = ["detect", "records"]

_HEAD = 1 << 16
_MAGIC = {
    b"\x1f\x8b": ("gzip-compressed", "unpack it first: gunzip FILE"),
    b"BZh": ("bzip2-compressed", "unpack it first: bunzip2 FILE"),
    b"\x28\xb5\x2f\xfd": ("zstd-compressed", "unpack it first: unzstd FILE"),
    b"\xfd7zXZ": ("xz-compressed", "unpack it first: unxz FILE"),
    b"PK\x03\x04": ("a zip archive or spreadsheet", "unpack it, or export the sheet as CSV"),
    b"ARROW1": ("a bare Arrow file", "save it as Parquet, or pass the folder that save_to_disk wrote"),
    b"SQLite format 3": ("an SQLite database", "export the table as CSV or JSON lines"),
    b"%PDF": ("a PDF", "extract question and answer pairs into JSON lines"),
    b"\xff\xfe": ("UTF-16 text", "save it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW"),
    b"\xfe\xff": ("UTF-16 text", "save it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW"),
}
_KNOWN = "use JSON lines, JSON, CSV, TSV, Parquet, or a folder that datasets' save_to_disk wrote"
_EXTENSIONS: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}


class _Head(NamedTuple):
    text: str
    whole: bool


def detect(path: Path) -> tuple[Format, str]:
    """The format of a file or folder, by content first and by its name where content cannot tell.

    Args:
        path: a file, or a folder that ``datasets`` saved.

    Returns:
        The format, and a note when content and extension disagree (else empty).

    Raises:
        DataError: it does not exist, is empty, compressed, binary, not UTF-8 text by its mark, or not recognisable;
            the hint says what to do.
    """
    if path.is_dir():
        return _folder(path), ""
    if not path.exists():
        raise DataError("there is no such file", where=str(path), hint="check the path; relative paths start here: .")
    if not path.is_file():
        raise DataError("this is not a regular file", where=str(path), hint=_KNOWN)
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError as error:
        raise DataError(
            f"the file cannot be read: {error.strerror}", where=str(path), hint="check its rights"
        ) from error
    found = _by_content(head, path)
    named = _EXTENSIONS.get(path.suffix.casefold())
    note = f"the name says {named}, the content is {found}" if named and named != found else ""
    return found, note


def _by_content(head: bytes, path: Path) -> Format:
    where = str(path)
    if head.startswith(b"PAR1"):
        return "parquet"
    for magic, (what, cure) in _MAGIC.items():
        if head.startswith(magic):
            raise DataError(f"this is {what}, not rows", where=where, hint=cure)
    text = head.decode("utf-8-sig", "replace")
    if not text.strip():
        raise DataError("the file is empty", where=where, hint="nothing can be trained on it; check how it was written")
    named = _EXTENSIONS.get(path.suffix.casefold())
    if named == "parquet":
        raise DataError("this is not a Parquet file (its first bytes are wrong)", where=where, hint="write it again")
    if b"\0" in head[:4096] and named is None:
        raise DataError("this is a binary file of no known kind", where=where, hint=_KNOWN)
    start = text.lstrip()
    if start[0] in "[{" and not (named in ("csv", "tsv") and start[0] == "["):
        return _json_kind(_Head(start, len(head) < _HEAD), named)
    if named:
        return named
    header = text.splitlines()[0]
    for separator, kind in (("\t", "tsv"), (",", "csv"), (";", "csv")):
        names = next(csv.reader([header], delimiter=separator))
        if len(names) > 1 and find_layout(names) is not None:
            return kind  # type: ignore[return-value]
    raise DataError("the format of this file cannot be told", where=where, hint=_KNOWN)


def _json_kind(head: _Head, named: Format | None) -> Format:
    """JSON lines or one JSON document: lines if the first line is a value of its own and more follows."""
    first, newline, rest = head.text.partition("\n")
    alone = not rest.strip()
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        opens = bool(newline) and first.rstrip().endswith(("{", "[") if named == "jsonl" else ("{", "[", ",", ":"))
        if named == "jsonl" and not opens:
            return "jsonl"
        if opens or first.startswith("[") or (not newline and named == "json"):
            return "json"
        return "jsonl" if newline or named != "json" else "json"
    if alone and head.whole:
        # one line: a lone JSON-lines row is an object without rows inside, and reads the same either way
        return "json" if named == "json" or isinstance(value, list) or _wrapped(value) else "jsonl"
    return "jsonl"


def _wrapped(value: Any) -> bool:
    return isinstance(value, dict) and any(
        key in WRAPPERS and isinstance(rows, list) and find_layout(value) is None for key, rows in value.items()
    )


def _folder(path: Path) -> Format:
    if (path / "dataset_dict.json").is_file() or (path / "state.json").is_file():
        return "datasets"
    files = sorted(item.name for item in path.iterdir())[:8]
    raise DataError(
        "this folder was not written by datasets' save_to_disk (no state.json or dataset_dict.json)",
        where=str(path),
        hint=f"pass one file instead; the folder holds: {', '.join(files) or 'nothing'}",
    )


def records(path: Path, kind: Format) -> Iterator[Record]:
    """Every record of a file, good or bad, in order.

    Args:
        path: the file or folder.
        kind: what :func:`detect` said.

    Yields:
        Records with lines (text) or row numbers (tables) from 1.

    Raises:
        DataError: the file as a whole is damaged, with line or reason.
    """
    if kind in ("parquet", "datasets"):
        from tutelage.data import tables  # pyarrow and datasets are loaded only when such a file is read

        return tables.records(path, kind)
    readers: dict[str, Callable[[Path], Iterator[Record]]] = {
        "jsonl": _json_lines,
        "json": json_records,
        "csv": lambda file: delimited_records(file, None),
        "tsv": lambda file: delimited_records(file, "\t"),
    }
    return readers[kind](path)


_LINE_REASONS = (
    ("torn", "truncated"),
    ("not UTF-8", "not_utf8"),
    ("the line is longer", "too_long"),
    ("nested", "nested"),
)


def _json_lines(path: Path) -> Iterator[Record]:
    for line in read_jsonl(path):
        if line.error is None:
            yield Record(line.number, line.value)
            continue
        code = next((code for start, code in _LINE_REASONS if line.error.startswith(start)), "not_json")
        yield Record(line.number, None, (code, line.error), line.raw)
