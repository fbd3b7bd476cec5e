"""Losses that teach a model the order of several answers to one prompt."""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.errors import RangeError, ShapeError

__all__ = ["ranking_loss"]


def ranking_loss(
    logps: Tensor,
    lens: Tensor,
    scores: Tensor,
    mask: Tensor | None = None,
    margin: float = 0.0,
    sft_weight: float = 1.0,
) -> Tensor:
    """Pairwise hinge on length-normalised log-probabilities, plus the cross-entropy of the best answer.

    With p_i = logps_i / lens_i and s the scores, of every prompt

    L = sum over (i, j) with s_i < s_j of max(0, p_i - p_j + margin * (s_j - s_i)) + sft_weight * (-p_best),

    best being the first answer of the highest score. Answers of equal score make no pair.

    Args:
        logps: [B, m] float, summed log-probability of each answer's tokens, nats.
        lens: [B, m] number of tokens of each answer, at least 1 where the mask is True.
        scores: [B, m] float, higher is better; in [0, 1] for satisfaction rates.
        mask: [B, m] bool, False where a prompt has fewer than m answers; None: all count.
        margin: how much a difference of 1 in score must be worth in nats per token.
        sft_weight: weight of the cross-entropy per token of the best answer; 0 leaves it out.

    Returns:
        [B] float, unreduced, with a gradient towards ``logps``; 0 for a prompt without answers.

    Raises:
        ShapeError: the four tables differ in shape, or are not [B, m].
        RangeError: a length below 1 or a score that is not finite where the mask is True; a negative margin or weight.

    Source: ACT (arXiv 2403.06326) trains by ranking on satisfaction rates; the form is that of RRHF (arXiv 2304.05302)
    with BRIO's margin that grows with the gap, inferred since no code was published. RRHF sums the cross-entropy over
    tokens; here it is a mean, so that both terms have the same unit.

    Example:
        >>> logps, lens = torch.tensor([[-2.0, -6.0]]), torch.tensor([[2, 3]])
        >>> ranking_loss(logps, lens, torch.tensor([[0.0, 1.0]]), sft_weight=0.0)
        tensor([1.])
    """
    keep = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask.to(torch.bool)
    shapes = [tuple(one.shape) for one in (logps, lens, scores, keep)]
    if len(set(shapes)) != 1 or logps.ndim != 2:
        raise ShapeError(f"logps, lens, scores and mask are {', '.join(map(str, shapes))}", hint="need [B, m] of each")
    if margin < 0 or sft_weight < 0:
        raise RangeError(f"margin {margin} and sft_weight {sft_weight} must not be negative")
    if bool((lens[keep] < 1).any()) or not bool(torch.isfinite(scores[keep]).all()):
        raise RangeError("a counted answer has no tokens or a score that is not finite", hint="mask it")
    dtype = torch.promote_types(logps.dtype, torch.float32)
    per_token = torch.where(keep, logps.to(dtype), 0.0) / torch.where(keep, lens, 1).to(dtype)
    worth = torch.where(keep, scores.to(dtype), 0.0)
    gap = worth[:, None, :] - worth[:, :, None]  # [b, i, j] = s_j - s_i
    ordered = (gap > 0) & keep[:, :, None] & keep[:, None, :]
    hinge = (per_token[:, :, None] - per_token[:, None, :] + margin * gap).clamp(min=0.0)
    ranked = torch.where(ordered, hinge, 0.0).sum((1, 2))
    best = torch.where(keep, scores.to(dtype), -torch.inf).argmax(1, keepdim=True)
    likely = per_token.gather(1, best)[:, 0]
    return ranked - sft_weight * likely
