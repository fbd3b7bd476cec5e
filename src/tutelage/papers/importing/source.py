"""A file to import: its text, and errors that name its lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NoReturn

from tutelage.errors import DataError
from tutelage.io.failure import disk_errors
from tutelage.papers.library import Record, clean, make_record

__all__ = ["Imported", "Lines", "Source"]

_MOST_BYTES = 1 << 30
_LONGEST_TITLE = 500
_LONGEST_ABSTRACT = 50_000


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file holds.

    Args:
        records: its papers, in its order.
        format: what it was read as, e.g. ``daily-papers-text``.
        notes: what the reader should know, e.g. how years were found that the page does not say.
    """

    records: tuple[Record, ...]
    format: str
    notes: tuple[str, ...] = ()


class Lines:
    """Line numbers of places in a text, asked for in their order, so that a large file is gone through once."""

    def __init__(self, text: str) -> None:
        self.text, self._at, self._line = text, 0, 1

    def of(self, at: int) -> int:
        """The line of the character ``at``, counted from 1."""
        if at < self._at:
            self._at, self._line = 0, 1
        self._line += self.text.count("\n", self._at, at)
        self._at = at
        return self._line


@dataclass(slots=True)
class Source:
    """The bytes of a file and where errors in it are.

    Args:
        path: the file.
        data: what is read of it.
        seen: the last day on which it can have been saved.
        lines: for every line of ``data`` that of the file, when they are not the same.
    """

    path: Path
    data: bytes
    seen: date = field(default_factory=lambda: datetime.now(tz=UTC).date())
    lines: tuple[int, ...] = ()

    @classmethod
    def read(cls, path: Path) -> Source:
        """The file at ``path``.

        Raises:
            DataError: it is empty or larger than a gigabyte.
            StoreError: it cannot be read.
        """
        with disk_errors(path, "read"):
            facts = path.stat()
            if facts.st_size > _MOST_BYTES:
                raise DataError("the file is larger than 1 GiB", where=str(path), hint="import it in parts")
            data = path.read_bytes()
        if not data.strip():
            raise DataError("the file is empty", where=f"{path}:1", hint="save the page again")
        today = datetime.now(tz=UTC).date()
        return cls(path, data, min(today, datetime.fromtimestamp(facts.st_mtime, tz=UTC).date()))

    def text(self) -> str:
        """The file as text: UTF-8, or UTF-16 with its mark; every line ends in ``\\n``.

        Raises:
            DataError: it is neither, with the line.
        """
        if self.data.startswith((b"\xff\xfe", b"\xfe\xff")):
            text = self.data.decode("utf-16", errors="replace")
        else:
            try:
                text = self.data.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                line = self.data.count(b"\n", 0, error.start) + 1
                self.refuse("the file is not text in UTF-8", line, "save the page again as text in UTF-8")
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def refuse(self, what: str, line: int, hint: str = "save the page again; nothing was imported") -> NoReturn:
        """Refuse the file because of a line.

        Raises:
            DataError: always.
        """
        if self.lines:
            line = self.lines[min(line, len(self.lines)) - 1]
        raise DataError(what, where=f"{self.path}:{line}", hint=hint)

    def record(self, line: int, title: str, **facts: object) -> Record:
        """A record of the paper that begins at ``line``.

        Raises:
            DataError: it has no title, or a text that is no title or abstract by its length.
        """
        title, abstract = clean(title), str(facts.get("abstract", ""))
        if not title:
            self.refuse("a paper without a title", line)
        if len(title) > _LONGEST_TITLE:
            self.refuse(f"a title of {len(title)} characters: a title is missing or lines were joined", line)
        if len(abstract) > _LONGEST_ABSTRACT:
            self.refuse(f"an abstract of {len(abstract)} characters", line)
        return make_record(title, **facts)
