"""A comparison of methods with settings to choose, in which the test set cannot take part in the choice."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np

from tutelage.errors import ConfigError
from tutelage.types import Scores

__all__ = ["Split", "StudyReport", "kd_study"]

Setting = TypeVar("Setting", bound=Hashable)
Split = Literal["validation", "test"]
Evaluate = Callable[[str, Setting, int, Split], Scores]


@dataclass(frozen=True)
class StudyReport(Generic[Setting]):
    """What was chosen on which split, and what came out.

    Attributes:
        chosen: method to setting.
        selected_on: method to the split it was chosen on; "test" only for the methods named in ``leaks``.
        selection: method to (setting, mean score on the split of the choice) of everything that was tried.
        test: method to one :class:`~tutelage.types.Scores` a seed on the test set.
        seeds: of the final runs.
    """

    chosen: Mapping[str, Setting]
    selected_on: Mapping[str, Split]
    selection: Mapping[str, tuple[tuple[Setting, float], ...]]
    test: Mapping[str, tuple[Scores, ...]]
    seeds: tuple[int, ...]

    def means(self, method: str) -> list[float]:
        """Mean test score of each seed."""
        return [float(scores.values.mean()) for scores in self.test[method]]


def kd_study(
    grids: Mapping[str, Sequence[Setting]],
    evaluate: Evaluate[Setting],
    *,
    selection_seeds: Sequence[int],
    seeds: Sequence[int],
    leaks: Sequence[str] = (),
) -> StudyReport[Setting]:
    """Choose each method's setting on validation, then score the chosen one on test, once per seed.

    The mean over the selection seeds decides; of equals the first in the grid. Giving the baseline a grid (of learning
    rates) as long as the others' is the caller's duty. ``evaluate`` is asked for "test" only after the choice, except
    for the methods in ``leaks``, which exist to show what choosing on the test set does.

    Args:
        grids: method to the settings to try.
        evaluate: ``(method, setting, seed, split)`` to scores, higher is better; trains, or looks up what it trained.
        selection_seeds: of the runs that the choice is made on.
        seeds: of the final runs; they may be the same, for a choice on validation does not touch the test set.
        leaks: methods that are chosen on the test set.

    Raises:
        ConfigError: an empty grid, no seeds or one twice, an unknown leak.

    Source: the second protocol of KD capacity (arXiv 2605.31191), which uses one selection seed; its code looks at the
        test set twice per run (best and last checkpoint), this does once.
    """
    _check(grids, selection_seeds, seeds, leaks)
    selected_on: dict[str, Split] = {method: "test" if method in leaks else "validation" for method in grids}
    selection: dict[str, tuple[tuple[Setting, float], ...]] = {}
    chosen: dict[str, Setting] = {}
    test: dict[str, tuple[Scores, ...]] = {}
    for method, grid in grids.items():
        split = selected_on[method]
        tried = [
            (one, float(np.mean([evaluate(method, one, seed, split).values.mean() for seed in selection_seeds])))
            for one in grid
        ]
        selection[method] = tuple(tried)
        chosen[method] = max(tried, key=lambda pair: pair[1])[0]  # the first of equals
    for method in grids:
        test[method] = tuple(evaluate(method, chosen[method], seed, "test") for seed in seeds)
    return StudyReport(chosen, selected_on, selection, test, tuple(seeds))


def _check(
    grids: Mapping[str, Sequence[Setting]], selection_seeds: Sequence[int], seeds: Sequence[int], leaks: Sequence[str]
) -> None:
    empty = [method for method, grid in grids.items() if not grid]
    if empty or not grids:
        raise ConfigError("a method without settings", where=", ".join(empty) or "grids", hint="at least one setting")
    if not selection_seeds or not seeds or len(set(seeds)) != len(seeds):
        raise ConfigError("seeds are missing or stand twice", where="seeds", hint="at least one of each")
    unknown = sorted(set(leaks) - grids.keys())
    if unknown:
        raise ConfigError(f"no method {unknown[0]!r}", where="leaks", hint=f"one of {', '.join(grids)}")
