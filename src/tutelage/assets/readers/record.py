"""What readers give back, and the pieces they share: stable ids, JSON lines, lettered options."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

__all__ = [
    "Files",
    "Item",
    "Reader",
    "Record",
    "SetAside",
    "identify",
    "json_lines",
    "lettered_answer",
    "load_yaml",
    "normalise",
    "options",
    "split_lines",
]

_OPTION = re.compile(r"(?:^|\n)\s*([A-H])[.:] ?")
_ANSWER = re.compile(r"([A-H])[.:] ?(.*)", re.DOTALL)


@dataclass(frozen=True)
class SetAside:
    """Something in a file that is not used: ``where`` it stands and the ``reason``."""

    where: str
    reason: str


@dataclass(frozen=True)
class Record:
    """One row as read: ``where`` it stands, its ``split``, the texts whose hash is its id, and its ``columns``."""

    where: str
    split: str
    key: tuple[str, ...]
    columns: dict[str, Any]


Files = Mapping[str, tuple[Path, ...]]
Item = Record | SetAside
Reader = Callable[[Files], Iterator[Item]]


def normalise(text: str) -> str:
    """Unicode NFKC, case folded, every run of white space one space, none at the ends."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def identify(*texts: str) -> str:
    """First 16 hexadecimal digits of SHA-1 over the normalised texts, joined by the unit separator U+001F.

    Args:
        texts: what makes the row this row and no other.

    Example:
        >>> identify("A  skill") == identify("a skill")
        True
    """
    joined = "\x1f".join(normalise(text) for text in texts)
    return hashlib.sha1(joined.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()[:16]


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """``FILE:LINE`` and the object of each line that is not blank.

    Raises:
        ValueError: a line is not a JSON object.
    """
    with path.open(encoding="utf-8-sig") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                value = json.loads(line)
                if not isinstance(value, dict):
                    raise ValueError(f"{path.name}:{number} is not an object")
                yield f"{path.name}:{number}", value


def load_yaml(path: Path) -> dict[str, Any]:
    """A mapping from a YAML file, every scalar as its text (``no`` stays ``"no"``), no tags.

    Raises:
        ValueError: it is not YAML, or not a mapping.
    """
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)(path.read_text(encoding="utf-8"))
    try:
        value = loader.get_single_data()
    except yaml.YAMLError as error:
        raise ValueError(f"{path.name}: {error}") from error
    finally:
        loader.dispose()
    if not isinstance(value, dict):
        raise ValueError(f"{path.name} is not a mapping")
    return value


def split_lines(data: Files) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Split, ``FILE:LINE`` and object of every line of every file.

    Raises:
        ValueError: a line is not a JSON object.
    """
    for split, paths in data.items():
        for path in paths:
            for where, value in json_lines(path):
                yield split, where, value


def options(text: str) -> list[str]:
    r"""Texts of lettered options (``"A. x\nB. y"`` or ``" A: x\n B: y"``), in the order of their letters.

    A letter only opens an option when it is the next one due, so that an option may hold such a pattern itself.

    Args:
        text: all options in one string.

    Example:
        >>> options("A. one\nB. two")
        ['one', 'two']
    """
    starts: list[re.Match[str]] = []
    for match in _OPTION.finditer(text):
        if match[1] == "ABCDEFGH"[len(starts) : len(starts) + 1]:
            starts.append(match)
    ends = [m.start() for m in starts[1:]] + [len(text)] * bool(starts)
    return [text[m.end() : end].strip() for m, end in zip(starts, ends, strict=True)]


def lettered_answer(text: str) -> tuple[int | None, str]:
    """Index of a leading letter, if there is one, and the text after it.

    Args:
        text: an answer such as ``"B. two"`` or ``"two"``.

    Example:
        >>> lettered_answer("B. two")
        (1, 'two')
    """
    match = _ANSWER.fullmatch(text.strip())
    return ("ABCDEFGH".index(match[1]), match[2].strip()) if match else (None, text.strip())
