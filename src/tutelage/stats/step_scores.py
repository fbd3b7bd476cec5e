"""One number for a solution from the scores of its steps, and how often supervision is wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, RangeError
from tutelage.stats.checks import finite_vector
from tutelage.stats.intervals import mean_within, share_interval
from tutelage.types import Estimate

__all__ = ["Aggregation", "aggregate", "outcome_error_rate", "stepwise_error_rate"]

Aggregation = Literal["min", "prod", "log_prod", "last", "mean", "max", "logit_mean"]
Floats = npt.NDArray[np.float64]
_EDGE = 1e-6  # a step that is certain has no finite logit


def _log_sum(scores: Floats) -> float:
    return -math.inf if scores.min() == 0 else math.fsum(np.log(scores))


def _logit_mean(scores: Floats) -> float:
    inside = np.clip(scores, _EDGE, 1 - _EDGE)
    return float(1 / (1 + math.exp(-math.fsum(np.log(inside) - np.log1p(-inside)) / scores.size)))


_RULES: dict[str, Callable[[Floats], float]] = {
    "min": lambda x: float(x.min()),
    "prod": lambda x: math.exp(_log_sum(x)),
    "log_prod": _log_sum,
    "last": lambda x: float(x[-1]),
    "mean": lambda x: math.fsum(x) / x.size,
    "max": lambda x: float(x.max()),
    "logit_mean": _logit_mean,
}


def aggregate(step_scores: npt.ArrayLike, how: Aggregation = "min") -> float:
    r"""The score of a solution from those of its steps.

    ``min``, ``last``, ``mean``, ``max``; ``prod`` :math:`\exp\sum_j\log s_j`; ``log_prod`` its logarithm, which still
    orders solutions whose product is too small for a float; ``logit_mean`` :math:`\sigma(\overline{\mathrm{logit}\,s})`
    with scores held inside [1e-6, 1 - 1e-6]. ``min`` and ``prod`` favour short solutions: see
    :func:`~tutelage.stats.length_diagnostic`.

    Args:
        step_scores: [S] probabilities that a step is right.
        how: the rule.

    Returns:
        A number in [0, 1]; for ``log_prod`` at most 0, and -inf where a step has score 0.

    Raises:
        DataError: no steps.
        NumericalError: NaN or infinity.
        RangeError: a score outside [0, 1], an unknown rule.

    Source: min, prod and last of arXiv 2403.09472 and 2510.00492; the others are common.

    Example:
        >>> [round(aggregate([0.5, 0.8, 0.9], how), 3) for how in ("min", "prod", "last", "mean")]
        [0.5, 0.36, 0.9, 0.733]
    """
    if how not in _RULES:
        raise RangeError(f"no rule is called {how!r}", hint=f"one of {', '.join(get_args(Aggregation))}")
    scores = finite_vector(step_scores, "step_scores")
    if scores.min() < 0 or scores.max() > 1:
        raise RangeError("the scores of steps are probabilities, in [0, 1]", hint="put logits through a logistic")
    return _RULES[how](scores)


def outcome_error_rate(wrong: npt.ArrayLike, *, level: float = 0.95) -> Estimate:
    """Share of solutions whose final answer is wrong, with Wilson's interval.

    Args:
        wrong: true or false for each solution [N]: is its answer wrong?
        level: confidence level.

    Raises:
        DataError: no solutions.
        RangeError: a value that is neither 0 nor 1.

    Source: arXiv 2410.20533.

    Example:
        >>> outcome_error_rate([True, True, False, True]).value
        0.75
    """
    return share_interval(wrong, level=level)


def stepwise_error_rate(
    wrong: Sequence[npt.ArrayLike], *, average: Literal["micro", "macro"] = "micro", level: float = 0.95
) -> Estimate:
    """Share of steps that are wrong: over all steps (micro), or in each solution first (macro).

    A step counts as wrong when it does not follow from what stands before it; right arithmetic on a wrong number is
    not a second error. The interval takes the steps of one solution as dependent.

    Args:
        wrong: for each solution true or false for each of its steps.
        average: ``"micro"`` weighs solutions by their number of steps, ``"macro"`` alike.
        level: confidence level.

    Raises:
        DataError: no solutions, or one without steps.
        RangeError: a value that is neither 0 nor 1, an unknown average.

    Source: arXiv 2410.20533 (micro); macro is ours.

    Example:
        >>> stepwise_error_rate([[True], [False, False, False]]).value
        0.25
        >>> stepwise_error_rate([[True], [False, False, False]], average="macro").value
        0.5
    """
    if average not in ("micro", "macro"):
        raise RangeError(f"no average is called {average!r}", hint="micro or macro")
    flags = [finite_vector(one, f"solution {i}") for i, one in enumerate(wrong)]
    if not flags:
        raise DataError("no solutions to count the errors of")
    together = np.concatenate(flags)
    if average == "micro":
        return share_interval(together, np.repeat(np.arange(len(flags)), [one.size for one in flags]), level=level)
    if not np.isin(together, (0, 1)).all():
        raise RangeError("a step is wrong (1) or not (0)")
    return mean_within([float(one.mean()) for one in flags], 0.0, 1.0, level=level)
