"""How much two sets of prompts share, by three methods at once: word for word, nearly, and in meaning."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tutelage.data.leakage import OverlapSettings, overlap
from tutelage.data.splits import prompt_text
from tutelage.errors import ConfigError, DataError, RangeError, ShapeError
from tutelage.types import FloatArray, Row

__all__ = ["AuditMethod", "MethodOverlap", "OverlapAudit", "audit_overlap"]

AuditMethod = Literal["exact", "minhash", "embed"]
Embed = Callable[[Sequence[str]], FloatArray]
_METHODS: tuple[AuditMethod, ...] = ("exact", "minhash", "embed")
_BLOCK = 1024


@dataclass(frozen=True)
class MethodOverlap:
    """What one method found: (id in b, id in a, similarity) for each row of b that a has too, and the share of b."""

    method: AuditMethod
    pairs: tuple[tuple[str, str, float], ...]
    share: float


@dataclass(frozen=True)
class OverlapAudit:
    """The methods' findings; ``minhash`` counts exact pairs too, so its share is never below that of ``exact``."""

    found: tuple[MethodOverlap, ...]
    n_a: int
    n_b: int

    def of(self, method: AuditMethod) -> MethodOverlap:
        """What one method found.

        Raises:
            ConfigError: it was not asked.
        """
        for one in self.found:
            if one.method == method:
                return one
        raise ConfigError(
            f"the audit did not use {method!r}", hint=f"it used {', '.join(f.method for f in self.found)}"
        )


def audit_overlap(
    a: Sequence[Row],
    b: Sequence[Row],
    methods: Sequence[AuditMethod] = ("exact", "minhash"),
    *,
    settings: OverlapSettings | None = None,
    embed: Embed | None = None,
    cosine: float = 0.95,
) -> OverlapAudit:
    """The share of the rows ``b`` whose prompt stands in ``a``: |B and A| / |B| by each method.

    ``exact`` compares normalised texts; ``minhash`` shingles by exact Jaccard similarity after locality-sensitive
    hashing (:func:`tutelage.data.leakage.overlap`, which does both); ``embed`` the cosine of embeddings.

    Args:
        a: rows of the first stage, or of training.
        b: rows of the second stage, or of an evaluation.
        methods: which to use.
        settings: what counts as near; the default is five-character shingles, similarity 0.8.
        embed: texts to vectors [N, D], needed for ``embed``, such as an encoder's.
        cosine: from where on two prompts mean the same.

    Raises:
        ConfigError: an unknown method, or ``embed`` without an encoder.
        DataError: no rows. RangeError: a cosine outside (0, 1]. ShapeError: not one vector a text.

    Source: Overlap (arXiv 2604.13515) for the ratio; thresholds are ours.
    """
    unknown = [method for method in methods if method not in _METHODS]
    if unknown or not methods or ("embed" in methods and embed is None):
        raise ConfigError(
            f"methods {list(methods)}{' without an encoder' if embed is None else ''} cannot be audited",
            hint="use exact, minhash, or embed with embed=encoder",
        )
    if not a or not b:
        raise DataError(f"an audit of {len(a)} and {len(b)} rows")
    if not 0 < cosine <= 1:
        raise RangeError(f"a cosine of {cosine} is no threshold", hint="0.95 is usual")
    found: list[MethodOverlap] = []
    shared = overlap(b, a, settings).pairs if {"exact", "minhash"} & set(methods) else ()
    for method in methods:
        if method == "embed":
            assert embed is not None
            pairs = _by_meaning(a, b, embed, cosine)
        else:
            kept = [pair for pair in shared if method == "minhash" or pair.kind == "exact"]
            pairs = [(pair.train_id, pair.test_id, pair.similarity) for pair in kept]
        found.append(MethodOverlap(method, tuple(pairs), len(pairs) / len(b)))
    return OverlapAudit(tuple(found), len(a), len(b))


def _by_meaning(a: Sequence[Row], b: Sequence[Row], embed: Embed, cosine: float) -> list[tuple[str, str, float]]:
    """The nearest row of a for each row of b that is near enough, in blocks of rows of b."""
    known, asked = (_unit(embed([prompt_text(row) for row in rows]), len(rows)) for rows in (a, b))
    pairs = []
    for start in range(0, len(b), _BLOCK):
        cosines = asked[start : start + _BLOCK] @ known.T
        for place, best in enumerate(cosines.argmax(axis=1)):
            if (value := float(cosines[place, best])) >= cosine:
                pairs.append((b[start + place]["id"], a[int(best)]["id"], value))
    return pairs


def _unit(vectors: FloatArray, rows: int) -> FloatArray:
    found = np.asarray(vectors, dtype=np.float64)
    if found.ndim != 2 or len(found) != rows:
        raise ShapeError(f"{rows} texts but vectors of shape {found.shape}")
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    unit: FloatArray = found / np.where(lengths > 0, lengths, 1.0)
    return unit
