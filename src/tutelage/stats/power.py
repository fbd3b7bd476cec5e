"""The smallest difference that a comparison of this size would have found, and the size that a difference needs."""

from __future__ import annotations

import math

from scipy import optimize

from tutelage.errors import RangeError
from tutelage.stats.checks import open_unit
from tutelage.stats.intervals import normal_quantile, t_quantile

__all__ = ["minimum_detectable_effect", "pairs_needed", "unpaired_detectable_effect"]

_MOST_PAIRS = 10**12


def minimum_detectable_effect(
    n: int,
    *,
    discordant_share: float | None = None,
    deviation: float | None = None,
    level: float = 0.95,
    power: float = 0.8,
) -> float:
    r"""Smallest true paired difference that a two-sided test at ``1 - level`` finds with probability ``power``.

    Proportions: the :math:`\delta` with
    :math:`n\delta^2=[z_{1-\alpha/2}\sqrt\psi+z_{power}\sqrt{\psi-\delta^2}]^2`, :math:`\psi` the discordant share. A
    difference needs at least as many discordant items as it has itself, so where the solution exceeds :math:`\psi` it
    is solved again with :math:`\psi=\delta`. Means: :math:`(t_{1-\alpha/2}+t_{power})\,s/\sqrt n` with n-1 degrees.

    Args:
        n: pairs, or clusters where clusters are what is independent.
        discordant_share: share of items on which the two differ, in [0, 1] (for proportions).
        deviation: standard deviation of the paired differences (for means); for clusters, se * sqrt(clusters).
        level: confidence level of the test.
        power: probability of finding the effect.

    Returns:
        The effect, at least 0; infinite where no effect can be found (too few pairs).

    Raises:
        RangeError: both or none of the two given, or one out of range.

    Source: Connor 1987 for McNemar's test; the one-sample t approximation for means.

    Example:
        >>> round(minimum_detectable_effect(500, discordant_share=0.2), 3)
        0.056
    """
    open_unit(level, "the level")
    open_unit(power, "the power")
    if (discordant_share is None) == (deviation is None):
        raise RangeError("give either the discordant share (proportions) or the deviation (means)")
    if n < 0:
        raise RangeError(f"{n} pairs")
    if discordant_share is not None:
        return _proportions(n, discordant_share, normal_quantile((1 + level) / 2), normal_quantile(power))
    if not (deviation is not None and deviation >= 0):
        raise RangeError(f"a deviation of {deviation}")
    if n < 2:
        return math.inf
    quantiles = t_quantile((1 + level) / 2, n - 1) + t_quantile(power, n - 1)
    return max(0.0, quantiles * deviation / math.sqrt(n))


def pairs_needed(
    effect: float,
    *,
    discordant_share: float | None = None,
    deviation: float | None = None,
    level: float = 0.95,
    power: float = 0.8,
) -> int:
    """Fewest pairs with which a two-sided test finds a true paired difference of this size: n for a given effect.

    The inverse of :func:`minimum_detectable_effect`: the smallest n whose detectable effect is at most ``effect``. For
    McNemar's test on few pairs :func:`mcnemar_power` gives the exact power.

    Args:
        effect: the difference to find, above 0 (for proportions at most 1).
        discordant_share: see :func:`minimum_detectable_effect`; where it is below ``effect``, the effect is taken.
        deviation: see :func:`minimum_detectable_effect`.
        level: confidence level of the test.
        power: probability of finding the effect.

    Returns:
        Pairs, or clusters where the deviation is one of clusters.

    Raises:
        RangeError: an effect that is not above 0 or cannot be, more than 10^12 pairs, or see the inverse.

    Source: Connor 1987 for McNemar's test; the one-sample t approximation for means.

    Example:
        >>> pairs_needed(0.05, discordant_share=0.2)
        626
    """
    if not (effect > 0 and math.isfinite(effect)) or (discordant_share is not None and effect > 1):
        raise RangeError(f"no number of pairs is asked for by an effect of {effect}", hint="give one above 0")

    def found(n: int) -> bool:
        detectable = minimum_detectable_effect(
            n, discordant_share=discordant_share, deviation=deviation, level=level, power=power
        )
        return detectable <= effect

    enough = 1
    while not found(enough):
        enough *= 2
        if enough > _MOST_PAIRS:
            raise RangeError(f"an effect of {effect} needs more than 10^12 pairs")
    too_few = enough // 2
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        enough, too_few = (middle, too_few) if found(middle) else (enough, middle)
    return enough


def unpaired_detectable_effect(n: int, *, deviation: float, level: float = 0.95, power: float = 0.8) -> float:
    r"""Smallest difference found when each system is scored on n items of its own: :math:`(z+z)\,s\sqrt{2/n}`.

    For contrast: what leaving the pairing out costs. The deviation of a proportion p is :math:`\sqrt{p(1-p)}`.

    Args:
        n: items of each system.
        deviation: standard deviation of the scores of one system.
        level: confidence level of the test.
        power: probability of finding the effect.

    Raises:
        RangeError: a negative size or deviation, a level or power outside (0, 1).

    Source: the two-sample normal approximation.

    Example:
        >>> round(unpaired_detectable_effect(500, deviation=0.5), 3)
        0.089
    """
    open_unit(level, "the level")
    open_unit(power, "the power")
    if n < 0 or not deviation >= 0:
        raise RangeError(f"{n} items with a deviation of {deviation}")
    if n == 0:
        return math.inf
    quantiles = normal_quantile((1 + level) / 2) + normal_quantile(power)
    return max(0.0, quantiles * deviation * math.sqrt(2 / n))


def _proportions(n: int, share: float, z_level: float, z_power: float) -> float:
    if not 0 <= share <= 1:
        raise RangeError(f"a discordant share of {share}")

    def excess(delta: float) -> float:
        psi = max(share, delta)
        return math.sqrt(n) * delta - z_level * math.sqrt(psi) - z_power * math.sqrt(max(0.0, psi - delta * delta))

    if n == 0 or excess(1.0) < 0:
        return math.inf
    if excess(1e-12) >= 0:
        return 0.0
    return float(optimize.brentq(excess, 1e-12, 1.0))
