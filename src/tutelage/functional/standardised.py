"""Logits measured in their own spread: a temperature that each item sets for itself."""

from __future__ import annotations

from torch import Tensor

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.rows import working_dtype

__all__ = ["standardised_logits"]


def standardised_logits(logits: Tensor, *, floor: float = 1e-6) -> Tensor:
    r"""Each item's logits divided by their standard deviation over the classes: :math:`z_c / \max(s(z), \epsilon)`.

    Equal up to a shift that no softmax sees to standardising: afterwards every item's logits spread by 1, so two
    networks of very different confidence are compared at the same sharpness. The deviation has C - 1 in the
    denominator, and a gradient flows through it.

    Args:
        logits: [..., C] float, C at least 2.
        floor: smallest deviation, for logits that are all alike.

    Returns:
        [..., C] float32 (float64 for float64).

    Raises:
        ShapeError: fewer than two classes.
        RangeError: a floor of 0 or less.

    Source: MIX-KD (arXiv 2211.03946) and its official code, which has no floor (equal logits give NaN there).

    Example:
        >>> import torch
        >>> standardised_logits(torch.tensor([[0.0, 10.0, 20.0], [1.0, 1.0, 1.0]]))[0].tolist()
        [0.0, 1.0, 2.0]
    """
    if logits.ndim < 1 or logits.shape[-1] < 2:
        raise ShapeError(f"logits are {tuple(logits.shape)}", hint="at least two classes in the last dimension")
    if not floor > 0:
        raise RangeError(f"floor is {floor}", hint="a small number above 0")
    exact = logits.to(working_dtype(logits))
    centred = exact - exact.mean(-1, keepdim=True)
    variance = centred.square().sum(-1, keepdim=True) / (logits.shape[-1] - 1)
    return exact / variance.clamp_min(floor**2).sqrt()  # clamped inside, so that the gradient at 0 is finite
