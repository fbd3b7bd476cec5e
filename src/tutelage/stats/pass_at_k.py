"""The chance that at least one of k samples is right, from n samples of which c are: unbiased."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from tutelage.errors import RangeError
from tutelage.types import FloatArray

__all__ = ["pass_at_k"]


def pass_at_k(n: npt.ArrayLike, c: npt.ArrayLike, k: int) -> FloatArray:
    r"""Per item :math:`1 - \binom{n-c}{k} / \binom{n}{k}`: the unbiased estimate of pass@k.

    Computed as :math:`-\mathrm{expm1} \sum_{i=0}^{k-1} \log\frac{n-c-i}{n-i}`, which neither overflows nor cancels
    when the result is near 0 or 1. Averaging :math:`1-(1-c/n)^k` instead would be biased downwards.

    Args:
        n: samples drawn for each item, at least k; a number or [N].
        c: right ones among them, a number or [N].
        k: how many one may try.

    Returns:
        [N] float64 (or []), one value per item; average them for the benchmark's number.

    Raises:
        RangeError: k below 1 or above n, c outside [0, n], numbers that are not whole.

    Source: Chen et al. 2021 (arXiv 2107.03374), section 2.1.

    Example:
        >>> pass_at_k(4, [0, 1, 4], 2).tolist()
        [0.0, 0.5, 1.0]
    """
    drawn, right = np.broadcast_arrays(np.asarray(n, dtype=np.float64), np.asarray(c, dtype=np.float64))
    whole = np.isfinite(drawn).all() and np.all(drawn == np.floor(drawn)) and np.all(right == np.floor(right))
    if not whole or k != math.floor(k):
        raise RangeError("samples are counted in whole numbers")
    if k < 1 or np.any(drawn < k):
        raise RangeError(f"pass@{k} needs at least {max(k, 1)} samples of each item", hint="draw more, or lower k")
    if np.any(right < 0) or np.any(right > drawn):
        raise RangeError("more right samples than samples, or fewer than none")
    if k == 1:
        share: FloatArray = right / drawn
        return share
    wrong = drawn - right
    k = int(k)
    steps = np.arange(k, dtype=np.float64)
    above = wrong[..., None] - steps
    certain = (above <= 0).any(axis=-1)
    logs = np.log(np.where(above > 0, above, 1.0)) - np.log(drawn[..., None] - steps)
    total = np.array([math.fsum(row) for row in logs.reshape(-1, k)]).reshape(wrong.shape)
    found: FloatArray = np.where(certain, 1.0, np.abs(np.expm1(np.minimum(total, 0.0))))
    return found
