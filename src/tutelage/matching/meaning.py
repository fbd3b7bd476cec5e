"""Skills by meaning: the cosine of a short phrase with the labels of a table."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from tutelage.errors import RangeError, ShapeError
from tutelage.matching.links import Embedder, Link
from tutelage.matching.phrases import Span, Word, words
from tutelage.matching.skills import SkillBase
from tutelage.types import FloatArray

__all__ = ["LabelSpace", "calibrated_theta"]

_MOST = 300  # phrases of one text that are compared
_LONGEST = 6  # words of a phrase


class LabelSpace:
    """The labels of a table as vectors; they are computed when first asked for.

    Args:
        base: the table.
        encoder: gives unit vectors.
        theta: the least cosine, in (0, 1].

    Raises:
        RangeError: theta outside (0, 1].
    """

    def __init__(self, base: SkillBase, encoder: Embedder, theta: float) -> None:
        if not 0 < theta <= 1:
            raise RangeError(f"theta must lie in (0, 1], not {theta}")
        self.base, self.encoder, self.theta = base, encoder, theta
        self._ids = [one.id for one in base.skills.values() if one.kind == "skill"]
        self._places = {skill: place for place, skill in enumerate(self._ids)}

    @cached_property
    def _labels(self) -> FloatArray:
        return self._embedded([self.base.skills[one].label for one in self._ids])

    def _embedded(self, texts: Sequence[str]) -> FloatArray:
        vectors = np.asarray(self.encoder.embed(texts), dtype=np.float64)
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise ShapeError(f"encoder {self.encoder.name}: {len(texts)} texts but embeddings of shape {vectors.shape}")
        return vectors

    def link(self, text: str, parts: Sequence[Span], taken: Sequence[Span]) -> tuple[list[Link], bool]:
        """Short phrases of ``parts`` that touch nothing ``taken``, linked; and whether some had to be left out."""
        starts = [span.start for span in taken]
        phrases = []
        for part in parts:
            for phrase in _phrases(text, part):
                following = bisect_right(starts, phrase.start - 1)
                if not (following < len(starts) and starts[following] < phrase.end):
                    phrases.append(phrase)
        kept = phrases[:_MOST]
        if not kept:
            return [], False
        cosines = self._embedded([phrase.of(text) for phrase in kept]) @ self._labels.T
        best = cosines.argmax(axis=1)
        scores = cosines[np.arange(len(kept)), best]
        links = [
            Link(phrase, self._ids[int(which)], float(score), "embedding")
            for phrase, which, score in zip(kept, best, scores, strict=True)
            if score >= self.theta
        ]
        return links, len(phrases) > len(kept)

    def likeness(self, first: str, second: str) -> float:
        """Cosine of two skills' labels; 0 where it is below theta, or for an entry that is no skill."""
        if first not in self._places or second not in self._places:
            return 0.0
        cosine = float(self._labels[self._places[first]] @ self._labels[self._places[second]])
        return min(1.0, cosine) if cosine >= self.theta else 0.0


def _phrases(text: str, part: Span) -> list[Span]:
    """Runs of one to six words between commas, brackets and the like."""
    runs: list[list[Word]] = [[]]
    for word in words(part.of(text)):
        if word.form.isalnum():
            runs[-1].append(word)
        elif runs[-1]:
            runs.append([])
    return [
        Span(part.start + run[0].span.start, part.start + run[-1].span.end) for run in runs if 1 <= len(run) <= _LONGEST
    ]


def calibrated_theta(cosines: Sequence[float], right: Sequence[bool]) -> float:
    """The least cosine to accept that gives the best F1 on labelled pairs; of equals the largest.

    Args:
        cosines: of phrase and proposed skill [N].
        right: whether the proposal was right [N].

    Raises:
        ShapeError: not one label for every cosine, or no pair is right.

    Example:
        >>> calibrated_theta([0.9, 0.8, 0.7, 0.3], [True, True, False, False])
        0.8
    """
    if len(cosines) != len(right) or not any(right):
        raise ShapeError(f"{len(cosines)} cosines, {len(right)} labels, {sum(right)} of them right")
    order = sorted(zip(cosines, right, strict=True), reverse=True)
    wanted = sum(right)
    best, chosen, hits = -1.0, order[0][0], 0
    for count, (cosine, good) in enumerate(order, start=1):
        hits += good
        last_of_equals = count == len(order) or order[count][0] < cosine
        f1 = 2 * hits / (count + wanted)
        if last_of_equals and f1 > best:
            best, chosen = f1, cosine
    return float(chosen)
