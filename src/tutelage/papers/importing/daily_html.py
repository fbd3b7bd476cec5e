"""A Daily Papers page as a browser saves it: the data it carries, or else its cards as they are shown."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Sequence
from html.parser import HTMLParser

from tutelage.papers.importing.daily_json import records_of_listing
from tutelage.papers.importing.dates import Day, find_day, iso_day
from tutelage.papers.importing.pages import Card, records_of
from tutelage.papers.importing.source import Imported, Source

__all__ = ["read_html_page", "unpack_archive"]

FORMAT = "daily-papers-html"
_TARGET = "DailyPapers"
_PAPER = re.compile(r"/papers/(\d{4}\.\d{4,5})(#community)?$")
_AUTHORS = re.compile(r"(\d[\d,]*) authors?")
_BLOCKS = frozenset(["h1", "h2", "h3", "h4", "p", "li", "time", "div"])
_SILENT = frozenset(("script", "style", "template", "svg", "title"))


def read_html_page(source: Source) -> Imported:
    """The papers of a saved page.

    Raises:
        DataError: no papers are found in it, or one of them is broken, with the line.
    """
    page = _Page()
    page.feed(source.text())
    page.close()
    for line, payload in page.payloads:
        records = records_of_listing(source, line, payload)
        if records:
            return Imported(records, FORMAT)
    if page.open_line:
        source.refuse("the page ends inside a paper", page.open_line)
    cards = [_card(source, shown) for shown in page.shown if shown.url or shown.title]
    if not cards:
        source.refuse("the page holds no papers", 1, "save the listing itself, completely loaded, as HTML or as text")
    listed = _listing_day(source, page.time)
    for card in cards:
        card.listed = listed
    return records_of(source, cards, FORMAT)


def unpack_archive(source: Source) -> Source | None:
    """The page inside a MIME archive (``.mhtml``), as some browsers save it; None when there is none."""
    message = email.message_from_bytes(source.data, policy=email.policy.default)
    for part in message.walk():
        if part.get_content_type() == "text/html":
            content = part.get_payload(decode=True)
            if isinstance(content, bytes):
                return Source(source.path, content, source.seen)
    return None


class _Shown:
    """What one card shows, text by text."""

    def __init__(self, line: int) -> None:
        self.line, self.url, self.title, self.comments = line, "", "", 0
        self.texts: list[tuple[str, str]] = []  # tag and text
        self.time = ""


class _Page(HTMLParser):
    """Collects the data elements and the cards (``article`` elements) of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.payloads: list[tuple[int, str]] = []
        self.shown: list[_Shown] = []
        self.time = ""  # of the page's head: the first day outside the cards
        self._card: _Shown | None = None
        self._tags: list[str] = []
        self._text: list[str] = []
        self._link = ""

    @property
    def open_line(self) -> int:
        """Line of a card that has not ended, or 0."""
        return self._card.line if self._card else 0

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Data elements, cards, links and times."""
        values = {name: value or "" for name, value in attrs}
        if values.get("data-target") == _TARGET and values.get("data-props"):
            self.payloads.append((self.getpos()[0], values["data-props"]))
        if tag == "article":
            self._flush()
            self._card = _Shown(self.getpos()[0])
            self.shown.append(self._card)
        if tag in _BLOCKS or tag in _SILENT:
            self._flush()
            self._tags.append(tag)
        if tag == "time":
            self._see_time(values.get("datetime", ""))
        if tag == "a":
            self._link = values.get("href", "")
            found = _PAPER.search(self._link)
            if self._card is not None and found and not self._card.url:
                self._card.url = f"https://arxiv.org/abs/{found[1]}"

    def handle_endtag(self, tag: str) -> None:
        """Ends of blocks and cards."""
        if tag == "a":
            self._comments()
            self._link = ""
        if tag in _BLOCKS or tag in _SILENT:
            self._flush()
            while self._tags and self._tags.pop() != tag:
                pass
        if tag == "article":
            self._flush()
            self._card = None

    def handle_data(self, data: str) -> None:
        """Text that is shown."""
        if not (self._tags and self._tags[-1] in _SILENT):
            self._text.append(data)

    def _see_time(self, value: str) -> None:
        if self._card is not None:
            self._card.time = self._card.time or value
        else:
            self.time = self.time or value

    def _comments(self) -> None:
        """A link to the discussion shows how many comments there are."""
        found = _PAPER.search(self._link)
        shown = "".join(self._text).strip()
        if self._card is not None and found and found[2] and shown.isdecimal():
            self._card.comments = int(shown[:6])
            self._text = []

    def _flush(self) -> None:
        text = " ".join("".join(self._text).split())
        self._text = []
        if not text or self._card is None:
            return
        tag = self._tags[-1] if self._tags else ""
        if tag in ("h1", "h2", "h3", "h4") and not self._card.title:
            self._card.title = text
        else:
            self._card.texts.append((tag, text))


def _card(source: Source, shown: _Shown) -> Card:
    if not shown.title:
        source.refuse("a card of the page has no title", shown.line)
    card = Card(shown.line, shown.title, url=shown.url, comments=shown.comments)
    paragraphs = [text for tag, text in shown.texts if tag == "p"] or [text for _, text in shown.texts]
    card.abstract = max(paragraphs, key=len, default="")
    if len(card.abstract) < 40:  # a label, not an abstract
        card.abstract = ""
    rest = " · ".join(text for _, text in shown.texts if text != card.abstract)
    authors = _AUTHORS.search(rest)
    card.authors = int(authors[1].replace(",", "")) if authors else 0
    try:
        card.day = _time(shown.time) or find_day(rest)
    except ValueError:
        source.refuse("a card of the page has a day that no calendar has", shown.line)
    return card


def _time(value: str) -> Day | None:
    if not value:
        return None
    year, month, day = (int(part) for part in iso_day(value).split("-"))
    return Day(month, day, year)


def _listing_day(source: Source, value: str) -> Day | None:
    try:
        return _time(value)
    except ValueError:
        return None
