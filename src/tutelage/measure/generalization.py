"""Which way a model generalised: two models that saw the same demonstrations, each asked about both values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from tutelage.errors import DataError
from tutelage.stats import paired_bootstrap
from tutelage.types import Estimate, Scores

__all__ = ["GeneralizationContrast", "both_orders", "generalization_contrast"]


@dataclass(frozen=True)
class GeneralizationContrast:
    """``total`` = [A|A - A|B] + [B|B - B|A], where X|Y is the mean score on the evaluation of X after reading about Y.

    ``of`` has the two brackets by the name of the evaluation. A positive ``total`` says that each model leans towards
    what it read about; one bracket alone may also be a preference for whatever the demonstrations show.
    """

    total: Estimate
    of: Mapping[str, Estimate]


def generalization_contrast(
    scores: Mapping[str, Mapping[str, Scores]], *, level: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> GeneralizationContrast:
    """Contrast two models by the values they read about.

    Args:
        scores: ``scores[reading][evaluation]``, with the same two names on both levels; per-item scores where more is
            more consistent with the evaluation's value.
        level: confidence level.
        resamples: of the bootstrap over items.
        seed: of the bootstrap.

    Returns:
        The contrast with intervals over the items; items of one cluster (``Scores.clusters``) are drawn together. For
        several seeds of training, give seeds as clusters or judge per-seed contrasts.

    Raises:
        DataError: not two readings, an evaluation is missing, or the two models were not asked the same items.

    Source: own derivation, after the toy experiment of arXiv 2605.02087.

    Example:
        >>> def made(*values):
        ...     return Scores("lean", ("1", "2"), np.array(values, dtype=float))
        >>> found = generalization_contrast(
        ...     {
        ...         "thrift": {"thrift": made(3, 3), "home": made(1, 1)},
        ...         "home": {"thrift": made(1, 1), "home": made(2, 2)},
        ...     }
        ... )
        >>> found.total.value, found.of["thrift"].value
        (3.0, 2.0)
    """
    names = tuple(scores)
    if len(names) != 2 or any(set(found) != set(names) for found in scores.values()):
        raise DataError("two readings are contrasted on the evaluations of both", hint=f"given: {', '.join(names)}")
    first, second = names
    parts = {first: _difference(scores, first, second), second: _difference(scores, second, first)}
    mean = partial(_mean, level=level, resamples=resamples, seed=seed)
    of = {name: mean(values, clusters) for name, (values, clusters) in parts.items()}
    sizes = {name: len(values) for name, (values, _) in parts.items()}
    total = sum(sizes.values())
    # each bracket's mean has the weight 1, however many items it has
    pooled = np.concatenate([total / sizes[name] * values for name, (values, _) in parts.items()])
    clusters = tuple(one for _, owners in parts.values() for one in owners)
    return GeneralizationContrast(mean(pooled, clusters), of)


def both_orders(metric: str, forward: Scores, backward: Scores) -> Scores:
    """Mean over the two orders in which a pair of options was shown; a preference for the first one cancels.

    Raises:
        DataError: the two orders do not have the same items.
    """
    if forward.ids != backward.ids:
        raise DataError("the two orders were not asked of the same items", where=f"metric {metric}")
    return Scores(metric, forward.ids, (forward.values + backward.values) / 2, forward.clusters)


def _difference(scores: Mapping[str, Mapping[str, Scores]], own: str, other: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Score on the evaluation of ``own`` after reading about it, minus that after reading about ``other``."""
    after_own, after_other = scores[own][own], scores[other][own]
    if after_own.ids != after_other.ids:
        raise DataError("the two models were not asked the same items", where=f"evaluation of {own}")
    owners = after_own.clusters or tuple(f"{own}/{name}" for name in after_own.ids)
    return np.asarray(after_own.values - after_other.values, dtype=np.float64), owners


def _mean(values: np.ndarray, clusters: tuple[str, ...], *, level: float, resamples: int, seed: int) -> Estimate:
    none = np.zeros(len(values))
    return paired_bootstrap(none, values, cluster=clusters, level=level, resamples=resamples, seed=seed).delta
