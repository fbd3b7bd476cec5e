"""An encoder of digits, pre-trained without labels: two moved copies of an image find each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.errors import RangeError
from tutelage.functional.contrastive import paired_contrast
from tutelage.papers.lab.digit_views import moved
from tutelage.seeds import derive
from tutelage.types import FloatArray

__all__ = ["DigitEncoder", "EncoderSettings", "pretrained_encoder"]


@dataclass(frozen=True)
class EncoderSettings:
    """Width of the features and how they are learnt.

    Raises:
        RangeError: a number that is not above 0.
    """

    width: int = 128
    hidden: int = 256
    epochs: int = 60
    batch_size: int = 200
    learning_rate: float = 2e-3
    scale: float = 5.0
    pixels: int = 1
    noise: float = 0.1

    def __post_init__(self) -> None:
        for name in ("width", "hidden", "epochs", "batch_size", "learning_rate", "scale"):
            if not getattr(self, name) > 0:
                raise RangeError(f"{name} is {getattr(self, name)}", hint="above 0")


class DigitEncoder(nn.Module):
    """64 pixels to ``width`` features; a further projection is used in pre-training alone."""

    def __init__(self, settings: EncoderSettings) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(64, settings.hidden), nn.ReLU(), nn.Linear(settings.hidden, settings.width), nn.ReLU()
        )
        self.projection = nn.Linear(settings.width, settings.width // 2 or 1)

    def forward(self, images: Tensor) -> Tensor:
        """Features [N, width] of images [N, 64]."""
        found: Tensor = self.body(images)
        return found

    @torch.no_grad()
    def features(self, images: FloatArray) -> FloatArray:
        """The same on arrays, without gradients."""
        found: FloatArray = self(torch.as_tensor(images, dtype=torch.float32)).numpy()
        return found


def pretrained_encoder(images: Tensor, settings: EncoderSettings | None = None, *, seed: int) -> DigitEncoder:
    """Train an encoder on images [N, 64] without looking at a label; returned frozen.

    Each step contrasts two :func:`moved` copies of a batch, both ways, by
    :func:`tutelage.functional.contrastive.paired_contrast` on the projections.

    Args:
        images: what to learn from.
        settings: sizes and training.
        seed: of weights, order and views.
    """
    settings = settings or EncoderSettings()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "encoder", "weights"))
        encoder = DigitEncoder(settings)
    optimizer = torch.optim.Adam(encoder.parameters(), lr=settings.learning_rate)
    steps = -(-len(images) // settings.batch_size)
    for epoch in range(settings.epochs):
        order = np.random.default_rng(derive(seed, "encoder", "order", epoch)).permutation(len(images))
        one, two = (
            moved(images, pixels=settings.pixels, noise=settings.noise, seed=derive(seed, "encoder", side, epoch))
            for side in ("left", "right")
        )
        for rows in np.array_split(order, steps):
            own = torch.arange(len(rows))
            left, right = (encoder.projection(encoder(view[rows])) for view in (one, two))
            loss = paired_contrast(left, right, own, scale=settings.scale)
            loss = loss + paired_contrast(right, left, own, scale=settings.scale)
            optimizer.zero_grad(set_to_none=True)
            loss.mean().backward()
            optimizer.step()
    return encoder.eval().requires_grad_(False)
