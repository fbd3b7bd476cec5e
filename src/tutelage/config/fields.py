"""From given values to typed fields, strictly: an unknown key or a wrong type is an error that names its place."""

from __future__ import annotations

import dataclasses
import tomllib
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from tutelage.config.nodes import Node, of_value
from tutelage.errors import ConfigError, TutelageError, nearest

__all__ = ["Origins", "build", "field_default", "input_fields", "members", "takes_text", "type_name"]

Origins = dict[str, str]
_NAMES = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path"}


def input_fields(cls: type) -> dict[str, tuple[dataclasses.Field[Any], Any]]:
    """The fields of a dataclass that its constructor takes, each with its resolved type."""
    hints = get_type_hints(cls)
    return {f.name: (f, hints[f.name]) for f in dataclasses.fields(cls) if f.init}


def members(kind: Any) -> tuple[Any, ...]:
    """The alternatives of a union, or the type alone."""
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def takes_text(kind: Any, text: str) -> bool:
    """Whether a field of this type would take ``text`` as it is."""
    return any(
        member in (str, Path, Any, object) or (get_origin(member) is Literal and text in get_args(member))
        for member in members(kind)
    )


def type_name(kind: Any) -> str:
    """The type in words, for messages and lists of settings."""
    if kind is type(None):
        return "none"
    if get_origin(kind) is Literal:
        return " or ".join(repr(choice) for choice in get_args(kind))
    if len(members(kind)) > 1:
        return " or ".join(type_name(member) for member in members(kind))
    if dataclasses.is_dataclass(kind):
        return "a section"
    base, arguments = get_origin(kind), [a for a in get_args(kind) if a is not Ellipsis]
    if base in (list, tuple, Sequence):
        return f"a list of ({', '.join(type_name(a) for a in arguments)})" if arguments else "a list"
    if base in (dict, Mapping):
        return f"a table of ({type_name(arguments[1])})"
    return _NAMES.get(kind, getattr(kind, "__name__", str(kind)))


def build(node: Node, cls: type, path: str, origins: Origins, base: object = None) -> Any:
    """An instance of a dataclass from a section.

    Args:
        node: what was given.
        cls: the dataclass.
        path: dotted path of the section, empty at the top.
        origins: filled with the origin of every field below.
        base: the instance that fields not given are taken from, if the section has a default.

    Raises:
        ConfigError: an unknown key, a wrong type, a missing value, or a combination that the class refuses.
    """
    if node.children is None:
        raise _wrong(node, path, "a section")
    fields = input_fields(cls)
    for key, child in node.children.items():
        if key not in fields:
            close = nearest(key, fields)
            hint = (
                f"did you mean {_join(path, close)!r}?"
                if close
                else f"there are: {', '.join(sorted(fields)) or 'none'}"
            )
            raise ConfigError(f"unknown key {_join(path, key)!r}", where=child.where or None, hint=hint)
    values: dict[str, Any] = {}
    for name, (info, kind) in fields.items():
        inner = _join(path, name)
        default = getattr(base, name) if base is not None else field_default(info)
        if name in node.children:
            values[name] = _field(node.children[name], kind, inner, origins, default)
        elif default is dataclasses.MISSING:
            raise ConfigError(f"{inner!r} is required", where=node.where or None, hint=f"give {type_name(kind)}")
        else:
            values[name] = default
            _mark_default(default, inner, origins)
    try:
        return cls(**values)
    except TutelageError as error:
        raise ConfigError(error.what, where=error.where or _place(node, path), hint=error.hint) from error
    except (ValueError, TypeError) as error:
        raise ConfigError(str(error), where=_place(node, path)) from error


def _field(node: Node, kind: Any, path: str, origins: Origins, default: object) -> Any:
    sections = [member for member in members(kind) if isinstance(member, type) and dataclasses.is_dataclass(member)]
    if sections and node.children is not None:
        base = default if type(default) is sections[0] else None
        return build(node, sections[0], path, origins, base)
    origins[path] = node.origin
    return _of_node(node, kind, path)


def _of_node(node: Node, kind: Any, path: str) -> Any:
    """A field that is no section; the parts of a table keep their own origins in messages."""
    if node.raw:
        return _from_text(node, kind, path)
    table = next((m for m in members(kind) if (get_origin(m) or m) in (dict, Mapping, Any, object)), None)
    if node.children is None or table is None or _means_none(node.plain(), kind):
        return _convert(node.plain(), kind, node, path)
    inner = (*get_args(table), Any, Any)[1]
    return {key: _of_node(child, inner, _join(path, key)) for key, child in node.children.items()}


def _from_text(node: Node, kind: Any, path: str) -> Any:
    """A value from the command line: TOML if it is TOML and fits, else the text itself."""
    text = str(node.value)
    chosen = any(get_origin(member) is Literal and "none" in get_args(member) for member in members(kind))
    if text == "none" and type(None) in members(kind) and not chosen:
        return None
    try:
        parsed = tomllib.loads(f"v = {text}") if "\n" not in text else {}
    except (tomllib.TOMLDecodeError, RecursionError, ValueError):
        parsed = {}
    if set(parsed) != {"v"}:
        return _convert(text, kind, node, path)
    try:
        return _convert(parsed["v"], kind, node, path)
    except ConfigError:
        if takes_text(kind, text):
            return _convert(text, kind, node, path)
        raise


def _convert(value: Any, kind: Any, node: Node, path: str) -> Any:
    """``value`` as ``kind``; of a union's members one of its exact type, else the first that fits."""
    options = members(kind)
    if _means_none(value, kind):
        return None
    if kind is Any or kind is object:
        return _without_none_marks(value)
    exact = [option for option in options if option is type(value) or _lists(option, value)]
    for option in [*exact, *(o for o in options if o not in exact)] if len(options) > 1 else ():
        try:
            return _convert(value, option, node, path)
        except ConfigError:
            continue
    if len(options) > 1:
        raise _wrong(node, path, type_name(kind), value)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return _choice(value, arguments, node, path)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        inner = of_value(value, node.origin, node.where)
        return build(inner, kind, path, {})
    if (origin or kind) in (list, tuple, Sequence):
        return _sequence(value, kind, node, path)
    if (origin or kind) in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise _wrong(node, path, type_name(kind), value)
        inner_kind = arguments[1] if arguments else Any
        return {str(k): _convert(v, inner_kind, node, _join(path, str(k))) for k, v in value.items()}
    return _plain(value, kind, node, path)


def _plain(value: Any, kind: Any, node: Node, path: str) -> Any:
    """One of the types without parts: bool, int, float, str, Path, None."""
    if kind is bool and isinstance(value, bool):
        return value
    if kind is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind is str and isinstance(value, str):
        return value
    if kind is Path and isinstance(value, (str, Path)) and str(value):
        return Path(value)
    if kind is float and isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError) as error:
            raise _wrong(node, path, type_name(kind), value) from error
    raise _wrong(node, path, type_name(kind), value)


def _sequence(value: Any, kind: Any, node: Node, path: str) -> Any:
    if not isinstance(value, (list, tuple)):
        raise _wrong(node, path, type_name(kind), value)
    arguments = get_args(kind)
    if (get_origin(kind) or kind) is list:
        return [_convert(v, arguments[0] if arguments else Any, node, f"{path}[{i}]") for i, v in enumerate(value)]
    if not arguments or arguments[-1] is Ellipsis or get_origin(kind) is Sequence:
        inner = arguments[0] if arguments else Any
        return tuple(_convert(v, inner, node, f"{path}[{i}]") for i, v in enumerate(value))
    expected = 0 if arguments == ((),) else len(arguments)
    if len(value) != expected:
        raise ConfigError(f"{path!r} must have {expected} values, not {len(value)}", where=node.where or None)
    return tuple(_convert(v, k, node, f"{path}[{i}]") for i, (v, k) in enumerate(zip(value, arguments, strict=False)))


def _choice(value: Any, choices: tuple[Any, ...], node: Node, path: str) -> Any:
    for choice in choices:
        if type(choice) is type(value) and choice == value:
            return choice
    close = nearest(value, [c for c in choices if isinstance(c, str)]) if isinstance(value, str) else None
    names = ", ".join(repr(choice) for choice in choices)
    raise ConfigError(
        f"{path!r} cannot be {value!r}",
        where=node.where or None,
        hint=f"did you mean {close!r}? Possible are {names}" if close else f"possible are {names}",
    )


def _means_none(value: Any, kind: Any) -> bool:
    """None itself; ``{none = true}``, as TOML has no null; the text "none" where text is not a value."""
    options = members(kind)
    if type(None) not in options and Any not in options and object not in options:
        return False
    return value is None or value == {"none": True} or (value == "none" and not takes_text(kind, "none"))


def _without_none_marks(value: Any) -> Any:
    if isinstance(value, dict):
        return None if value == {"none": True} else {k: _without_none_marks(v) for k, v in value.items()}
    return [_without_none_marks(v) for v in value] if isinstance(value, list) else value


def _lists(kind: Any, value: Any) -> bool:
    return get_origin(kind) is Literal and any(type(c) is type(value) and c == value for c in get_args(kind))


def field_default(info: dataclasses.Field[Any]) -> Any:
    """The default of a field, made anew if there is a factory; ``MISSING`` when it is required."""
    if info.default_factory is not dataclasses.MISSING:
        return info.default_factory()
    return info.default


def _mark_default(value: object, path: str, origins: Origins) -> None:
    if dataclasses.is_dataclass(value):
        for name in input_fields(type(value)):
            _mark_default(getattr(value, name), _join(path, name), origins)
    else:
        origins[path] = "default"


def _wrong(node: Node, path: str, wanted: str, value: Any = None) -> ConfigError:
    given = node.plain() if value is None else value
    hint = None
    if isinstance(given, (bool, int, float)) and "text" in wanted:
        hint = "put it in quotes"
    elif isinstance(given, str) and wanted == _NAMES[bool]:
        hint = "write true or false, without quotes"
    elif isinstance(given, str) and "list" in wanted:
        hint = 'write ["one", "two"]'
    shown = ascii(given) if len(ascii(given)) <= 60 else ascii(given)[:57] + "..."
    return ConfigError(
        f"{path or 'the top level'!r} must be {wanted}, not {shown}", where=node.where or None, hint=hint
    )


def _place(node: Node, path: str) -> str | None:
    return ", ".join(part for part in (node.where, f"section {path!r}" if path else "") if part) or None


def _join(path: str, name: str | None) -> str:
    return f"{path}.{name}" if path else str(name)
