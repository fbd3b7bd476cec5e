"""Versions of a small classifier of digits, each trained anew on more classes, as a model is replaced in service."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.compat import HOCLoss, SimplexClassifier
from tutelage.functional.contrastive import SameClass
from tutelage.papers.lab.digits import DigitSplit
from tutelage.seeds import derive
from tutelage.types import FloatArray

__all__ = ["Head", "Version", "VersionPlan", "VersionSettings", "class_orders", "train_versions"]

Head = Literal["learnable", "simplex", "random"]
Tie = Literal["none", "previous", "untrained"]


@dataclass(frozen=True)
class VersionSettings:
    """Size and budget; ``classes`` is how many classes each version knows, ``prototypes`` the corners set aside."""

    classes: tuple[int, ...] = (4, 6, 8, 10)
    hidden: int = 128
    prototypes: int = 16
    epochs: int = 25
    batch_size: int = 64
    learning_rate: float = 2e-3
    weight: float = 0.1
    scale: float = 10.0
    same_class: SameClass = "exclude"


@dataclass(frozen=True)
class VersionPlan:
    """One arm: the head, the model that the contrast ties to, and the epochs as a multiple of the settings'."""

    head: Head = "simplex"
    tie: Tie = "none"
    effort: float = 1.0


class Version(nn.Module):
    """64 pixels to a feature of K-1 dimensions, and logits against learnt or fixed directions [K, K-1]."""

    def __init__(self, head: Head, settings: VersionSettings, directions: Tensor) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, settings.hidden), nn.ReLU())
        self.classifier = SimplexClassifier(settings.hidden, settings.prototypes)
        fixed = self.classifier.prototypes if head == "simplex" else directions
        self.directions = nn.Parameter(fixed.clone(), requires_grad=head == "learnable")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, K-1] and logits [N, K]."""
        features: Tensor = self.classifier.projection(self.body(images))
        return features, features @ self.directions.T

    @torch.no_grad()
    def embed(self, images: Tensor) -> FloatArray:
        """Features as they are stored and searched [N, K-1]."""
        found: FloatArray = self(images.to(self.directions.device))[0].cpu().numpy()
        return found


def class_orders(settings: VersionSettings, seed: int) -> list[tuple[int, ...]]:
    """The classes that each version knows: which come first is drawn by the seed."""
    order = np.random.default_rng(derive(seed, "digits", "classes")).permutation(max(settings.classes))
    return [tuple(int(one) for one in order[:count]) for count in settings.classes]


def train_versions(
    plan: VersionPlan,
    split: DigitSplit,
    settings: VersionSettings,
    seed: int,
    device: torch.device = torch.device("cpu"),  # noqa: B008 - immutable
) -> tuple[list[Version], dict[str, float]]:
    """Every version of one arm, and what it cost. The initial weights and batches are the same in every arm."""
    versions: list[Version] = []
    started, steps, rows = time.process_time(), 0, 0
    for number, known in enumerate(class_orders(settings, seed)):
        previous = _tied(plan, settings, versions, seed, number)
        previous = None if previous is None else previous.to(device)
        model = _fresh(plan.head, settings, seed, "initial", number).to(device)
        images, labels = (part.to(device) for part in split.training(known))
        order = torch.Generator().manual_seed(derive(seed, "digits", "batches", number))
        loss = HOCLoss(settings.weight, settings.scale, settings.same_class)
        tuned = [one for one in model.parameters() if one.requires_grad]
        optimizer = torch.optim.Adam(tuned, lr=settings.learning_rate)
        for _ in range(round(plan.effort * settings.epochs)):
            for rowset in torch.randperm(len(images), generator=order).split(settings.batch_size):
                _step(model, previous, images[rowset], labels[rowset], loss, optimizer)
                steps, rows = steps + 1, rows + len(rowset)
        versions.append(model.eval())
    return versions, {"steps": steps, "rows_trained": rows, "cpu_seconds": time.process_time() - started}


def _step(
    model: Version, previous: Version | None, images: Tensor, labels: Tensor, loss: HOCLoss, optimizer: torch.optim.Adam
) -> None:
    features, logits = model(images)
    old = None
    if previous is not None:
        with torch.no_grad():
            old = previous(images)[0]
    optimizer.zero_grad(set_to_none=True)
    loss(features, logits, labels, old).mean().backward()
    optimizer.step()


def _tied(
    plan: VersionPlan, settings: VersionSettings, versions: Sequence[Version], seed: int, number: int
) -> Version | None:
    if not versions or plan.tie == "none":
        return None
    if plan.tie == "previous":
        return versions[-1]
    return _fresh(plan.head, settings, seed, "untrained", number).eval()


def _fresh(head: Head, settings: VersionSettings, seed: int, what: str, number: int) -> Version:
    """A model with its own initial weights. Random directions are fixed: every version of a seed has the same."""
    moment = 0 if head == "random" else number
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "digits", "directions", moment))
        directions = nn.functional.normalize(torch.randn(settings.prototypes, settings.prototypes - 1), dim=1)
        torch.manual_seed(derive(seed, "digits", what, number))
        return Version(head, settings, directions)
