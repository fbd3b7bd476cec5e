"""Which form a file has, told by its content."""

from __future__ import annotations

import re
from pathlib import Path

from tutelage.papers.importing.archive import unpack_archive
from tutelage.papers.importing.atom import read_atom_feed
from tutelage.papers.importing.bibtex import read_bibtex
from tutelage.papers.importing.daily_html import read_html_page
from tutelage.papers.importing.daily_json import read_json_listing
from tutelage.papers.importing.daily_text import read_text_page
from tutelage.papers.importing.source import Imported, Source

__all__ = ["read_papers"]

_HEAD = 100_000
_HTML = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body|main|div|article)", re.I | re.S)
_XML = re.compile(rb"\s*(?:<\?xml|<!DOCTYPE|<feed|<!ENTITY)", re.I)
_ARCHIVE = re.compile(rb"(?:[A-Za-z-]+:[^\n]*\n(?:[ \t][^\n]*\n)*)*?MIME-Version:", re.I)
_BIBTEX = re.compile(rb"^[ \t]*@[ \t]*[A-Za-z]+[ \t]*[{(]", re.M)


def read_papers(path: str | Path) -> Imported:
    """The papers of a saved file, whatever its name.

    Known are a Daily Papers page as plain text, as HTML (also as a MIME archive) and as the site's JSON, an arXiv
    listing as Atom, and BibTeX. Nothing is fetched. Either all papers are read, or the file is refused.

    Args:
        path: the file.

    Raises:
        DataError: it is in no such form, or broken, with the line.
        StoreError: it cannot be read.
    """
    source = Source.read(Path(path))
    head = source.data[:_HEAD]
    if head.startswith(b"\xef\xbb\xbf"):
        head = head[3:]
    if _ARCHIVE.match(head):
        inner = unpack_archive(source)
        if inner is None:
            source.refuse("the archive holds no page", 1)
        return read_html_page(inner)
    if head.lstrip()[:1] in (b"[", b"{"):
        return read_json_listing(source)
    if _HTML.match(head):
        return read_html_page(source)
    if _XML.match(head):
        return read_html_page(source) if re.search(rb"<html", head, re.I) else read_atom_feed(source)
    if _BIBTEX.search(head):
        return read_bibtex(source)
    if b"\0" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):
        source.refuse("this is no text", head[: head.index(b"\0")].count(b"\n") + 1, "import a saved page")
    return read_text_page(source)
