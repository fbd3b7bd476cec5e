"""A student's loss on weak labels, as one object for any training loop: logits, labels and progress in, loss out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor

from tutelage.errors import RangeError
from tutelage.functional import weak_to_strong as losses
from tutelage.functional.weak_labels import balanced_labels
from tutelage.functional.weak_to_strong import ConfidenceSettings
from tutelage.types import Loss

__all__ = ["WeakLoss", "WeakLossName", "WeakLossSettings"]

WeakLossName = Literal["xent", "conf", "product", "window", "entropy"]


@dataclass(frozen=True)
class WeakLossSettings:
    """Which loss, and the numbers of each.

    Attributes:
        name: see :mod:`tutelage.functional.weak_to_strong`.
        confidence: of conf and entropy.
        alpha: trust in the labels, of product.
        beta: trust in the student, of product.
        radius: how unsure the student must be, of window.
        balance_batch: centre the labels' log-odds in each batch first.
        remember: how many items the threshold "buffer" counts in.

    Raises:
        RangeError: an unknown name, nothing to remember.
    """

    name: WeakLossName = "xent"
    confidence: ConfidenceSettings = field(default_factory=ConfidenceSettings)
    alpha: float = 1.0
    beta: float = 1.0
    radius: float = 0.15
    balance_batch: bool = False
    remember: int = 32

    def __post_init__(self) -> None:
        if self.name not in get_args(WeakLossName):
            raise RangeError(f"no loss on weak labels is called {self.name!r}", hint=", ".join(get_args(WeakLossName)))
        if self.remember < 1:
            raise RangeError(f"{self.remember} items to remember", hint="1 or more; the public code has 32")


class WeakLoss:
    """Mean loss over a batch; remembers items only for the threshold "buffer" (one object for one training).

    Args:
        settings: which loss.

    Example:
        >>> loss = WeakLoss(WeakLossSettings("conf"))
        >>> weak = torch.tensor([[0.8, 0.2], [0.3, 0.7]])
        >>> found = loss(torch.zeros(2, 2), weak, step_frac=0.1)
        >>> round(float(found.total), 4), found.stats
        (0.6931, {'own_share': 0.25})
    """

    def __init__(self, settings: WeakLossSettings | None = None) -> None:
        self.settings = settings or WeakLossSettings()
        self._seen: tuple[Tensor, Tensor] | None = None

    def __call__(self, logits: Tensor, weak: Tensor, step_frac: float) -> Loss:
        """Loss of one batch; ``per_token`` [B] is unreduced and detached.

        Args:
            logits: [B, K] of the student.
            weak: [B, K] probabilities of the supervisor.
            step_frac: share of all steps that are done, in [0, 1].

        Raises:
            As :func:`tutelage.functional.weak_to_strong.confidence`.
        """
        settings = self.settings
        labels = balanced_labels(weak) if settings.balance_batch else weak
        each = self._each(logits, labels, step_frac)
        stats = {}
        if settings.name in ("conf", "entropy"):
            stats["own_share"] = losses.own_share(step_frac, settings.confidence)
        return Loss(each.mean(), each.detach(), stats)

    def _each(self, logits: Tensor, weak: Tensor, step_frac: float) -> Tensor:
        settings = self.settings
        if settings.name == "conf":
            buffered = settings.confidence.threshold == "buffer"
            each = losses.confidence(logits, weak, step_frac, settings.confidence, seen=self._seen)
            if buffered:
                self._remember(logits.detach(), weak.detach())
            return each
        if settings.name == "entropy":
            return losses.entropy(logits, weak, step_frac, settings.confidence)
        if settings.name == "product":
            return losses.product(logits, weak, alpha=settings.alpha, beta=settings.beta)
        if settings.name == "window":
            return losses.window(logits, weak, radius=settings.radius)
        return losses.xent(logits, weak)

    def _remember(self, logits: Tensor, weak: Tensor) -> None:
        if self._seen is not None:
            logits, weak = torch.cat([self._seen[0], logits]), torch.cat([self._seen[1], weak])
        self._seen = (logits[-self.settings.remember :], weak[-self.settings.remember :])
