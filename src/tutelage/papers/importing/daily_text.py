"""A Daily Papers page saved as plain text.

Lines of navigation, the day of the listing, and then for every paper: title, abstract, and mostly

    • N authors
    ·
    May 28, 2025 2

where the year is left out for the current year and the last number, the comments, when there are none. Papers listed
by an organisation have no such lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tutelage.papers.importing.dates import Day, parse_day
from tutelage.papers.importing.pages import Card, records_of
from tutelage.papers.importing.source import Imported, Source

__all__ = ["read_text_page"]

FORMAT = "daily-papers-text"
_AUTHORS = re.compile(r"[\s•·*–-]*(\d[\d,]*) authors?(?: *[·•] *(?P<day>\S.*))?")
_DOT = re.compile("[·•]")
_NOISE = re.compile(
    r"new|subscribe|daily papers|trending papers|get trending papers in your email inbox!|upvote|[\d.,]+k?|"
    r"by ?ak and the research community|previous|next|system theme|company|tos|privacy|about|careers|website|"
    r"models|datasets|spaces|pricing|docs|©.*",
    re.IGNORECASE,
)
_LONGEST_TITLE = 300


@dataclass(slots=True)
class _State:
    source: Source
    cards: list[Card] = field(default_factory=list)
    waiting: list[tuple[int, str]] = field(default_factory=list)  # titles and abstracts without their last lines
    authors: tuple[int, int] | None = None  # line and number, when the day must follow
    dot: bool = False
    listed: Day | None = None

    def finish(self, line: int, authors: int = 0, day: Day | None = None, comments: int = 0) -> None:
        """The waiting lines are titles and abstracts in turn; the last of them is the paper these facts are of."""
        if len(self.waiting) % 2 or (authors and not self.waiting):
            odd = next((n for n, text in self.waiting[::2] if len(text) > _LONGEST_TITLE), None)
            at = odd or (self.waiting[-1][0] if self.waiting else line)
            self.source.refuse("a title or an abstract is missing: they do not come in pairs here", at)
        pairs = list(zip(self.waiting[::2], self.waiting[1::2], strict=True))
        for place, ((at, title), (_, abstract)) in enumerate(pairs):
            if len(title) > _LONGEST_TITLE:
                self.source.refuse(f"a title was expected, here are {len(title)} characters", at)
            card = Card(at, title, abstract, listed=self.listed)
            if place == len(pairs) - 1:
                card.authors, card.day, card.comments = authors, day, comments
            self.cards.append(card)
        self.waiting, self.authors, self.dot = [], None, False


def read_text_page(source: Source) -> Imported:
    """The papers of a page saved as text.

    Raises:
        DataError: it is not such a page, or is broken, with the line.
    """
    lines = source.text().split("\n")
    state = _State(source)
    for number, raw in enumerate(lines, 1):
        line = " ".join(raw.split())
        if line:
            _take(state, number, line)
    if state.authors is not None:
        source.refuse("the page ends inside a paper: after the authors comes no day", state.authors[0])
    state.finish(len(lines))
    if not any(card.authors for card in state.cards):
        source.refuse('this is not a Daily Papers page: no line says "N authors"', 1, _FORMATS)
    return records_of(source, state.cards, FORMAT)


_FORMATS = "import a saved Daily Papers page (text, HTML, JSON), an arXiv Atom listing or BibTeX"


def _take(state: _State, number: int, line: str) -> None:
    found = _AUTHORS.fullmatch(line)
    if found:
        if state.authors is not None:
            state.source.refuse("two lines of authors in a row", number)
        if not state.waiting:
            state.source.refuse("authors without a title and an abstract before them", number)
        state.authors = number, int(found[1].replace(",", ""))
        line = found["day"] or ""
        if not line:
            return
    if _DOT.fullmatch(line):
        state.dot = True
        return
    day = _day(state, number, line)
    if day is not None:
        _take_day(state, number, *day)
    elif state.authors is not None:
        state.source.refuse(f"after the authors comes a day such as 'May 28, 2025', not {line[:40]!r}", number)
    elif not _NOISE.fullmatch(line):
        state.waiting.append((number, line))


def _take_day(state: _State, number: int, day: Day, comments: int) -> None:
    if state.authors is not None or (state.dot and state.waiting):
        state.finish(number, state.authors[1] if state.authors else 0, day, comments)
        return
    if not state.cards:  # the day of the listing; what stood before it was navigation
        state.waiting = []
    state.finish(number)
    state.listed = day


def _day(state: _State, number: int, line: str) -> tuple[Day, int] | None:
    try:
        return parse_day(line)
    except ValueError:
        state.source.refuse(f"no calendar has the day {line[:40]!r}", number)
