"""Calendar dates in running text, in the forms that people and machines write."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Date", "dates"]

_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec"
_MONTHS = {name: number for number, name in enumerate(_NAMES.split(), start=1)}
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|"
    r"oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_FORMS = (
    re.compile(r"\b(?P<year>\d{4})-(?P<number>\d{2})-(?P<day>\d{2})\b"),
    re.compile(rf"\b{_DAY}(?: of)? {_MONTH}(?:,? (?P<year>\d{{4}})\b)?", re.IGNORECASE),
    re.compile(rf"\b{_MONTH} {_DAY}\b(?:,? (?P<year>\d{{4}})\b)?", re.IGNORECASE),
    re.compile(rf"\b{_MONTH},? (?P<year>\d{{4}})\b", re.IGNORECASE),
    re.compile(r"\b(?P<first>\d{1,2})(?P<mark>[/.])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4})\b"),
)


@dataclass(frozen=True)
class Date:
    """A date as written; unknown parts are None. ``swapped`` is the other reading of a date like 3/4/2024."""

    text: str
    year: int | None
    month: int | None
    day: int | None
    swapped: bool = False

    def says(self, other: Date) -> bool:
        """True when this date holds all that ``other`` says, in either reading of day and month."""
        return any(
            (other.year is None or year == other.year)
            and (want_month is None or month == want_month)
            and (want_day is None or day == want_day)
            for year, month, day in self._readings()
            for _, want_month, want_day in other._readings()
        )

    def _readings(self) -> list[tuple[int | None, int | None, int | None]]:
        readings = [(self.year, self.month, self.day)]
        return [*readings, (self.year, self.day, self.month)] if self.swapped else readings


def dates(text: str) -> tuple[list[Date], str]:
    """The dates of a text, and the text with spaces where they stood.

    Forms: 2024-03-05, 5(th) (of) March (2024), March 5(,) (2024), March 2024, 5/3/2024 and 5.3.2024 (day and month in
    either order).

    Example:
        >>> dates("Due March 5, 2024.")
        ([Date(text='March 5, 2024', year=2024, month=3, day=5, swapped=False)], 'Due              .')
    """
    found: list[tuple[int, Date]] = []
    for form in _FORMS:
        kept = []
        last = 0
        for match in form.finditer(text):
            date = _date(match)
            if date is None:
                continue
            found.append((match.start(), date))
            kept += [text[last : match.start()], " " * (match.end() - match.start())]
            last = match.end()
        text = "".join(kept) + text[last:] if kept else text
    return [date for _, date in sorted(found, key=lambda item: item[0])], text


def _date(match: re.Match[str]) -> Date | None:
    parts = match.groupdict()
    year = int(parts["year"]) if parts.get("year") else None
    if "first" in parts:
        first, second = int(parts["first"]), int(parts["second"])
        month, day = (first, second) if first <= 12 else (second, first)
        swapped = first <= 12 and second <= 12 and first != second
    else:
        month = int(parts["number"]) if parts.get("number") else _MONTHS[parts["month"][:3].casefold()]
        day, swapped = (int(parts["day"]) if parts.get("day") else 0), False
    if not 1 <= month <= 12 or day > 31 or ("day" in parts and day < 1):
        return None
    return Date(match.group().rstrip(". "), year, month, day or None, swapped)
