"""Prune-OPD: on long rollouts the teacher has less and less to say about where the student went; count those less.

Three parts that work alone or together: weights that fall with every token at which student and teacher disagree on
what is likely; a controller that lets the next rollouts be longer while they stay reliable and shorter when they do
not; and stopping a rollout in flight, block by block, once nothing in it would count.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor

from tutelage.errors import ConfigError
from tutelage.functional.fused import Projected
from tutelage.functional.token_weights import reliability_weights
from tutelage.models.rollout import Rollout
from tutelage.training.reweighting import MicroBatch, Reweighting, Seen, as_flat, as_table

__all__ = ["LengthController", "LengthSettings", "PruneSettings", "Reliability", "in_blocks", "topk_overlap"]

_ROWS = 128


@dataclass(frozen=True)
class LengthSettings:
    """How long rollouts may be, and how that changes. The paper's own: 1024 to 12288 in steps of 100."""

    start: int = field(default=0, metadata={"help": "first limit in tokens; 0 = no control of length"})
    minimum: int = 16
    maximum: int = 128
    step: int = field(default=8, metadata={"help": "tokens more or less at a time"})
    margin: int = field(default=8, metadata={"help": "a rollout this near the limit counts as reaching it"})
    hit_ratio: float = field(default=0.1, metadata={"help": "share of rollouts reaching the limit that raises it"})
    patience: int = field(default=3, metadata={"help": "steps in a row below that share that lower it"})

    def __post_init__(self) -> None:
        if self.start and not 1 <= self.minimum <= self.start <= self.maximum:
            raise ConfigError(
                f"lengths are {self.minimum} <= {self.start} <= {self.maximum}",
                where="prune.length",
                hint="minimum, start and maximum must rise, from 1",
            )
        if self.step < 1 or self.margin < 0 or not 0 <= self.hit_ratio <= 1 or self.patience < 1:
            raise ConfigError(
                f"step {self.step}, margin {self.margin}, hit_ratio {self.hit_ratio}, patience {self.patience}",
                where="prune.length",
                hint="step and patience at least 1, margin at least 0, hit_ratio a share",
            )


class LengthController:
    """The limit M of the next step's rollouts.

    With h the share of effective lengths of at least max(minimum, M - margin): at h >= hit_ratio M grows by ``step``
    and the count of misses starts again; otherwise a miss is counted, and after ``patience`` of them M shrinks.

    Source: Prune-OPD (arXiv 2605.07804), released ``ray_trainer.py``.

    Example:
        >>> control = LengthController(LengthSettings(start=32, step=8, patience=1))
        >>> control.update([32]), control.update([5])
        (40, 32)
    """

    def __init__(self, settings: LengthSettings) -> None:
        self.settings, self.limit, self.misses = settings, settings.start, 0

    def update(self, effective: Sequence[int]) -> int:
        """The limit after a step whose rollouts had these effective lengths."""
        told = self.settings
        near = max(told.minimum, self.limit - told.margin)
        hits = sum(length >= near for length in effective) / len(effective)
        if hits >= told.hit_ratio:
            self.limit, self.misses = min(self.limit + told.step, told.maximum), 0
        else:
            self.misses += 1
            if self.misses >= told.patience:
                self.limit, self.misses = max(self.limit - told.step, told.minimum), 0
        return self.limit


@dataclass(frozen=True)
class PruneSettings:
    """Reliability of a student's rollout under its teacher. Defaults: the paper's experiments, not its config file."""

    k: int = field(default=16, metadata={"help": "likeliest tokens of each side that are compared, at T = 1"})
    theta: float = field(default=0.7, metadata={"help": "overlap below this is a bad event"})
    w_drop: float = field(default=0.01, metadata={"help": "what each bad event takes off the weight"})
    w_base: float = field(default=0.5, metadata={"help": "what is added to every weight"})
    block: int = field(default=0, metadata={"help": "stop rollouts in flight, looked at every so many tokens; 0 = off"})
    length: LengthSettings = field(default_factory=LengthSettings)

    def __post_init__(self) -> None:
        if self.k < 1 or self.block < 0 or not 0 < self.theta <= 1 or self.w_drop < 0 or self.w_base < 0:
            raise ConfigError(
                f"k {self.k}, theta {self.theta}, w_drop {self.w_drop}, w_base {self.w_base}, block {self.block}",
                where="prune",
                hint="k at least 1, theta in (0, 1], the others at least 0",
            )
        if self.block and self.w_drop == 0:
            raise ConfigError(
                "rollouts cannot be stopped in flight when w_drop is 0",
                where="prune.block",
                hint="their weight never reaches 0",
            )


@torch.no_grad()
def topk_overlap(student: Projected, teacher: Projected, k: int) -> Tensor:
    """Share of the k likeliest tokens that both sides have at each position [N], from the raw logits (T = 1).

    k is clamped to the vocabulary. Source: Prune-OPD (arXiv 2605.07804), ``|S_t & T_t| / k``.
    """
    k = min(k, len(student.weight), len(teacher.weight))
    found = []
    for rows in torch.arange(len(student.hidden), device=student.hidden.device).split(_ROWS):
        ours, theirs = (side.logits(rows).topk(k, dim=1).indices for side in (student, teacher))
        found.append((ours[:, :, None] == theirs[:, None, :]).any(2).float().mean(1))
    return torch.cat(found) if found else student.hidden.new_zeros(0)


@dataclass
class Reliability(Reweighting):
    """Weights of a distillation that fall along each rollout (:func:`reliability_weights`), and the length control.

    They weigh the differentiable divergence of each position. (As a reward of the sampled token the same quantity
    would have no expected gradient: it does not depend on which token was drawn.)

    Source: Prune-OPD (arXiv 2605.07804).
    """

    settings: PruneSettings = field(default_factory=PruneSettings)
    name: ClassVar[str] = "prune"
    sees: ClassVar[frozenset[Seen]] = frozenset({"teacher"})
    controller: LengthController | None = field(default=None, init=False)
    _effective: list[int] = field(default_factory=list, init=False)
    _overlap: list[float] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if self.settings.length.start:
            self.controller = LengthController(self.settings.length)

    def begin(self, view: Any) -> None:
        """Forget the last step."""
        self._effective, self._overlap = [], []

    def factors(self, micro: MicroBatch) -> Tensor:
        """``w_t + w_base`` of each token."""
        assert micro.batch.teacher is not None
        overlap = topk_overlap(micro.student, micro.batch.teacher, self.settings.k)
        table, mask = as_table(overlap, micro.lengths)
        weights, effective = self.weights(table, mask)
        self._effective += effective.tolist()
        self._overlap += overlap.tolist()
        return as_flat(weights, mask)

    def weights(self, overlap: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Weights [B, T] and effective lengths [B] under the settings."""
        told = self.settings
        return reliability_weights(overlap, mask, theta=told.theta, w_drop=told.w_drop, w_base=told.w_base)

    def scale(self) -> float:
        """1; the end of a step is where the limit of the next rollouts is decided."""
        if self.controller is not None and self._effective:
            self.controller.update(self._effective)
        return 1.0

    def stats(self) -> dict[str, float]:
        """Mean overlap and effective length, and the limit of the next rollouts."""
        found = {
            "overlap": sum(self._overlap) / max(1, len(self._overlap)),
            "effective_tokens": sum(self._effective) / max(1, len(self._effective)),
        }
        return found | ({"limit": float(self.controller.limit)} if self.controller else {})

    def rollout_limit(self) -> int | None:
        """The controller's limit."""
        return self.controller.limit if self.controller else None

    def state_dict(self) -> dict[str, Any]:
        """The controller's limit and misses."""
        return {"limit": self.controller.limit, "misses": self.controller.misses} if self.controller else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from ``state``."""
        if self.controller is not None and state:
            self.controller.limit, self.controller.misses = int(state["limit"]), int(state["misses"])


Draw = Callable[[list[int], list[tuple[int, ...]], int, int], list[Rollout]]
"""(rows, what each has said so far, most new tokens, number of the block) -> how each row goes on."""


def in_blocks(
    rows: int, limit: int, block: int, draw: Draw, dead: Callable[[list[int], list[tuple[int, ...]]], list[bool]]
) -> list[tuple[int, ...]]:
    """Rollouts drawn ``block`` tokens at a time; a row whose text is ``dead`` after a block is drawn no further.

    Args:
        rows: how many.
        limit: most tokens of each.
        block: tokens between two looks.
        draw: continues rows.
        dead: which of these rows have no weight left at their end.

    Returns:
        The tokens of each row.
    """
    said: list[tuple[int, ...]] = [() for _ in range(rows)]
    active = list(range(rows))
    for number, start in enumerate(range(0, limit, block)):
        most = min(block, limit - start)
        new = draw(active, [said[i] for i in active], most, number)
        for i, rollout in zip(active, new, strict=True):
            said[i] += rollout.token_ids
        active = [i for i, rollout in zip(active, new, strict=True) if not rollout.finished]
        if not active or start + most >= limit:
            break
        without = dead(active, [said[i] for i in active])
        active = [i for i, is_dead in zip(active, without, strict=True) if not is_dead]
        if not active:
            break
    return said
