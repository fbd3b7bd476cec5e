"""How the learning rate moves over a run, as a pure function from the step to a multiplier of the peak rate.

Decaying a rate to almost nothing gives the last rows the smallest steps. When rows come in an order of rising quality
those are the best ones, so a curriculum wants a rate that stays up (:data:`CONSTANT`) or falls a little
(:data:`MODERATE_DECAY`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

from tutelage.errors import ConfigError, RangeError

__all__ = ["CONSTANT", "MODERATE_DECAY", "WSD", "Decay", "ScheduleSettings", "schedule_multiplier"]

Decay = Literal["none", "sqrt", "linear", "cosine"]


@dataclass(frozen=True)
class ScheduleSettings:
    """Warm-up, a constant stretch, then a decay to a share of the peak rate.

    Raises:
        ConfigError: floor_ratio outside (0, 1], warmup_ratio outside [0, 1), decay_share outside (0, 1], or warm-up
            and decay that overlap.
    """

    decay: Decay = field(
        default="sqrt", metadata={"help": "shape of the fall: none (constant), sqrt, linear or cosine"}
    )
    floor_ratio: float = field(
        default=1 / 3, metadata={"help": "rate of the last step as a share of the peak, in (0, 1]"}
    )
    decay_share: float = field(
        default=0.2, metadata={"help": "share of the steps, at the end, in which the rate falls"}
    )
    warmup_ratio: float = field(
        default=0.03, metadata={"help": "share of the steps in which the rate rises to the peak"}
    )

    def __post_init__(self) -> None:
        if self.decay not in get_args(Decay):
            raise ConfigError(
                f"decay is {self.decay!r}", where="schedule.decay", hint=f"one of {', '.join(get_args(Decay))}"
            )
        if not 0.0 < self.floor_ratio <= 1.0:
            raise ConfigError(
                f"floor_ratio is {self.floor_ratio}, not in (0, 1]",
                where="schedule.floor_ratio",
                hint="1/3 is a moderate decay, 1 is none; for a fall to nothing take a small number such as 0.003",
            )
        if not 0.0 <= self.warmup_ratio < 1.0:
            raise ConfigError(
                f"warmup_ratio is {self.warmup_ratio}, not in [0, 1)",
                where="schedule.warmup_ratio",
                hint="0.03 is usual",
            )
        if not 0.0 < self.decay_share <= 1.0:
            raise ConfigError(
                f"decay_share is {self.decay_share}, not in (0, 1]",
                where="schedule.decay_share",
                hint="0.2 is usual; for no decay set decay to none",
            )
        if self.decay != "none" and self.warmup_ratio + self.decay_share > 1.0 + 1e-9:
            raise ConfigError(
                f"warm-up ({self.warmup_ratio}) and decay ({self.decay_share}) overlap",
                where="schedule",
                hint="together they can take the whole run at most",
            )


CONSTANT = ScheduleSettings(decay="none", floor_ratio=1.0)
"""Warm-up, then the peak rate to the end."""

WSD = ScheduleSettings(decay="sqrt", floor_ratio=1 / 300)
"""Warm-up, stable, decay by the square root to 1/300 of the peak: the paper's standard (3e-3 to 1e-5)."""

MODERATE_DECAY = ScheduleSettings(decay="sqrt", floor_ratio=1 / 3)
"""The paper's best for a curriculum: the last rows are still learnt from at a third of the peak rate."""


def schedule_multiplier(step: int, total: int, settings: ScheduleSettings) -> float:
    r"""Multiplier of the peak learning rate for the optimizer step number ``step`` (the first is 0) of ``total``.

    With :math:`t = step + 1`, W warm-up steps and the decay beginning after step D: :math:`t / W` while t < W, 1 up to
    D, then :math:`1 - (1 - f)\,s(r)` with :math:`r = (t - D) / (total - D)`, the floor ratio f, and s(r) one of
    :math:`\sqrt r`, :math:`r`, :math:`(1 - \cos \pi r) / 2`. The last step runs at f exactly, the first never at 0.
    Beyond the end (schedulers ask for one step more) the multiplier stays at f.

    Args:
        step: from 0.
        total: number of steps, at least 1.
        settings: the shape.

    Returns:
        A number in (0, 1]: never below the floor except during the warm-up.

    Raises:
        RangeError: a negative step, no steps.

    Source: CMA / CDMA (arXiv 2511.18903), its WSD formula and moderate decay; counting the steps from 1 is our choice.

    Example:
        >>> [round(schedule_multiplier(s, 10, MODERATE_DECAY), 3) for s in (0, 7, 8, 9)]
        [1.0, 1.0, 0.529, 0.333]
    """
    if step < 0 or total < 1:
        raise RangeError(f"step {step} of {total}", hint="steps count from 0, and there is at least one")
    done = step + 1
    warmup = round(settings.warmup_ratio * total)
    if done < warmup:
        return done / warmup
    if settings.decay == "none":
        return 1.0
    begin = max(warmup, total - max(1, round(settings.decay_share * total)))
    if done <= begin:
        return 1.0
    ratio = min(1.0, (done - begin) / (total - begin)) if total > begin else 1.0
    return 1.0 - (1.0 - settings.floor_ratio) * _fallen(settings.decay, ratio)


def _fallen(decay: Decay, ratio: float) -> float:
    """How much of the way from peak to floor is done, in [0, 1]."""
    if decay == "sqrt":
        return math.sqrt(ratio)
    if decay == "linear":
        return ratio
    return (1.0 - math.cos(math.pi * ratio)) / 2.0
