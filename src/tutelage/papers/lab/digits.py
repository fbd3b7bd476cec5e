"""Real handwritten digits (scikit-learn's 1,797 images of 8 by 8) for experiments on representations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from tutelage.errors import RangeError
from tutelage.seeds import derive

__all__ = ["DigitSplit", "split_digits"]


@dataclass(frozen=True)
class DigitSplit:
    """Images [N, 64] in [0, 1] and classes [N] to train on, to store (gallery) and to ask for (query); no overlap."""

    train: tuple[Tensor, Tensor]
    gallery: tuple[Tensor, Tensor]
    query: tuple[Tensor, Tensor]
    query_ids: tuple[str, ...]

    def training(self, classes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """The training images of ``classes``."""
        images, labels = self.train
        kept = torch.isin(labels, torch.tensor(classes))
        return images[kept], labels[kept]


def split_digits(gallery: int = 200, query: int = 197, *, seed: int = 0) -> DigitSplit:
    """Split the digits at random: ``gallery`` and ``query`` images held out, the rest for training.

    Raises:
        RangeError: too few images are left to train on.
    """
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    if min(gallery, query) < 1 or gallery + query > len(pixels) // 2:
        raise RangeError(f"{gallery} and {query} held-out images of {len(pixels)}", hint="at most half in all")
    order = np.random.default_rng(derive(seed, "digits", "split")).permutation(len(pixels))
    images = torch.tensor(pixels / 16.0, dtype=torch.float32)
    labels = torch.tensor(classes, dtype=torch.int64)
    stored, asked, rest = np.split(order, [gallery, gallery + query])
    return DigitSplit(
        train=(images[rest], labels[rest]),
        gallery=(images[stored], labels[stored]),
        query=(images[asked], labels[asked]),
        query_ids=tuple(f"digit-{int(place)}" for place in asked),
    )
