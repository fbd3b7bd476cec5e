"""The good side of a line, and where an interval lies with respect to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tutelage.report.comparison import Decision
from tutelage.stats.intervals import normal_quantile
from tutelage.stats.multiplicity import Correction
from tutelage.types import Estimate

__all__ = ["Region", "failing", "items_needed"]

_POWER = 0.8


@dataclass(frozen=True)
class Region:
    """The values that a rule accepts: above ``low`` and below ``high``, as far as they are given.

    Example:
        >>> Region(low=-0.02).decide(Estimate(0.0, -0.01, 0.01, 0.95, "t", 9, 9))
        'pass'
        >>> Region(low=-0.02).decide(Estimate(-0.02, -0.03, -0.01, 0.95, "t", 9, 9))
        'underpowered'
    """

    low: float | None = None
    high: float | None = None

    def decide(self, found: Estimate) -> Decision:
        """``"pass"`` if the interval lies wholly inside, ``"fail"`` if wholly outside, ``"underpowered"`` otherwise.

        An end exactly on the line decides nothing, and neither does an interval with NaN.
        """
        above = self.low is None or found.low > self.low
        below = self.high is None or found.high < self.high
        if above and below:
            return "pass"
        under = self.low is not None and found.high < self.low
        over = self.high is not None and found.low > self.high
        return "fail" if under or over else "underpowered"

    def room(self, value: float) -> float:
        """How far inside ``value`` lies; 0 or below: it is on the wrong side."""
        ends = [value - self.low] if self.low is not None else []
        ends += [self.high - value] if self.high is not None else []
        return min(ends, default=math.inf)

    def line(self, value: float) -> float:
        """The line that is nearest to ``value``."""
        lines = [line for line in (self.low, self.high) if line is not None]
        return min(lines, key=lambda line: abs(line - value))

    @property
    def two_sided(self) -> bool:
        """True when there is a line on either side."""
        return self.low is not None and self.high is not None


def items_needed(region: Region, found: Estimate, *, share: bool = False) -> int | None:
    r"""About how many items it takes for the same finding to pass four times out of five; None if no number does.

    A difference: :math:`n\,[(z_{1-\alpha/2}+z_{0.8})\,se/room]^2`, where se is read off the interval and room is the
    distance of the estimate to the line, so clusters and discordance are as observed. A share p of independent items
    against the line q: :math:`[z_{1-\alpha/2}\sqrt{q(1-q)}+z_{0.8}\sqrt{p(1-p)}]^2/(q-p)^2`, times n over the
    number of clusters. With lines on both sides the power is split: :math:`z_{0.9}`.

    Args:
        region: the good side.
        found: the estimate with its interval.
        share: the estimate is a proportion of items.

    Source: the usual normal approximations for a one-sided test against a margin.

    Example:
        >>> items_needed(Region(high=0.03), Estimate(0.0, 0.0, 0.0714, 0.95, "wilson", 50, 50), share=True)
        125
    """
    room, z = region.room(found.value), normal_quantile((1 + found.level) / 2)
    power = normal_quantile((1 + _POWER) / 2 if region.two_sided else _POWER)
    if not (room > 0 and math.isfinite(room) and math.isfinite(found.high - found.low)):
        return None
    if share:
        line = min(max(region.line(found.value), 0.0), 1.0)
        spread = z * math.sqrt(line * (1 - line)) + power * math.sqrt(found.value * (1 - found.value))
        return math.ceil((spread / room) ** 2 * found.n / max(1, found.n_clusters))
    error = (found.high - found.low) / (2 * z)
    return math.ceil(found.n * ((z + power) * error / room) ** 2)


def failing(
    region: Sequence[Region], read: Sequence[Callable[[float], Estimate]], level: float, correction: Correction
) -> list[bool]:
    r"""Which parts of a rule fail, with the chance that any does so wrongly kept at that of a single one.

    A rule passes only if all its parts pass, which needs no correction (intersection-union: the rule passes wrongly no
    more often than one of its parts does). It fails if any part does, and the more parts there are the more often one
    looks bad by chance, so each must lie outside at a stricter level: Holm's steps
    :math:`1-\alpha/m, 1-\alpha/(m-1), \dots` by intervals (step down), or those of Benjamini and Hochberg
    :math:`1-k\alpha/m` (step up).

    Args:
        region: of each part [M].
        read: gives each part's interval at a level [M].
        level: of a single part.
        correction: ``"holm"``, ``"bh"`` or ``"none"``.

    Source: Holm 1979, Benjamini and Hochberg 1995, Berger 1982 for the intersection-union test.
    """
    alpha, parts = 1 - level, len(region)
    suspects = {i for i in range(parts) if region[i].decide(read[i](level)) == "fail"}

    def outside(strictness: float) -> set[int]:
        """Those that fail at alpha times this; only what fails uncorrected can."""
        return {i for i in suspects if region[i].decide(read[i](1 - alpha * strictness)) == "fail"}

    found = suspects if correction == "none" or parts < 2 else set()
    if correction == "holm" and parts > 1:
        while len(more := outside(1 / (parts - len(found)))) > len(found):
            found = more
            if len(found) == parts:
                break
    elif correction == "bh" and parts > 1:
        for count in range(len(suspects), 0, -1):
            if len(more := outside(count / parts)) >= count:
                found = more
                break
    return [i in found for i in range(parts)]
