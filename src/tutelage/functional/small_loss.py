"""Which examples to trust when labels are noisy: those of small loss, by class, and weights from a peer's loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from tutelage.errors import RangeError, ShapeError

__all__ = ["keep_share", "peer_weights", "small_loss_mask"]


def small_loss_mask(loss: Tensor, keep: float, y: Tensor | None = None) -> Tensor:
    r"""True for the examples of smallest loss [B], of each class the same share.

    Of n examples (of a class) :math:`\lceil keep\cdot n\rceil` are kept, so at least one; of equal losses the earlier.

    Args:
        loss: of each example [B].
        keep: share in (0, 1].
        y: class of each example [B]; None: over all together, which throws rare classes away first.

    Raises:
        RangeError: ``keep`` outside (0, 1], a loss that is NaN.
        ShapeError: not one loss and one class for every example.

    Source: co-teaching (Han et al. 2018), there over the whole batch; by class as in CoTeachMatch's spec.

    Example:
        >>> small_loss_mask(torch.tensor([3.0, 1.0, 2.0, 9.0]), 0.5, torch.tensor([0, 0, 1, 1])).tolist()
        [False, True, True, False]
    """
    if not 0 < keep <= 1:
        raise RangeError(f"keep must lie in (0, 1], not {keep}", hint="an over-estimated noise rate starves training")
    if loss.ndim != 1 or (y is not None and y.shape != loss.shape):
        raise ShapeError(f"loss is {tuple(loss.shape)}, y {None if y is None else tuple(y.shape)}: need [B] of both")
    _refuse_nan(loss)
    mask = torch.zeros_like(loss, dtype=torch.bool)
    groups = [torch.arange(len(loss), device=loss.device)]
    if y is not None:
        groups = [(y == one).nonzero()[:, 0] for one in y.unique()]
    for rows in groups:
        count = max(1, math.ceil(keep * len(rows) - 1e-9))
        mask[rows[loss[rows].argsort(stable=True)[:count]]] = True
    return mask


def peer_weights(loss: Tensor, y: Tensor, strength: float = 0.2, negative: int = 0) -> Tensor:
    r"""Weights [B] of the loss, :math:`clip(1-s\,\ell_{peer},0,1)` for negatives and 1 for all others.

    Args:
        loss: of the peer on each example [B]; no gradient flows through it.
        y: class of each example [B].
        strength: s, at least 0.
        negative: the class whose labels are doubted.

    Raises:
        RangeError: a negative strength, a loss that is NaN.
        ShapeError: not one loss and one class for every example.

    Source: CoTeachMatch (arXiv 2009.13299). Its released code multiplies the *label* by this weight, which is 0 for
        negatives already, so nothing changes there; here the weight is the loss's.
    """
    if strength < 0:
        raise RangeError(f"strength must not be negative, not {strength}")
    if loss.ndim != 1 or y.shape != loss.shape:
        raise ShapeError(f"loss is {tuple(loss.shape)}, y {tuple(y.shape)}: need [B] of both")
    _refuse_nan(loss)
    return torch.where(y == negative, (1 - strength * loss.detach()).clamp(0, 1), torch.ones_like(loss))


def keep_share(epoch: float, noise_rate: float, ramp: float = 10.0) -> float:
    r"""Share to keep at an epoch (from 0), :math:`1-\delta\min(1,t/T_k)`: all at first, when no loss says anything yet.

    Raises:
        RangeError: a noise rate outside [0, 1), a ramp below 1, an epoch before 0.

    Source: co-teaching (Han et al. 2018).

    Example:
        >>> keep_share(0, 0.4), keep_share(5, 0.4), keep_share(99, 0.4)
        (1.0, 0.8, 0.6)
    """
    if not 0 <= noise_rate < 1 or ramp < 1:
        raise RangeError(f"noise rate {noise_rate} and ramp {ramp}", hint="a rate in [0, 1), a ramp of at least 1")
    if not epoch >= 0:
        raise RangeError(f"epoch {epoch}", hint="epochs are counted from 0")
    return 1 - noise_rate * min(1.0, epoch / ramp)


def _refuse_nan(loss: Tensor) -> None:
    if bool(torch.isnan(loss).any()):
        raise RangeError("a loss is NaN", where=f"example {int(torch.isnan(loss).nonzero()[0])}")
