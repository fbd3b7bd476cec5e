"""An arXiv listing as an Atom feed, read so that nothing in it can expand or be fetched."""

from __future__ import annotations

from xml.parsers import expat

from tutelage.papers.importing.dates import iso_day
from tutelage.papers.importing.source import Imported, Source
from tutelage.papers.library import Record

__all__ = ["read_atom_feed"]

FORMAT = "arxiv-atom"
_DEEPEST = 64
_LONGEST = 1_000_000
_TEXTS = ("id", "title", "summary", "published")


def read_atom_feed(source: Source) -> Imported:
    """The entries of a feed.

    A document type, and with it every entity of its own, is refused.

    Raises:
        DataError: it is not well-formed, not a feed, or one of its entries is broken, with the line.
    """
    feed = _Feed(source)
    try:
        feed.parser.Parse(source.data, True)
    except expat.ExpatError as error:
        source.refuse(f"the XML is broken: {expat.ErrorString(error.code)}", error.lineno)
    except (LookupError, ValueError) as error:
        source.refuse(f"the XML cannot be read: {error}", feed.parser.CurrentLineNumber)
    if not feed.records:
        source.refuse("the XML holds no entries of an Atom feed", 1, "export the listing as Atom")
    return Imported(tuple(feed.records), FORMAT)


class _Feed:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.records: list[Record] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse_type
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._data
        self._path: list[str] = []
        self._entry: dict[str, str] = {}
        self._authors = self._line = 0
        self._text: list[str] = []
        self._size = 0

    def _refuse_type(self, *_: object) -> None:
        line = self.parser.CurrentLineNumber
        self.source.refuse("the XML declares a document type, which a feed has no need of", line)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(" ")[2]
        self._path.append(name)
        if len(self._path) > _DEEPEST:
            self.source.refuse("the XML is nested too deeply", self.parser.CurrentLineNumber)
        if name == "entry":
            self._entry, self._authors, self._line = {}, 0, self.parser.CurrentLineNumber
        elif self._path[-2:] == ["entry", "author"]:
            self._authors += 1
        elif self._path[-2:-1] == ["entry"]:
            self._text, self._size = [], 0

    def _data(self, data: str) -> None:
        self._size += len(data)
        if self._size > _LONGEST:
            self.source.refuse("an element is longer than a million characters", self.parser.CurrentLineNumber)
        self._text.append(data)

    def _end(self, name: str) -> None:
        name = self._path.pop()
        self._size = 0
        if name == "entry":
            self._finish()
        elif self._path[-1:] == ["entry"] and name in _TEXTS:
            self._entry.setdefault(name, "".join(self._text))

    def _finish(self) -> None:
        try:
            day = iso_day(self._entry.get("published", ""))
        except ValueError as error:
            self.source.refuse(f"published: {error}", self._line)
        url = self._entry.get("id", "").strip().replace("http://", "https://", 1)
        record = self.source.record(
            self._line,
            self._entry.get("title", ""),
            date=day,
            authors=self._authors,
            abstract=self._entry.get("summary", ""),
            url=url if url.startswith("https://") else "",
            source=FORMAT,
        )
        self.records.append(record)
