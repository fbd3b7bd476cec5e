"""Two models that see different sides of the same examples and choose the training examples for one another."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.small_loss import keep_share, peer_weights, small_loss_mask
from tutelage.seeds import derive

__all__ = ["CoTeacher", "CoTeachingSettings", "Epoch"]

Policy = Literal["filter", "reweight", "none"]


@dataclass(frozen=True)
class CoTeachingSettings:
    """How two models are trained.

    Attributes:
        policy: "filter" trains on the share of smallest loss, "reweight" weighs negatives by it, "none" trusts all.
        exchange: whether each model's examples are chosen by the other; False: by itself (self-filtering).
        noise_rate: estimated share of wrong labels; too high starves training.
        ramp: epochs until the whole noise rate is filtered.
        class_balanced: keep the same share of every class.
        strength: of reweighting.
        epochs: passes over the data.
        batch_size: examples a step.
        learning_rate: of Adam.
        weight_decay: of Adam.
        seed: of the order of the examples.
    """

    policy: Policy = "filter"
    exchange: bool = True
    noise_rate: float = 0.2
    ramp: float = 10.0
    class_balanced: bool = True
    strength: float = 0.2
    epochs: int = 40
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        keep_share(0, self.noise_rate, self.ramp)
        if self.policy not in get_args(Policy):
            raise RangeError(f"no policy is called {self.policy!r}", hint=f"one of {', '.join(get_args(Policy))}")
        if self.epochs < 1 or self.batch_size < 2 or self.learning_rate <= 0 or self.strength < 0:
            raise RangeError("epochs from 1, batch_size from 2, a positive learning_rate, a strength of at least 0")


@dataclass(frozen=True)
class Epoch:
    """One epoch: mean losses of both models on all examples, the share kept for each, how often their answers differ.

    Models that no longer disagree have become one, and choosing for each other is choosing for oneself.
    """

    losses: tuple[float, float]
    kept: tuple[float, float]
    disagreement: float


@dataclass
class CoTeacher:
    """Trains ``model_a`` on one view and ``model_b`` on another, in place, with the same examples in every batch.

    In each batch both models give their losses; the mask or weights made from the losses of one train *the other*. The
    labels stay as they are. A model is called with a batch of its view and gives logits [B, K].

    Args:
        model_a: for the first view.
        model_b: for the second.
        settings: see :class:`CoTeachingSettings`.
        each_step: called with a batch's losses [B] of both models and its rows, for those who want to look.

    Source: CoTeachMatch (arXiv 2009.13299) over co-teaching (Han et al. 2018); here batches are shared, not split.
    """

    model_a: nn.Module
    model_b: nn.Module
    settings: CoTeachingSettings = field(default_factory=CoTeachingSettings)
    each_step: Callable[[Tensor, Tensor, Tensor], None] | None = None
    history: list[Epoch] = field(default_factory=list)
    cpu_seconds: float = 0.0

    def fit(self, view_a: Tensor, view_b: Tensor, y: Tensor, sample_weight: Tensor | None = None) -> list[Epoch]:
        """Train both models.

        Args:
            view_a: [N, ...], first axis the examples.
            view_b: [N, ...] of the same examples.
            y: their classes [N], int64.
            sample_weight: [N], at least 0; None: 1 each.

        Returns:
            One :class:`Epoch` an epoch; also in :attr:`history`.

        Raises:
            ShapeError: views, classes or weights of different length.
            RangeError: classes that are no whole numbers from 0, a negative weight, a loss that is NaN.
        """
        lengths = {len(view_a), len(view_b), len(y), len(y) if sample_weight is None else len(sample_weight)}
        if len(lengths) > 1 or not len(y):
            raise ShapeError(f"views of {len(view_a)} and {len(view_b)} examples, {len(y)} labels", hint="one each")
        if y.dtype != torch.int64 or bool((y < 0).any()):
            raise RangeError(f"classes are {y.dtype}", hint="whole numbers from 0, int64: y.long()")
        if sample_weight is not None and not bool((sample_weight >= 0).all()):
            raise RangeError("a weight is negative or NaN", where="sample_weight", hint="0 leaves an example out")
        settings, started = self.settings, time.process_time()
        weights = torch.ones(len(y)) if sample_weight is None else sample_weight
        optimizers = [
            torch.optim.Adam(model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
            for model in (self.model_a, self.model_b)
        ]
        self.history = []
        for epoch in range(settings.epochs):
            keep = keep_share(epoch, settings.noise_rate, settings.ramp)
            order = np.random.default_rng(derive(settings.seed, "co-teaching", epoch)).permutation(len(y))
            sums = np.zeros(5)
            for start in range(0, len(y), settings.batch_size):
                rows = torch.from_numpy(order[start : start + settings.batch_size])
                batch = (view_a[rows], view_b[rows], y[rows], weights[rows])
                sums += self._step(optimizers, batch, keep, rows)
            mean = sums / len(y)
            losses, kept = (float(mean[0]), float(mean[1])), (float(mean[2]), float(mean[3]))
            self.history.append(Epoch(losses, kept, float(mean[4])))
        self.cpu_seconds = time.process_time() - started
        return self.history

    def _step(
        self,
        optimizers: list[torch.optim.Adam],
        batch: tuple[Tensor, Tensor, Tensor, Tensor],
        keep: float,
        rows: Tensor,
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """One step of both models; sums over the batch of losses, kept examples and disagreements."""
        view_a, view_b, y, weight = batch
        logits = (self.model_a(view_a), self.model_b(view_b))
        losses = tuple(cross_entropy(one, y, reduction="none") for one in logits)
        trust = [self._trust(one.detach(), y, keep) for one in losses]
        if self.settings.exchange:
            trust.reverse()
        if self.each_step is not None:
            self.each_step(losses[0].detach(), losses[1].detach(), rows)
        for loss, trusted, optimizer in zip(losses, trust, optimizers, strict=True):
            scale = trusted * weight
            optimizer.zero_grad(set_to_none=True)
            ((loss * scale).sum() / scale.sum().clamp(min=1e-12)).backward()
            optimizer.step()
        differ = (logits[0].argmax(1) != logits[1].argmax(1)).sum()
        told = [*(one.detach().sum() for one in losses), *(one.sum() for one in trust), differ]
        return np.array([float(one) for one in told])

    def _trust(self, loss: Tensor, y: Tensor, keep: float) -> Tensor:
        settings = self.settings
        if settings.policy == "none":
            return torch.ones_like(loss)
        if settings.policy == "reweight":
            return peer_weights(loss, y, settings.strength)
        if settings.class_balanced and len(y.unique()) == 1:
            warnings.warn("a batch holds one class: its small losses are chosen over the whole batch", stacklevel=4)
        return small_loss_mask(loss, keep, y if settings.class_balanced else None).to(loss.dtype)

    @torch.no_grad()
    def predict_proba(self, view_a: Tensor, view_b: Tensor, which: Literal["a", "b", "both"] = "both") -> Tensor:
        """Class probabilities [N, K] of one model, or the mean of both.

        Raises:
            RangeError: another name than "a", "b" and "both".
        """
        if which not in ("a", "b", "both"):
            raise RangeError(f"there is no model {which!r}", hint="a, b or both")
        models = {"a": ((self.model_a, view_a),), "b": ((self.model_b, view_b),)}
        chosen = models.get(which, (*models["a"], *models["b"]))
        return torch.stack([model(view).softmax(1) for model, view in chosen]).mean(0)
