"""The Daily Papers listing as JSON: what the site's interface answers, and what its pages carry inside."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tutelage.papers.importing.dates import iso_day
from tutelage.papers.importing.source import Imported, Lines, Source
from tutelage.papers.library import Record

__all__ = ["read_json_listing", "records_of_listing"]

FORMAT = "daily-papers-json"
_SPACE = re.compile(r"[ \t\n\r]*")
_KEYS = ("dailyPapers", "papers", "results")


def read_json_listing(source: Source) -> Imported:
    """The papers of a list of objects, or of one object that holds such a list.

    Every object has ``title`` and ``summary``, and may have ``publishedAt``, ``authors``, ``numComments`` and ``id``,
    at its top or inside ``paper``.

    Raises:
        DataError: it is not JSON, or not such a list, with the line.
    """
    text = source.text()
    try:
        if text[_skip(text, 0) :].startswith("["):
            items = list(_items(text))
            listed = ""
        else:
            items, listed = _inside(source, json.loads(text))
    except json.JSONDecodeError as error:
        source.refuse(f"the JSON is broken: {error.msg}", error.lineno)
    except RecursionError:
        source.refuse("the JSON is nested too deeply", 1)
    lines = Lines(text)
    records = tuple(_record(source, lines.of(at), item, listed) for at, item in items)
    if not records:
        source.refuse("the list holds no papers", 1)
    return Imported(records, FORMAT)


def records_of_listing(source: Source, line: int, payload: str) -> tuple[Record, ...]:
    """The papers of the JSON that a page carries at ``line``.

    Raises:
        DataError: it is broken.
    """
    try:
        items, listed = _inside(source, json.loads(payload), line)
    except (json.JSONDecodeError, RecursionError):
        source.refuse("the data inside the page are broken JSON", line)
    return tuple(_record(source, line, item, listed) for _, item in items)


def _items(text: str) -> Iterator[tuple[int, Any]]:
    """The items of a JSON list and where each begins, so that an error can name its line."""
    decoder = json.JSONDecoder()
    at = _skip(text, 0) + 1
    if text[_skip(text, at) : _skip(text, at) + 1] == "]":
        at = _skip(text, at)
    else:
        while True:
            at = _skip(text, at)
            value, end = decoder.raw_decode(text, at)
            yield at, value
            at = _skip(text, end)
            if text[at : at + 1] != ",":
                break
            at += 1
    if text[at : at + 1] != "]":
        raise json.JSONDecodeError("the list does not end", text, min(at, len(text)))
    if _skip(text, at + 1) != len(text):
        raise json.JSONDecodeError("something follows the list", text, at + 1)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _inside(source: Source, value: Any, line: int = 1) -> tuple[list[tuple[int, Any]], str]:
    if isinstance(value, dict):
        for key in _KEYS:
            if isinstance(value.get(key), list):
                return [(0, item) for item in value[key]], _day(source, line, value.get("dateString"))
    source.refuse("this JSON is no listing of papers", line, "a list of objects with title, summary and publishedAt")


def _record(source: Source, line: int, item: Any, listed: str) -> Record:
    paper = item.get("paper") if isinstance(item, dict) else None
    inner = paper if isinstance(paper, dict) else item
    if not isinstance(item, dict):
        source.refuse("a paper of the list is not an object", line)
    title, summary = (_text(source, line, inner.get(name) or item.get(name), name) for name in ("title", "summary"))
    authors = inner.get("authors") or item.get("authors") or 0
    paper_id = _text(source, line, inner.get("id") or item.get("id"), "id")
    posted = inner.get("submittedOnDailyAt") or item.get("submittedOnDailyAt") or listed
    return source.record(
        line,
        title,
        date=_day(source, line, inner.get("publishedAt") or item.get("publishedAt")),
        listed=_day(source, line, posted),
        authors=len(authors) if isinstance(authors, list) else _count(authors),
        comments=_count(item.get("numComments") or inner.get("numComments") or 0),
        abstract=summary,
        url=f"https://arxiv.org/abs/{paper_id}" if re.fullmatch(r"\d{4}\.\d{4,5}", paper_id) else "",
        source=FORMAT,
    )


def _text(source: Source, line: int, value: Any, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        source.refuse(f"{name} of a paper is not text", line)
    return value


def _count(value: Any) -> int:
    usable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9
    return int(value) if usable else 0


def _day(source: Source, line: int, value: Any) -> str:
    try:
        return iso_day(value)
    except ValueError as error:
        source.refuse(str(error), line)
