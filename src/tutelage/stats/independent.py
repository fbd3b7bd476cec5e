"""Difference and ratio of two shares of different people: how far they reach, from the interval of each."""

from __future__ import annotations

import math

from tutelage.types import Estimate

__all__ = ["difference_bounds", "ratio_bounds"]


def difference_bounds(first: Estimate, second: Estimate) -> tuple[float, float]:
    r"""Ends of the interval of first minus second, both independent, by squaring and adding their half widths.

    With shares p, q and their intervals (l, u): :math:`d-\sqrt{(p-l_p)^2+(u_q-q)^2}` and
    :math:`d+\sqrt{(u_p-p)^2+(q-l_q)^2}`, :math:`d=p-q`.

    Source: Newcombe 1998 (independent shares), method 10; any two intervals: Zou and Donner 2008.

    Example:
        >>> nobody, some = Estimate(0.0, 0.0, 0.1, 0.95, "", 30, 30), Estimate(0.2, 0.1, 0.4, 0.95, "", 30, 30)
        >>> [round(end, 3) for end in difference_bounds(nobody, some)]
        [-0.4, -0.059]
    """
    gap = first.value - second.value
    low = gap - math.hypot(first.value - first.low, second.high - second.value)
    return low, gap + math.hypot(first.high - first.value, second.value - second.low)


def ratio_bounds(first: Estimate, second: Estimate) -> tuple[float, float]:
    r"""Ends of the interval of first over second, both independent shares, the second above 0.

    The values r at which the interval of :math:`p-rq`, made as in :func:`difference_bounds`, begins or stops to hold
    0. The upper end is infinite where the second may be 0.

    Source: Donner and Zou 2012.

    Example:
        >>> nobody, some = Estimate(0.0, 0.0, 0.1, 0.95, "", 30, 30), Estimate(0.2, 0.1, 0.4, 0.95, "", 30, 30)
        >>> [round(end, 3) for end in ratio_bounds(nobody, some)]
        [0.0, 0.577]
    """
    p, q, product = first.value, second.value, first.value * second.value
    under = math.sqrt(max(0.0, product**2 - first.low * second.high * (2 * p - first.low) * (2 * q - second.high)))
    low = first.low * (2 * p - first.low) / (product + under) if product > 0 else 0.0
    below = second.low * (2 * q - second.low)
    if below <= 0:
        return max(0.0, low), math.inf
    over = math.sqrt(max(0.0, product**2 - first.high * (2 * p - first.high) * below))
    return max(0.0, low), (product + over) / below
