"""Ordered levels of a style, and raters that put a text on one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from tutelage.errors import ConfigError, DataError, ShapeError
from tutelage.types import FloatArray

__all__ = ["FORMALITY", "EmbeddingRater", "GradedScale", "Rater", "TextEncoder"]


@dataclass(frozen=True)
class GradedScale:
    """Levels from low to high, on an absolute scale: what a text is, not how it compares with another.

    Example:
        >>> FORMALITY.rank("formal") > FORMALITY.rank("casual"), FORMALITY.top
        (True, 'formal')
    """

    levels: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.levels) < 2 or len(set(self.levels)) != len(self.levels):
            raise ConfigError("a scale needs at least two different levels", hint=f"got {self.levels}")

    @property
    def top(self) -> str:
        """The highest level."""
        return self.levels[-1]

    def rank(self, level: str) -> int:
        """Place of a level from 0.

        Raises:
            DataError: it is not on the scale.
        """
        if level not in self.levels:
            raise DataError(f"{level!r} is not on the scale", hint=f"its levels are {', '.join(self.levels)}")
        return self.levels.index(level)

    def ranks(self, levels: Sequence[str]) -> list[int]:
        """Places of several levels."""
        return [self.rank(level) for level in levels]

    def strictly_rising(self, levels: Sequence[str]) -> bool:
        """Whether each level is above the one before."""
        ranks = self.ranks(levels)
        return all(a < b for a, b in pairwise(ranks))

    def directions(self) -> list[tuple[str, str]]:
        """All ordered pairs of different levels: (from, to)."""
        return [(a, b) for a in self.levels for b in self.levels if a != b]


FORMALITY = GradedScale(("informal", "casual", "formal"))
"""The three levels of 3LF (arXiv 2605.29365)."""


class Rater(Protocol):
    """Says on which level of its scale each text stands."""

    name: str
    scale: GradedScale

    def rate(self, texts: Sequence[str]) -> list[str]:
        """One level a text."""
        ...


class TextEncoder(Protocol):
    """Texts in, [N, D] out, such as :class:`tutelage.models.encoder.Encoder`."""

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """One row a text."""
        ...


class EmbeddingRater:
    """A small logistic head on sentence embeddings, fitted on texts of known level.

    Sentence encoders are trained to ignore style, so some of what a person hears is lost before the head sees it:
    measure the rater on texts that it was not fitted on, and on other meanings, before it is believed.

    Args:
        encoder: gives the embeddings.
        texts: to fit on.
        levels: of the texts; every level of the scale must be there.
        scale: what is rated.
        strength: inverse of the L2 penalty (scikit-learn's ``C``).
        name: in reports.

    Raises:
        ShapeError: not one level a text.
        DataError: a level without a text, or one that is not on the scale.
    """

    def __init__(
        self,
        encoder: TextEncoder,
        texts: Sequence[str],
        levels: Sequence[str],
        *,
        scale: GradedScale = FORMALITY,
        strength: float = 10.0,
        name: str = "encoder",
    ) -> None:
        from sklearn.linear_model import LogisticRegression

        if len(texts) != len(levels):
            raise ShapeError(f"{len(texts)} texts but {len(levels)} levels")
        ranks = scale.ranks(levels)
        missing = [level for level in scale.levels if level not in levels]
        if missing:
            raise DataError(f"no text to fit on is {missing[0]}")
        self.encoder, self.scale, self.name = encoder, scale, name
        self.head: Any = LogisticRegression(C=strength, max_iter=1000, class_weight="balanced")
        self.head.fit(np.asarray(encoder.embed(texts), dtype=np.float64), ranks)

    def rate(self, texts: Sequence[str]) -> list[str]:
        """The most probable level of each text."""
        if not texts:
            return []
        found = self.head.predict(np.asarray(self.encoder.embed(texts), dtype=np.float64))
        return [self.scale.levels[int(rank)] for rank in found]
