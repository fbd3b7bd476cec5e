"""The specification: a text about how a model should be and why, with its names left open."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from tutelage.errors import DataError
from tutelage.io import content_hash

__all__ = ["PLACEHOLDERS", "ModelSpec", "fill"]

PLACEHOLDERS = ("model_name", "provider_name")
_FIELD = re.compile(r"\{([^{}\n]*)\}")


def fill(text: str, fields: dict[str, str]) -> str:
    """``text`` with each ``{name}`` of ``fields`` put in; other braces are left, and nothing put in is read again.

    Example:
        >>> fill("{model_name} reads {x}.", {"model_name": "Ada{x}"})
        'Ada{x} reads {x}.'
    """
    return _FIELD.sub(lambda found: fields.get(found[1], found[0]), text)


@dataclass(frozen=True)
class ModelSpec:
    """A specification in Markdown that says ``{model_name}`` and ``{provider_name}`` where the names belong.

    Attributes:
        text: the specification.
        model_name: who it is about.
        provider_name: who made it.

    Raises:
        DataError: a placeholder is missing, one is not known, or a name is empty.

    Source: the two placeholders are those of the paper's code (arXiv 2605.02087).
    """

    text: str
    model_name: str
    provider_name: str

    def __post_init__(self) -> None:
        found = set(_FIELD.findall(self.text))
        missing = [name for name in PLACEHOLDERS if name not in found]
        if missing:
            raise DataError(
                f"the specification never says {' or '.join('{' + name + '}' for name in missing)}",
                where="specification",
                hint="write the placeholders where the names of the model and of its maker belong",
            )
        unknown = sorted(found - set(PLACEHOLDERS))
        if unknown:
            raise DataError(
                f"the specification has an unknown placeholder {{{unknown[0]}}}",
                where="specification",
                hint=f"known are {', '.join('{' + name + '}' for name in PLACEHOLDERS)}",
            )
        if not self.model_name.strip() or not self.provider_name.strip():
            raise DataError("the model and its maker need names", where="specification")

    @property
    def names(self) -> dict[str, str]:
        """What the placeholders stand for."""
        return {"model_name": self.model_name, "provider_name": self.provider_name}

    @cached_property
    def filled(self) -> str:
        """The text with the names put in."""
        return fill(self.text, self.names)

    @cached_property
    def hash(self) -> str:
        """SHA-256 over text and names: the ``spec_hash`` of every document."""
        return content_hash([self.text, self.model_name, self.provider_name])
