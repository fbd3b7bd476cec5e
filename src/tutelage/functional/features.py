"""How far a student's feature maps are from the teacher's, one value per item."""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.rows import working_dtype

__all__ = ["feature_distance"]


def feature_distance(
    student: Tensor, teacher: Tensor, *, beta: float = 0.5, spread: Tensor | float = 1.0, pool: bool = True
) -> Tensor:
    r"""Squared distance of the maps plus what their pooled directions differ by.

    :math:`\overline{(s-t)^2}/\sigma^2 + \beta\,(1-\cos(\bar s,\bar t))`, the first mean over channels and places,
    :math:`\bar s` the mean over places alone (for vectors the vector itself).

    Args:
        student: [N, C] or [N, C, H, W], already projected to the teacher's channels.
        teacher: [N, C] or [N, C, H', W']; receives no gradient.
        beta: weight of the direction, at least 0.
        spread: :math:`\sigma`, the teacher's standard deviation in this layer; raw squared distances grow with it.
        pool: average the student's map to the teacher's height and width where they differ; False refuses.

    Returns:
        [N] float32 (float64 for float64), unreduced.

    Raises:
        ShapeError: other items or channels, or maps of another size with ``pool`` off.
        RangeError: beta below 0.

    Source: KD capacity (arXiv 2605.31191) and its official code, whose mean over items this is unreduced.

    Example:
        >>> feature_distance(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
        tensor([1.5000])
    """
    if not beta >= 0:
        raise RangeError(f"beta is {beta}", hint="0 or more")
    if student.ndim != teacher.ndim or student.ndim not in (2, 4) or student.shape[:2] != teacher.shape[:2]:
        raise ShapeError(
            f"student features are {tuple(student.shape)}, the teacher's {tuple(teacher.shape)}",
            hint="project the student's channels to the teacher's first; vectors or maps",
        )
    dtype = working_dtype(student, teacher)
    own, other = student.to(dtype), teacher.detach().to(dtype)
    if own.shape != other.shape:
        if not pool:
            raise ShapeError(f"maps of {tuple(own.shape[2:])} and {tuple(other.shape[2:])}")
        own = torch.nn.functional.adaptive_avg_pool2d(own, (other.shape[2], other.shape[3]))
    squared = ((own - other) / spread).square().flatten(1).mean(1)
    means = (own, other) if own.ndim == 2 else (own.mean((2, 3)), other.mean((2, 3)))
    return squared + beta * (1 - torch.nn.functional.cosine_similarity(*means, dim=1))
