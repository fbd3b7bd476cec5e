"""The verifiers by name, plain and with parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from tutelage.errors import ConfigError, RegistryError, nearest
from tutelage.registry import Registry
from tutelage.types import Verifier

__all__ = ["constraints", "get", "names", "verifiers"]

verifiers: Registry[Verifier] = Registry("verifier")
"""Verifiers that need no parameters: ``exact``, ``number``, ``refusal``, ..."""

constraints: Registry[Callable[..., Verifier]] = Registry("constraint")
"""Functions that make a verifier from parameters: ``choice(choices)``, ``words(least, most)``, ..."""


def get(name: str, **parameters: Any) -> Verifier:
    """A verifier by name; with parameters for those that need them.

    Args:
        name: a name in :data:`verifiers` or :data:`constraints`.
        parameters: what the constraint takes.

    Raises:
        RegistryError: there is no such verifier.
        ConfigError: parameters for one that takes none, or not the ones it takes.
        RangeError: a parameter outside its range.

    Example:
        >>> get("words", most=2)([], "one two three", None).score
        0.0
    """
    if name in verifiers:
        if parameters:
            raise ConfigError(f"the verifier {name!r} takes no parameters", hint=f"leave out {', '.join(parameters)}")
        return verifiers.get(name)
    if name not in constraints:
        close = nearest(name, names())
        raise RegistryError(
            f"there is no verifier {name!r}",
            hint=f"did you mean {close!r}?" if close else f"there are: {', '.join(names())}",
        )
    factory = constraints.get(name)
    signature = inspect.signature(factory)
    try:
        signature.bind(**parameters)
    except TypeError as error:
        raise ConfigError(f"the verifier {name!r}: {error}", hint=f"it takes {signature}") from error
    return factory(**parameters)


def names() -> list[str]:
    """All names, plain and parametrised, sorted."""
    return sorted({*verifiers.names(), *constraints.names()})
