"""The list of what can be set."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from tutelage.config.fields import field_default, input_fields, members, type_name

__all__ = ["Setting", "describe"]


@dataclass(frozen=True)
class Setting:
    """One field: its dotted key, its type in words, its default (``MISSING`` when required), its help text."""

    key: str
    type: str
    default: Any
    help: str


def describe(cls: type) -> list[Setting]:
    """Every field of a configuration, sections opened, in the order of definition.

    The help text is the field's ``metadata["help"]``.

    Example:
        >>> from dataclasses import dataclass, field
        >>> @dataclass(frozen=True)
        ... class Run:
        ...     seed: int = field(default=0, metadata={"help": "the run's seed"})
        >>> describe(Run)
        [Setting(key='seed', type='a whole number', default=0, help="the run's seed")]
    """
    return _walk(cls, "", dataclasses.MISSING)


def _walk(cls: type, prefix: str, base: Any) -> list[Setting]:
    found: list[Setting] = []
    for name, (info, kind) in input_fields(cls).items():
        default = field_default(info) if base is dataclasses.MISSING else getattr(base, name)
        section = next((member for member in members(kind) if dataclasses.is_dataclass(member)), None)
        if isinstance(section, type):
            inner = default if type(default) is section else dataclasses.MISSING
            found += _walk(section, f"{prefix}{name}.", inner)
        else:
            found.append(Setting(prefix + name, type_name(kind), default, str(info.metadata.get("help", ""))))
    return found
