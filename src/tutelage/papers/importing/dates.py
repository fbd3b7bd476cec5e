"""Days as listings write them, and the year of a page that leaves it out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

__all__ = ["Day", "find_day", "iso_day", "page_year", "parse_day"]

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAY = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.? (\d{1,2})(?:, ?(\d{4}))?"
_LINE = re.compile(rf"(?:published on )?{_DAY}(?:\s+(\d{{1,6}}))?", re.IGNORECASE)
_INSIDE = re.compile(rf"\b{_DAY}\b", re.IGNORECASE)
_ISO = re.compile(r"(\d{4})-(\d{2})-(\d{2})(?:[T ].*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a listing; ``year`` is None where the page leaves it out."""

    month: int
    day: int
    year: int | None = None

    def iso(self, year: int) -> str:
        """ISO date, with ``year`` where the page gives none; 29 February of a common year becomes the 28th."""
        year = self.year or year
        try:
            return date(year, self.month, self.day).isoformat()
        except ValueError:
            return date(year, self.month, self.day - 1).isoformat()


def parse_day(line: str) -> tuple[Day, int] | None:
    """A line such as ``Oct 10, 2025 2`` as its day and the number after it, or 0; None when it is no such line.

    Raises:
        ValueError: a day that no calendar has, such as ``Feb 30``.

    Example:
        >>> parse_day("Oct 10, 2025 2"), parse_day("May 28")
        ((Day(month=10, day=10, year=2025), 2), (Day(month=5, day=28, year=None), 0))
    """
    found = _LINE.fullmatch(line.strip())
    return None if found is None else (_day(found), int(found[4] or 0))


def find_day(text: str) -> Day | None:
    """The first day written inside ``text``.

    Raises:
        ValueError: a day that no calendar has.
    """
    found = _INSIDE.search(text)
    return None if found is None else _day(found)


def iso_day(text: object) -> str:
    """The day of an ISO date or time; empty for an empty or missing one.

    Raises:
        ValueError: it is not an ISO date.

    Example:
        >>> iso_day("2026-05-28T00:00:00.000Z")
        '2026-05-28'
    """
    if text is None or text == "":
        return ""
    found = _ISO.fullmatch(str(text).strip())
    if found is None:
        raise ValueError(f"{str(text)[:40]!r} is not a date")
    return date(int(found[1]), int(found[2]), int(found[3])).isoformat()


def page_year(days: Sequence[Day], known: Iterable[tuple[Day, str]], seen: date) -> tuple[int, str]:
    """The year that a page leaves out, and the rule that gave it.

    A listing writes the year only of days outside the year in which it was looked at. So: the year in which most
    papers known from the catalogue were submitted on the month and day that the page gives; else the latest year in
    which none of the page's days lies after the day the file was saved; in any case after every year written out.

    Args:
        days: all days of the page.
        known: days without a year, with the full date of the same paper in the catalogue.
        seen: the day the file was saved.
    """
    votes = Counter(int(iso[:4]) for day, iso in known if iso[5:] == f"{day.month:02d}-{day.day:02d}")
    if votes:
        year, count = votes.most_common(1)[0]
        return year, f"as {count} papers of the catalogue say"
    written = max((day.year for day in days if day.year), default=0)
    latest = max(((day.month, day.day) for day in days if not day.year), default=(1, 1))
    year = seen.year if latest <= (seen.month, seen.day) else seen.year - 1
    if year <= written:
        return written + 1, "the year after the latest one written on the page"
    return year, "the latest year in which no day of the page is after the day the file was saved"


def known_days(pairs: Iterable[tuple[str, Day | None]], catalogue: Mapping[str, str]) -> list[tuple[Day, str]]:
    """Days without a year of papers that the catalogue dates.

    Args:
        pairs: title key and day of every paper of the page.
        catalogue: full date by title key.
    """
    return [(day, catalogue[key]) for key, day in pairs if day is not None and not day.year and key in catalogue]


def _day(found: re.Match[str]) -> Day:
    month, day, year = _MONTHS.index(found[1].lower()) + 1, int(found[2]), int(found[3]) if found[3] else None
    date(year or 2000, month, day)  # a leap year, when none is given
    return Day(month, day, year)
