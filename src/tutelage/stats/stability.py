"""How far a measure falls after a change of training data, and when it is back: the stability gap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, ShapeError
from tutelage.stats.checks import finite_array

__all__ = ["GapReport", "stability_gap"]


@dataclass(frozen=True)
class GapReport:
    """``depth`` and ``area`` are 0 for a curve that never falls below its start; ``t_min`` and ``recovery`` then too.

    ``recovery`` is None when the curve does not come back within what was measured; ``area`` then runs to its end and
    is a lower bound.
    """

    depth: float
    t_min: float
    recovery: float | None
    area: float


def stability_gap(values: npt.ArrayLike, times: npt.ArrayLike | None = None) -> GapReport:
    r"""Depth, place, end and area of the dip below the first value of a curve (higher is better).

    With :math:`d_t = \max(m_0 - m_t, 0)`: depth :math:`= \max_t d_t`, :math:`t_{min}` the first time it is reached,
    recovery the first later time with :math:`m_t \ge m_0`, area :math:`= \sum_{t \le recovery} d_t (t - t')` with
    :math:`t'` the time of the measurement before. A gap between two measurements is not seen: measure densely, and
    compare curves on the same times only.

    Args:
        values: [T] the measure before the first step and after some of them.
        times: [T] strictly rising, in any unit (steps, tokens); None: 0, 1, 2, ...

    Raises:
        DataError: no value, or times that do not rise.
        ShapeError: values that are no vector, or another number of times.
        NumericalError: NaN or infinity.

    Source: own derivation after the stability gap of De Lange et al. (arXiv 2205.13452) and of continual pre-training
    (arXiv 2406.14833), which show the curves and define no number.

    Example:
        >>> stability_gap([1.0, 0.5, 0.75, 1.25, 0.9], [0, 10, 20, 30, 40])
        GapReport(depth=0.5, t_min=10.0, recovery=30.0, area=7.5)
    """
    curve = finite_array(values, "values")
    at = np.arange(len(curve), dtype=np.float64) if times is None else finite_array(times, "times")
    if curve.ndim != 1 or at.shape != curve.shape:
        raise ShapeError(f"values of shape {curve.shape} at times of shape {at.shape}; both must be [T]")
    if len(curve) == 0:
        raise DataError("a curve needs at least one value, the one before the first step")
    if (np.diff(at) <= 0).any():
        raise DataError("the times of a curve must rise strictly")
    fall = np.maximum(curve[0] - curve, 0.0)
    lowest = int(fall.argmax())
    if fall[lowest] == 0:
        return GapReport(0.0, float(at[0]), float(at[0]), 0.0)
    back = np.flatnonzero(curve[lowest + 1 :] >= curve[0])
    end = lowest + 1 + int(back[0]) if len(back) else len(curve) - 1
    area = float((fall[1 : end + 1] * np.diff(at)[:end]).sum())
    return GapReport(float(fall[lowest]), float(at[lowest]), float(at[end]) if len(back) else None, area)
