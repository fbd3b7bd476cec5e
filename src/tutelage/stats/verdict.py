"""Three-way verdicts on a claim: the rule is fixed before the run and reads only the interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tutelage.errors import NumericalError, RangeError
from tutelage.stats.intervals import normal_quantile
from tutelage.types import Estimate

__all__ = ["ClaimVerdict", "Direction", "verdict"]

Direction = Literal["greater", "less"]
_POWER = 0.8


@dataclass(frozen=True)
class ClaimVerdict:
    """What a measurement says about a claim.

    ``minimum_detectable`` is the effect that would have been found with 80 % power at this precision: an inconclusive
    verdict about a claimed effect smaller than that says nothing.
    """

    outcome: Literal["replicated", "refuted", "inconclusive"]
    interval: Estimate
    direction: Direction
    margin: float | None
    minimum_detectable: float

    @property
    def label(self) -> str:
        """The word to print; the evidence against a claim is printed as "not replicated"."""
        return "not replicated" if self.outcome == "refuted" else self.outcome

    def __str__(self) -> str:
        delta = self.interval
        text = f"{self.label}: {delta.value:.4g} [{delta.low:.4g}, {delta.high:.4g}]"
        if self.outcome == "inconclusive":
            text += f", would have found {self.minimum_detectable:.2g} with 80 % power"
        return text


def verdict(
    interval: Estimate,
    direction: Direction,
    margin: float | None = None,
    *,
    minimum_detectable: float | None = None,
) -> ClaimVerdict:
    """Does the interval bear the claim out?

    A claim of an effect (no margin): replicated when the interval excludes 0 in the stated direction, refuted when it
    excludes 0 in the other. A claim of no harm (with a margin): ``direction`` is the good one, harm is movement in the
    other; replicated when the whole interval lies on the good side of the margin, refuted when the whole interval lies
    beyond it. Everything else, an end exactly on the line included, is inconclusive.

    Args:
        interval: of the difference that the claim is about.
        direction: ``"greater"`` when the claim is that the difference is above 0, or that it does not fall.
        margin: the harm that still counts as none, at least 0; None for a claim of an effect.
        minimum_detectable: if known; otherwise :math:`(1+z_{0.8}/z_{1-\\alpha/2})` times the half width.

    Raises:
        NumericalError: the interval holds NaN.
        RangeError: an unknown direction, a margin below 0.

    Source: own derivation; the no-harm form is a non-inferiority test by confidence interval.

    Example:
        >>> verdict(Estimate(0.1, 0.02, 0.18, 0.95, "t", 50, 50), "greater").outcome
        'replicated'
        >>> verdict(Estimate(-0.01, -0.03, 0.01, 0.95, "t", 50, 50), "greater", margin=0.05).outcome
        'replicated'
    """
    if direction not in ("greater", "less"):
        raise RangeError(f"a claim points to 'greater' or 'less', not {direction!r}")
    if margin is not None and not margin >= 0:
        raise RangeError(f"a margin is at least 0, not {margin}")
    if math.isnan(interval.low) or math.isnan(interval.high) or math.isnan(interval.value):
        raise NumericalError(f"no verdict from an interval with NaN: {interval}")
    low, high = (interval.low, interval.high) if direction == "greater" else (-interval.high, -interval.low)
    line = 0.0 if margin is None else -margin
    outcome: Literal["replicated", "refuted", "inconclusive"] = "inconclusive"
    if low > line:
        outcome = "replicated"
    elif high < line:
        outcome = "refuted"
    if minimum_detectable is None:
        half = (interval.high - interval.low) / 2
        minimum_detectable = half * (1 + normal_quantile(_POWER) / normal_quantile((1 + interval.level) / 2))
    return ClaimVerdict(outcome, interval, direction, margin, minimum_detectable)
