"""Pairs of handwritten digits under two goals, and reward models that learn to tell the better image of a pair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.conflict import ConflictMode, conflict_loss
from tutelage.papers.lab.digit_classifiers import DigitPart
from tutelage.seeds import derive
from tutelage.training.schedules import ScheduleSettings, schedule_multiplier
from tutelage.types import FloatArray, IntArray

__all__ = ["DigitPairs", "DigitReward", "Labelled", "RewardSettings", "digit_pairs"]

TO_NOTHING = ScheduleSettings("cosine", 0.001, decay_share=1.0, warmup_ratio=0.0)
View = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class DigitPairs:
    """Images [N, 64] on both sides; ``larger`` and ``inkier`` [N] are 1 where the first shows the larger digit, or has
    more ink."""

    first: Tensor
    second: Tensor
    larger: Tensor
    inkier: Tensor

    def __len__(self) -> int:
        return len(self.larger)


@dataclass(frozen=True)
class Labelled:
    """Pairs and the probability [N] that the first image is the better one, whoever says so."""

    pairs: DigitPairs
    labels: Tensor

    def __post_init__(self) -> None:
        if self.labels.shape != self.pairs.larger.shape:
            raise ShapeError(f"{len(self.pairs)} pairs, labels {tuple(self.labels.shape)}", hint="one label a pair")


@dataclass(frozen=True)
class RewardSettings:
    """A reward model and its training: AdamW, cosine to nothing.

    Raises:
        RangeError: a number that is not above 0 (``weight_decay``: below 0).
    """

    hidden: tuple[int, ...] = ()
    learning_rate: float = 0.003
    epochs: int = 10
    batch_size: int = 50
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "epochs", "batch_size"):
            if not getattr(self, name) > 0:
                raise RangeError(f"{name} is {getattr(self, name)}", hint="above 0")
        if self.weight_decay < 0 or any(wide < 1 for wide in self.hidden):
            raise RangeError("a negative weight_decay or an empty hidden layer", hint="0 or more, 1 or more")


def digit_pairs(part: DigitPart, count: int, *, seed: int) -> DigitPairs:
    """Pairs of images of ``part`` that differ in digit and in ink, drawn with replacement.

    Raises:
        RangeError: no pair asked for, or a part whose images all show one digit.
    """
    if count < 1 or len(part.labels.unique()) < 2:
        raise RangeError(
            f"{count} pairs of {len(part.labels.unique())} digits", hint="1 pair or more, 2 digits or more"
        )
    draw, ink = np.random.default_rng(seed), part.images.sum(1)
    kept = torch.zeros((0, 2), dtype=torch.int64)
    while len(kept) < count:
        some = torch.from_numpy(draw.integers(0, len(part), (2 * count, 2)))
        differ = (part.labels[some[:, 0]] != part.labels[some[:, 1]]) & (ink[some[:, 0]] != ink[some[:, 1]])
        kept = torch.cat([kept, some[differ]])
    one, two = kept[:count].T
    return DigitPairs(
        part.images[one],
        part.images[two],
        (part.labels[one] > part.labels[two]).float(),
        (ink[one] > ink[two]).float(),
    )


class DigitReward:
    """A reward r(image) on a view of the image; a pair's margin is r(first) - r(second).

    Args:
        view: images [N, 64] to features [N, D].
        settings: sizes and training.
        seed: of weights and of the order of pairs, which the pairs mixed in do not touch.
    """

    def __init__(self, view: View, settings: RewardSettings, *, seed: int) -> None:
        self.view, self.settings, self.seed = view, settings, seed

    def fit(
        self, data: Labelled, extra: Labelled | None = None, *, mode: ConflictMode = "none", alpha: float = 0.5
    ) -> DigitReward:
        """Train on ``data``, with ``extra`` pairs mixed into every batch in proportion.

        "explicit" pays for contradicting ``data.pairs.larger``; see :func:`tutelage.functional.conflict.conflict_loss`.
        """
        left, right = self.view(data.pairs.first), self.view(data.pairs.second)
        both = torch.cat([left, right])
        self.centre, self.spread = both.mean(0), both.std(0).clamp(min=1e-6)
        sides = [(self._scaled(left), self._scaled(right), data)]
        if extra is not None:
            sides += [(self._scaled(self.view(extra.pairs.first)), self._scaled(self.view(extra.pairs.second)), extra)]
        self.network = self._fresh(left.shape[1])
        rate, steps = self.settings.learning_rate, -(-len(data.pairs) // self.settings.batch_size)
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=rate, weight_decay=self.settings.weight_decay)
        for epoch in range(self.settings.epochs):
            orders = [
                np.array_split(self._order(len(one.pairs), epoch, number), steps)
                for number, (_, _, one) in enumerate(sides)
            ]
            for step, picked in enumerate(zip(*orders, strict=True)):
                for group in optimizer.param_groups:
                    done = epoch * steps + step
                    group["lr"] = rate * schedule_multiplier(done, self.settings.epochs * steps, TO_NOTHING)
                losses = []
                for number, (rows, (a, b, one)) in enumerate(zip(picked, sides, strict=True)):
                    margin = (self.network(a[rows]) - self.network(b[rows]))[:, 0]
                    truth, how = (one.pairs.larger[rows], mode) if number == 0 else (None, "none")
                    losses.append(conflict_loss(margin, one.labels[rows], truth, mode=how, alpha=alpha))  # type: ignore[arg-type]
                optimizer.zero_grad(set_to_none=True)
                torch.cat(losses).mean().backward()
                optimizer.step()
        return self

    @torch.no_grad()
    def margin(self, pairs: DigitPairs) -> Tensor:
        """Margins [N] of pairs, float64."""
        rewards = [self.network(self._scaled(self.view(one)))[:, 0] for one in (pairs.first, pairs.second)]
        found: Tensor = (rewards[0] - rewards[1]).double()
        return found

    def labelled(self, pairs: DigitPairs) -> Labelled:
        """The pairs with what this model believes of them."""
        return Labelled(pairs, self.margin(pairs).sigmoid().float())

    def right(self, pairs: DigitPairs) -> FloatArray:
        """1 where the image of the larger digit has the larger reward, else 0; [N]."""
        found: FloatArray = ((self.margin(pairs) > 0) == (pairs.larger == 1)).double().numpy()
        return found

    def confidence(self, pairs: DigitPairs) -> FloatArray:
        """Probability [N] that this model gives to the image of the larger digit."""
        found: FloatArray = (self.margin(pairs) * (2 * pairs.larger.double() - 1)).sigmoid().numpy()
        return found

    def _scaled(self, features: Tensor) -> Tensor:
        return (features - self.centre) / self.spread

    def _order(self, count: int, epoch: int, number: int) -> IntArray:
        stream = derive(self.seed, "reward", "order" if number == 0 else "extra", epoch)
        return np.random.default_rng(stream).permutation(count)

    def _fresh(self, width: int) -> nn.Sequential:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive(self.seed, "reward", "weights"))
            layers: list[nn.Module] = []
            for wide in self.settings.hidden:
                layers += [nn.Linear(width, wide), nn.ReLU()]
                width = wide
            return nn.Sequential(*layers, nn.Linear(width, 1))
