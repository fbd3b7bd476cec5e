"""Power by counting: exactly for McNemar's test, by simulation for any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats as distributions

from tutelage.errors import RangeError
from tutelage.seeds import derive
from tutelage.stats.checks import open_unit
from tutelage.stats.intervals import normal_quantile, proportion_interval
from tutelage.stats.paired_proportions import McNemarMethod
from tutelage.types import Estimate

__all__ = ["PowerAt", "mcnemar_power", "simulated_power"]

Floats = npt.NDArray[np.float64]
Sampler = Callable[[int, np.random.Generator], tuple[npt.ArrayLike, npt.ArrayLike]]
Test = Callable[[npt.ArrayLike, npt.ArrayLike], float]


def mcnemar_power(n: int, only_a: float, only_b: float, *, level: float = 0.95, test: McNemarMethod = "midp") -> float:
    r"""Chance that McNemar's test rejects at ``1 - level``, by exact enumeration of all tables of n pairs.

    :math:`\sum_N \mathrm{Bin}(N; n, \psi)\,P(\text{reject}\mid N)`, where :math:`\psi=p_{10}+p_{01}` and, given N
    discordant pairs, those that only the first has right are :math:`\mathrm{Bin}(N, p_{10}/\psi)`. With equal chances
    this is the type-I error.

    Args:
        n: pairs.
        only_a: chance that only the first system is right on an item, p10.
        only_b: chance that only the second is, p01.
        level: confidence level of the test.
        test: see :func:`tutelage.stats.mcnemar`.

    Returns:
        A probability in [0, 1].

    Raises:
        RangeError: chances below 0 or above 1 together, a negative n, an unknown test.

    Source: own derivation, by enumeration.

    Example:
        >>> round(mcnemar_power(100, 0.1, 0.1, test="exact"), 3), round(mcnemar_power(100, 0.1, 0.1), 3)
        (0.029, 0.046)
    """
    alpha = 1 - open_unit(level, "the level")
    share = only_a + only_b
    if n < 0 or not (only_a >= 0 and only_b >= 0 and share <= 1 + 1e-12):
        raise RangeError(f"{n} pairs with chances of {only_a} and {only_b} of being discordant")
    if n == 0 or share == 0:
        return 0.0
    discordant = np.arange(n + 1)
    weight = distributions.binom.pmf(discordant, n, min(1.0, share))
    likely = weight > 1e-16
    discordant, weight = discordant[likely], weight[likely]
    fewer = _largest_rejected(discordant, alpha, test)
    below = distributions.binom.cdf(fewer, discordant, only_a / share)
    above = distributions.binom.sf(discordant - fewer - 1, discordant, only_a / share)
    return float(min(1.0, (weight * np.where(fewer >= 0, below + above, 0.0)).sum()))


def _largest_rejected(discordant: npt.NDArray[np.intp], alpha: float, test: str) -> npt.NDArray[np.intp]:
    """For each number of discordant pairs the largest smaller count that is still rejected; -1 where none is."""
    if test == "chi2":
        root = np.sqrt(discordant) * normal_quantile(1 - alpha / 2)
        fewer = np.floor((discordant - root) / 2 + 1e-12).astype(np.intp)
        return np.where(discordant > 0, fewer.clip(-1), -1)
    if test not in ("midp", "exact"):
        raise RangeError(f"no McNemar test is called {test!r}", hint="use 'midp', 'exact' or 'chi2'")
    start = distributions.binom.ppf(alpha / 2, discordant, 0.5).astype(np.intp)
    found = np.full(discordant.shape, -1, dtype=np.intp)
    for fewer in (start - 2, start - 1, start, start + 1):  # the limit differs from the quantile by at most this
        twice = 2 * distributions.binom.cdf(fewer, discordant, 0.5)
        p = twice if test == "exact" else twice - distributions.binom.pmf(fewer, discordant, 0.5)
        found = np.where((fewer >= 0) & (2 * fewer < discordant) & (p <= alpha), fewer, found)
    return found


@dataclass(frozen=True)
class PowerAt:
    """The simulated power with ``n`` items, with the interval of its Monte-Carlo error."""

    n: int
    power: Estimate


def simulated_power(
    sampler: Sampler,
    test: Test,
    sizes: Sequence[int],
    *,
    repeats: int = 1_000,
    level: float = 0.95,
    seed: int = 0,
) -> list[PowerAt]:
    """How often a test rejects data of a known kind, for each number of items.

    Args:
        sampler: makes the scores of both systems [n] from n and a random generator.
        test: gives a p value from both.
        sizes: the numbers of items to try.
        repeats: simulated comparisons for each.
        level: confidence level of the test; the Monte-Carlo interval is Wilson's at 95 %.
        seed: of the simulation; every size has a stream of its own.

    Raises:
        RangeError: fewer than 100 repeats, a level outside (0, 1).

    Source: own derivation.

    Example:
        >>> from tutelage.stats import PairedCounts, mcnemar
        >>> def sampler(n, rng):
        ...     return rng.random(n) < 0.5, rng.random(n) < 0.9
        >>> [found] = simulated_power(sampler, lambda a, b: mcnemar(PairedCounts.of(a, b)), [40], repeats=100)
        >>> found.power.value > 0.9
        True
    """
    alpha = 1 - open_unit(level, "the level")
    if repeats < 100:
        raise RangeError(f"{repeats} repeats say little about power", hint="use 1,000")
    found = []
    for n in sizes:
        rng = np.random.default_rng(derive(seed, "power", n))
        rejected = sum(test(*sampler(n, rng)) <= alpha for _ in range(repeats))
        found.append(PowerAt(n, proportion_interval(int(rejected), repeats)))
    return found
