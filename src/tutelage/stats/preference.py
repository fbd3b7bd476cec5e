"""Whether a model finds the preferred response likelier, and what the best reachable answer to that would be.

Everything is in log-probabilities of whole responses (nats), of which only differences are used: the quotient of two
log-probabilities, which one also meets, ranks nothing. Short responses are likelier than long ones whatever they say,
so read every ranking accuracy beside its length-normalised form and :func:`length_only_accuracy`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, RangeError, ShapeError
from tutelage.stats.checks import Labels, finite_array, finite_vector
from tutelage.stats.intervals import mean_interval, share_interval
from tutelage.types import Estimate

__all__ = [
    "length_only_accuracy",
    "preference_share",
    "ranked_right",
    "ranking_accuracy",
    "rankings_match",
    "response_pairs",
]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def preference_share(votes: npt.ArrayLike, n: int) -> Floats:
    """``votes`` [n] as shares of raters who prefer the chosen response, checked.

    Raises:
        ShapeError: another number of them.
        RangeError: one outside [1/2, 1]; the position is named. Below 1/2 chosen and rejected are the wrong way round.
    """
    share = finite_vector(votes, "votes")
    if share.shape != (n,):
        raise ShapeError(f"{len(share)} votes for {n} pairs")
    outside = np.flatnonzero((share < 0.5) | (share > 1))
    if outside.size:
        raise RangeError(
            f"a share of votes for the chosen response of {share[outside[0]]:g}",
            where=f"position {int(outside[0])}",
            hint="shares lie in [1/2, 1]: where fewer raters prefer the chosen response, swap the two",
        )
    return share


def ranked_right(
    chosen: npt.ArrayLike,
    rejected: npt.ArrayLike,
    chosen_lengths: npt.ArrayLike | None = None,
    rejected_lengths: npt.ArrayLike | None = None,
    *,
    votes: npt.ArrayLike | None = None,
    tie_eps: float = 0.01,
) -> Flags:
    r"""Of each pair, whether the model ranks it right: :math:`\log\pi(y_w|x) \ge \log\pi(y_l|x)`.

    With lengths both are divided by them first: the geometric mean probability of a token. Where half of the raters
    prefer either, right means that neither is clearly likelier:
    :math:`|\pi(y_w|x)-\pi(y_l|x)|<\epsilon`, of geometric means with lengths. Without lengths probabilities of long
    responses are all next to 0, and so such a pair counts as right nearly always: judge ties by the normalised form.

    Args:
        chosen: [N] summed log-probability of the preferred responses, nats.
        rejected: [N] of the others.
        chosen_lengths: [N] their tokens, at least 1; give both or none.
        rejected_lengths: [N] those of the others.
        votes: [N] share of raters who prefer the chosen one, in [1/2, 1]; None: all above 1/2.
        tie_eps: the band of a tie, a probability.

    Returns:
        [N] bool.

    Raises:
        ShapeError: lengths that differ, or lengths of one side only.
        DataError: no pairs.
        NumericalError: NaN or infinity.
        RangeError: a length below 1, a share outside [1/2, 1], a negative band, a tie judged on values above 0.

    Source: arXiv 2405.19534, definitions 2.3 (equality is right) and C.1; its code has a band of 5 % on quotients.

    Example:
        >>> ranked_right([-3.0, -9.0], [-4.0, -6.0]).tolist()
        [True, False]
        >>> ranked_right([-3.0, -9.0], [-4.0, -6.0], [2, 9], [4, 3]).tolist()
        [False, True]
    """
    first, second = response_pairs(chosen, rejected)
    if (chosen_lengths is None) != (rejected_lengths is None):
        raise ShapeError("lengths are needed of both responses or of none")
    if chosen_lengths is not None and rejected_lengths is not None:
        first = first / _lengths(chosen_lengths, len(first))
        second = second / _lengths(rejected_lengths, len(second))
    if not tie_eps >= 0:
        raise RangeError(f"the band of a tie is {tie_eps}, it must not be negative")
    right: Flags = first >= second
    if votes is None:
        return right
    tied: Flags = np.equal(preference_share(votes, len(first)), 0.5)
    if (np.maximum(first, second)[tied] > 0).any():
        raise RangeError("a log-probability is above 0", hint="ties are judged on probabilities, not on rewards")
    first, second = np.where(tied, first, 0.0), np.where(tied, second, 0.0)
    found: Flags = np.where(tied, np.abs(np.exp(first) - np.exp(second)) < tie_eps, right)
    return found


def ranking_accuracy(
    chosen: npt.ArrayLike,
    rejected: npt.ArrayLike,
    chosen_lengths: npt.ArrayLike | None = None,
    rejected_lengths: npt.ArrayLike | None = None,
    *,
    votes: npt.ArrayLike | None = None,
    tie_eps: float = 0.01,
    cluster: Labels | None = None,
    level: float = 0.95,
) -> Estimate:
    """Share of pairs that are ranked right, with Wilson's interval; see :func:`ranked_right`.

    Not the reward accuracy that trainers log: that asks whether the difference grew from the reference model's.

    Args:
        chosen: as :func:`ranked_right`, like the rest.
        rejected: the others.
        chosen_lengths: tokens.
        rejected_lengths: tokens of the others.
        votes: shares.
        tie_eps: the band of a tie.
        cluster: [N] pairs of one cluster (one prompt, say) are not independent.
        level: of the interval.

    Source: arXiv 2405.19534, definition 2.3 and remark 2.5.

    Example:
        >>> ranking_accuracy([-3.0, -9.0], [-4.0, -6.0]).value
        0.5
    """
    right = ranked_right(chosen, rejected, chosen_lengths, rejected_lengths, votes=votes, tie_eps=tie_eps)
    return share_interval(right.astype(np.float64), cluster, level=level)


def rankings_match(logprobs: npt.ArrayLike, ranks: npt.ArrayLike) -> Flags:
    """Of each prompt with m responses, whether the model's whole ranking is the wanted one.

    Every response of a better rank must be strictly likelier than every one of a worse rank; what shares a rank may
    come in any order. With m = 2 this is the ranking of a pair, but that equality is not right.

    Args:
        logprobs: [N, m] log-probabilities, plain or per token.
        ranks: [N, m] wanted ranks, 1 the best; equal ranks are ties.

    Returns:
        [N] bool.

    Raises:
        ShapeError: not [N, m] twice, with m at least 2.
        NumericalError: NaN or infinity.

    Source: arXiv 2405.19534, definition A.8; the treatment of ties is ours.

    Example:
        >>> rankings_match([[-1.0, -2.0, -3.0], [-1.0, -3.0, -2.0]], [[1, 2, 3], [1, 2, 3]]).tolist()
        [True, False]
    """
    values, wanted = finite_array(logprobs, "logprobs"), finite_array(ranks, "ranks")
    if values.ndim != 2 or values.shape != wanted.shape or values.shape[1] < 2:
        raise ShapeError(f"logprobs are {values.shape} and ranks {wanted.shape}", hint="need [N, m] of both, m >= 2")
    if not len(values):
        raise DataError("there is no ranking")
    better = wanted[:, :, None] < wanted[:, None, :]
    likelier = values[:, :, None] > values[:, None, :]
    found: Flags = np.all(likelier | ~better, axis=(1, 2))
    return found


def length_only_accuracy(
    chosen_lengths: npt.ArrayLike,
    rejected_lengths: npt.ArrayLike,
    *,
    cluster: Labels | None = None,
    level: float = 0.95,
) -> Estimate:
    """What "the shorter response is the likelier" would rank right, without any model; equal lengths count one half.

    Args:
        chosen_lengths: [N] tokens of the preferred responses.
        rejected_lengths: [N] of the others.
        cluster: as in :func:`ranking_accuracy`.
        level: of the interval (Student's t, as values may be 1/2).

    Source: own derivation.

    Example:
        >>> length_only_accuracy([2, 5, 4], [3, 4, 4]).value
        0.5
    """
    first = finite_vector(chosen_lengths, "chosen_lengths")
    first, second = _lengths(first, len(first)), _lengths(rejected_lengths, len(first))
    return mean_interval(np.where(first == second, 0.5, first < second), cluster, level=level)


def response_pairs(chosen: npt.ArrayLike, rejected: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Both columns as float64 [N], finite and of one length.

    Raises:
        ShapeError: they differ in length, or are no vectors.
    """
    first, second = finite_vector(chosen, "chosen"), finite_vector(rejected, "rejected")
    if first.shape != second.shape:
        raise ShapeError(f"{len(first)} chosen responses and {len(second)} rejected ones")
    return first, second


def _lengths(lengths: npt.ArrayLike, n: int) -> Floats:
    found = finite_vector(lengths, "lengths")
    if found.shape != (n,):
        raise ShapeError(f"{len(found)} lengths for {n} responses")
    if (found < 1).any():
        raise RangeError("a response has at least one token", where=f"position {int((found < 1).argmax())}")
    return found
