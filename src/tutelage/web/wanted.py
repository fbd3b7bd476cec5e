"""What the address asks for, read with suspicion: short, of a known kind, or not at all."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlencode

__all__ = ["LONGEST_WORDS", "PAGES", "Wanted", "chosen", "day", "page_number", "wanted"]

LONGEST_WORDS = 1_000  # characters of a query that are searched for
PAGES = 10  # of results; who needs more should narrow the search
_PARTIAL = re.compile(r"\d{4}(-\d{2})?")


@dataclass(frozen=True)
class Wanted:
    """A search as the address states it; ``notes`` say what was left out of it."""

    query: str = ""
    family: str = ""
    status: str = ""
    since: str = ""
    until: str = ""
    page: int = 1
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def narrowed(self) -> bool:
        """Whether anything but the words is asked for."""
        return bool(self.family or self.status or self.since or self.until)

    def address(self, page: int = 1) -> str:
        """The address of this search, at a page of it."""
        named = {"q": self.query, "family": self.family, "status": self.status, "since": self.since}
        said = {key: value for key, value in (named | {"until": self.until}).items() if value}
        return "/search?" + urlencode(said | ({"page": str(page)} if page > 1 else {}))


def wanted(parameters: Mapping[str, str], families: Sequence[str], statuses: Sequence[str]) -> Wanted:
    """The search that ``parameters`` ask for.

    Example:
        >>> found = wanted({"q": " two  words ", "since": "2026-05", "family": "none"}, ["tuning"], ["verdict"])
        >>> found.query, found.since, found.family, found.notes
        ('two words', '2026-05-01', '', ('There is no family “none”; all are shown.',))
    """
    notes: list[str] = []
    words = " ".join(parameters.get("q", "").replace("\0", " ").split())
    if len(words) > LONGEST_WORDS:
        words = words[:LONGEST_WORDS]
        notes.append(f"Only the first {LONGEST_WORDS:,} characters were searched for.")
    found = Wanted(query=words, page=page_number(parameters.get("page", ""), PAGES))
    for name, known in (("family", families), ("status", statuses)):
        value = parameters.get(name, "")
        if value and value not in known:
            notes.append(f"There is no {name} “{value[:40]}”; all are shown.")
            value = ""
        found = replace(found, **{name: value})  # type: ignore[arg-type]  # both are texts
    for name in ("since", "until"):
        text = parameters.get(name, "").strip()
        value = day(text, last=name == "until")
        if text and not value:
            notes.append(f"“{text[:40]}” is no date; write it like 2026-05-31.")
        found = replace(found, **{name: value})  # type: ignore[arg-type]
    return replace(found, notes=tuple(notes))


def day(text: str, *, last: bool = False) -> str:
    """``text`` as an ISO date, a year or month completed to its first (or last) day; empty when it is none.

    Example:
        >>> day("2026-02", last=True), day("2026"), day("2026-02-30"), day("yesterday")
        ('2026-02-28', '2026-01-01', '', '')
    """
    if not text.isascii():
        return ""
    try:
        if not _PARTIAL.fullmatch(text):
            return datetime.date.fromisoformat(text).isoformat()
        year, month = int(text[:4]), int(text[5:] or (12 if last else 1))
        first = datetime.date(year, month, 1)
        if not last:
            return first.isoformat()
        following = datetime.date(year + month // 12, month % 12 + 1, 1)
        return (following - datetime.timedelta(days=1)).isoformat()
    except (ValueError, OverflowError):
        return ""


def page_number(text: str, most: int) -> int:
    """A page from 1 to ``most``; 1 for anything else.

    Example:
        >>> page_number("3", 10), page_number("99", 10), page_number("-1", 10), page_number("٣", 10)
        (3, 10, 1, 1)
    """
    return min(most, max(1, int(text))) if text.isascii() and text.isdigit() and len(text) < 9 else 1


def chosen(text: str, known: Sequence[str], default: str = "") -> str:
    """``text`` if it is one of ``known``, else ``default``."""
    return text if text in known else default
