"""The semantic filter's measure: a cosine between sentence embeddings, with the right thing on each side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tutelage.errors import NumericalError, ShapeError
from tutelage.refine.case import Case, asked, is_terse
from tutelage.refine.settings import Compare
from tutelage.types import FloatArray

__all__ = ["Embedder", "Similarity"]


class Embedder(Protocol):
    """A sentence encoder: ``embed`` gives [N, D] for N texts."""

    name: str

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """One row per text."""
        ...


@dataclass(frozen=True)
class Similarity:
    """s = cos(phi(left), phi(text)), where ``left`` depends on ``compare``.

    ``"answer"``: left is the reference, as in the paper's Eq. 2. ``"question+answer"``: left is the question followed
    by the reference; the text stands alone on the right. ``"auto"``: the second for references of at most
    ``terse_words`` words, else the first.

    Why: a sentence around a terse value is far from the bare value. With all-MiniLM-L6-v2 on 40 ESCO items ("Which
    skill group does the skill '...' belong to?", one-word references), good statements have a cosine of 0.29 to 0.54
    with the reference, so tau = 0.8 refuses them all, and wrong ones reach 0.44. Against question+answer good
    statements have 0.90 to 0.98, refusals 0.04 to 0.24, answers to another item 0.27 to 0.58. Putting the question on
    *both* sides would be worthless: there refusals score 0.79 to 0.94. No comparison sees a wrong value (0.77 to 0.92
    here): that is what the check of values, numbers and names is for.

    Source: RAFT (arXiv 2606.00147) Eq. 2 for ``"answer"``; the rest is own derivation.
    """

    encoder: Embedder
    compare: Compare = "auto"
    terse_words: int = 8

    @property
    def identity(self) -> list[str | int]:
        """What decides its values: encoder (with the hash of its weights where it has one) and comparison."""
        weights = getattr(self.encoder, "weights_hash", "")
        return [self.encoder.name, str(weights), self.compare, self.terse_words]

    def side(self, case: Case) -> str:
        """The text that ``case.text`` is compared with."""
        terse = is_terse(case.reference, self.terse_words)
        if self.compare == "question+answer" or (self.compare == "auto" and terse):
            return f"{asked(case.question)} {case.reference}"
        return case.reference

    def __call__(self, cases: Sequence[Case]) -> list[float]:
        """One cosine in [-1, 1] per case; 0 where a text has no direction (a zero embedding).

        Raises:
            ShapeError: the encoder returned something else than one row per text.
            NumericalError: an embedding is not finite.
        """
        if not cases:
            return []
        texts = list(dict.fromkeys(text for case in cases for text in (self.side(case), case.text)))
        vectors = np.asarray(self.encoder.embed(texts), dtype=np.float64)
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise ShapeError(f"encoder {self.encoder.name}: {len(texts)} texts but embeddings of shape {vectors.shape}")
        norms = np.linalg.norm(vectors, axis=1)
        bad = ~np.isfinite(norms)
        if bad.any():
            raise NumericalError(
                "an embedding is not finite",
                where=f"encoder {self.encoder.name}, text {texts[int(bad.argmax())]!r}",
            )
        units = dict(zip(texts, vectors / np.maximum(norms, 1e-12)[:, None], strict=True))
        return [float(np.clip(units[self.side(case)] @ units[case.text], -1.0, 1.0)) for case in cases]
