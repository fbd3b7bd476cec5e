"""TOML with line numbers: ``tomllib`` decides what the text means, a scanner finds where each key stands."""

from __future__ import annotations

import re
import tomllib

from tutelage.config.nodes import Node, of_value
from tutelage.errors import ConfigError

__all__ = ["key_lines", "read_toml"]

_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}' r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'",
    re.DOTALL,
)
DEPTH_LIMIT = 32
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_AT = re.compile(r"\(at line (\d+), column \d+\)|\(at end of document\)")


def read_toml(text: str, name: str) -> Node:
    """Parse TOML.

    Args:
        text: the document.
        name: the file's name for messages.

    Raises:
        ConfigError: the text is not TOML, with the line.
    """
    try:
        value = tomllib.loads(text)
        if _depth(value) > DEPTH_LIMIT:
            raise RecursionError(f"it is nested more than {DEPTH_LIMIT} levels deep")
    except tomllib.TOMLDecodeError as error:
        found = _AT.search(str(error))
        line = found[1] if found and found[1] else str(text.count("\n") + 1)
        reason = _AT.sub("", str(error)).strip()
        raise ConfigError(f"not TOML: {reason}", where=f"{name}:{line}", hint="see https://toml.io") from error
    except (RecursionError, ValueError) as error:
        raise ConfigError(f"not usable TOML: {error}", where=name, hint="nest less, and use shorter numbers") from error
    return of_value(value, "file", name, key_lines(text))


def _depth(value: object) -> int:
    """Levels of nesting, counted without recursion and no further than needed."""
    level, depth = [value], 0
    while level and depth <= DEPTH_LIMIT:
        parts = [part.values() if isinstance(part, dict) else part for part in level if isinstance(part, (dict, list))]
        level, depth = [inner for part in parts for inner in part], depth + 1
    return depth


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Line of the first mention of every key and section of a valid TOML document.

    Keys inside inline tables are left out; they stand on the line of the key that holds them.
    """
    return _Scanner(text.replace("\r\n", "\n")).scan()


class _Scanner:
    """One pass over a document that ``tomllib`` has accepted, so that only keys and nesting need to be understood."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.lines = text, 0, dict[tuple[str, ...], int]()

    def scan(self) -> dict[tuple[str, ...], int]:
        """Walk over all statements."""
        section: tuple[str, ...] = ()
        line, counted = 1, 0
        while self.at < len(self.text):
            if self.text[self.at] in " \t\n":
                self.at += 1
                continue
            line, counted = line + self.text.count("\n", counted, self.at), self.at
            if self.text[self.at] == "[":
                while self.text[self.at] in "[ \t":
                    self.at += 1
                section = self._key()
                self._note(section, line)
            elif self.text[self.at] != "#":
                self._note(section + self._key(), line)
            self._skip_rest()
        return self.lines

    def _note(self, path: tuple[str, ...], line: int) -> None:
        for end in range(1, len(path) + 1):
            self.lines.setdefault(path[:end], line)

    def _key(self) -> tuple[str, ...]:
        parts: list[str] = []
        while True:
            while self.text[self.at] in " \t.":
                self.at += 1
            found = _STRING.match(self.text, self.at) or _BARE.match(self.text, self.at)
            if found is None:
                return tuple(parts)
            self.at = found.end()
            part = found[0]
            parts.append(tomllib.loads(f"v = {part}")["v"] if part[0] in "\"'" else part)

    def _skip_rest(self) -> None:
        """To the end of the statement: the first line end outside strings, comments and brackets."""
        depth = 0
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in "\"'" and (found := _STRING.match(self.text, self.at)):
                self.at = found.end()
                continue
            if char == "#":
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end
                continue
            depth += (char in "[{") - (char in "]}")
            if char == "\n" and depth <= 0:
                return
            self.at += 1
