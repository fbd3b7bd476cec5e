"""Frozen dataclasses to JSON values and back, strictly: an unknown key or a wrong type is an error with its place."""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tutelage.errors import DataError

__all__ = ["decode", "encode"]

T = TypeVar("T")
_NOT_FINITE = ("nan", "inf", "-inf")


def encode(value: Any) -> Any:
    """``value`` as JSON values: dataclasses become objects, tuples lists; NaN and infinity become strings.

    Raises:
        DataError: something that JSON cannot hold.

    Example:
        >>> encode((1, float("inf"), None))
        [1, 'inf', None]
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    if isinstance(value, bool | str | None):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    raise DataError(f"a report cannot hold a {type(value).__name__}", hint="pass plain numbers, texts and tuples")


def decode(cls: type[T], value: object, where: str = "report") -> T:
    """The inverse of :func:`encode`.

    Args:
        cls: the dataclass to make.
        value: what :func:`encode` gave, or a JSON file held.
        where: how the value is called in errors.

    Raises:
        DataError: a key that is unknown or missing, or a value of the wrong type, with its path.
    """
    result: T = _decode(cls, value, where)
    return result


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _decode(kind: Any, value: Any, where: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _decode_union(arguments, value, where)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _decode_object(kind, value, where)
    if origin is tuple:
        return _decode_tuple(arguments, value, where)
    if origin is dict:
        if not isinstance(value, Mapping):
            raise _wrong(kind, value, where)
        return {key: _decode(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if origin is Literal:
        if value not in arguments:
            raise _wrong(f"one of {', '.join(map(str, arguments))}", value, where)
        return value
    if kind is float:
        if value in _NOT_FINITE and isinstance(value, str):
            return float(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    elif isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise _wrong(kind, value, where)


def _decode_union(arguments: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in arguments:
        return None
    wanted = [kind for kind in arguments if kind is not type(None)]
    if len(wanted) == 1:
        return _decode(wanted[0], value, where)
    if any(type(value) is kind for kind in wanted):  # scalars only
        return value
    raise _wrong(" or ".join(kind.__name__ for kind in wanted), value, where)


def _decode_object(cls: type, value: Any, where: str) -> Any:
    if not isinstance(value, Mapping):
        raise _wrong(cls, value, where)
    fields, hints = {field.name: field for field in dataclasses.fields(cls)}, _hints(cls)
    for key in value:
        if key not in fields:
            raise DataError(f"unknown key {key!r}", where=where, hint="was it written by another version?")
    for name, field in fields.items():
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if required and name not in value:
            raise DataError(f"the key {name!r} is missing", where=where, hint="was it written by another version?")
    return cls(**{key: _decode(hints[key], item, f"{where}.{key}") for key, item in value.items()})


def _decode_tuple(arguments: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _wrong("list", value, where)
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_decode(arguments[0], item, f"{where}[{place}]") for place, item in enumerate(value))
    if len(value) != len(arguments):
        raise _wrong(f"list of {len(arguments)}", value, where)
    pairs = enumerate(zip(arguments, value, strict=True))
    return tuple(_decode(kind, item, f"{where}[{place}]") for place, (kind, item) in pairs)


def _wrong(kind: Any, value: object, where: str) -> DataError:
    wanted = getattr(kind, "__name__", str(kind))
    return DataError(f"expected {wanted}, found {type(value).__name__}", where=where)
