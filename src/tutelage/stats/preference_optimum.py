"""What the optimum of preference training would rank right, and how far a model stays behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, RangeError, ShapeError
from tutelage.stats.checks import Labels, finite_vector
from tutelage.stats.intervals import mean_interval
from tutelage.stats.preference import preference_share, response_pairs
from tutelage.types import Estimate

__all__ = ["BETAS", "AlignmentGap", "IdealizedAccuracy", "alignment_gap", "idealized_ranking_accuracy"]

Flags = npt.NDArray[np.bool_]
BETAS = (0.01, 0.1, 1.0, 5.0, 10.0)
"""The paper's grid where a model's beta is not known."""


@dataclass(frozen=True)
class IdealizedAccuracy:
    """Ranking accuracy of the optimum of preference training; over betas the least, the median and the greatest.

    ``right`` is [B, N] bool, a row a beta, and ``counted`` [N] False where raters were divided: such pairs have no
    order and are left out of the accuracies.
    """

    minimum: float
    median: float
    maximum: float
    per_beta: Mapping[float, float]
    right: Flags
    counted: Flags


def idealized_ranking_accuracy(
    ref_chosen: npt.ArrayLike,
    ref_rejected: npt.ArrayLike,
    votes: npt.ArrayLike,
    *,
    betas: Sequence[float] = BETAS,
    eps: float = 1e-3,
) -> IdealizedAccuracy:
    r"""Share of pairs that the optimum of DPO (or RLHF) on the raters' preferences ranks right.

    The optimum has :math:`\Delta^* = \Delta_{ref} + \beta^{-1}\log\frac{\alpha}{1-\alpha}`, alpha the share of raters
    who prefer the chosen response; right is :math:`\Delta^*>0`. The greater beta, the nearer to the reference.

    Args:
        ref_chosen: [N] log-probability of the preferred responses by the reference model, nats.
        ref_rejected: [N] of the others.
        votes: [N] alpha in [1/2, 1]; 1 is taken as 1 - eps.
        betas: above 0; all that are possible, where it is not known.
        eps: in (0, 1/2).

    Raises:
        RangeError: a beta, eps or share out of range, or no beta.
        DataError: raters were divided on every pair.

    Source: arXiv 2405.19534, theorem 3.1 and corollary 3.3. Ties are left out here; plain log-probabilities only, since
    the optimum's own log-probabilities are known up to a constant a prompt, which lengths would not cancel.

    Example:
        >>> found = idealized_ranking_accuracy([-9.0, -9.0], [-6.0, -60.0], [0.9, 1.0], betas=(0.1, 1.0))
        >>> found.minimum, found.maximum
        (0.5, 1.0)
    """
    first, second = response_pairs(ref_chosen, ref_rejected)
    share = preference_share(votes, len(first))
    if not betas or not all(0 < beta < np.inf for beta in betas):
        raise RangeError("betas must be finite and above 0, at least one")
    if not 0 < eps < 0.5:
        raise RangeError(f"eps must lie in (0, 1/2), not {eps}")
    counted: Flags = share > 0.5
    if not counted.any():
        raise DataError("raters were divided on every pair: there is no order to get right")
    share = np.minimum(share, 1 - eps)
    pull = np.log(share) - np.log1p(-share)
    right = np.array([first - second + pull / beta > 0 for beta in betas])
    means = right[:, counted].mean(axis=1)
    per_beta = {float(beta): float(mean) for beta, mean in zip(betas, means, strict=True)}
    return IdealizedAccuracy(float(means.min()), float(np.median(means)), float(means.max()), per_beta, right, counted)


@dataclass(frozen=True)
class AlignmentGap:
    """Idealised minus observed ranking accuracy on the same pairs, with intervals; the three as over betas."""

    minimum: float
    median: float
    maximum: float
    per_beta: Mapping[float, Estimate]


def alignment_gap(
    idealized: IdealizedAccuracy, right: npt.ArrayLike, *, cluster: Labels | None = None, level: float = 0.95
) -> AlignmentGap:
    """How far the model stays behind the optimum of its own objective.

    Args:
        idealized: of the reference model and the raters' votes.
        right: [N] whether the model ranks the pair right (:func:`ranked_right`, plain).
        cluster: [N] pairs of one cluster are not independent.
        level: of the intervals (Student's t of the differences, pair by pair).

    Raises:
        ShapeError: another number of pairs.

    Source: arXiv 2405.19534, section 3.

    Example:
        >>> found = idealized_ranking_accuracy([-9.0, -9.0], [-6.0, -60.0], [0.9, 1.0], betas=(0.1, 1.0))
        >>> alignment_gap(found, [False, True]).maximum
        0.5
    """
    observed = finite_vector(right, "right")
    if observed.shape != idealized.counted.shape:
        raise ShapeError(f"{len(observed)} pairs were ranked, {len(idealized.counted)} idealised")
    kept = idealized.counted
    labels: Any = None if cluster is None else [cluster[int(i)] for i in np.flatnonzero(kept)]
    differences = {
        beta: row[kept].astype(np.float64) - observed[kept]
        for beta, row in zip(idealized.per_beta, idealized.right, strict=True)
    }
    per_beta = {beta: mean_interval(one, labels, level=level) for beta, one in differences.items()}
    gaps = [one.value for one in per_beta.values()]
    return AlignmentGap(min(gaps), float(np.median(gaps)), max(gaps), per_beta)
