"""How alike two texts are: a cosine that sentences add up to, so that leaving one out says what it did."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tutelage.io import content_hash
from tutelage.io.documents import read_json
from tutelage.matching.links import Embedder
from tutelage.matching.phrases import Span, sentences, words

__all__ = ["LexicalSpace", "MeaningSpace", "TextSpace", "TextVectors", "without_each"]

Vector = npt.NDArray[np.float64]
_MOST = 400  # sentences of one text
_COMMON = frozenset(read_json(Path(__file__).with_name("words.en.json"))["common"])


@dataclass(frozen=True)
class TextVectors:
    """Sentences of a text [S] and their vectors [S, D]; the text's own vector is their mean."""

    spans: tuple[Span, ...]
    vectors: Vector

    @cached_property
    def total(self) -> Vector:
        """Sum of the sentences' vectors [D]."""
        return np.asarray(self.vectors.sum(axis=0), dtype=np.float64)


def _dot(first: Vector, second: Vector) -> float:
    return float((first * second).sum())  # unlike BLAS the same bits whatever the number of threads


def _cosine(first: Vector, second: Vector) -> float:
    norm = math.sqrt(_dot(first, first) * _dot(second, second))
    return max(0.0, min(1.0, _dot(first, second) / norm)) if norm > 0 else 0.0


class TextSpace:
    """Texts as sums of sentence vectors; the likeness of two is their cosine, never below 0."""

    name = ""
    revision = ""

    def vectors(self, text: str) -> TextVectors:
        """The sentences of ``text`` with their vectors."""
        raise NotImplementedError

    def likeness(self, first: TextVectors, second: TextVectors) -> float:
        """max(0, cosine) of the two sums; 0 where one has no direction."""
        return _cosine(first.total, second.total)


class LexicalSpace(TextSpace):
    """Words weighted by how few of the texts hold them (tf-idf); what is there without a sentence encoder.

    Args:
        texts: all texts that will be compared.
    """

    name = "words (tf-idf)"

    def __init__(self, texts: Sequence[str]) -> None:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update({word.form for word in words(text) if _tells(word.form)})
        self.places: Mapping[str, int] = {form: place for place, form in enumerate(sorted(counts))}
        self.revision = content_hash([len(texts), sorted(counts.items())])[:16]
        self.weights = np.array([1 + math.log((1 + len(texts)) / (1 + counts[form])) for form in self.places])

    def vectors(self, text: str) -> TextVectors:
        """Sentences as counts of words times their weight."""
        spans = sentences(text)[:_MOST]
        vectors = np.zeros((len(spans), len(self.places)))
        for row, span in enumerate(spans):
            for word in words(span.of(text)):
                if word.form in self.places:
                    vectors[row, self.places[word.form]] += 1
        return TextVectors(tuple(spans), vectors * self.weights if len(self.places) else vectors)


def _tells(form: str) -> bool:
    return form.isalnum() and form not in _COMMON


class MeaningSpace(TextSpace):
    """Sentences through an encoder.

    Args:
        encoder: gives unit vectors.
    """

    def __init__(self, encoder: Embedder) -> None:
        self.encoder = encoder
        self.name = encoder.name
        self.revision = str(getattr(encoder, "weights_hash", ""))

    def vectors(self, text: str) -> TextVectors:
        """Sentences as the encoder's vectors."""
        spans = sentences(text)[:_MOST]
        return TextVectors(
            tuple(spans), np.asarray(self.encoder.embed([span.of(text) for span in spans]), dtype=np.float64)
        )


def without_each(job: TextVectors, resume: TextVectors) -> Vector:
    """What the likeness of two texts loses when each sentence of ``resume`` is left out [S]; negative: it gains."""
    whole = _cosine(job.total, resume.total)
    return np.array([whole - _cosine(job.total, resume.total - one) for one in resume.vectors])
