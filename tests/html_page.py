"""Reads a page of ours as a browser's parser would, and keeps what tests ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

__all__ = ["Page", "read"]

_VOID = {"meta", "link", "br", "hr", "img", "input", "area", "base", "col", "embed", "source", "track", "wbr"}


@dataclass
class Page:
    """Elements with their attributes, the visible text, and what was not balanced."""

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    text: str = ""
    errors: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page, self.open, self.pieces = Page(), [], []

    def handle_starttag(self, tag, attrs) -> None:
        if len(dict(attrs)) != len(attrs):
            self.page.errors.append(f"attribute twice in <{tag}>")
        self.page.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs) -> None:
        self.page.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag) -> None:
        if not self.open or self.open.pop() != tag:
            self.page.errors.append(f"</{tag}> closes nothing, line {self.getpos()[0]}")

    def handle_data(self, data) -> None:
        if "style" not in self.open:
            self.pieces.append(data)


def read(html: str) -> Page:
    """Parse ``html``."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.page.errors += [f"<{tag}> is never closed" for tag in reader.open]
    reader.page.text = " ".join("".join(reader.pieces).split())
    return reader.page
