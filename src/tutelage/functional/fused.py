"""Losses over the vocabulary straight from hidden states: logits exist a chunk at a time, never all at once.

The gradient is computed in the forward pass, while a chunk's logits are there, so that nothing of size V survives it.
Extra memory is a few [chunk, V] buffers (and the head's own gradient if it is trained), however many positions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.rows import refuse_infinite, working_dtype
from tutelage.functional.support import SparseRows

__all__ = ["LossOfRows", "Projected", "RowLoss", "fused"]


@dataclass(frozen=True)
class Projected:
    """Logits that are not computed yet: scale * (hidden @ weight.T + bias), then capped if the model caps them.

    Attributes:
        hidden: [N, D] float, the last hidden states, after the final norm.
        weight: [V, D] float, the output head.
        bias: [V] float or None.
        scale: the model's logit multiplier, or 1 / T.
        softcap: c > 0 of a model that emits c * tanh(logits / c), or None.

    Raises:
        ShapeError: the parts do not fit.
        RangeError: ``softcap`` is not above 0.
    """

    hidden: Tensor
    weight: Tensor
    bias: Tensor | None = None
    scale: float = 1.0
    softcap: float | None = None

    def __post_init__(self) -> None:
        hidden, weight = tuple(self.hidden.shape), tuple(self.weight.shape)
        if len(hidden) != 2 or len(weight) != 2 or hidden[1] != weight[1]:
            raise ShapeError(f"hidden states are {hidden}, the head is {weight}", hint="need [N, D] and [V, D]")
        if self.bias is not None and tuple(self.bias.shape) != weight[:1]:
            raise ShapeError(f"the bias is {tuple(self.bias.shape)}, the head is {weight}", hint="need [V] and [V, D]")
        if self.softcap is not None and not self.softcap > 0:
            raise RangeError(f"softcap is {self.softcap}", hint="a number above 0, or None")

    def first(self, vocabulary: int) -> Projected:
        """The same with only the first ``vocabulary`` tokens."""
        bias = None if self.bias is None else self.bias[:vocabulary]
        return replace(self, weight=self.weight[:vocabulary], bias=bias)

    def detached(self) -> Projected:
        """The same without a path for gradients."""
        bias = None if self.bias is None else self.bias.detach()
        return replace(self, hidden=self.hidden.detach(), weight=self.weight.detach(), bias=bias)

    def logits(self, rows: Tensor, scale: float = 1.0, out: Tensor | None = None) -> Tensor:
        """Logits of ``rows`` [C] times ``scale``, float32 (float64): [C, V], in the first rows of ``out`` if given."""
        cap = self.softcap
        factor = self.scale * scale if cap is None else self.scale / cap
        hidden = self.hidden[rows].to(self.weight.dtype)
        out = self.buffer(len(rows)) if out is None else out[: len(rows)]
        if out.dtype == self.weight.dtype:
            torch.mm(hidden.mul_(factor), self.weight.t(), out=out)
        else:  # scale after leaving half precision
            out.copy_(hidden @ self.weight.t()).mul_(factor)
        if self.bias is not None:
            out.add_(self.bias, alpha=factor)
        return out if cap is None else out.tanh_().mul_(cap * scale)

    def buffer(self, rows: int) -> Tensor:
        """An uninitialised [rows, V] buffer for :meth:`logits`."""
        size = (rows, len(self.weight))
        return torch.empty(size, dtype=working_dtype(self.hidden, self.weight), device=self.weight.device)


class RowLoss(NamedTuple):
    """A chunk's values [C], their gradient towards the logits (before ``scale``), and extra columns [C, E]."""

    values: Tensor
    gradient: Tensor | SparseRows | None
    extra: Tensor | None


LossOfRows = Callable[[Tensor, Tensor, bool], RowLoss]
"""(logits [C, V] to overwrite, positions [C], whether a gradient is needed) to the loss of these rows."""


@dataclass(frozen=True)
class _Plan:
    """How to work through the positions; ``scale`` multiplies the logits that the loss sees."""

    loss: LossOfRows
    chunk: int
    scale: float
    extras: int


class _Gradients(NamedTuple):
    hidden: Tensor
    weight: Tensor | None
    bias: Tensor | None


def _weighted_rows(
    student: Projected, weights: Tensor, plan: _Plan, needed: tuple[bool, bool, bool]
) -> tuple[Tensor, Tensor, _Gradients | None]:
    """Values [N], extra columns [N, E], and the gradients of sum_n weights_n values_n that are ``needed``."""
    dtype = working_dtype(student.hidden, student.weight)
    rows = weights.nonzero()[:, 0]
    values = torch.zeros(len(weights), dtype=dtype, device=weights.device)
    extra = values.new_full((len(weights), plan.extras), torch.nan)
    gradients = None
    if any(needed):
        gradients = _Gradients(
            torch.zeros_like(student.hidden, dtype=dtype),
            torch.zeros_like(student.weight, dtype=dtype) if needed[1] else None,
            values.new_zeros(len(student.weight)) if needed[2] else None,
        )
    buffer = student.buffer(min(plan.chunk, len(rows)))
    for start in range(0, len(rows), plan.chunk):
        chosen = rows[start : start + plan.chunk]
        logits = student.logits(chosen, plan.scale, buffer)
        capped = None if student.softcap is None or gradients is None else logits.clone()
        loss = plan.loss(logits, chosen, gradients is not None)
        values[chosen] = loss.values
        if loss.extra is not None:
            extra[chosen] = loss.extra
        if gradients is not None and loss.gradient is not None:
            weight = weights[chosen].to(dtype) * (plan.scale * student.scale)
            gradient = _through_cap(loss.gradient, capped, plan.scale * (student.softcap or 1.0))
            _accumulate(student, chosen, weight, gradient, gradients, buffer)
    return values, extra, gradients


def _through_cap(gradient: Tensor | SparseRows, capped: Tensor | None, limit: float) -> Tensor | SparseRows:
    """Gradient before the cap: times 1 - tanh^2, with tanh = ``capped`` [C, V] / ``limit``, overwritten."""
    if capped is None:
        return gradient
    if isinstance(gradient, SparseRows):
        slope = 1.0 - (capped.gather(1, gradient.columns) / limit) ** 2
        return SparseRows(gradient.columns, gradient.values * slope)
    return gradient.mul_(capped.div_(limit).square_().neg_().add_(1.0))


def _accumulate(
    student: Projected,
    rows: Tensor,
    weight: Tensor,
    gradient: Tensor | SparseRows,
    into: _Gradients,
    buffer: Tensor,
) -> None:
    """Add one chunk's gradient, weighted by ``weight`` [C], to the hidden states' and the head's."""
    head = student.weight
    if isinstance(gradient, SparseRows):
        if into.weight is None and into.bias is None and head.dtype == gradient.values.dtype:
            # K rows of the head a position, summed without gathering them: reads K / V of a dense product
            summed = torch.nn.functional.embedding_bag(
                gradient.columns, head, per_sample_weights=gradient.values, mode="sum"
            )
            into.hidden[rows] = summed.mul_(weight[:, None])
            return
        gradient = gradient.add_to_(buffer[: len(rows)].zero_())
    if head.dtype == gradient.dtype:
        into.hidden[rows] = torch.mm(gradient, head).mul_(weight[:, None])
    else:
        into.hidden[rows] = (gradient.to(head.dtype) @ head).to(gradient.dtype).mul_(weight[:, None])
    if into.weight is not None:
        into.weight.addmm_(gradient.t(), student.hidden[rows].to(gradient.dtype).mul_(weight[:, None]))
    if into.bias is not None:
        into.bias.addmv_(gradient.t(), weight)


class _Fused(torch.autograd.Function):
    """weights_n * values_n for each position; the gradient for an equal upstream slope is ready after the forward
    pass.

    If the upstream slopes differ between positions and the head is trained, or on a second backward pass after the
    head's gradient was handed out, the chunks are worked through once more.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        weights: Tensor,
        form: tuple[float, float | None],
        plan: _Plan,
        recording: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        needed = tuple(recording and x for x in ctx.needs_input_grad[:3])
        with torch.autocast(hidden.device.type, enabled=False):
            values, extra, gradients = _weighted_rows(
                Projected(hidden, weight, bias, *form), weights, plan, (needed[0], needed[1], needed[2])
            )
        ctx.save_for_backward(hidden, weight, bias, weights, values)
        ctx.gradients = gradients
        if needed[1] or needed[2]:  # nobody else needs a second run, and the plan may hold a chunk's buffer
            ctx.form, ctx.plan = form, plan
        ctx.mark_non_differentiable(values, extra)
        return values * weights, values, extra

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        hidden, weight, bias, weights, values = ctx.saved_tensors
        needed = ctx.needs_input_grad
        for_weights = outer * values if needed[3] else None
        trained = needed[1] or needed[2]
        equal = len(outer) == 0 or bool((outer == outer[0]).all())
        gradients: _Gradients | None = ctx.gradients
        if trained and (gradients is None or not equal):
            with torch.autocast(hidden.device.type, enabled=False):
                student = Projected(hidden, weight, bias, *ctx.form)
                gradients = _weighted_rows(student, weights * outer, ctx.plan, needed[:3])[2]
            slope = torch.ones_like(outer)
        else:
            slope = outer
            if trained:
                ctx.gradients = None  # so that autograd may keep the head's gradient without a copy
        if gradients is None:
            return None, None, None, for_weights, None, None, None
        single = slope[0] if len(slope) else slope.sum()
        return (
            (gradients.hidden * slope[:, None]).to(hidden.dtype) if needed[0] else None,
            gradients.weight.mul_(single).to(weight.dtype) if gradients.weight is not None else None,
            gradients.bias.mul_(single).to(bias.dtype) if gradients.bias is not None else None,
            for_weights,
            None,
            None,
            None,
        )


def fused(
    student: Projected, weights: Tensor, loss: LossOfRows, *, chunk: int, scale: float = 1.0, extras: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Weighted per-position values of a loss over the vocabulary, computed chunk by chunk with their gradient.

    Args:
        student: hidden states [N, D] and head; whichever requires a gradient gets one.
        weights: [N] float; positions of weight 0 are not computed.
        loss: the loss of a chunk's rows and its gradient; must treat rows independently.
        chunk: positions at a time, at least 1.
        scale: factor on the logits that ``loss`` sees.
        extras: number of extra columns that ``loss`` returns.

    Returns:
        weights * values [N] with a gradient, values [N] (0 where the weight is 0) and extra columns [N, E] (NaN there),
        both detached; float32 (float64).

    Raises:
        ShapeError: ``weights`` does not have one value a position.
        RangeError: ``chunk`` is below 1.
        NumericalError: a value is NaN or infinite.

    Source: gradient in the forward pass as in Liger kernel's chunked losses; own derivation.
    """
    if weights.shape != student.hidden.shape[:1]:
        raise ShapeError(f"weights are {tuple(weights.shape)}, hidden states {tuple(student.hidden.shape)}")
    if chunk < 1:
        raise RangeError(f"chunk is {chunk}", hint="work on at least one position at a time")
    weights = weights.to(device=student.hidden.device, dtype=working_dtype(student.hidden, student.weight))
    plan = _Plan(loss, chunk, scale, extras)
    result: tuple[Tensor, Tensor, Tensor] = _Fused.apply(
        student.hidden,
        student.weight,
        student.bias,
        weights,
        (student.scale, student.softcap),
        plan,
        torch.is_grad_enabled(),
    )
    refuse_infinite(result[1], weights.shape)
    return result
