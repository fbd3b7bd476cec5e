"""Agreement of two raters beyond chance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, NumericalError, RangeError, ShapeError
from tutelage.stats.checks import Labels, cluster_codes
from tutelage.stats.intervals import proportion_interval
from tutelage.stats.resampling import bootstrap_interval, check_settings, resampled_cells
from tutelage.types import Estimate

__all__ = ["Agreement", "cohen_kappa", "lowest_of_perfect"]

Floats = npt.NDArray[np.float64]
Ratings = Sequence[Any] | npt.NDArray[Any]
Weights = Literal["linear", "quadratic"]
_NUMBERS_AT_ONCE = 8_000_000


@dataclass(frozen=True)
class Agreement:
    r"""Kappa with what it must not be read without.

    Attributes:
        kappa: :math:`(p_o-p_e)/(1-p_e)`; None where it is not defined, and ``undefined`` says why.
        observed: :math:`p_o`, share of agreement (weighted like kappa).
        expected: :math:`p_e`, agreement expected by chance from how often each rater gives each label.
        prevalence: :math:`|n_{11}-n_{00}|/n`; two labels only. Near 1 kappa is low however well the raters agree.
        bias: :math:`|n_{10}-n_{01}|/n`; two labels only.
        pabak: :math:`(Kp_o-1)/(K-1)` for K labels, unweighted: kappa if all labels were equally likely.
        ac1: Gwet's :math:`(p_o-p_\gamma)/(1-p_\gamma)`, :math:`p_\gamma=\sum_k\pi_k(1-\pi_k)/(K-1)` with the mean share
            :math:`\pi_k` of label k; unweighted. Keeps its meaning at extreme prevalence.
        undefined: why kappa is None; empty otherwise.
    """

    kappa: Estimate | None
    observed: float
    expected: float
    prevalence: float | None
    bias: float | None
    pabak: float
    ac1: float
    undefined: str = ""


def cohen_kappa(
    y1: Ratings,
    y2: Ratings,
    *,
    weights: Weights | None = None,
    cluster: Labels | None = None,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 10_000,
) -> Agreement:
    r"""Cohen's kappa of two raters of the same items, with an expanded percentile bootstrap interval.

    With weights a disagreement counts by the distance of the labels' ranks, :math:`|i-j|` or :math:`(i-j)^2`; the
    labels must then be numbers, since the order of words is not known. Where both agree on every item resamples have no
    spread: the lower end is then that of Wilson's interval of the agreement, the expected agreement kept.

    Args:
        y1: labels by the first rater [N].
        y2: labels by the second [N].
        weights: ``"linear"`` or ``"quadratic"`` for ordered labels; None: all disagreements are equal.
        cluster: what is independent [N], for example the question; None: every item.
        level: confidence level.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        DataError: no items.
        ShapeError: raters of different numbers of items.
        NumericalError: a missing label (None or NaN).
        RangeError: unknown weights, or weights for labels that are not numbers.

    Source: Cohen 1960, 1968; Byrt, Bishop and Carlin 1993 for prevalence, bias and PABAK; Gwet 2008 for AC1.

    Example:
        >>> found = cohen_kappa([1, 1, 0, 0, 1, 0], [1, 1, 0, 1, 1, 0])
        >>> round(found.kappa.value, 3), round(found.observed, 3)
        (0.667, 0.833)
    """
    check_settings(resamples, level)
    if weights not in (None, "linear", "quadratic"):
        raise RangeError(f"no weights are called {weights!r}", hint="use 'linear', 'quadratic' or None")
    first, second, kinds = _coded(y1, y2, ordered=weights is not None)
    n, cells = first.size, first * kinds + second
    codes = None if cluster is None else cluster_codes(cluster, n)
    clusters = n if codes is None else int(codes.max()) + 1
    distance = np.abs(np.subtract.outer(np.arange(kinds), np.arange(kinds))).astype(np.float64)
    loss = {None: (distance > 0).astype(np.float64), "linear": distance, "quadratic": distance**2}[weights]
    loss /= max(1.0, float(loss.max()))
    table = np.bincount(cells, minlength=kinds * kinds).astype(np.float64)
    lost, chance = (float(x[0]) for x in _losses(table[None], loss))
    indices = _indices(table.reshape(kinds, kinds) / n)
    if chance == 0:
        return Agreement(None, 1.0, 1.0, *indices, undefined="both raters give one and the same label to all items")
    value = 1 - lost / chance
    rng, step = np.random.default_rng(seed), max(1, _NUMBERS_AT_ONCE // kinds**2)
    blocks = [
        _losses(resampled_cells(cells, kinds**2, codes, min(step, resamples - start), rng), loss)
        for start in range(0, resamples, step)
    ]
    drawn_lost, drawn_chance = (np.concatenate(x) for x in zip(*blocks, strict=True))
    drawn = 1 - drawn_lost / np.where(drawn_chance > 0, drawn_chance, np.nan)
    kappa = bootstrap_interval(drawn, Estimate(value, -1.0, 1.0, level, "", n, clusters, seed))
    if lost == 0:
        kappa = lowest_of_perfect(kappa, 1 / chance)
    return Agreement(kappa, 1 - lost, 1 - chance, *indices)


def lowest_of_perfect(found: Estimate, worst: float) -> Estimate:
    """An interval for agreement on everything: the lower end as if as many units disagreed as Wilson's bound allows.

    Args:
        found: the estimate, of value 1.
        worst: by how much one unit of disagreement lowers it, relative to one unit of agreement.
    """
    share = proportion_interval(found.n_clusters, found.n_clusters, level=found.level).low
    name = "wilson bound of perfect agreement"
    return Estimate(
        found.value, max(-1.0, 1 - (1 - share) * worst), 1.0, found.level, name, found.n, found.n_clusters, found.seed
    )


def _losses(tables: Floats, loss: Floats) -> tuple[Floats, Floats]:
    """Observed and expected mean loss of tables [B, K * K]."""
    kinds = len(loss)
    shares = (tables / tables.sum(axis=1, keepdims=True)).reshape(-1, kinds, kinds)
    chance = np.einsum("bi,ij,bj->b", shares.sum(axis=2), loss, shares.sum(axis=1), optimize=True)
    return np.einsum("bij,ij->b", shares, loss), np.where(chance > 1e-15, chance, 0.0)


def _indices(shares: Floats) -> tuple[float | None, float | None, float, float]:
    """Prevalence and bias index, PABAK and AC1 of a table of shares [K, K]."""
    kinds = max(2, len(shares))
    agreed = float(np.trace(shares))
    mean = (shares.sum(axis=0) + shares.sum(axis=1)) / 2
    chance = float((mean * (1 - mean)).sum()) / (kinds - 1)
    prevalence = abs(float(shares[1, 1] - shares[0, 0])) if len(shares) == 2 else None
    bias = abs(float(shares[1, 0] - shares[0, 1])) if len(shares) == 2 else None
    return prevalence, bias, (kinds * agreed - 1) / (kinds - 1), (agreed - chance) / (1 - chance)


def _coded(y1: Ratings, y2: Ratings, *, ordered: bool) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], int]:
    first, second = _plain(y1, "y1"), _plain(y2, "y2")
    if len(first) != len(second):
        raise ShapeError(f"y1 has {len(first)} labels, y2 has {len(second)}: align them first")
    if not first:
        raise DataError("no items were rated")
    if ordered and not all(isinstance(x, int | float) for x in [*first, *second]):
        raise RangeError("weights need labels that are numbers", hint="code the labels by their rank, such as 0, 1, 2")
    labels = {*first, *second}
    kinds = sorted(labels, key=None if all(isinstance(x, int | float) for x in labels) else str)
    place = {label: code for code, label in enumerate(kinds)}
    one, two = (np.fromiter((place[x] for x in side), np.intp, len(side)) for side in (first, second))
    return one, two, len(kinds)


def _plain(labels: Ratings, name: str) -> list[Any]:
    values: Iterable[Any] = labels.tolist() if isinstance(labels, np.ndarray) else labels
    found: list[Any] = list(values)
    for place, label in enumerate(found):
        if isinstance(label, list):
            raise ShapeError(f"{name} must hold one label for every item")
        if label is None or (isinstance(label, float) and math.isnan(label)):
            raise NumericalError(
                f"{name} lacks a label", where=f"position {place}", hint="leave the item out for both raters, counted"
            )
    return found
