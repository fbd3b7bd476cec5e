"""Small classifiers of real handwritten digits and the one loop that trains them: seconds for a whole experiment."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.errors import RangeError
from tutelage.seeds import derive
from tutelage.training.coverage import check_covered
from tutelage.training.schedules import ScheduleSettings, schedule_multiplier
from tutelage.types import IntArray

__all__ = [
    "ConvolutionalClassifier",
    "DigitPart",
    "LoopSettings",
    "Perceptron",
    "digit_parts",
    "fresh",
    "hits",
    "train_classifier",
]

CLASSES = 10
TO_NOTHING = ScheduleSettings("cosine", 0.001, decay_share=1.0, warmup_ratio=0.0)


@dataclass(frozen=True)
class DigitPart:
    """Images [N, 64] in [0, 1], classes [N] and ids [N] of one part of the digits."""

    images: Tensor
    labels: Tensor
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def digit_parts(sizes: Mapping[str, int], *, seed: int) -> dict[str, DigitPart]:
    """Random parts of the 1,797 digits that do not overlap.

    Raises:
        RangeError: an empty part, or more images than there are.
    """
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    if min(sizes.values()) < 1 or sum(sizes.values()) > len(pixels):
        raise RangeError(f"parts of {dict(sizes)} from {len(pixels)} images", hint="none empty, and not more in all")
    order = np.random.default_rng(derive(seed, "digits", "parts")).permutation(len(pixels))
    bounds = np.cumsum([0, *sizes.values()])
    found = {}
    for name, (first, last) in zip(sizes, pairwise(bounds), strict=True):
        rows = order[first:last]
        images = torch.tensor(pixels[rows] / 16.0, dtype=torch.float32)
        found[name] = DigitPart(images, torch.tensor(classes[rows]), tuple(f"digit-{int(row)}" for row in rows))
    return found


class Perceptron(nn.Module):
    """64 pixels, two hidden layers of ``width``, ten classes; gives logits and both layers' features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(64, width), nn.Linear(width, width)
        self.head = nn.Linear(width, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits [N, 10] and features by layer."""
        first = self.first(images).relu()
        second = self.second(first).relu()
        return self.head(second), {"first": first, "second": second}


class ConvolutionalClassifier(nn.Module):
    """Two 3 by 3 convolutions (the second with stride 2), mean over places, ten classes."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, width, 3, padding=1)
        self.second = nn.Conv2d(width, 2 * width, 3, padding=1, stride=2)
        self.head = nn.Linear(2 * width * 4, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Logits [N, 10] and feature maps by layer."""
        first = self.first(images.reshape(-1, 1, 8, 8)).relu()
        second = self.second(first).relu()
        pooled = nn.functional.avg_pool2d(second, 2)
        return self.head(pooled.flatten(1)), {"first": first, "second": second}


def fresh(make: Callable[[int], nn.Module], width: int, seed: int, *labels: str | int) -> nn.Module:
    """A network with its own initial weights: a function of the seed and of what it is for."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "digits", "weights", width, *labels))
        return make(width)


@dataclass(frozen=True)
class LoopSettings:
    """SGD with Nesterov momentum under a schedule, gradients clipped over everything that is trained."""

    learning_rate: float = 0.1
    epochs: float = 20.0
    batch_size: int = 64
    momentum: float = 0.9
    weight_decay: float = 5e-4
    clip: float = 1.0
    schedule: ScheduleSettings = TO_NOTHING


BatchLoss = Callable[[Tensor, Tensor, int], Tensor]
"""Images, labels and step in, the scalar to differentiate out."""


def train_classifier(
    modules: Mapping[str, nn.Module],
    part: DigitPart,
    loss: BatchLoss,
    settings: LoopSettings,
    order: Callable[[int], IntArray],
    *,
    after: Callable[[int, int], bool | None] | None = None,
) -> dict[str, float]:
    """Train ``modules`` together on ``part``; returns the cost.

    Args:
        modules: all that is trained, auxiliary modules too.
        part: to train on.
        loss: of one batch.
        settings: of the loop.
        order: epoch to its order of rows; the epochs are one endless stream.
        after: called with (steps done, steps in all); True ends the training.
    """
    trained = [one for module in modules.values() for one in module.parameters() if one.requires_grad]
    optimizer = torch.optim.SGD(
        trained,
        lr=settings.learning_rate,
        momentum=settings.momentum,
        nesterov=settings.momentum > 0,
        weight_decay=settings.weight_decay,
    )
    check_covered(modules, optimizer, trained)
    total = max(1, round(settings.epochs * len(part) / settings.batch_size))
    epochs = -(-total * settings.batch_size // len(part))
    stream = torch.from_numpy(np.concatenate([order(epoch) for epoch in range(epochs)]))
    started, done = time.process_time(), 0
    for step in range(total):
        rows = stream[step * settings.batch_size : (step + 1) * settings.batch_size]
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * schedule_multiplier(step, total, settings.schedule)
        optimizer.zero_grad(set_to_none=True)
        loss(part.images[rows], part.labels[rows], step).backward()
        torch.nn.utils.clip_grad_norm_(trained, settings.clip)
        optimizer.step()
        done = step + 1
        if after is not None and after(done, total):
            break
    return {"runs": 1, "steps": done, "cpu_seconds": time.process_time() - started}


@torch.no_grad()
def hits(model: nn.Module, part: DigitPart) -> dict[str, float]:
    """Whether each image of ``part`` is classified rightly, 0 or 1 by id."""
    found: Sequence[bool] = (model(part.images)[0].argmax(1) == part.labels).tolist()
    return {name: float(hit) for name, hit in zip(part.ids, found, strict=True)}
