"""Rows of CSV and TSV files, quoted line ends and all."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tutelage.data.record import Record
from tutelage.errors import DataError

__all__ = ["delimited_records", "undecodable"]

_HALVES = range(0xD800, 0xE000)  # what stands for a byte that is not UTF-8


def delimited_records(path: Path, separator: str | None, *, json_cells: bool = True) -> Iterator[Record]:
    """Every row of a file with a header line, with the line on which it begins.

    Args:
        path: the file.
        separator: what stands between fields; None takes the most frequent of ``, ; |`` and tab in the header.
        json_cells: whether cells that are JSON lists of objects or texts are read as such.

    Raises:
        DataError: the header is not valid, or names a column twice, or the file is UTF-16.
    """
    with path.open("rb") as binary:
        if binary.peek(2)[:2] in (b"\xff\xfe", b"\xfe\xff"):
            raise DataError(
                "UTF-16 text", where=str(path), hint="save it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE > NEW"
            )
        stream = io.TextIOWrapper(binary, "utf-8-sig", errors="surrogateescape", newline="")
        header = stream.readline()
        separator = separator or max(",;\t|", key=header.count)
        stream.seek(0)
        limit = csv.field_size_limit(1 << 26)
        try:
            yield from _table(csv.reader(stream, delimiter=separator, strict=True), path, _cell if json_cells else str)
        finally:
            csv.field_size_limit(limit)


def undecodable(row: object) -> bool:
    """Whether a row, column names included, holds bytes that are not UTF-8."""
    if isinstance(row, dict):
        return any(undecodable(one) for pair in row.items() for one in pair)
    return isinstance(row, str) and any(ord(mark) in _HALVES for mark in row)


def _table(reader: Any, path: Path, read_cell: Callable[[str], Any]) -> Iterator[Record]:
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
        yield Record(line, {name: read_cell(text) for name, text in zip(names, cells, strict=True)})


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
