"""Losses on pairs of a preferred and a rejected answer."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from tutelage.errors import RangeError, ShapeError

__all__ = ["dpo_gamma_loss"]


def dpo_gamma_loss(
    chosen: Tensor,
    rejected: Tensor,
    ref_chosen: Tensor,
    ref_rejected: Tensor,
    *,
    beta: float = 0.1,
    gamma: float = 1.0,
) -> Tensor:
    r"""DPO with a reference that counts more or less: :math:`-\log\sigma(\beta[\Delta_\theta - \gamma\Delta_{ref}])`.

    :math:`\Delta = \log\pi(y_w|x) - \log\pi(y_l|x)`. ``gamma`` 1 is DPO; 0 leaves the reference out, so that a low
    loss means a right ranking; above 1 the loss asks for less of pairs that the reference has the wrong way.

    Args:
        chosen: [B] float, summed log-probability of the preferred responses, nats.
        rejected: [B] of the others.
        ref_chosen: [B] of the preferred ones by the reference model.
        ref_rejected: [B] of the others by the reference model.
        beta: above 0, per nat.
        gamma: the reference's weight, any finite number; the paper has 0, 0.25, ..., 2.

    Returns:
        [B] float32 (float64), nats, unreduced, with a gradient towards ``chosen`` and ``rejected``.

    Raises:
        ShapeError: the four differ in shape or are not [B].
        RangeError: ``beta`` not above 0, or ``gamma`` not finite.

    Source: arXiv 2405.19534, eq. 4; gamma = 1: DPO, arXiv 2305.18290, eq. 7.

    Example:
        >>> zero = torch.zeros(1)
        >>> dpo_gamma_loss(zero + 1, zero, zero + 1, zero), dpo_gamma_loss(zero + 1, zero, zero + 1, zero, gamma=0.0)
        (tensor([0.6931]), tensor([0.6444]))
    """
    shapes = [tuple(one.shape) for one in (chosen, rejected, ref_chosen, ref_rejected)]
    if len(set(shapes)) != 1 or chosen.ndim != 1:
        raise ShapeError(f"the four log-probabilities are {', '.join(map(str, shapes))}", hint="need [B] of each")
    if not 0 < beta < float("inf") or not abs(gamma) < float("inf"):
        raise RangeError(f"beta {beta} must be above 0 and gamma {gamma} finite")
    dtype = torch.promote_types(chosen.dtype, torch.float32)
    policy = chosen.to(dtype) - rejected.to(dtype)
    reference = ref_chosen.to(dtype) - ref_rejected.to(dtype)
    return -functional.logsigmoid(beta * (policy - gamma * reference))
