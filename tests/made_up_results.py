"""Results of two systems with a known truth, for tests of comparing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tutelage.measure.results import MetricFacts, Results, TaskResults

__all__ = ["graded", "paired", "results", "task"]


def task(
    name: str,
    values: Sequence[float] | np.ndarray,
    *,
    ids: Sequence[str] | None = None,
    metric: str = "exact",
    facts: MetricFacts | None = None,
    groups: Mapping[str, Sequence[str]] | None = None,
    **texts,
) -> TaskResults:
    """One task with one metric."""
    array = np.asarray(values, dtype=float)
    ids = tuple(ids) if ids is not None else tuple(f"i{n:06d}" for n in range(len(array)))
    labels = {key: tuple(column) for key, column in (groups or {}).items()}
    return TaskResults(name, ids, {metric: array}, {metric: facts or MetricFacts()}, groups=labels, **texts)


def results(name: str, *tasks: TaskResults, **more) -> Results:
    """A system."""
    return Results(name, f"{name}.jsonl", {table.task: table for table in tasks}, **more)


def paired(both: int, broke: int, mended: int, neither: int) -> tuple[np.ndarray, np.ndarray]:
    """Right or wrong, old and new, with exactly these counts."""
    old = np.repeat([1.0, 1.0, 0.0, 0.0], [both, broke, mended, neither])
    new = np.repeat([1.0, 0.0, 1.0, 0.0], [both, broke, mended, neither])
    return old, new


def graded(n: int, shift: float, spread: float = 0.1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores in [0, 1] and the same moved by ``shift`` with noise."""
    rng = np.random.default_rng(seed)
    old = rng.uniform(0.3, 0.7, n)
    return old, np.clip(old + shift + rng.normal(0, spread, n), 0, 1)
