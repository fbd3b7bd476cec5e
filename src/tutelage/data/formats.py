"""Files of rows: tell the format by content, then read record by record, with a reason for each that is bad."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tutelage.data.columns import find_layout
from tutelage.errors import DataError
from tutelage.io import read_jsonl

__all__ = ["Format", "Record", "detect", "records"]

Format = Literal["jsonl", "json", "csv", "tsv", "parquet", "datasets", "task"]

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


@dataclass(frozen=True)
class Record:
    """One record of a file: its ``value``, or a ``problem`` (reason code, sentence) and the start of it."""

    line: int
    value: Any
    problem: tuple[str, str] | None = None
    raw: str = ""
    split: str | None = None


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
        opens = first.rstrip().endswith(("{", "[", ",", ":")) and newline
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
        key in _WRAPPERS and isinstance(rows, list) and find_layout(value) is None for key, rows in value.items()
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
        "json": _json_document,
        "csv": lambda file: _delimited(file, None),
        "tsv": lambda file: _delimited(file, "\t"),
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


_WRAPPERS = ("data", "rows", "examples", "instances", "items")
_SPLITS = ("train", "training", "validation", "valid", "dev", "test", "eval")


class _Document:
    """A JSON document walked element by element, so that rows have lines and are never all held twice."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
        self.bad_constants: list[str] = []
        self.decoder = json.JSONDecoder(parse_constant=self._constant)
        self.at = self.line = 0
        self.line_at = 0

    def _constant(self, name: str) -> None:
        self.bad_constants.append(name)

    def line_of(self, place: int) -> int:
        """Line, from 1, of a place at or after the last one asked for."""
        self.line += self.text.count("\n", self.line_at, place)
        self.line_at = max(self.line_at, place)
        return self.line + 1

    def peek(self) -> str:
        while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
            self.at += 1
        return self.text[self.at] if self.at < len(self.text) else ""

    def take(self, wanted: str) -> str:
        found = self.peek()
        if not found or found not in wanted:
            raise self.broken(f"expected {' or '.join(wanted)}", self.at)
        self.at += 1
        return found

    def value(self) -> Any:
        self.peek()
        try:
            value, self.at = self.decoder.raw_decode(self.text, self.at)
        except json.JSONDecodeError as error:
            raise self.broken(error.msg, error.pos) from error
        except (RecursionError, ValueError) as error:
            raise self.broken("nested too deeply or a number too long", self.at) from error
        return value

    def broken(self, why: str, place: int) -> DataError:
        line = self.text.count("\n", 0, place) + 1
        column = place - (self.text.rfind("\n", 0, place) + 1) + 1
        ended = place >= len(self.text.rstrip()) or why.startswith("Unterminated")
        if ended:
            why = "the document ends in the middle"
        return DataError(
            f"not valid JSON: {why} (column {column})",
            where=f"{self.path}:{line}",
            hint="write the file again, or save it as JSON lines, where one bad row costs only itself",
        )

    def rows(self, split: str | None = None) -> Iterator[Record]:
        """The elements of the array that starts here."""
        self.take("[")
        if self.peek() == "]":
            self.at += 1
            return
        while True:
            self.peek()
            start = self.at
            line = self.line_of(start)
            value = self.value()
            yield self.record(line, start, value, split)
            if self.take(",]") == "]":
                return

    def record(self, line: int, start: int, value: Any, split: str | None = None) -> Record:
        if not self.bad_constants:
            return Record(line, value, split=split)
        problem = ("not_json", f"{self.bad_constants[0]} is not JSON")
        self.bad_constants.clear()
        return Record(line, None, problem, self.text[start : start + 2_000], split)


def _json_document(path: Path) -> Iterator[Record]:
    document = _Document(path)
    if document.peek() == "[":
        yield from document.rows()
    else:
        yield from _wrapped_rows(document)
    if document.peek():
        raise document.broken("there is more after the end of the document", document.at)


def _wrapped_rows(document: _Document) -> Iterator[Record]:
    """Rows under "data" or under split names; an object that holds no rows is itself one row."""
    start = document.at
    line = document.line_of(start)
    rest: dict[str, Any] = {}
    streamed = False
    document.take("{")
    while document.peek() != "}":
        key = document.value()
        document.take(":")
        if isinstance(key, str) and key.casefold() in _WRAPPERS + _SPLITS and document.peek() == "[":
            streamed = True
            yield from document.rows(key if key.casefold() in _SPLITS else None)
        else:
            rest[key] = document.value()
        if document.take(",}") == "}":
            break
    else:
        document.at += 1
    if not streamed:
        yield document.record(line, start, rest)


def _delimited(path: Path, separator: str | None) -> Iterator[Record]:
    """Rows of a CSV or TSV file with a header; a quoted field may hold line ends."""
    with path.open("rb") as binary:
        stream = io.TextIOWrapper(binary, "utf-8-sig", errors="surrogateescape", newline="")
        header = stream.readline()
        separator = separator or max(",;\t|", key=header.count)
        stream.seek(0)
        limit = csv.field_size_limit(1 << 26)
        try:
            yield from _table(csv.reader(stream, delimiter=separator, strict=True), path)
        finally:
            csv.field_size_limit(limit)


def _table(reader: Any, path: Path) -> Iterator[Record]:
    try:
        names = [name.strip() for name in next(reader)]
    except csv.Error as error:
        raise DataError(f"the header is not valid CSV: {error}", where=f"{path}:1", hint="check the quotes") from error
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"the column {twice[0]!r} stands twice", where=f"{path}:1", hint="rename one of them")
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(line, None, _csv_problem(str(error), line, reader.line_num))
            continue
        if not cells:
            continue
        if len(cells) != len(names):
            problem = ("wrong_fields", f"{len(cells)} fields where the header has {len(names)}")
            yield Record(line, None, problem, os.fsdecode(",".join(cells)[:2_000].encode("utf-8", "surrogateescape")))
            continue
        yield Record(line, {name: _cell(text) for name, text in zip(names, cells, strict=True)})


def _csv_problem(error: str, first: int, last: int) -> tuple[str, str]:
    span = f"; lines {first} to {last} are one record because of it" if last > first else ""
    if "unexpected end of data" in error:
        return "truncated", f"the file ends inside a quoted field{span}"
    return "not_csv", f"{error}{span}"


def _cell(text: str) -> Any:
    """A cell; lists of objects (chats) and of texts (choices) that are written as JSON are read as such."""
    if text.startswith(("[{", '["')):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text
