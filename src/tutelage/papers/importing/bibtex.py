"""BibTeX: entries with braces or quotes, ``@string`` names, joined values, LaTeX accents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import NoReturn

from tutelage.papers.importing.latex import plain_text
from tutelage.papers.importing.source import Imported, Lines, Source
from tutelage.papers.library import Record

__all__ = ["read_bibtex"]

FORMAT = "bibtex"
_AT = re.compile(r"@\s*([A-Za-z]+)\s*([{(])")
_NAME = re.compile(r"\s*([^\s=,{}()\"#]+)\s*=\s*")
_KEY = re.compile(r"\s*([^\s,{}]*)\s*(,|(?=[})]))")
_BARE = re.compile(r"[^\s,{}()\"#=]+")
_SPACE = re.compile(r"\s*")
_ARXIV = re.compile(r"(?:arxiv[:.\s/]*)?(\d{4}\.\d{4,5})(?:v\d+)?", re.IGNORECASE)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SKIPPED = ("comment", "preamble")


def read_bibtex(source: Source) -> Imported:
    """The entries of a bibliography that have a title; others are counted in the notes.

    Raises:
        DataError: an entry is broken, with the line.
    """
    text = source.text()
    strings = {name: name for name in _MONTHS}
    records, untitled, at, lines = [], 0, 0, Lines(text)
    while found := _AT.search(text, at):
        kind, at = found[1].lower(), found.end()
        line = lines.of(found.start())
        scanner = _Scanner(source, text, at, "}" if found[2] == "{" else ")", line)
        if kind in _SKIPPED:
            at = scanner.skip()
        elif kind == "string":
            strings |= scanner.fields(strings)
            at = scanner.at
        else:
            scanner.key()
            fields = scanner.fields(strings)
            at = scanner.at
            if fields.get("title"):
                records.append(_record(source, line, fields))
            else:
                untitled += 1
    if not records:
        source.refuse("the file holds no BibTeX entry with a title", 1)
    notes = (f"{untitled} entries without a title were left out",) if untitled else ()
    return Imported(tuple(records), FORMAT, notes)


class _Scanner:
    """Reads one entry from its opening brace on."""

    def __init__(self, source: Source, text: str, at: int, closing: str, line: int) -> None:
        self.source, self.text, self.at, self.closing, self.line = source, text, at, closing, line

    def key(self) -> None:
        """The key of the entry, and the comma after it."""
        found = _KEY.match(self.text, self.at)
        if found is None:
            self._fail("after '@' and the kind comes a key and a comma")
        else:
            self.at = found.end()

    def fields(self, strings: Mapping[str, str]) -> dict[str, str]:
        """Names and values to the end of the entry."""
        values: dict[str, str] = {}
        while True:
            self._space()
            here = self.text[self.at : self.at + 1]
            if here == ",":
                self.at += 1
            elif here == self.closing:
                self.at += 1
                return values
            else:
                found = _NAME.match(self.text, self.at)
                if found is None:
                    self._fail("a field 'name = value' was expected, or the end of the entry")
                self.at = found.end()
                values.setdefault(found[1].lower(), self._value(strings))

    def skip(self) -> int:
        """The end of an entry whose content does not matter."""
        self.at -= 1
        if self.closing == ")":
            end = self.text.find(")", self.at)
            return end + 1 if end >= 0 else len(self.text)
        self._braced()
        return self.at

    def _value(self, strings: Mapping[str, str]) -> str:
        parts = []
        while True:
            self._space()
            here = self.text[self.at : self.at + 1]
            if here == "{":
                parts.append(self._braced())
            elif here == '"':
                parts.append(self._quoted())
            else:
                found = _BARE.match(self.text, self.at)
                if found is None:
                    self._fail("a value was expected")
                self.at = found.end()
                parts.append(found[0] if found[0].isdecimal() else strings.get(found[0].lower(), ""))
            self._space()
            if self.text[self.at : self.at + 1] != "#":
                return "".join(parts)
            self.at += 1

    def _braced(self) -> str:
        depth, start = 0, self.at + 1
        for found in re.compile(r"\\.|[{}]", re.DOTALL).finditer(self.text, self.at):
            depth += {"{": 1, "}": -1}.get(found[0], 0)
            if not depth:
                self.at = found.end()
                return self.text[start : found.start()]
        self._fail("a brace is never closed")

    def _quoted(self) -> str:
        depth, start = 0, self.at + 1
        for found in re.compile(r'\\.|[{}"]', re.DOTALL).finditer(self.text, start):
            depth += {"{": 1, "}": -1}.get(found[0], 0)
            if found[0] == '"' and not depth:
                self.at = found.end()
                return self.text[start : found.start()]
        self._fail("a quotation mark is never closed")

    def _space(self) -> None:
        found = _SPACE.match(self.text, self.at)
        self.at = found.end() if found else self.at
        if self.at >= len(self.text):
            self._fail("the file ends inside an entry")

    def _fail(self, what: str) -> NoReturn:
        line = self.text.count("\n", 0, self.at) + 1
        self.source.refuse(f"{what} (entry of line {self.line})", line)


def _record(source: Source, line: int, fields: Mapping[str, str]) -> Record:
    people = [name for name in re.split(r"\s+and\s+", fields.get("author", "").strip()) if name]
    arxiv = next((found[1] for name in ("eprint", "arxivid", "url", "journal", "note")
                  if (found := _ARXIV.search(fields.get(name, "")))), "")  # fmt: skip
    url = fields.get("url", "").strip()
    if arxiv:
        url = f"https://arxiv.org/abs/{arxiv}"
    elif not url.startswith(("https://", "http://")):
        url = f"https://doi.org/{fields['doi'].strip()}" if fields.get("doi") else ""
    return source.record(
        line,
        plain_text(fields["title"]),
        date=_day(fields),
        authors=len([name for name in people if name.lower() != "others"]),
        abstract=plain_text(fields.get("abstract", "")),
        url=url,
        source=FORMAT,
    )


def _day(fields: Mapping[str, str]) -> str:
    """The day as far as the entry says it: the first of a month or year where it is silent."""
    whole = re.fullmatch(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?", fields.get("date", "").strip())
    if whole:
        year, month, day = int(whole[1]), int(whole[2] or 1), int(whole[3] or 1)
    else:
        found = re.search(r"\d{4}", fields.get("year", ""))
        if not found:
            return ""
        year, month, day = int(found[0]), _month(fields.get("month", "")), 1
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return f"{year:04d}-01-01" if year else ""


def _month(text: str) -> int:
    text = text.strip().lower()
    if text.isdecimal():
        return int(text[:3])
    return _MONTHS.index(text[:3]) + 1 if text[:3] in _MONTHS else 1
