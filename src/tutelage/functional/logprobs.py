"""Log-probabilities of given tokens, from logits or straight from hidden states, without a second [N, V] tensor."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.fused import Projected, RowLoss, fused
from tutelage.functional.outcomes import normalise_
from tutelage.functional.rows import active_rows, blocks, refuse_infinite, working_dtype

__all__ = ["projected_cross_entropy", "projected_logprobs", "token_logprobs"]


def _check_ids(ids: Tensor, rows: Tensor, vocabulary: int) -> Tensor:
    """Flat int64 ids; those of ``rows`` must lie in the vocabulary."""
    ids = ids.reshape(-1).to(torch.int64)
    looked_at = ids[rows]
    outside = (looked_at < 0) | (looked_at >= vocabulary)
    if bool(outside.any()):
        first = int(outside.nonzero()[0])
        raise RangeError(
            f"token id {int(looked_at[first])} is outside the vocabulary of {vocabulary}",
            where=f"position {int(rows[first])}",
            hint="mask ignored positions, such as those labelled -100",
        )
    return ids


class _TokenLogprobs(torch.autograd.Function):
    """Keeps the logits and their normalisers; softmax is made anew in the backward pass, block by block."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, ids: Tensor, rows: Tensor) -> Tensor:
        dtype = working_dtype(logits)
        values = torch.zeros(len(logits), dtype=dtype, device=logits.device)
        for block in blocks(len(rows), logits.shape[1], logits):
            chosen = rows[block]
            scratch = logits[chosen].to(dtype)
            picked = scratch.gather(1, ids[chosen, None])[:, 0]
            values[chosen] = picked - normalise_(scratch)
        ctx.save_for_backward(logits, ids, rows)
        return values

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        logits, ids, rows = ctx.saved_tensors
        result = torch.zeros_like(logits)
        for block in blocks(len(rows), logits.shape[1], logits):
            chosen = rows[block]
            scratch = logits[chosen].to(outer.dtype)
            normalise_(scratch)
            slope = outer[chosen, None]
            result[chosen] = scratch.mul_(-slope).scatter_add_(1, ids[chosen, None], slope).to(result.dtype)
        return result, None, None


def token_logprobs(logits: Tensor, ids: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """log softmax(logits)[id] at each position.

    Args:
        logits: [..., V] float, any scale; normalised in float32 (float64 if given so).
        ids: [...] int64 in [0, V) where the mask is not False.
        mask: [...] bool or 0/1; False positions are not looked at and get 0.

    Returns:
        [...] float32 (float64), nats, at most 0, with a gradient towards ``logits``.

    Raises:
        ShapeError: shapes do not fit.
        RangeError: an id outside the vocabulary; names the position.
        NumericalError: NaN or +inf logits, or a token that was ruled out with -inf.

    Source: own derivation.

    Example:
        >>> token_logprobs(torch.zeros(1, 2), torch.tensor([1]))
        tensor([-0.6931])
    """
    leading, vocabulary = logits.shape[:-1], logits.shape[-1]
    if ids.shape != leading:
        raise ShapeError(f"logits are {tuple(logits.shape)}, ids {tuple(ids.shape)}", hint="need [..., V] and [...]")
    rows = active_rows(mask, leading, logits.device)
    flat = _check_ids(ids, rows, vocabulary)
    values: Tensor = _TokenLogprobs.apply(logits.reshape(-1, vocabulary), flat, rows)
    refuse_infinite(values, leading)
    return values.reshape(leading)


def _negative_logprobs(student: Projected, ids: Tensor, weights: Tensor, chunk: int) -> tuple[Tensor, Tensor]:
    if ids.shape != student.hidden.shape[:1]:
        raise ShapeError(f"hidden states are {tuple(student.hidden.shape)}, ids {tuple(ids.shape)}")
    if weights.shape != ids.shape:
        raise ShapeError(f"weights are {tuple(weights.shape)}, ids {tuple(ids.shape)}")
    flat = _check_ids(ids, weights.nonzero()[:, 0], len(student.weight))

    def loss(logits: Tensor, rows: Tensor, gradient: bool) -> RowLoss:
        token = flat[rows, None]
        values = torch.empty(len(rows), dtype=logits.dtype, device=logits.device)
        for block in blocks(len(rows), logits.shape[1], logits):
            part = logits[block]
            picked = part.gather(1, token[block])[:, 0]
            values[block] = normalise_(part) - picked
        if gradient:
            logits.scatter_add_(1, token, logits.new_full((len(rows), 1), -1.0))
        return RowLoss(values, logits if gradient else None, None)

    weighted, values, _ = fused(student, weights, loss, chunk=chunk)
    return weighted, values


def projected_logprobs(student: Projected, ids: Tensor, *, mask: Tensor | None = None, chunk: int = 128) -> Tensor:
    """log softmax(hidden @ head.T)[id] at each position, in memory that the number of positions does not grow.

    Args:
        student: hidden [N, D] and head [V, D]; ``scale`` = 1 / T gives log-probabilities at temperature T.
        ids: [N] int64 in [0, V) where the mask is not False.
        mask: [N] bool or 0/1; False positions are not computed and get 0.
        chunk: positions at a time; memory is about chunk * V * 4 bytes.

    Returns:
        [N] float32 (float64), nats, at most 0. Has a gradient towards hidden states and head; with a trained head
        and upstream slopes that differ, the backward pass projects once more.

    Raises:
        ShapeError: shapes do not fit.
        RangeError: an id outside the vocabulary, or ``chunk`` below 1.
        NumericalError: a value is NaN or infinite; names the position.

    Source: own derivation.

    Example:
        >>> projected_logprobs(Projected(torch.zeros(1, 2), torch.eye(2)), torch.tensor([1]))
        tensor([-0.6931])
    """
    weights = torch.ones_like(ids) if mask is None else mask
    return -_negative_logprobs(student, ids, weights.to(torch.float32), chunk)[0]


def projected_cross_entropy(
    student: Projected, ids: Tensor, weights: Tensor, *, chunk: int = 128
) -> tuple[Tensor, Tensor]:
    """Weighted cross-entropy -sum_n w_n log softmax(hidden_n @ head.T)[id_n], its gradient made in the forward pass.

    Args:
        student: hidden [N, D] and head [V, D]; gradients flow to those that require one.
        ids: [N] int64 in [0, V) where the weight is not 0.
        weights: [N] float; positions of weight 0 are skipped. Build them with ``tutelage.functional.reduction``.
        chunk: positions at a time; memory is about chunk * V * 4 bytes.

    Returns:
        Loss [] in nats with a gradient, and the log-probabilities [N], detached, 0 where the weight is 0.

    Raises:
        ShapeError: shapes do not fit.
        RangeError: an id outside the vocabulary, or ``chunk`` below 1.
        NumericalError: a value is NaN or infinite; names the position.

    Source: own derivation.

    Example:
        >>> side = Projected(torch.zeros(1, 2), torch.eye(2))
        >>> projected_cross_entropy(side, torch.tensor([1]), torch.ones(1))
        (tensor(0.6931), tensor([-0.6931]))
    """
    weighted, values = _negative_logprobs(student, ids, weights, chunk)
    return weighted.sum(), -values
