"""Single values of result files: what counts as an id, a number, a text."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from tutelage.errors import DataError

__all__ = ["as_id", "as_number", "as_text", "shown", "text_number"]

_WORDS = {"true": 1.0, "false": 0.0}


def as_id(value: object, where: str) -> str:
    """An item's id as text; whole numbers are written out, so that 7 and "7" are one id.

    Raises:
        DataError: it is neither text nor a whole number, or is empty.
    """
    if isinstance(value, str) and value.strip():
        return clean(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise DataError(
        f"the id is {shown(value)}; an id is text or a whole number",
        where=where,
        hint="give each item an id of its own",
    )


def as_number(value: object) -> float | None:
    """A JSON number or boolean as a float (one too large as an infinity), None for anything else.

    Example:
        >>> as_number(True), as_number(3), as_number("3")
        (1.0, 3.0, None)
    """
    if isinstance(value, bool | int | float):
        try:
            return float(value)
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    return None


def text_number(text: str) -> float | None:
    """The number or boolean that a cell of a table says, None for anything else.

    Example:
        >>> text_number(" 0.5 "), text_number("TRUE"), text_number("0,5"), text_number("1_000")
        (0.5, 1.0, None, None)
    """
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return _WORDS.get(text.strip().casefold())


def as_text(value: object) -> str:
    """Any JSON value as text to read: texts as they are, chats turn by turn, nothing as nothing, the rest as JSON."""
    if isinstance(value, str):
        return clean(value)
    if value is None:
        return ""
    if isinstance(value, list) and value:
        if all(isinstance(turn, dict) and "role" in turn and "content" in turn for turn in value):
            if len(value) == 1 and value[0]["role"] == "user":
                return as_text(value[0]["content"])
            return "\n".join(f"{as_text(turn['role'])}: {as_text(turn['content'])}" for turn in value)
        if all(isinstance(part, dict) and "type" in part for part in value):
            return "\n".join(_part(part) for part in value)
    return clean(json.dumps(value, ensure_ascii=False))


def _part(part: Mapping[str, Any]) -> str:
    """One part of a message: its text, or what kind of thing stands there."""
    text = part.get("text")
    return clean(text) if isinstance(text, str) else f"[{as_text(part['type'])}]"


def clean(text: str) -> str:
    """``text`` without lone surrogates, which no file and no terminal can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def shown(value: object, limit: int = 80) -> str:
    """``value`` for an error: written as Python would, cut to ``limit`` characters."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        text = f"a very large {type(value).__name__}"
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
