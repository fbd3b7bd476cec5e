"""Values as JSON text in the database, without loss where JSON has no word."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tutelage.errors import DataError

__all__ = ["decode", "encode", "number_text", "text_safe", "visible"]

_FLOAT = "$float"


def encode(value: object, where: str) -> str:
    """``value`` as JSON text; NaN and infinities become ``{"$float": "NaN"}``, tuples become lists.

    Args:
        value: dicts with text keys, lists, tuples, text, numbers (numpy's too), booleans, None.
        where: what to name in an error.

    Raises:
        DataError: something else, or nesting without end.
    """
    try:
        return json.dumps(_tagged(value, where), ensure_ascii=True, allow_nan=False)
    except RecursionError as error:
        raise DataError("the value is nested too deeply", where=where) from error


def decode(text: str) -> Any:
    """The inverse of :func:`encode`."""
    return json.loads(text, object_hook=_untagged)


def text_safe(value: Any) -> Any:
    """``value`` with every NaN or infinity replaced by its name as text, for exports in strict JSON."""
    if isinstance(value, dict):
        return {key: text_safe(part) for key, part in value.items()}
    if isinstance(value, list):
        return [text_safe(part) for part in value]
    return number_text(value) if isinstance(value, float) else value


def number_text(value: float) -> float | str:
    """A finite number as it is, else ``"NaN"``, ``"Infinity"`` or ``"-Infinity"``, which ``float`` reads back."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def visible(text: str) -> str:
    """``text`` with lone surrogates, which no database takes, written out as ``\\udXXX``."""
    return text.encode("utf-8", "backslashreplace").decode()


def _tagged(value: object, where: str) -> object:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {_FLOAT: number_text(value)}
    if isinstance(value, (list, tuple)):
        return [_tagged(part, where) for part in value]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"$" + key if key.startswith("$") else key: _tagged(part, where) for key, part in value.items()}
    raise DataError(
        f"a {type(value).__name__} cannot be stored",
        where=where,
        hint="store numbers, text, lists, and dicts with text keys",
    )


def _untagged(row: dict[str, Any]) -> Any:
    if _FLOAT in row:
        return float(row[_FLOAT])
    return {key[1:] if key.startswith("$") else key: part for key, part in row.items()}
