"""The sign-flip test: what the difference would be if the names of the two systems meant nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tutelage.errors import RangeError, ShapeError
from tutelage.stats.checks import Labels, cluster_codes, finite_vector
from tutelage.stats.resampling import MANY_CLUSTERS

__all__ = ["SignFlipTest", "sign_flip_test"]

Floats = npt.NDArray[np.float64]
_MOST_EXACT = 16  # clusters that differ, so 2^16 ways to flip them
_FEW_SIZES = 64
_BITS_AT_ONCE = 1_048_576


@dataclass(frozen=True)
class SignFlipTest:
    """Mean difference b - a, two-sided p value, and how it was found.

    ``method``: ``"exact"`` (all flips), ``"monte carlo"`` (random flips) or ``"normal"`` (their limit for very many).
    ``differing`` counts the clusters (or items) with a difference, which alone carry information.
    """

    delta: float
    p: float
    method: Literal["exact", "monte carlo", "normal"]
    differing: int


def sign_flip_test(
    a: npt.ArrayLike, b: npt.ArrayLike, *, cluster: Labels | None = None, resamples: int = 10_000, seed: int = 0
) -> SignFlipTest:
    r"""Permutation test of two systems on the same items, flipping the sign of whole clusters.

    Were the systems exchangeable, the summed difference :math:`s_c` of each cluster would have either sign with equal
    chance. :math:`p = P(|\sum_c \pm s_c| \ge |\sum_c s_c|)` over all signs: exactly where at most 16 clusters differ,
    otherwise over random signs with :math:`p=(1+\#)/(B+1)`, and above 10,000 differing clusters of many sizes by the
    normal limit :math:`\sum s_c/\sqrt{\sum s_c^2}`. It needs no minimum number of clusters; with C that differ p is at
    least :math:`2^{1-C}`. No difference anywhere: p = 1.

    Args:
        a: scores of the first system [N].
        b: scores of the second on the same items [N].
        cluster: what is exchangeable as a whole [N]; None: every item.
        resamples: random flips where not all are tried, B.
        seed: of the flips.

    Raises:
        DataError: no items.
        NumericalError: NaN or infinity.
        ShapeError: vectors of different length.
        RangeError: fewer than 100 resamples.

    Source: Fisher 1935; Phipson and Smyth 2010 for counting the observed flip.

    Example:
        >>> sign_flip_test([0, 0, 0, 0, 0], [1, 1, 1, 1, 1]).p
        0.0625
    """
    if resamples < 100:
        raise RangeError(f"{resamples} resamples are too few for a test", hint="use 10,000")
    left, right = finite_vector(a, "a"), finite_vector(b, "b")
    if left.shape != right.shape:
        raise ShapeError(f"a has {left.size} items, b has {right.size}: align them first")
    difference = right - left
    sums = np.bincount(cluster_codes(cluster, left.size), weights=difference)
    slack = 1e-12 * max(1.0, float(np.abs(difference).max()) * left.size)  # equal sums may differ in the last bits
    sizes = np.sort(np.abs(sums[np.abs(sums) > slack / left.size]))
    observed, delta = abs(float(sums.sum())), float(difference.mean())
    if sizes.size <= _MOST_EXACT:
        totals = np.zeros(1)
        for size in sizes:
            totals = np.concatenate([totals + size, totals - size])
        return SignFlipTest(delta, float((np.abs(totals) >= observed - slack).mean()), "exact", sizes.size)
    kinds, times = np.unique(sizes, return_counts=True)
    if kinds.size > _FEW_SIZES and sizes.size > MANY_CLUSTERS:
        p = math.erfc(observed / math.sqrt(2 * float(np.square(sizes).sum())))
        return SignFlipTest(delta, p, "normal", sizes.size)
    rng = np.random.default_rng(seed)
    if kinds.size <= _FEW_SIZES:
        totals = (2.0 * rng.binomial(times, 0.5, size=(resamples, kinds.size)) - times) @ kinds
    else:
        totals = _flipped(sizes, resamples, rng)
    extreme = int((np.abs(totals) >= observed - slack).sum())
    return SignFlipTest(delta, (1 + extreme) / (resamples + 1), "monte carlo", sizes.size)


def _flipped(sizes: Floats, resamples: int, rng: np.random.Generator) -> Floats:
    """Sums of ``sizes`` [C] under random signs [B]: every bit of the generator is one sign."""
    width = -(-sizes.size // 8)
    rows = max(1, _BITS_AT_ONCE // (8 * width))
    totals = np.empty(resamples)
    for start in range(0, resamples, rows):
        count = min(rows, resamples - start)
        octets = rng.integers(256, size=(count, width), dtype=np.uint8)
        heads = np.unpackbits(octets, axis=1, count=sizes.size)
        totals[start : start + count] = 2.0 * (heads @ sizes) - sizes.sum()
    return totals
