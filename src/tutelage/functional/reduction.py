"""Per-position weights whose weighted sum is a mean.

Because the denominators are those of the whole optimizer step, not of the batch at hand, the losses (and gradients) of
the step's parts add up to exactly the loss of the step in one piece, however it was cut.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.errors import RangeError, ShapeError

__all__ = ["sequence_mean_weights", "token_mean_weights"]


def _check(mask: Tensor, total: float | None, name: str) -> Tensor:
    if mask.ndim != 2:
        raise ShapeError(f"mask is {tuple(mask.shape)}", hint="need [B, T]")
    if total is not None and not total > 0:
        raise RangeError(f"{name} is {total}", hint="the count over the whole optimizer step, above 0")
    return (mask != 0).to(torch.float32)


def sequence_mean_weights(mask: Tensor, *, sequences: float | None = None) -> Tensor:
    """Weights of the mean over each sequence's tokens first, then over sequences: mask / (L_i * sequences).

    Args:
        mask: [B, T] bool or 0/1: the tokens that count.
        sequences: sequences with a counted token in the whole optimizer step; default: those in this batch.

    Returns:
        [B, T] float32. A sequence without a counted token gets only zeros and does not count.

    Raises:
        ShapeError: ``mask`` is not [B, T].
        RangeError: ``sequences`` is not above 0.

    Source: RAFT (arXiv 2606.00147) eq. 10; the treatment of empty sequences is ours.

    Example:
        >>> sequence_mean_weights(torch.tensor([[1, 1], [1, 0]]))
        tensor([[0.2500, 0.2500],
                [0.5000, 0.0000]])
    """
    kept = _check(mask, sequences, "sequences")
    lengths = kept.sum(1, keepdim=True)
    count = max(float((lengths > 0).sum()), 1.0) if sequences is None else float(sequences)
    return kept / (lengths.clamp(min=1.0) * count)


def token_mean_weights(mask: Tensor, *, tokens: float | None = None) -> Tensor:
    """Weights of the mean over all counted tokens: mask / tokens.

    Args:
        mask: [B, T] bool or 0/1: the tokens that count.
        tokens: counted tokens in the whole optimizer step; default: those in this batch.

    Returns:
        [B, T] float32; all zeros if no token counts.

    Raises:
        ShapeError: ``mask`` is not [B, T].
        RangeError: ``tokens`` is not above 0.

    Source: own derivation.

    Example:
        >>> token_mean_weights(torch.tensor([[1, 1], [1, 1]]))
        tensor([[0.2500, 0.2500],
                [0.2500, 0.2500]])
    """
    kept = _check(mask, tokens, "tokens")
    count = max(float(kept.sum()), 1.0) if tokens is None else float(tokens)
    return kept / count
