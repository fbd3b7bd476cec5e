"""What a linker finds: characters of a text and the skill that they name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tutelage.matching.phrases import Span
from tutelage.types import FloatArray

__all__ = ["Embedder", "How", "Ignored", "Link", "Linked"]

How = Literal["label", "alias", "embedding", "given"]


class Embedder(Protocol):
    """A sentence encoder: ``embed`` gives unit vectors [N, D] for N texts."""

    name: str

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """One row per text."""
        ...


@dataclass(frozen=True)
class Link:
    """Characters of a text (None where a skill was given beside it) that name a skill; ``score`` 1, or the cosine."""

    span: Span | None
    skill: str
    score: float
    how: How


@dataclass(frozen=True)
class Ignored:
    """Characters that look like a skill and were not counted, and why."""

    span: Span
    skill: str
    why: str


@dataclass(frozen=True)
class Linked:
    """What was found in a text, in its order, and what was not counted; ``unknown`` are given names without a skill."""

    links: tuple[Link, ...]
    ignored: tuple[Ignored, ...] = ()
    unknown: tuple[str, ...] = ()
    cut: bool = False
