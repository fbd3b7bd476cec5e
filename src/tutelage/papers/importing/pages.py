"""From the cards of a page, which may leave out years, to records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tutelage.papers.importing.dates import Day, known_days, page_year
from tutelage.papers.importing.source import Imported, Source
from tutelage.papers.titles import title_key

__all__ = ["Card", "records_of"]


@dataclass(slots=True)
class Card:
    """A paper as a page shows it, beginning at ``line``."""

    line: int
    title: str
    abstract: str = ""
    url: str = ""
    authors: int = 0
    day: Day | None = None
    comments: int = 0
    listed: Day | None = None


def records_of(source: Source, cards: Sequence[Card], format: str) -> Imported:  # noqa: A002
    """Records of the cards, with years where the page left them out, and notes on what was missing."""
    catalogue = _catalogue_dates()
    keys = [title_key(card.title) for card in cards]
    days = [day for card in cards for day in (card.day, card.listed) if day is not None]
    known = known_days(zip(keys, (card.day for card in cards), strict=True), catalogue)
    dated = next((card.listed.year for card in cards if card.listed and card.listed.year), None)
    if dated:  # a paper of the listing's year stands without it: none is younger than the listing
        year, rule = dated, "the year of the listing"
    else:
        year, rule = page_year(days, known, source.seen)
    records = []
    for card, key in zip(cards, keys, strict=True):
        records.append(
            source.record(
                card.line,
                card.title,
                date=_date(card.day, catalogue.get(key, ""), year),
                listed=card.listed.iso(year) if card.listed else "",
                authors=card.authors,
                comments=card.comments,
                abstract=card.abstract,
                url=card.url,
                source=format,
            )
        )
    notes = []
    if any(day.year is None for day in days):
        notes.append(f"days without a year are of {year}: {rule}")
    silent = [card.title for card in cards if not card.authors]
    if silent:
        notes.append(f"{len(silent)} papers have no authors on the page: {'; '.join(silent[:5])}")
    return Imported(tuple(records), format, tuple(notes))


def _date(day: Day | None, known: str, year: int) -> str:
    """The page's day; its year, or all of it where the page is silent, from the catalogue when that has the paper."""
    if day is None:
        return known
    if day.year is None and known[5:] == f"{day.month:02d}-{day.day:02d}":
        return known
    return day.iso(year)


def _catalogue_dates() -> dict[str, str]:
    from tutelage.papers.catalogue import entries

    return {title_key(entry.title): entry.date for entry in entries()}
