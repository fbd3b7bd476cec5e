"""Keeping two losses the same size: the ratio of their exponential moving averages.

Pure numbers, no tensors: the weight is a constant to the optimizer. Feed losses that are already averaged over the
whole optimizer step (all micro-batches, all ranks), once a step, so that every rank computes the same weight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from tutelage.errors import CheckpointError, NumericalError, RangeError

__all__ = ["EmaBalancer", "bias_corrected", "ema", "loss_ratio"]


def ema(average: float, value: float, beta: float) -> float:
    """Exponential moving average after one more value: beta * average + (1 - beta) * value.

    Source: RAFT (arXiv 2606.00147) eq. 11.

    Example:
        >>> ema(0.0, 2.0, 0.5)
        1.0
    """
    return beta * average + (1.0 - beta) * value


def bias_corrected(average: float, beta: float, steps: int) -> float:
    """Average that started from 0, corrected for it: average / (1 - beta^steps); at step 1 the value itself.

    Raises:
        RangeError: ``steps`` is below 1: nothing was averaged.

    Source: RAFT (arXiv 2606.00147) eq. 11; the correction is Adam's.

    Example:
        >>> bias_corrected(1.0, 0.5, 1)
        2.0
    """
    if steps < 1:
        raise RangeError(f"steps is {steps}", hint="update at least once before reading the average")
    return average / (1.0 - beta**steps)


def loss_ratio(anchor: float, other: float, *, eps: float, lambda_max: float, kl_floor: float) -> float:
    """Weight that lifts ``other`` to the size of ``anchor``: min(lambda_max, anchor / (max(other, kl_floor) + eps)).

    Source: RAFT (arXiv 2606.00147) eq. 12; floor and cap are ours: an unconditioned teacher or a fresh adapter has
        divergence 0 at step 1, and a vanishing divergence would otherwise pull ever harder.

    Example:
        >>> loss_ratio(2.0, 0.0, eps=1e-8, lambda_max=100.0, kl_floor=1e-4)
        100.0
    """
    return min(lambda_max, anchor / (max(other, kl_floor) + eps))


@dataclass
class EmaBalancer:
    """Weight lambda of a second loss, from the moving averages of both.

    Attributes:
        beta: decay of the averages, in [0, 1); 0 uses the current losses alone.
        eps: added to the denominator, at least 0.
        lambda_max: cap of the weight, above 0.
        kl_floor: the second loss's average counts as at least this, above 0 or 0 to switch it off.

    Raises:
        RangeError: a value outside what is said above.

    Source: RAFT (arXiv 2606.00147) eq. 11-12.

    Example:
        >>> balancer = EmaBalancer()
        >>> [round(balancer.update(a, b), 2) for a, b in [(2.0, 0.5), (1.8, 0.2), (1.5, 0.1)]]
        [4.0, 5.54, 6.92]
    """

    beta: float = 0.9
    eps: float = 1e-8
    lambda_max: float = 100.0
    kl_floor: float = 1e-4
    anchor_average: float = 0.0
    other_average: float = 0.0
    steps: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.beta < 1.0:
            raise RangeError(f"beta is {self.beta}", hint="a number in [0, 1)")
        if not (self.lambda_max > 0.0 and self.eps >= 0.0 and self.kl_floor >= 0.0):
            raise RangeError(
                f"lambda_max is {self.lambda_max}, eps {self.eps}, kl_floor {self.kl_floor}",
                hint="lambda_max above 0, the others at least 0",
            )
        if self.eps + self.kl_floor <= 0.0:
            raise RangeError("eps and kl_floor are both 0", hint="one must keep the denominator above 0")

    def update(self, anchor: float, other: float) -> float:
        """Take in one optimizer step's losses and give the weight of ``other``.

        Args:
            anchor: the loss that sets the size (SFT), finite, at least 0.
            other: the loss to be weighted (KL), finite, at least 0.

        Returns:
            lambda in [0, lambda_max].

        Raises:
            NumericalError: a loss is NaN or infinite. The averages stay as they were.
            RangeError: a loss is negative. The averages stay as they were.
        """
        for name, value in (("anchor", anchor), ("other", other)):
            if not math.isfinite(value):
                raise NumericalError(
                    f"the {name} loss is {value}", where=f"balance update {self.steps + 1}", hint="inspect this batch"
                )
            if value < 0.0:
                raise RangeError(
                    f"the {name} loss is {value}",
                    where=f"balance update {self.steps + 1}",
                    hint="a ratio of losses needs both to be at least 0",
                )
        self.anchor_average = ema(self.anchor_average, anchor, self.beta)
        self.other_average = ema(self.other_average, other, self.beta)
        self.steps += 1
        return loss_ratio(
            bias_corrected(self.anchor_average, self.beta, self.steps),
            bias_corrected(self.other_average, self.beta, self.steps),
            eps=self.eps,
            lambda_max=self.lambda_max,
            kl_floor=self.kl_floor,
        )

    def state_dict(self) -> dict[str, float | int]:
        """What a checkpoint must hold to continue: both averages and the number of updates. Plain JSON."""
        return {"anchor_average": self.anchor_average, "other_average": self.other_average, "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Continue from :meth:`state_dict`.

        Raises:
            CheckpointError: a key is missing or unknown, or a value cannot be. The state stays as it was.
        """
        expected = set(self.state_dict())
        if set(state) != expected:
            raise CheckpointError(
                f"the balance state has keys {sorted(state)}",
                hint=f"expected {sorted(expected)}; is it another object's?",
            )
        averages = []
        for key in ("anchor_average", "other_average"):
            average = state[key]
            if not isinstance(average, int | float) or not math.isfinite(average) or average < 0:
                raise CheckpointError(f"the balance state holds {key} = {average!r}")
            averages.append(float(average))
        steps = state["steps"]
        if not isinstance(steps, int) or isinstance(steps, bool) or steps < 0:
            raise CheckpointError(f"the balance state counts {steps!r} updates")
        (self.anchor_average, self.other_average), self.steps = averages, steps
