"""Whom a result owes: credit of agents or messages by what happens without them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.errors import DataError, NumericalError, RangeError

__all__ = ["Credit", "leave_one_out", "shapley"]

Reward = Callable[[frozenset[str]], float]


@dataclass(frozen=True)
class Credit:
    """``values[unit]`` in units of the reward, and its standard error over the permutations (0 when exact)."""

    values: dict[str, float]
    standard_errors: dict[str, float]


def leave_one_out(units: Sequence[str], reward: Reward) -> dict[str, float]:
    """Per unit the reward with everything minus the reward without it.

    Args:
        units: agents, messages or events, by name.
        reward: replays the run with only these units; it must freeze its randomness, or the differences are noise.

    Raises:
        DataError: a name stands twice.
        NumericalError: a reward is not finite.

    Example:
        >>> leave_one_out(["a", "b"], lambda kept: float("a" in kept))
        {'a': 1.0, 'b': 0.0}
    """
    whole = frozenset(_distinct(units))
    full = _finite(reward(whole))
    return {unit: full - _finite(reward(whole - {unit})) for unit in units}


def shapley(units: Sequence[str], reward: Reward, *, permutations: int = 200, seed: int = 0) -> Credit:
    r"""Shapley value of each unit by sampled orders: the mean of what it adds to those before it.

    Orders come in pairs, each with its reverse, which cancels much of the noise; every coalition is replayed once.
    The values add up to the reward of all minus the reward of none, exactly.

    Args:
        units: players, by name.
        reward: of a coalition; deterministic.
        permutations: how many orders, at least 2 and even.
        seed: of the orders.

    Raises:
        DataError: a name stands twice, or there is none.
        RangeError: fewer than two orders, or an odd number.
        NumericalError: a reward is not finite.

    Source: Castro et al. 2009 for the sampling; antithetic orders as in Mitchell et al. 2022.

    Example:
        >>> shapley(["a", "b"], lambda kept: float(len(kept) == 2)).values
        {'a': 0.5, 'b': 0.5}
    """
    names = _distinct(units)
    if permutations < 2 or permutations % 2:
        raise RangeError(f"{permutations} permutations", hint="an even number, at least 2")
    known: dict[frozenset[str], float] = {}

    def value(coalition: frozenset[str]) -> float:
        if coalition not in known:
            known[coalition] = _finite(reward(coalition))
        return known[coalition]

    rng = np.random.default_rng(seed)
    pairs = np.zeros((permutations // 2, len(names)))
    for row in pairs:
        order = rng.permutation(len(names))
        for places in (order, order[::-1]):
            before: frozenset[str] = frozenset()
            for place in places:
                joined = before | {names[place]}
                row[place] += (value(joined) - value(before)) / 2
                before = joined
    means = pairs.mean(axis=0)
    errors = pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs)) if len(pairs) > 1 else np.full(len(names), np.nan)
    return Credit(dict(zip(names, map(float, means), strict=True)), dict(zip(names, map(float, errors), strict=True)))


def _distinct(units: Sequence[str]) -> list[str]:
    if not units or len(set(units)) < len(units):
        raise DataError("units must be there and have different names", where=f"{len(units)} units")
    return list(units)


def _finite(value: float) -> float:
    if not np.isfinite(value):
        raise NumericalError(f"the reward is {value}")
    return float(value)
