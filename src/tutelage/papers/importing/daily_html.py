"""A Daily Papers page as a browser saves it: the data it carries, or else its cards as they are shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from urllib.parse import urlsplit

from tutelage.papers.importing.daily_json import records_of_listing
from tutelage.papers.importing.dates import Day, find_day, iso_day, parse_day
from tutelage.papers.importing.pages import Card, records_of
from tutelage.papers.importing.source import Imported, Source
from tutelage.papers.library import arxiv_id, title_key

__all__ = ["read_html_page"]

FORMAT = "daily-papers-html"
_TARGET, _LIST = "DailyPapers", '"dailyPapers"'
_PAPER = re.compile(r"(?:.*/)?(?:papers|abs|pdf)/(\d{4}\.\d{4,5})(?:v\d+)?/?")
_AUTHORS = re.compile(r"(\d[\d,]*) authors?")
_COUNT = re.compile(r"(\d{1,3}(?:,\d{3})+|\d{1,7})(?:\.(\d))?(k?)(?: comments?)?", re.IGNORECASE)
_HEADINGS = frozenset(("h1", "h2", "h3", "h4"))
_PROSE = _HEADINGS | {"p"}  # where spans are parts of words
_BLOCKS = _PROSE | {"li", "ul", "time", "div", "section", "header", "footer", "main", "button"}
_SILENT = frozenset(("script", "style", "template", "svg", "title", "noscript"))
_LONGEST_FACT, _SHORTEST_ABSTRACT = 160, 40


def read_html_page(source: Source) -> Imported:
    """The papers of a saved page: those in the data that it carries, then those that were only loaded while scrolling.

    Raises:
        DataError: no papers are found in it, or one of them is broken, with the line.
    """
    page = _Page()
    page.feed(source.text())
    if page.rawdata.startswith("<"):  # what the parser waits for the rest of
        source.refuse("the page ends inside a tag", page.getpos()[0])
    page.close()
    if page.open_line:
        source.refuse("the page ends inside a paper", page.open_line)
    if page.unfinished:
        source.refuse("the page is cut: it has a beginning and no end", page.getpos()[0])
    carried = next(filter(None, (records_of_listing(source, *one) for one in page.payloads)), ())
    known = {arxiv_id(record.url) for record in carried if record.url} | {title_key(record.title) for record in carried}
    shown = [one for one in page.shown if one.url or one.title]
    if {arxiv_id(one.url) or title_key(one.title) for one in shown} <= known and carried:
        return Imported(carried, FORMAT)
    if not shown:
        source.refuse("the page holds no papers", 1, "save the listing itself, completely loaded, as HTML or as text")
    fresh = [one for one in shown if not {arxiv_id(one.url), title_key(one.title)} & known]
    cards = [_card(source, one) for one in fresh]
    for card in cards:
        card.listed = (_listing_day(carried[0].listed) if carried else None) or card.listed
    found = records_of(source, cards, FORMAT)
    return Imported((*carried, *found.records), FORMAT, found.notes)


class _Shown:
    """What one card shows, text by text, under the listing's day ``listed``."""

    def __init__(self, line: int, listed: Day | None) -> None:
        self.line, self.url, self.title, self.comments = line, "", "", 0
        self.listed = listed
        self.texts: list[tuple[str, str]] = []  # tag and text
        self.time = ""


class _Page(HTMLParser):
    """Collects the data elements and the cards (``article`` elements) of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.payloads: list[tuple[int, str]] = []
        self.shown: list[_Shown] = []
        self.listed: Day | None = None  # the first day outside cards since the last card
        self.unfinished = False
        self._looking = True  # for that day
        self._card: _Shown | None = None
        self._tags: list[str] = []
        self._text: list[str] = []
        self._link, self._linked = "", [""]

    @property
    def open_line(self) -> int:
        """Line of a card that has not ended, or 0."""
        return self._card.line if self._card else 0

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Data elements, cards, links and times."""
        values = {name: value or "" for name, value in attrs}
        self.unfinished |= tag == "html"
        props = values.get("data-props", "")
        if props and (values.get("data-target") == _TARGET or _LIST in props):
            self.payloads.append((self.getpos()[0], props))
        if tag == "article":
            self._flush()
            self._looking = True
            self._card = _Shown(self.getpos()[0], self.listed)
            self.shown.append(self._card)
        self._part(tag)
        if tag in _BLOCKS or tag in _SILENT:
            self._tags.append(tag)
        if tag == "time":
            self._see_time(values.get("datetime", ""))
        if tag == "a":
            self._link, self._linked = _paper_of(values.get("href", "")), []
            if self._card is not None and self._link and not self._card.url:
                self._card.url = f"https://arxiv.org/abs/{self._link}"

    def handle_endtag(self, tag: str) -> None:
        """Ends of blocks and cards."""
        self.unfinished &= tag not in ("html", "body")
        if tag == "a":
            self._count()
            self._link = ""
        self._part(tag)
        if tag in _BLOCKS or tag in _SILENT:
            while self._tags and self._tags.pop() != tag:
                pass
        if tag == "article":
            self._flush()
            self._card = None

    def handle_data(self, data: str) -> None:
        """Text that is shown."""
        if not (self._tags and self._tags[-1] in _SILENT):
            self._text.append(data)
            self._linked.append(data)

    def _part(self, tag: str) -> None:
        """Blocks are texts of their own; other elements, but for those inside prose, are words of their own."""
        if tag in _BLOCKS or tag in _SILENT:
            self._flush()
        elif tag == "br" or not (self._tags and self._tags[-1] in _PROSE):
            self._text.append(" ")

    def _see_time(self, value: str) -> None:
        if self._card is not None:
            self._card.time = self._card.time or value
        else:
            self._see_listed(_listing_day(value))

    def _see_listed(self, day: Day | None) -> None:
        if day is not None and self._looking:
            self.listed, self._looking = day, False

    def _count(self) -> None:
        """A link to a paper that shows a number alone leads to its discussion and counts the comments."""
        found = _COUNT.fullmatch(" ".join("".join(self._linked).split()))
        if self._card is not None and self._link and found:
            thousands = int(found[2] or 0) * 100 if found[3] else 0
            self._card.comments = int(found[1].replace(",", "")) * (1000 if found[3] else 1) + thousands

    def _flush(self) -> None:
        text = " ".join("".join(self._text).split())
        self._text = []
        if not text:
            return
        tag = self._tags[-1] if self._tags else ""
        if self._card is None:
            self._see_listed(_shown_day(text))
        elif tag in _HEADINGS and not self._card.title:
            self._card.title = text
        else:
            self._card.texts.append((tag, text))


def _paper_of(link: str) -> str:
    """Number of the paper that a link leads to, whatever follows its path; empty when it leads elsewhere."""
    try:
        found = _PAPER.fullmatch(urlsplit(link.strip()).path)
    except ValueError:
        return ""
    return found[1] if found else ""


def _card(source: Source, shown: _Shown) -> Card:
    if not shown.title:
        source.refuse("a card of the page has no title", shown.line)
    card = Card(shown.line, shown.title, url=shown.url, comments=shown.comments, listed=shown.listed)
    paragraphs = [text for tag, text in shown.texts if tag == "p"] or [text for _, text in shown.texts]
    card.abstract = max(paragraphs, key=len, default="")
    if len(card.abstract) < _SHORTEST_ABSTRACT:  # a label, not an abstract
        card.abstract = ""
    rest = " · ".join(text for _, text in shown.texts if text != card.abstract and len(text) <= _LONGEST_FACT)
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


def _listing_day(value: str) -> Day | None:
    try:
        return _time(value)
    except ValueError:
        return None


def _shown_day(text: str) -> Day | None:
    try:
        found = parse_day(text)
    except ValueError:
        return None
    return found[0] if found else None
