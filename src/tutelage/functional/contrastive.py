"""Contrast between two views of the same items: each item's own pair against the pairs of the other items."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.rows import working_dtype

__all__ = ["SameClass", "paired_contrast"]

SameClass = Literal["exclude", "zero"]


def paired_contrast(
    anchors: Tensor, views: Tensor, labels: Tensor, *, scale: float = 10.0, same_class: SameClass = "exclude"
) -> Tensor:
    r"""How badly each anchor finds its own view among the views of items of other classes.

    With :math:`s_{ij}=\mu\cos(a_i,v_j)`: :math:`-s_{ii}+\log\sum_j e^{\tilde s_{ij}}`, where :math:`\tilde s_{ij}` is
    :math:`s_{ij}` for items of different classes. ``"exclude"`` leaves items of one class (i itself among them) out of
    the sum; an item with no item of another class in the batch has the value 0. ``"zero"`` sets their
    :math:`\tilde s_{ij}` to 0, as the official code does, so that each adds one to the sum.

    Args:
        anchors: [N, D] float, any length; here the previous model's features.
        views: [N, D] float of the same items; here the features of the model in training.
        labels: [N] class of each item.
        scale: :math:`\mu` > 0, an inverse temperature.
        same_class: what items of the same class are.

    Returns:
        [N] float32 (float64 for float64), unreduced, with a gradient towards both.

    Raises:
        ShapeError: shapes that do not fit together.
        RangeError: a scale of 0 or less, an unknown ``same_class``.

    Source: Biondi et al. 2024 (arXiv 2405.02581), Eq. 4 and the official code.

    Example:
        >>> own = torch.eye(2)
        >>> [round(float(x), 3) for x in paired_contrast(own, own, torch.tensor([0, 1]), scale=1.0)]
        [-1.0, -1.0]
    """
    if anchors.ndim != 2 or anchors.shape != views.shape or labels.shape != anchors.shape[:1]:
        shapes = [tuple(one.shape) for one in (anchors, views, labels)]
        raise ShapeError(f"anchors {shapes[0]}, views {shapes[1]} and labels {shapes[2]} do not fit together")
    if not 0 < scale < float("inf"):
        raise RangeError(f"scale is {scale}", hint="a finite number above 0")
    if same_class not in get_args(SameClass):
        raise RangeError(f"same_class is {same_class!r}", hint="exclude or zero")
    dtype = working_dtype(anchors, views)
    first = torch.nn.functional.normalize(anchors.to(dtype), dim=1)
    second = torch.nn.functional.normalize(views.to(dtype), dim=1)
    scores = scale * (first @ second.T)
    same = labels[:, None] == labels[None, :]
    if same_class == "zero":
        return torch.logsumexp(scores.masked_fill(same, 0.0), dim=1) - scores.diagonal()
    alone = same.all(dim=1)
    masked = scores.masked_fill(same & ~alone[:, None], float("-inf"))
    return (torch.logsumexp(masked, dim=1) - scores.diagonal()).masked_fill(alone, 0.0)
