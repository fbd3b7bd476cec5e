"""Configurations back to plain values and to TOML that loads to the same value."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tutelage.config.fields import input_fields, takes_text
from tutelage.errors import ConfigError

__all__ = ["dump_toml", "to_dict"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}
_UNSAFE = re.compile(r'["\\\x00-\x1f\x7f]')


def to_dict(value: object) -> dict[str, Any]:
    """Nested plain values: sections become dicts, tuples lists, paths text; ``from_dict`` is the inverse.

    Args:
        value: an instance of a configuration dataclass.
    """
    return {name: _plain(getattr(value, name)) for name in input_fields(type(value))}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return to_dict(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value


def dump_toml(value: object) -> str:
    """The configuration as TOML; ``load`` gives the same value back, whatever the defaults are by then.

    TOML has no null: None is written as the text ``"none"``, or as ``{ none = true }`` where a text is possible.

    Args:
        value: an instance of a configuration dataclass.

    Raises:
        ConfigError: a value that TOML cannot say, such as text with a lone surrogate.
    """
    lines = _section(value, ())
    return "\n".join(lines).strip("\n") + "\n" if lines else ""


def _section(value: object, path: tuple[str, ...]) -> list[str]:
    lines, below = [], []
    for name, (_, kind) in input_fields(type(value)).items():
        part = getattr(value, name)
        if dataclasses.is_dataclass(part):
            below += _section(part, (*path, name))
        else:
            lines.append(f"{_key(name)} = {_value(part, kind, '.'.join((*path, name)))}")
    if path and (lines or not below):
        lines.insert(0, f"\n[{'.'.join(_key(part) for part in path)}]")
    return lines + below


def _value(value: Any, kind: Any, path: str) -> str:
    """One value on one line; ``kind`` decides how None is written."""
    if value is None:
        return "{ none = true }" if takes_text(kind, "none") else '"none"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return ("-" if math.copysign(1.0, value) < 0 else "") + "nan" if math.isnan(value) else repr(float(value))
    if isinstance(value, (str, Path)):
        return _text(str(value), path)
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(part, Any, f'{path}[{i}]') for i, part in enumerate(value))}]"
    if dataclasses.is_dataclass(value):
        value = {name: getattr(value, name) for name in input_fields(type(value))}
    if isinstance(value, Mapping):
        if dict(value) == {"none": True}:
            raise ConfigError("the table { none = true } is reserved", where=path, hint="use another key")
        parts = [f"{_key(str(k))} = {_value(part, Any, f'{path}.{k}')}" for k, part in value.items()]
        return f"{{ {', '.join(parts)} }}" if parts else "{}"
    raise ConfigError(f"a {type(value).__name__} cannot be written as TOML", where=path)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name, name)


def _text(text: str, path: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ConfigError("the text holds a lone surrogate, which TOML cannot say", where=ascii(path)) from error
    return '"' + _UNSAFE.sub(lambda found: _ESCAPES.get(found[0], f"\\u{ord(found[0]):04x}"), text) + '"'
