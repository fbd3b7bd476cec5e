"""How low the loss of a preference pair must fall before its ranking is right, and which pairs did turn round."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.errors import RangeError, ShapeError
from tutelage.stats.checks import finite_vector
from tutelage.stats.preference import response_pairs

__all__ = ["FlipGroup", "FlipTable", "IpoReach", "PairDifficulty", "flip_table", "ipo_reachable", "pair_difficulty"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PairDifficulty:
    """``c`` [N] nats by which the reference prefers the wrong response; ``required_loss`` [N] nats."""

    c: Floats
    required_loss: Floats


def pair_difficulty(ref_chosen: npt.ArrayLike, ref_rejected: npt.ArrayLike, beta: float = 0.1) -> PairDifficulty:
    r"""Difficulty :math:`c=\log\pi_{ref}(y_l|x)-\log\pi_{ref}(y_w|x)` and the DPO loss :math:`-\log\sigma(\beta c)`.

    A model ranks a pair right exactly when its DPO loss on it is at most the required one. The higher c, the lower that
    is: near :math:`e^{-\beta c}` for hard pairs. Where :math:`c\le0` the reference is right already and any loss up to
    log 2 keeps it so. One mean loss thus says nothing about the pairs.

    Args:
        ref_chosen: [N] log-probability of the preferred responses by the reference model, nats.
        ref_rejected: [N] of the others.
        beta: of the DPO loss, above 0.

    Raises:
        ShapeError: another number of rejected responses.
        RangeError: ``beta`` not above 0.

    Source: arXiv 2405.19534, theorem 4.1 and proposition 2.6.

    Example:
        >>> found = pair_difficulty([-9.0, -3.0], [-3.0, -9.0], beta=0.5)
        >>> found.c.tolist(), found.required_loss.round(3).tolist()
        ([6.0, -6.0], [0.049, 3.049])
    """
    if not 0 < beta < math.inf:
        raise RangeError(f"beta must be finite and above 0, not {beta}")
    c = -_difference(ref_chosen, ref_rejected)
    return PairDifficulty(c, np.logaddexp(0.0, -beta * c))


@dataclass(frozen=True)
class IpoReach:
    """``reachable`` [N] bool; ``sufficient_loss`` [N] nats squared, minus infinity where no loss is low enough."""

    reachable: Flags
    sufficient_loss: Floats


def ipo_reachable(ref_chosen: npt.ArrayLike, ref_rejected: npt.ArrayLike, tau: float = 0.1) -> IpoReach:
    r"""Whether a low IPO loss can mean a right ranking.

    The loss is :math:`(\Delta_\theta-\Delta_{ref}-\frac1{2\tau})^2`. Where :math:`\Delta_{ref}<-\frac1{2\tau}` a loss
    of 0 is a wrong ranking; elsewhere any loss up to :math:`(\Delta_{ref}+\frac1{2\tau})^2` is a right one.

    Args:
        ref_chosen: as :func:`pair_difficulty`.
        ref_rejected: as :func:`pair_difficulty`.
        tau: of the IPO loss, above 0.

    Raises:
        ShapeError: another number of rejected responses.
        RangeError: ``tau`` not above 0.

    Source: arXiv 2405.19534, proposition A.7, on sums of log-probabilities; TRL divides them by length first.

    Example:
        >>> ipo_reachable([-9.0, -4.0], [-3.0, -3.0], tau=0.1).reachable.tolist()
        [False, True]
    """
    if not 0 < tau < math.inf:
        raise RangeError(f"tau must be finite and above 0, not {tau}")
    room = _difference(ref_chosen, ref_rejected) + 1 / (2 * tau)
    return IpoReach(room >= 0, np.where(room >= 0, np.square(room), -np.inf))


@dataclass(frozen=True)
class FlipGroup:
    """Pairs of one cell: how many, which share of all, mean loss and mean margin (None without pairs or values)."""

    count: int
    share: float
    loss: float | None
    margin: float | None


@dataclass(frozen=True)
class FlipTable:
    """Pairs by whether the reference and the model rank them right; the four shares add up to 1."""

    stayed_right: FlipGroup
    turned_right: FlipGroup
    turned_wrong: FlipGroup
    stayed_wrong: FlipGroup

    @property
    def corrected(self) -> float | None:
        """Share of the pairs wrong at first that are right now; None where none was wrong."""
        wrong = self.turned_right.count + self.stayed_wrong.count
        return self.turned_right.count / wrong if wrong else None


def flip_table(
    reference: npt.ArrayLike,
    now: npt.ArrayLike,
    *,
    loss: npt.ArrayLike | None = None,
    margin: npt.ArrayLike | None = None,
) -> FlipTable:
    """Four shares: right or wrong at the reference model, right or wrong now, with mean loss and margin of each.

    Args:
        reference: [N] whether the reference model ranks the pair right.
        now: [N] whether the model does.
        loss: [N] its loss, nats.
        margin: [N] its margin, such as the difference of rewards.

    Raises:
        ShapeError: columns of different length.
        RangeError: a flag that is neither 0 nor 1.

    Source: arXiv 2405.19534, section 4.1.

    Example:
        >>> table = flip_table([1, 0, 0, 0], [1, 1, 0, 0], loss=[0.5, 0.4, 0.6, 0.8])
        >>> table.turned_right.share, table.stayed_wrong.loss, round(table.corrected, 3)
        (0.25, 0.7, 0.333)
    """
    first, second = finite_vector(reference, "reference"), finite_vector(now, "now")
    columns = {name: finite_vector(x, name) for name, x in (("loss", loss), ("margin", margin)) if x is not None}
    if any(len(one) != len(first) for one in (second, *columns.values())):
        raise ShapeError("flags, loss and margin need one value for each pair")
    if not np.isin([first, second], (0, 1)).all():
        raise RangeError("a pair is ranked right or wrong: flags are 0 or 1")

    def group(before: int, after: int) -> FlipGroup:
        here = (first == before) & (second == after)
        mean = {name: float(one[here].mean()) for name, one in columns.items() if here.any()}
        return FlipGroup(int(here.sum()), float(here.mean()), mean.get("loss"), mean.get("margin"))

    return FlipTable(group(1, 1), group(0, 1), group(1, 0), group(0, 0))


def _difference(chosen: npt.ArrayLike, rejected: npt.ArrayLike) -> Floats:
    first, second = response_pairs(chosen, rejected)
    return np.asarray(first - second)
