"""The one divergence kernel of distillation: how far the student's next-token distribution is from the teacher's.

Convention of ``direction``, with q the teacher and p the student: "forward" is KL(q || p), "reverse" is KL(p || q), and
a number beta in (0, 1) is the generalised Jensen-Shannon divergence beta KL(q || m) + (1 - beta) KL(p || m) with
m = beta q + (1 - beta) p; beta 0 means forward and 1 means reverse. These are the values of ``beta`` of
TRL 1.16's ``generalized_jsd_loss`` (GKD and GOLD trainers), and equal numbers come out. Note that neither end is the
limit of the middle: as beta nears 0 or 1 the mixture formula goes to 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.outcomes import divergence_
from tutelage.functional.rows import active_rows, blocks, check_vocabulary, refuse_infinite, working_dtype
from tutelage.functional.support import SparseRows, Support, Tail, restricted_divergence_

__all__ = ["Direction", "DivergenceSettings", "Divergences", "SupportStatistics", "token_divergence"]

Direction = Literal["forward", "reverse"] | float


@dataclass(frozen=True)
class DivergenceSettings:
    """What is compared, and how.

    Attributes:
        support: whose top-k tokens are compared ("union": those of both); "full" compares the whole vocabulary.
        k: tokens kept by a truncated support, at least 1; at k >= V the comparison is over the full vocabulary.
        direction: "forward", "reverse" or beta in [0, 1]; see the module's head.
        tail: "drop" renormalises both distributions on the support, so mass outside it is invisible;
            "bucket" keeps it as one more outcome, which makes the value a lower bound of the full divergence.
        temperature: T > 0; both distributions are softmax(logits / T).
        temperature_squared: multiply value and gradient by T^2, so that the gradient's size does not shrink with T
            (RAFT and classic distillation do, TRL's loss does not).
        statistics: also measure what the support covers.

    Raises:
        RangeError: a value outside what is said above.
    """

    support: Support = "full"
    k: int = 512
    direction: Direction = "forward"
    tail: Tail = "drop"
    temperature: float = 1.0
    temperature_squared: bool = True
    statistics: bool = True

    def __post_init__(self) -> None:
        if self.support not in get_args(Support):
            raise RangeError(f"support is {self.support!r}", hint="one of teacher, student, union, full")
        if self.tail not in get_args(Tail):
            raise RangeError(f"tail is {self.tail!r}", hint="drop or bucket")
        if self.k < 1:
            raise RangeError(f"k is {self.k}", hint="keep at least one token")
        if not 0.0 < self.temperature < float("inf"):
            raise RangeError(f"temperature is {self.temperature}", hint="a finite number above 0")
        if isinstance(self.direction, str):
            known = self.direction in ("forward", "reverse")
        else:
            known = 0.0 <= self.direction <= 1.0
        if not known:
            raise RangeError(f"direction is {self.direction!r}", hint="forward, reverse or a number in [0, 1]")

    @property
    def beta(self) -> float:
        """``direction`` as a number: forward 0, reverse 1."""
        if isinstance(self.direction, str):
            return 0.0 if self.direction == "forward" else 1.0
        return float(self.direction)

    @property
    def factor(self) -> float:
        """What a divergence at temperature T is multiplied by: T^2 or 1."""
        return self.temperature**2 if self.temperature_squared else 1.0

    def kept(self, vocabulary: int) -> int:
        """``k`` clamped to the vocabulary, with a warning if it had to be."""
        if self.support == "full" or self.k <= vocabulary:
            return min(self.k, vocabulary)
        warnings.warn(f"k = {self.k} exceeds the vocabulary of {vocabulary}: all tokens are compared", stacklevel=3)
        return vocabulary


@dataclass(frozen=True)
class SupportStatistics:
    """What the support covers at each position, at the divergence's temperature; detached.

    ``teacher_mass`` and ``student_mass`` [...] in [0, 1]: probability on the support; ``overlap`` [...] in [0, 1]:
    share of the k likeliest tokens that teacher and student have in common. NaN where a position was masked.
    """

    teacher_mass: Tensor
    student_mass: Tensor
    overlap: Tensor

    def means(self) -> dict[str, float]:
        """Plain means over the positions that were compared; NaN if there were none."""
        columns = {"teacher_mass": self.teacher_mass, "student_mass": self.student_mass, "overlap": self.overlap}
        return {name: float(column.nanmean()) for name, column in columns.items()}


@dataclass(frozen=True)
class Divergences:
    """``values`` [...] nats, unreduced, with a gradient towards the student; ``statistics`` if they were asked for."""

    values: Tensor
    statistics: SupportStatistics | None


def divergence_rows_(
    student: Tensor, teacher: Tensor, settings: DivergenceSettings, *, gradient: bool, impossible: bool = False
) -> tuple[Tensor, Tensor | SparseRows | None, Tensor | None]:
    """Divergence of each row of logits already divided by T, without the factor T^2; both buffers are overwritten.

    Args:
        student: [N, V] float32 or float64; becomes the gradient where that is dense.
        teacher: [N, V] same dtype.
        settings: ``k`` must not exceed V.
        gradient: also return the gradient with respect to ``student``.
        impossible: some logits may be -inf.

    Returns:
        values [N]; gradient [N, V], dense or sparse, or None; statistics [N, 3] or None.
    """
    rows, width = student.shape
    beta, k = settings.beta, min(settings.k, width)
    full = settings.support == "full" or k == width
    values, covered, sparse = [], [], []
    for rows_of_block in blocks(rows, width, student):
        s, t = student[rows_of_block], teacher[rows_of_block]
        if full:
            values.append(divergence_(s, t, beta, gradient=gradient, impossible=impossible))
            continue
        total = s.sum(-1) + t.sum(-1)
        broken = total.isnan() | (total == torch.inf)  # even outside the support; -inf only rules a token out
        options = (settings.support, settings.tail, beta)
        value, slope, statistics = restricted_divergence_(
            s, t, k, options, gradient=gradient, statistics=settings.statistics
        )
        values.append(value.masked_fill_(broken, torch.nan))
        if statistics is not None:
            covered.append(statistics)
        if isinstance(slope, SparseRows):
            sparse.append(slope)
    result: Tensor | SparseRows | None = student if gradient else None
    if sparse:
        result = SparseRows(torch.cat([x.columns for x in sparse]), torch.cat([x.values for x in sparse]))
    measured = None
    if settings.statistics:
        measured = torch.cat(covered) if covered else student.new_ones((rows, 3))
    return torch.cat(values) if values else student.new_zeros(0), result, measured


class _TokenDivergence(torch.autograd.Function):
    """Keeps only the logits between the passes; the gradient is computed in the backward pass, block by block."""

    @staticmethod
    def forward(
        ctx: Any, student: Tensor, teacher: Tensor, rows: Tensor, settings: DivergenceSettings
    ) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(student, teacher, rows)
        ctx.settings = settings
        dtype = working_dtype(student, teacher)
        values = torch.zeros(len(student), dtype=dtype, device=student.device)
        covered = torch.full((len(student), 3), torch.nan, dtype=dtype, device=student.device)
        for chosen, value, _, statistics in _blocks_of(student, teacher, rows, settings, gradient=False):
            values[chosen] = value * settings.factor
            if statistics is not None:
                covered[chosen] = statistics
        ctx.mark_non_differentiable(covered)
        return values, covered

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        student, teacher, rows = ctx.saved_tensors
        settings = replace(ctx.settings, statistics=False)
        scale = settings.factor / settings.temperature
        result = torch.zeros_like(student)
        for chosen, _value, slope, _statistics in _blocks_of(student, teacher, rows, settings, gradient=True):
            weight = outer[chosen, None] * scale
            if isinstance(slope, SparseRows):
                dense = slope.values.new_zeros((len(chosen), student.shape[1]))
                slope = SparseRows(slope.columns, slope.values * weight).add_to_(dense)
            elif slope is not None:
                slope.mul_(weight)
            result[chosen] = slope.to(result.dtype)
        return result, None, None, None


def _blocks_of(
    student: Tensor, teacher: Tensor, rows: Tensor, settings: DivergenceSettings, *, gradient: bool
) -> Iterator[tuple[Tensor, Tensor, Any, Tensor | None]]:
    dtype = working_dtype(student, teacher)
    for block in blocks(len(rows), student.shape[1], student):
        chosen = rows[block]
        s, t = (x[chosen].to(dtype).div_(settings.temperature) for x in (student, teacher))
        impossible = not bool(torch.isfinite(s.sum() + t.sum()))
        yield chosen, *divergence_rows_(s, t, settings, gradient=gradient, impossible=impossible)


def token_divergence(
    student_logits: Tensor,
    teacher_logits: Tensor,
    settings: DivergenceSettings | None = None,
    *,
    mask: Tensor | None = None,
) -> Divergences:
    """Divergence between the teacher's and the student's next-token distribution at each position.

    With q = softmax(u / T), p = softmax(v / T) and S the support, for the forward direction:
    T^2 sum_{j in S} q'_j (log q'_j - log p'_j), with q', p' renormalised on S ("drop") or with one more outcome for the
    mass outside S ("bucket"). Other directions: see the module's head. Where hidden states are at hand,
    ``tutelage.functional.projection.projected_divergence`` never holds the logits at all.

    Args:
        student_logits: [..., V] float, any scale; normalised in float32 (float64 if given so). -inf rules a token out.
        teacher_logits: [..., V] float; receives no gradient.
        settings: what is compared; default the full forward KL at T = 1.
        mask: [...] bool or 0/1; False positions are not looked at, get value 0 and no gradient.

    Returns:
        Values [...] float32 (float64), nats, unreduced, at least 0; statistics [...] where asked for.

    Raises:
        ShapeError: shapes, vocabularies or the mask do not fit.
        NumericalError: NaN or +inf logits at a compared position, or an infinite divergence there.

    Source: RAFT (arXiv 2606.00147) eq. 6-10 for the truncated forward KL; GKD (arXiv 2306.13649) eq. 1 for the mixture;
        gradients, bucket and union: own derivation.

    Example:
        >>> same = torch.zeros(2, 4)
        >>> token_divergence(same, same).values
        tensor([0., 0.])
    """
    settings = settings or DivergenceSettings()
    check_vocabulary(student_logits.shape[-1], teacher_logits.shape[-1])
    if student_logits.shape != teacher_logits.shape:
        raise ShapeError(
            f"student logits are {tuple(student_logits.shape)}, teacher logits {tuple(teacher_logits.shape)}",
            hint="both sides must score the same tokens",
        )
    leading, vocabulary = student_logits.shape[:-1], student_logits.shape[-1]
    rows = active_rows(mask, leading, student_logits.device)
    settings.kept(vocabulary)
    values, covered = _TokenDivergence.apply(
        student_logits.reshape(-1, vocabulary), teacher_logits.detach().reshape(-1, vocabulary), rows, settings
    )
    refuse_infinite(values, leading)
    statistics = None
    if settings.statistics:
        statistics = SupportStatistics(*(column.reshape(leading) for column in covered.unbind(-1)))
    return Divergences(values.reshape(leading), statistics)
