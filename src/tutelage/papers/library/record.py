"""What the library holds and what it answers: records, filters, hits."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, NamedTuple

from tutelage.errors import ConfigError
from tutelage.papers.titles import title_key

__all__ = [
    "IMPORTED",
    "Added",
    "Filters",
    "Found",
    "Hit",
    "Piece",
    "Record",
    "arxiv_id",
    "clean",
    "make_record",
    "merge",
    "paper_id",
]

IMPORTED = "imported"  # the status of a paper that is in the library and not in the catalogue
_ARXIV = re.compile(
    r"(?:arxiv\.org/(?:abs|pdf|html)/|/papers/|arxiv:)(\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})", re.I
)
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]+")
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Record:
    """One paper. Dates are ISO or empty; 0 authors or comments means that the source did not say.

    Args:
        id: short, stable, fit for a path: the slug of a catalogued paper, else made from the title.
        title: on one line.
        date: day of submission.
        listed: day of the listing that it was seen on.
        authors: how many.
        comments: how many on the listing.
        abstract: as imported; empty when there is none.
        url: a web page of the paper, or empty.
        source: where it was last seen: ``catalogue`` or a format of :mod:`tutelage.papers.importing`.
        slug: name of its catalogue entry, or None.
    """

    id: str
    title: str
    date: str = ""
    listed: str = ""
    authors: int = 0
    comments: int = 0
    abstract: str = ""
    url: str = ""
    source: str = ""
    slug: str | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """Which papers count; every field that is None lets all pass.

    Args:
        since: first day, ISO.
        until: last day, ISO.
        family: family of the catalogue.
        status: ``verdict``, ``implemented``, ``planned``, or ``imported`` for papers outside the catalogue.

    Raises:
        ConfigError: a date that is none.
    """

    since: str | None = None
    until: str | None = None
    family: str | None = None
    status: str | None = None

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            value = getattr(self, name)
            if value is None:
                continue
            try:
                day = date.fromisoformat(value)
            except ValueError:
                raise ConfigError(f"{value!r} is not a date", where=name, hint="write it as 2026-06-10") from None
            object.__setattr__(self, name, day.isoformat())


class Added(NamedTuple):
    """What became of imported records."""

    new: int
    changed: int
    same: int


class Piece(NamedTuple):
    """A stretch of a snippet, and whether the query's words are in it."""

    text: str
    marked: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """A found paper.

    Args:
        record: the paper.
        score: larger is better; comparable within one answer only.
        snippet: text around the words of the query, as data: escaping it is the reader's.
        ranks: its place from 1 by ``keyword`` and by ``meaning``, where it was found so.
    """

    record: Record
    score: float
    snippet: tuple[Piece, ...] = ()
    ranks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Found:
    """The answer to a search.

    Args:
        hits: best first.
        mode: how it was searched: ``keyword``, ``meaning`` or ``fused``.
        note: what the reader should know, e.g. that no encoder is installed.
    """

    hits: tuple[Hit, ...]
    mode: str
    note: str = ""


def clean(text: str) -> str:
    """``text`` on one line, without control characters and what turns or hides text.

    Example:
        >>> clean("a\\x00 b\\n  c")
        'a b c'
    """
    return " ".join(_UNSEEN.sub(" ", _SURROGATE.sub("\ufffd", text)).split())


def paper_id(title: str, distinction: str = "") -> str:
    """An id fit for a path: words of the title and eight digits of a hash of its key.

    Args:
        title: of the paper.
        distinction: told apart by this when another paper has the same title, e.g. its arXiv id.

    Example:
        >>> paper_id("Debate, Helps!")
        'debate-helps-38d0d857'
    """
    ascii_title = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    words = "-".join(re.findall(r"[a-z0-9]+", ascii_title))[:60].strip("-") or "paper"
    digest = hashlib.sha256(f"{title_key(title)}\n{distinction}".encode("utf-8", "replace")).hexdigest()
    return f"{words}-{digest[:8]}"


def arxiv_id(url: str) -> str:
    """The arXiv id inside an address, without its version; empty when there is none.

    Example:
        >>> arxiv_id("https://arxiv.org/abs/2401.12345v2"), arxiv_id("https://example.org")
        ('2401.12345', '')
    """
    found = _ARXIV.search(url)
    return found[1].lower() if found else ""


def make_record(title: str, **facts: Any) -> Record:
    """A record with an id made from its title, every text on one line.

    Args:
        title: of the paper.
        facts: the other fields of :class:`Record`.
    """
    texts: dict[str, Any] = {name: clean(value) if isinstance(value, str) else value for name, value in facts.items()}
    title = clean(title)
    return Record(id=texts.pop("id", "") or paper_id(title), title=title, **texts)


def merge(old: Record, new: Record) -> Record:
    """``old`` brought up to date by ``new``: what ``new`` says counts, what it leaves open stays.

    A copy of an earlier listing day fills gaps and changes nothing else.
    """
    first, second = (old, new) if old.listed and new.listed and new.listed < old.listed else (new, old)
    names = ("title", "date", "listed", "authors", "comments", "abstract", "url", "source")
    return replace(old, **{name: getattr(first, name) or getattr(second, name) for name in names})
