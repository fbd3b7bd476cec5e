"""Names for things: decorate to register, look up with suggestions, discover what other packages bring.

A plug-in is a package with an entry point in the group ``tutelage.plugins``; the module that it names registers its
objects when it is imported, which happens when a name is not found here or when all names are asked for.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from tutelage.errors import RegistryError, nearest

__all__ = ["PLUGIN_GROUP", "Entry", "Registry", "discover"]

PLUGIN_GROUP = "tutelage.plugins"

T = TypeVar("T")
U = TypeVar("U")

_NAME = re.compile(r"[a-z0-9][a-z0-9._:/-]*")
_plugins: dict[str, str | None] | None = None  # entry point -> why it failed, or None; None before discovery


@dataclass(frozen=True)
class Entry(Generic[T]):
    """A registered object, the paper it comes from (a link), and whatever else was said about it."""

    name: str
    value: T
    paper: str | None
    meta: Mapping[str, Any]

    @property
    def summary(self) -> str:
        """First line of the object's docstring."""
        return (getattr(self.value, "__doc__", None) or "").strip().partition("\n")[0]


class Registry(Generic[T]):
    """The objects of one noun by name.

    Args:
        noun: what the objects are, in the singular, for messages ("verifier").

    Example:
        >>> greetings: Registry[Callable[[], str]] = Registry("greeting")
        >>> @greetings.register("hello")
        ... def hello() -> str:
        ...     return "hello"
        >>> greetings.get("hello")()
        'hello'
    """

    def __init__(self, noun: str) -> None:
        self.noun = noun
        self._entries: dict[str, Entry[T]] = {}

    def register(self, name: str, *, paper: str | None = None, **meta: Any) -> Callable[[U], U]:
        """Decorator that registers an object under ``name`` and returns it untouched.

        Args:
            name: lower-case letters, digits and ``. _ : / -``, starting with a letter or digit.
            paper: link to the paper that the object implements.
            meta: anything else worth listing.

        Raises:
            RegistryError: the name is taken or not well formed.
        """
        if not _NAME.fullmatch(name):
            raise RegistryError(
                f"{name!r} cannot be the name of a {self.noun}", hint="use lower-case letters, digits and . _ : / -"
            )

        def decorate(value: U) -> U:
            if name in self._entries:
                raise RegistryError(
                    f"the {self.noun} {name!r} is registered twice",
                    where=f"{_origin(self._entries[name].value)} and {_origin(value)}",
                    hint="rename one of them",
                )
            self._entries[name] = Entry(name, value, paper, dict(meta))  # type: ignore[arg-type]
            return value

        return decorate

    def get(self, name: str) -> T:
        """The object registered under ``name``.

        Raises:
            RegistryError: there is none; the hint names the nearest, or all.
        """
        return self.entry(name).value

    def entry(self, name: str) -> Entry[T]:
        """The object under ``name`` with its paper and the rest.

        Raises:
            RegistryError: there is none; the hint names the nearest, or all.
        """
        if name not in self._entries:
            discover()
        if name not in self._entries:
            close = nearest(name, self._entries)
            known = ", ".join(sorted(self._entries)) or "none"
            raise RegistryError(
                f"there is no {self.noun} {name!r}", hint=f"did you mean {close!r}?" if close else f"there are: {known}"
            )
        return self._entries[name]

    def names(self) -> list[str]:
        """All names, sorted."""
        discover()
        return sorted(self._entries)

    def items(self) -> list[tuple[str, T]]:
        """All names with their objects, sorted by name."""
        return [(name, self._entries[name].value) for name in self.names()]

    def entries(self) -> list[Entry[T]]:
        """All entries, sorted by name."""
        return [self._entries[name] for name in self.names()]

    def __contains__(self, name: object) -> bool:
        if name not in self._entries:
            discover()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())


def discover() -> dict[str, str | None]:
    """Import every plug-in once.

    A plug-in that fails to import is passed over with a warning, because it must not take the rest down.

    Returns:
        The name of each plug-in with the reason why it failed, or None when it was imported.
    """
    global _plugins  # discovery is a fact about the process: imports happen once
    if _plugins is not None:
        return dict(_plugins)
    found = _plugins = {}
    for point in entry_points(group=PLUGIN_GROUP):
        found[point.name] = None
        try:
            point.load()
        except Exception as error:
            found[point.name] = f"{type(error).__name__}: {error}"
            warnings.warn(f"the plug-in {point.name!r} ({point.value}) failed to load: {error}", stacklevel=2)
    return dict(found)


def _origin(value: object) -> str:
    name = getattr(value, "__qualname__", type(value).__qualname__)
    return f"{getattr(value, '__module__', '?')}.{name}"
