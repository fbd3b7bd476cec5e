"""One paper of the catalogue, and the strict reading of the file that describes it."""

from __future__ import annotations

import datetime
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tutelage.errors import DataError, nearest
from tutelage.papers.catalogue.families import FAMILIES

__all__ = ["Entry", "parse_entry"]

KEYWORDS = (4, 8)
CLAIMS = (1, 4)
SUMMARY = (150, 700)
FIRST_DATE = datetime.date(1991, 8, 1)  # the archive's own beginning

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_ARXIV = re.compile(r"\d{2}(0[1-9]|1[0-2])\.\d{4,5}")
_LINK = re.compile(r"https://[a-z0-9.-]+/[^\s\"'<>]*")
_LINE = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")


@dataclass(frozen=True)
class Entry:
    """A paper as the catalogue knows it; summary and claims are in our own words.

    Attributes:
        slug: short name, that of the file: the name of recipe, evidence and page too.
        title: as published.
        date: day of publication, YYYY-MM-DD.
        listed: day on which a listing showed it, YYYY-MM-DD; empty when not known.
        authors: how many; 0 when the listing does not say.
        arxiv: identifier without version.
        links: ``paper`` always, ``code`` and others where the authors give them.
        family: a key of :data:`tutelage.papers.catalogue.families.FAMILIES`.
        systems: methods, benchmarks and measures that it describes.
        keywords: four to eight, shared between papers where possible.
        summary: two to five sentences.
        claims: one to four statements that can turn out wrong: those that a recipe tests, or would.
        comments: how many the listing counted.
    """

    slug: str
    title: str
    date: str
    listed: str
    authors: int
    arxiv: str
    links: Mapping[str, str]
    family: str
    systems: tuple[str, ...]
    keywords: tuple[str, ...]
    summary: str
    claims: tuple[str, ...]
    comments: int = 0


def parse_entry(slug: str, text: str, *, where: str = "") -> Entry:
    """Read one paper's file.

    Args:
        slug: the name of the file without its ending.
        text: TOML with the keys of :class:`Entry`; ``slug`` is the file's name, ``listed``, ``comments`` and the
            table ``links`` may be left out. The link ``paper`` follows from ``arxiv``.
        where: the file, for messages; the slug when empty.

    Raises:
        DataError: not TOML, an unknown or missing key, or a value that cannot be right; with the line.
    """
    where = where or slug
    if not _SLUG.fullmatch(slug):
        raise DataError(f"{slug!r} cannot be a slug", where=where, hint="use lower-case letters, digits and hyphens")
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = _LINE.search(str(error))
        line = found[1] if found and found[1] else str(text.count("\n") + 1)
        raise DataError(f"not TOML: {_LINE.sub('', str(error)).strip()}", where=f"{where}:{line}") from error
    except (RecursionError, ValueError) as error:
        raise DataError("not usable TOML", where=where, hint="nest less, and use shorter numbers") from error
    for key in raw:
        if key not in _READERS:
            close = nearest(key, _READERS)
            hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(_READERS)}"
            raise DataError(f"unknown key {key!r}", where=_place(where, text, key), hint=hint)
    values: dict[str, Any] = {}
    for key, (read, default) in _READERS.items():
        if key not in raw and default is None:
            raise DataError(f"{key} is missing", where=where, hint="see the other files for an example")
        try:
            values[key] = read(raw[key]) if key in raw else default
        except ValueError as error:
            raise DataError(f"{key}: {error}", where=_place(where, text, key)) from error
    values["links"] = {"paper": f"https://arxiv.org/abs/{values['arxiv']}", **values["links"]}
    return Entry(slug=slug, **values)


def _place(where: str, text: str, key: str) -> str:
    """``where`` with the line of ``key``."""
    from tutelage.config.toml_file import key_lines  # only an error needs it

    line = key_lines(text).get((key,))
    return where if line is None else f"{where}:{line}"


def _text(value: object) -> str:
    found = " ".join(value.split()) if isinstance(value, str) else ""
    if not found:
        raise ValueError("text is expected")
    return found


def _date(value: object) -> str:
    if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
        raise ValueError("a date is expected, such as 2026-05-28 without quotes")
    if value < FIRST_DATE:
        raise ValueError(f"{value} is before {FIRST_DATE}")
    return value.isoformat()


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("a whole number from 0 is expected")
    return value


def _identifier(value: object) -> str:
    if not isinstance(value, str) or not _ARXIV.fullmatch(value):
        raise ValueError("an arXiv identifier is expected, such as 2606.00147")
    return value


def _family(value: object) -> str:
    if not isinstance(value, str) or value not in FAMILIES:
        raise ValueError(f"{value!r} is no family; there are: {', '.join(FAMILIES)}")
    return value


def _texts(fewest: int, most: int) -> Callable[[object], tuple[str, ...]]:
    def read(value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValueError("a list of texts is expected")
        found = tuple(_text(each) for each in value)
        if len({each.casefold() for each in found}) != len(found):
            raise ValueError("something stands there twice")
        if not fewest <= len(found) <= most:
            raise ValueError(f"{len(found)} of them; {fewest} to {most} are expected")
        return found

    return read


def _summary(value: object) -> str:
    found = _text(value)
    if not SUMMARY[0] <= len(found) <= SUMMARY[1]:
        raise ValueError(f"{len(found)} characters; {SUMMARY[0]} to {SUMMARY[1]} are expected")
    return found


def _links(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError("a table of names and addresses is expected")
    for name, address in value.items():
        if name == "paper":
            raise ValueError("the link 'paper' follows from arxiv; leave it out")
        if not isinstance(address, str) or not _LINK.fullmatch(address):
            raise ValueError(f"{name} must be an address that begins with https://")
    return dict(value)


_READERS: dict[str, tuple[Callable[[object], Any], Any]] = {
    "title": (_text, None),
    "date": (_date, None),
    "listed": (_date, ""),
    "authors": (_count, None),
    "comments": (_count, 0),
    "arxiv": (_identifier, None),
    "family": (_family, None),
    "systems": (_texts(1, 8), None),
    "keywords": (_texts(*KEYWORDS), None),
    "summary": (_summary, None),
    "claims": (_texts(*CLAIMS), None),
    "links": (_links, {}),
}
"""How each key is read, and what it is when left out; None where it must be there."""
