"""Rows of one JSON document: an array, or an object that holds arrays of rows under "data" or under split names."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tutelage.data.record import Record
from tutelage.errors import DataError

__all__ = ["WRAPPERS", "json_records"]

WRAPPERS = ("data", "rows", "examples", "instances", "items")
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


def json_records(path: Path) -> Iterator[Record]:
    """Every row of a JSON document with the line on which it begins.

    Raises:
        DataError: the document is not valid JSON; the line is named.
    """
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
        if isinstance(key, str) and key.casefold() in WRAPPERS + _SPLITS and document.peek() == "[":
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
