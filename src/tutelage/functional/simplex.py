"""Corners of the regular simplex: class directions that are equally far apart and need not be learnt."""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.errors import RangeError

__all__ = ["simplex_prototypes"]


def simplex_prototypes(
    num_classes: int, *, dtype: torch.dtype = torch.float32, device: torch.device | str | None = None
) -> Tensor:
    r"""Unit vectors to the K corners of a regular simplex around 0.

    With d = K - 1: the rows of the identity and one row of :math:`(1-\sqrt{1+d})/d`, minus their mean, normalised. Any
    two rows have the cosine -1/(K-1), the smallest that K vectors can have in common.

    Args:
        num_classes: K, at least 2. Room may be left for classes that are yet to come.
        dtype: of the result; the corners are computed in float64.
        device: of the result.

    Returns:
        [K, K-1].

    Raises:
        RangeError: fewer than two classes.

    Source: Biondi et al. 2024 (arXiv 2405.02581), construction of the official code.

    Example:
        >>> corners = simplex_prototypes(3)
        >>> [round(float(x), 3) + 0.0 for x in (corners @ corners.T)[0]]
        [1.0, -0.5, -0.5]
    """
    if num_classes < 2:
        raise RangeError(f"a simplex needs two corners or more, not {num_classes}")
    width = num_classes - 1
    last = torch.full((1, width), (1 - (1 + width) ** 0.5) / width, dtype=torch.float64)
    corners = torch.cat([torch.eye(width, dtype=torch.float64), last])
    corners = corners - corners.mean(dim=0)
    return torch.nn.functional.normalize(corners, dim=1).to(dtype=dtype, device=device)
