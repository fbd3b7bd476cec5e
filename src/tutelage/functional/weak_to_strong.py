r"""Losses of a strong student on a weak supervisor's labels, unreduced, for any number of classes.

Logits z [B, K], weak probabilities w [B, K], :math:`p=softmax(z)`. Each loss is a cross-entropy
:math:`-\sum_k q_k\log p_k` whose target q lies somewhere between the weak label and the student's own opinion.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from tutelage.errors import NumericalError, RangeError, ShapeError
from tutelage.functional.rows import working_dtype
from tutelage.functional.weak_labels import check_labels

__all__ = [
    "ConfidenceSettings",
    "Threshold",
    "Warmup",
    "confidence",
    "entropy",
    "hardened",
    "own_share",
    "product",
    "window",
    "xent",
]

Threshold = Literal["rate", "half", "buffer"]
Warmup = Literal["linear", "legacy"]
_ROUNDING = 1e-6  # of a class count computed from float32 rates


@dataclass(frozen=True)
class ConfidenceSettings:
    """How far, how soon and by which threshold the student may trust itself.

    Attributes:
        a_max: largest weight of the student's own opinion, in [0, 1]; the paper has 0.75 for its largest students and
            0.5 otherwise, the public code 0.5.
        warmup_frac: share of the steps over which the weight grows, in [0, 1]; the paper 0.2, the public code 0.1.
        threshold: "rate" hardens so that the class rates are those of the weak labels (the public code), "half" so
            that all classes are equally frequent (the paper, for balanced data), "buffer" as "rate" over the batch and
            items seen before (EleutherAI's code, the last 32): quantiles of two to eight items are noise.
        warmup: "linear" grows to ``a_max``; "legacy" repeats a defect of the public code for exact reproduction: the
            weight is ``step_frac * a_max`` during the warm-up and then jumps to ``a_max``.

    Raises:
        RangeError: a value outside what is said above.
    """

    a_max: float = 0.5
    warmup_frac: float = 0.2
    threshold: Threshold = "rate"
    warmup: Warmup = "linear"

    def __post_init__(self) -> None:
        for name in ("a_max", "warmup_frac"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise RangeError(f"{name} is {getattr(self, name)}", hint="a share, in [0, 1]")
        if self.threshold not in get_args(Threshold):
            raise RangeError(f"threshold is {self.threshold!r}", hint="rate, half or buffer")
        if self.warmup not in get_args(Warmup):
            raise RangeError(f"warmup is {self.warmup!r}", hint="linear or legacy")


def own_share(step_frac: float, settings: ConfidenceSettings) -> float:
    """Weight a of the student's own opinion after the share ``step_frac`` of all steps.

    Raises:
        RangeError: ``step_frac`` outside [0, 1].

    Example:
        >>> [own_share(0.1, ConfidenceSettings(warmup=kind)) for kind in ("linear", "legacy")]
        [0.25, 0.05]
    """
    if not 0.0 <= step_frac <= 1.0:
        raise RangeError(f"step_frac is {step_frac}", hint="steps done over steps in all, in [0, 1]")
    if settings.warmup == "legacy":
        return settings.a_max * (1.0 if step_frac > settings.warmup_frac else step_frac)
    return settings.a_max * (min(1.0, step_frac / settings.warmup_frac) if settings.warmup_frac > 0 else 1.0)


def xent(logits: Tensor, weak: Tensor) -> Tensor:
    """Plain cross-entropy on the weak labels [B], nats; arguments and errors as in :func:`confidence`.

    Example:
        >>> xent(torch.zeros(1, 2), torch.tensor([[0.9, 0.1]]))
        tensor([0.6931])
    """
    logp, target = _checked(logits, weak)
    return _cross_entropy(logp, target)


def product(logits: Tensor, weak: Tensor, *, alpha: float = 1.0, beta: float = 1.0) -> Tensor:
    r"""Cross-entropy [B] on :math:`q\propto p^\beta w^\alpha`, normalised and without gradient.

    Args:
        logits: [B, K] of the student.
        weak: [B, K] probabilities.
        alpha: trust in the weak labels, at least 0; with 0 their zeros count for nothing.
        beta: trust in the student, at least 0.

    Raises:
        RangeError: a negative or infinite power; the rest as in :func:`confidence`.

    Source: product loss of the public code of arXiv 2312.09390.
    """
    for name, value in (("alpha", alpha), ("beta", beta)):
        if not 0.0 <= value < math.inf:
            raise RangeError(f"{name} is {value}", hint="a finite power, 0 or more")
    logp, target = _checked(logits, weak)
    powered = alpha * target.log() if alpha > 0 else torch.zeros_like(target)
    own = beta * logp.detach() if beta > 0 else torch.zeros_like(target)
    return _cross_entropy(logp, torch.softmax(own + powered, dim=1))


def confidence(
    logits: Tensor,
    weak: Tensor,
    step_frac: float,
    settings: ConfidenceSettings | None = None,
    *,
    seen: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    r"""The auxiliary confidence loss: cross-entropy on :math:`(1-a)\,w + a\,h`, h the hardened student, no gradient.

    Args:
        logits: [B, K] of the student, K at least 2.
        weak: [B, K] probabilities of the supervisor.
        step_frac: share of all steps that are done, in [0, 1]; sets a (:func:`own_share`).
        settings: defaults are the paper's for all but the largest students.
        seen: see :func:`hardened`.

    Returns:
        [B] float32 (float64 for float64), nats.

    Raises:
        ShapeError: shapes that do not fit together, fewer than two classes.
        RangeError: a row of ``weak`` that is no distribution, ``step_frac`` outside [0, 1].
        NumericalError: NaN in the labels or logits.

    Source: arXiv 2312.09390, section 4.3, and its public code (two classes); more classes: :func:`hardened`.

    Example:
        >>> both = ConfidenceSettings(a_max=1.0)
        >>> z = torch.tensor([[2.0, 0.0], [1.0, 0.0]])
        >>> w = torch.tensor([[0.0, 1.0], [1.0, 0.0]])  # half of each class: the surer first row becomes class 0
        >>> confidence(z, w, 1.0, both)
        tensor([0.1269, 1.3133])
    """
    settings = settings or ConfidenceSettings()
    share = own_share(step_frac, settings)
    logp, target = _checked(logits, weak)
    own = hardened(logits, weak, settings.threshold, seen=seen).to(target.dtype)
    return _cross_entropy(logp, (1 - share) * target + share * own)


def hardened(
    logits: Tensor, weak: Tensor, threshold: Threshold = "rate", *, seen: tuple[Tensor, Tensor] | None = None
) -> Tensor:
    r"""The student's classes [B, K], one-hot, when each class may be given to only so many items.

    Classes are given so that :math:`\sum\log p` is largest while class counts are fixed. With :math:`r_k` the mean weak
    probability of the classes k and above ("half": :math:`(K-k)/K`), :math:`\lceil r_k(B-1)\rceil` items go to these.
    For two classes that is, ties aside, the quantile rule of the public code: class 0 where
    :math:`p_0\ge quantile(p_0, \bar w_1)`. A threshold per class on :math:`\log p_k` plus a constant exists for more.

    Args:
        logits: [B, K]; receives no gradient.
        weak: [B, K] probabilities.
        threshold: where the class counts come from; see :class:`ConfidenceSettings`.
        seen: for "buffer": logits [M, K] and weak labels [M, K] of earlier items.

    Raises:
        RangeError: items seen before with another threshold; the rest as in :func:`confidence`.

    Source: public code of arXiv 2312.09390 for K = 2; own derivation for more: an assignment problem.
    """
    before = 0
    with torch.no_grad():
        if seen is not None and threshold != "buffer":
            raise RangeError(f"items seen before, but the threshold is {threshold!r}", hint="use buffer")
        if seen is not None and len(seen[0]):
            logits, weak = torch.cat([seen[0], logits]), torch.cat([seen[1].to(weak.dtype), weak])
            before = len(seen[0])
        logp, target = _checked(logits, weak)
        rows, classes = logp.shape
        rates = target.mean(0) if threshold != "half" else torch.full_like(target[0], 1 / classes)
        above = rates.double().cpu().flip(0).cumsum(0).flip(0).numpy()
        reach = np.ceil(np.minimum(above[1:], 1.0) * (rows - 1) - _ROUNDING).clip(0).astype(int)
        bounds = np.array([rows, *reach, 0])
        slots = np.repeat(np.arange(classes), bounds[:-1] - bounds[1:])
        if classes == 2:
            order = (logp[:, 0] - logp[:, 1]).sort(descending=True, stable=True).indices
            given = torch.empty(rows, dtype=torch.int64, device=logp.device)
            given[order] = torch.from_numpy(slots).to(logp.device)
        else:
            costs = -logp.double().clamp(min=-1e6).cpu().numpy()
            given = torch.from_numpy(slots[linear_sum_assignment(costs[:, slots])[1]]).to(logp.device)
        return torch.nn.functional.one_hot(given[before:], classes)


def window(logits: Tensor, weak: Tensor, *, radius: float = 0.15) -> Tensor:
    r"""Cross-entropy on the weak label where the student is unsure (:math:`\max_k p_k < 0.5+r`), 0 elsewhere; [B].

    The mean over the batch divides by all B, as in EleutherAI's variant.

    Raises:
        RangeError: a radius outside (0, 0.5]; the rest as in :func:`confidence`.
    """
    if not 0.0 < radius <= 0.5:
        raise RangeError(f"radius is {radius}", hint="in (0, 0.5]")
    logp, target = _checked(logits, weak)
    unsure = logp.detach().max(1).values.exp() < 0.5 + radius
    return _cross_entropy(logp, target) * unsure


def entropy(logits: Tensor, weak: Tensor, step_frac: float, settings: ConfidenceSettings | None = None) -> Tensor:
    r"""Cross-entropy on :math:`(1-a)\,w + a\,p`: the student's own entropy in the place of its hardened opinion; [B].

    The gradient goes through p in the target too; without it the second part would have none at all.

    Raises:
        As :func:`confidence`.

    Source: un-hardened variant of EleutherAI's code.
    """
    share = own_share(step_frac, settings or ConfidenceSettings())
    logp, target = _checked(logits, weak)
    return _cross_entropy(logp, (1 - share) * target + share * logp.exp())


def _checked(logits: Tensor, weak: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probabilities and detached labels, both in the working precision."""
    if logits.ndim != 2 or logits.shape != weak.shape or not len(logits):
        raise ShapeError(
            f"logits are {tuple(logits.shape)}, weak labels {tuple(weak.shape)}", hint="both [B, K], B > 0"
        )
    check_labels(weak)
    if bool(logits.isnan().any()):
        raise NumericalError("a logit is NaN", where=f"row {int(logits.isnan().any(1).nonzero()[0])}")
    dtype = working_dtype(logits, weak)
    return logits.to(dtype).log_softmax(1), weak.detach().to(dtype)


def _cross_entropy(logp: Tensor, target: Tensor) -> Tensor:
    """[B]; a class that the target rules out adds nothing, even where the student rules it out too."""
    return -(target * logp.masked_fill(target == 0, 0.0)).sum(1)
