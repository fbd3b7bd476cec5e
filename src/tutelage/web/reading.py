"""Papers and evidence as the pages show them. Only this file knows the library, the catalogue and the evidence."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from tutelage.errors import DataError, TutelageError
from tutelage.io.documents import read_json
from tutelage.papers import catalogue
from tutelage.papers.catalogue import FAMILIES
from tutelage.papers.evidence import read_evidence
from tutelage.papers.library import IMPORTED, Filters
from tutelage.papers.tools import Tool, tools
from tutelage.web.wanted import Wanted

if TYPE_CHECKING:
    from tutelage.papers.library import Hit, Library, Record

__all__ = ["STATUSES", "Card", "Evidence", "Listing", "Measured", "Paper", "Papers", "Verdict"]

STATUSES = ("verdict", "implemented", "planned", IMPORTED)
Mode = Literal["auto", "keyword", "meaning"]
PER_PAGE = 20
_RELATED = 6


@dataclass(frozen=True)
class Measured:
    """One part of a claim: a difference with its interval, and what the rule made of it."""

    name: str
    value: float
    low: float
    high: float
    level: float
    margin: float | None
    outcome: str
    detectable: float | None


@dataclass(frozen=True)
class Verdict:
    """What evidence says about one claim of a paper; ``arms`` and ``notes`` are those of its whole run."""

    slug: str
    title: str
    family: str
    id: str
    statement: str
    verdict: str
    parts: tuple[Measured, ...]
    tier: str
    seeds: int
    command: str
    arms: Mapping[str, str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Card:
    """A paper in a list; ``snippet`` are stretches of text and whether they match."""

    key: str
    title: str
    date: str = ""
    authors: int = 0
    comments: int = 0
    family: str = ""
    status: str = ""
    verdict: str = ""
    snippet: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True)
class Listing:
    """One page of papers; ``more`` when another follows."""

    cards: tuple[Card, ...]
    more: bool
    note: str = ""


@dataclass(frozen=True)
class Paper:
    """Everything known about one paper; ``entry`` is None for one that is not in the catalogue."""

    card: Card
    abstract: str
    entry: catalogue.Entry | None
    links: Mapping[str, str]
    tools: tuple[Tool, ...]
    command: str
    verdicts: tuple[Verdict, ...]
    related: tuple[Card, ...]


class Evidence:
    """The verdicts in a folder of evidence, read again when a file in it changes.

    Args:
        folder: of ``*.json`` files; a missing folder holds none.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._lock = Lock()
        self._seen: object = None
        self._verdicts: tuple[Verdict, ...] = ()
        self._problems: tuple[str, ...] = ()

    def read(self) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
        """All verdicts, and what could not be read and why."""
        with self._lock:
            files = self._files()
            if files != self._seen:
                self._verdicts, self._problems = _read_all([Path(name) for name, *_ in files])
                self._seen = files
            return self._verdicts, self._problems

    def of(self, slug: str | None) -> tuple[Verdict, ...]:
        """The verdicts on one paper."""
        return tuple(one for one in self.read()[0] if one.slug == slug)

    def _files(self) -> tuple[tuple[str, int, int], ...]:
        try:
            with os.scandir(self.folder) as entries:
                found = [(e.path, e.stat()) for e in entries if e.name.endswith(".json") and e.is_file()]
        except OSError:
            return ()
        return tuple(sorted((path, stat.st_mtime_ns, stat.st_size) for path, stat in found))


def _read_all(paths: Sequence[Path]) -> tuple[tuple[Verdict, ...], tuple[str, ...]]:
    verdicts: list[Verdict] = []
    problems: list[str] = []
    for path in paths:
        try:
            raw = read_json(path)
            if isinstance(raw, Mapping) and "slug" in raw:  # else a measurement of the library itself
                verdicts += _verdicts(read_evidence(path))
        except TutelageError as error:
            problems.append(f"{path.name}: {error.what}")
    return tuple(verdicts), tuple(problems)


def _verdicts(found: Mapping[str, Any]) -> list[Verdict]:
    title, family = str(found["paper"]["title"]), str(found["paper"].get("family", ""))
    facts = (found["tier"], len(found["seeds"]), found["command"], found.get("described", {}), tuple(found["notes"]))
    return [
        Verdict(
            found["slug"], title, family, c["id"], c["statement"], c["verdict"], tuple(map(_part, c["parts"])), *facts
        )
        for c in found["claims"]
    ]


def _part(part: Mapping[str, Any]) -> Measured:
    delta, least = part["delta"], part["minimum_detectable"]
    numbers = (float(delta["value"]), float(delta["low"]), float(delta["high"]), float(delta["level"]))
    detectable = float(least) if least is not None and math.isfinite(least) else None
    return Measured(part["name"], *numbers, part["margin"], part["outcome"], detectable)


class Papers:
    """The library with what catalogue and evidence add to it.

    Args:
        library: the user's library.
        evidence: the folder of evidence.
    """

    def __init__(self, library: Library, evidence: Evidence) -> None:
        self.library, self.evidence = library, evidence
        self.mode: Mode = "auto"
        self.note = ""

    @property
    def families(self) -> Mapping[str, str]:
        """Families of the catalogue, and what each is about."""
        return FAMILIES

    def count(self) -> int:
        """How many papers there are."""
        return self.library.count()

    def listing(self, wanted: Wanted, seconds: float | None = None) -> Listing:
        """A page of what was found, the best first; of all papers, the newest first, where no words are given.

        Raises:
            TookTooLong: the search was not done in so many seconds.
        """
        first = (wanted.page - 1) * PER_PAGE
        filters = Filters(wanted.since or None, wanted.until or None, wanted.family or None, wanted.status or None)
        if not wanted.query:
            records = self.library.newest(PER_PAGE + 1, first, filters)
            return Listing(tuple(self._card(record) for record in records[:PER_PAGE]), len(records) > PER_PAGE)
        found = self.library.search(wanted.query, filters, self.mode, PER_PAGE + 1, offset=first, seconds=seconds)
        cards = tuple(self._card(hit.record, hit) for hit in found.hits[:PER_PAGE])
        note = "; ".join(one for one in (self.note, found.note) if one)
        return Listing(cards, len(found.hits) > PER_PAGE, note)

    def paper(self, key: str, seconds: float | None = None) -> Paper | None:
        """The paper of that slug or id, or None.

        Raises:
            TookTooLong: the related papers were not found in so many seconds.
        """
        try:
            record = self.library.get(key)
        except DataError:
            return None
        related = tuple(self._card(hit.record) for hit in self.library.similar(record.id, _RELATED, seconds=seconds))
        if record.slug is None:
            links = {"paper": record.url} if record.url else {}
            return Paper(self._card(record), record.abstract, None, links, (), "", (), related)
        entry, verdicts = catalogue.entry(record.slug), self.evidence.of(record.slug)
        recipe = self._state(record.slug).recipe
        command = verdicts[0].command if verdicts else f"tutelage papers run {recipe} --out RUN" if recipe else ""
        facts = (entry.links, tuple(tools(record.slug)), command, verdicts, related)
        return Paper(self._card(record), record.abstract, entry, *facts)

    def _card(self, record: Record, hit: Hit | None = None) -> Card:
        facts = (record.title, record.date, record.authors, record.comments)
        snippet = tuple((piece.text, piece.marked) for piece in hit.snippet) if hit else ()
        if record.slug is None:
            return Card(record.id, *facts, status=IMPORTED, snippet=snippet)
        state = self._state(record.slug)
        return Card(record.slug, *facts, catalogue.entry(record.slug).family, state.status, state.verdict, snippet)

    def _state(self, slug: str) -> catalogue.State:
        return catalogue.state(slug, self.evidence.folder)
