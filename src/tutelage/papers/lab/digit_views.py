"""Views of 8 by 8 digits: moved and noisy copies, halves, coarse features. What sees less is weaker."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from tutelage.errors import RangeError, ShapeError

__all__ = ["bottom_half", "moved", "pooled", "top_half"]

SIDE = 8


def moved(images: Tensor, *, pixels: int = 1, noise: float = 0.1, seed: int) -> Tensor:
    """A copy [N, 64] of each image, moved by up to ``pixels`` each way (zeros come in) with Gaussian noise on top.

    Args:
        images: [N, 64] in [0, 1].
        pixels: largest shift along each axis, each shift equally likely.
        noise: standard deviation.
        seed: of shifts and noise.

    Raises:
        RangeError: a shift of the whole image or a negative one, negative noise.
    """
    if not 0 <= pixels < SIDE or noise < 0:
        raise RangeError(f"a shift of {pixels} pixels and noise of {noise}", hint=f"0 to {SIDE - 1}, and 0 or more")
    draw = np.random.default_rng(seed)
    shifts = torch.from_numpy(draw.integers(-pixels, pixels + 1, (len(images), 2)))
    padded = torch.nn.functional.pad(_square(images), (pixels,) * 4)
    rows = (torch.arange(SIDE) + pixels + shifts[:, :1])[:, :, None]
    columns = (torch.arange(SIDE) + pixels + shifts[:, 1:])[:, None, :]
    found = padded[torch.arange(len(images))[:, None, None], rows, columns].reshape(len(images), -1)
    return found + noise * torch.from_numpy(draw.standard_normal(found.shape)).to(found.dtype)


def top_half(images: Tensor) -> Tensor:
    """The upper four rows [N, 32]."""
    return _square(images)[:, : SIDE // 2].reshape(len(images), -1)


def bottom_half(images: Tensor) -> Tensor:
    """The lower four rows [N, 32]."""
    return _square(images)[:, SIDE // 2 :].reshape(len(images), -1)


def pooled(images: Tensor, side: int = 4) -> Tensor:
    """Means over equal squares, [N, side * side]; ``side`` is 1, 2, 4 or 8.

    Raises:
        RangeError: another side.
    """
    if side not in (1, 2, 4, 8):
        raise RangeError(f"a side of {side}", hint="1, 2, 4 or 8")
    return torch.nn.functional.avg_pool2d(_square(images)[:, None], SIDE // side).reshape(len(images), -1)


def _square(images: Tensor) -> Tensor:
    if images.ndim != 2 or images.shape[1] != SIDE * SIDE:
        raise ShapeError(f"images are {tuple(images.shape)}", hint="[N, 64]")
    return images.reshape(-1, SIDE, SIDE)
