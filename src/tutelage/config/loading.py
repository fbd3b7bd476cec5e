"""Defaults, then a file, then ``--set`` overrides, then flags: one frozen value, and where each part came from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from tutelage.config.fields import Origins, build
from tutelage.config.nodes import Node, of_path, of_value
from tutelage.config.toml_file import read_toml
from tutelage.config.yaml_file import read_yaml
from tutelage.errors import ConfigError, nearest

__all__ = ["Resolved", "from_dict", "load"]

T = TypeVar("T")
SIZE_LIMIT = 256 * 1024  # bytes of a configuration file

_READERS: dict[str, Callable[[str, str], Node]] = {".toml": read_toml, ".yaml": read_yaml, ".yml": read_yaml}


@dataclass(frozen=True)
class Resolved(Generic[T]):
    """A configuration and, by dotted name, where each value came from: default, file:LINE, set or flag."""

    value: T
    origins: Mapping[str, str]


def load(
    cls: type[T],
    file: str | os.PathLike[str] | None = None,
    overrides: Sequence[str] = (),
    flags: Mapping[str, object] = {},
) -> Resolved[T]:
    """Build a configuration strictly.

    Text is taken as it stands: nothing in it is expanded, environment references included.

    Args:
        cls: a dataclass; its fields may be bool, int, float, str, Path, Literal, None, unions, lists, tuples, dicts
            and dataclasses.
        file: a ``.toml``, ``.yaml`` or ``.yml`` file in UTF-8.
        overrides: ``key=value`` with dotted keys; the value is read as TOML if it is TOML that fits the field, else
            as text, so that ``name=base`` needs no quotes. ``none`` empties an optional field.
        flags: values by dotted key from the command line; None means that the flag was not given.

    Returns:
        The value and the origin of each of its fields.

    Raises:
        ConfigError: an unknown key (with its nearest neighbour), a wrong type, a missing value, a file that cannot
            be read; always with file and line, override or flag.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Run:
        ...     seed: int = 0
        ...     rate: float = 1e-4
        >>> load(Run, overrides=["rate=2e-5"]).value
        Run(seed=0, rate=2e-05)
    """
    name = "" if file is None else os.fspath(file)
    root = Node(children={}, where=name) if file is None else _read(Path(file))
    for text in overrides:
        root = root.merged(_override(text))
    for key, value in flags.items():
        if value is not None:
            leaf = of_value(value, "flag", f"--{key.rpartition('.')[2].replace('_', '-')}")
            root = root.merged(of_path(key.split("."), leaf))
    root.where = name
    origins: Origins = {}
    return Resolved(build(root, cls, "", origins), origins)


def from_dict(cls: type[T], mapping: Mapping[str, Any]) -> T:
    """A configuration from nested plain values, as strictly as :func:`load`; the inverse of ``to_dict``.

    Raises:
        ConfigError: an unknown key, a wrong type or a missing value.
    """
    value: T = build(of_value(mapping, "dict", ""), cls, "", {})
    return value


def _read(path: Path) -> Node:
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        hint = f"use one of {', '.join(_READERS)}"
        raise ConfigError(f"a configuration cannot be a {path.suffix or 'nameless'!r} file", where=str(path), hint=hint)
    try:
        with path.open("rb") as stream:
            data = stream.read(SIZE_LIMIT + 1)
    except FileNotFoundError as error:
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        close = nearest(path.name, beside)
        hint = f"did you mean {str(path.parent / close)!r}?" if close else "check the path"
        raise ConfigError("there is no such file", where=str(path), hint=hint) from error
    except OSError as error:
        raise ConfigError(f"the file cannot be read: {error.strerror}", where=str(path)) from error
    if len(data) > SIZE_LIMIT:
        raise ConfigError(
            f"the file is larger than {SIZE_LIMIT // 1024} KiB", where=str(path), hint="is it the right one?"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError("the file is not UTF-8", where=f"{path}:{line}", hint="save it as UTF-8") from error
    return _named(reader(text, str(path)), str(path))


def _named(root: Node, name: str) -> Node:
    if root.children is None:
        raise ConfigError("a configuration must be made of `key: value` lines", where=root.where or name)
    return root


def _override(text: str) -> Node:
    key, equals, value = text.partition("=")
    path = [part.strip() for part in key.split(".")]
    if not equals or not all(path):
        raise ConfigError(f"{text!r} is not an override", where="--set", hint="write --set section.key=value")
    return of_path(path, Node(value=value.strip(), origin="set", where=f"--set {key.strip()}", raw=True))
