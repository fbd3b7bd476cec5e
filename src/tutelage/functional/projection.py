"""The divergence kernel fused with both output heads: hidden states in, loss and gradient out."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tutelage.errors import ShapeError
from tutelage.functional.divergence import DivergenceSettings, SupportStatistics, divergence_rows_
from tutelage.functional.fused import Projected, RowLoss, fused
from tutelage.functional.rows import check_vocabulary

__all__ = ["Projected", "ProjectedDivergence", "projected_divergence"]


@dataclass(frozen=True)
class ProjectedDivergence:
    """``loss`` [] = sum_n weights_n values_n, with a gradient; ``values`` [N] nats and ``statistics`` [N], detached."""

    loss: Tensor
    values: Tensor
    statistics: SupportStatistics | None


def projected_divergence(
    student: Projected,
    teacher: Projected,
    weights: Tensor,
    settings: DivergenceSettings | None = None,
    *,
    chunk: int = 128,
    common_prefix: bool = False,
) -> ProjectedDivergence:
    """Weighted sum over positions of the teacher-student divergence, from hidden states; memory does not grow with N.

    loss = sum_n w_n D_n, with D_n as :func:`tutelage.functional.divergence.token_divergence` gives it on the two sides'
    logits. The weights carry mask and reduction (``tutelage.functional.reduction``), so the loss of a batch is the sum
    of the losses of its parts.

    Args:
        student: hidden [N, D] and head [V, D]. Gradients flow to those that require one.
        teacher: hidden [N, D'] and head [V, D']; no gradient. The width may differ from the student's.
        weights: [N] float; positions of weight 0 are skipped.
        settings: what is compared; default the full forward KL at T = 1.
        chunk: positions at a time; memory is about 2 * chunk * V * 4 bytes.
        common_prefix: when the vocabularies differ in size, compare the first min(V, V') tokens, renormalised.

    Returns:
        Loss [] in nats, float32 (float64), with per-position values and statistics.

    Raises:
        ShapeError: positions, vocabularies or weights do not fit.
        RangeError: ``chunk`` is below 1.
        NumericalError: a divergence is NaN or infinite; names the position.

    Source: as ``token_divergence``; chunking: own derivation.

    Example:
        >>> head = torch.eye(3)
        >>> side = Projected(torch.zeros(2, 3), head)
        >>> projected_divergence(side, side, torch.ones(2)).loss
        tensor(0.)
    """
    settings = settings or DivergenceSettings()
    if len(student.hidden) != len(teacher.hidden):
        raise ShapeError(
            f"the student has hidden states {tuple(student.hidden.shape)}, the teacher {tuple(teacher.hidden.shape)}",
            hint="both sides must score the same positions",
        )
    sizes = (len(student.weight), len(teacher.weight))
    if common_prefix and sizes[0] != sizes[1]:
        student, teacher = student.first(min(sizes)), teacher.first(min(sizes))
    check_vocabulary(len(student.weight), len(teacher.weight))
    settings.kept(len(student.weight))
    impossible = any(x.bias is not None and bool(torch.isinf(x.bias).any()) for x in (student, teacher))
    frozen = teacher.detached()
    buffer = frozen.buffer(max(0, min(chunk, len(weights))))
    factor = settings.factor

    def loss(logits: Tensor, rows: Tensor, gradient: bool) -> RowLoss:
        target = frozen.logits(rows, 1.0 / settings.temperature, buffer).to(logits.dtype)
        values, slope, extra = divergence_rows_(logits, target, settings, gradient=gradient, impossible=impossible)
        return RowLoss(values, slope, extra)

    weighted, values, covered = fused(
        student, weights * factor, loss, chunk=chunk, scale=1.0 / settings.temperature, extras=3
    )
    statistics = SupportStatistics(*covered.unbind(-1)) if settings.statistics else None
    return ProjectedDivergence(weighted.sum(), values * factor, statistics)
