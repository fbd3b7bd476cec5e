"""What an objective is given and what it must return.

Tokens of a micro-batch are flattened: only positions that count are there, so there is no padding, no mask and no
``[B, T, V]`` tensor anywhere. N is the number of counted tokens of the micro-batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from tutelage.functional.fused import Projected
from tutelage.registry import Registry
from tutelage.types import Loss

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Need", "Objective", "TokenBatch", "objectives"]

Need = Literal["completion", "rollout", "teacher", "responses"]
"""What an objective asks of the loop: reference completions, the student's own rollouts, a teacher's outputs, or
several scored responses to each prompt, those of one row always in the same micro-batch."""


@dataclass(frozen=True)
class TokenBatch:
    """The counted tokens of a micro-batch.

    ``targets`` [N] int64: the tokens themselves. ``weights`` [N] float32: what each token contributes to the loss of
    the whole optimizer step (1/tokens for a token mean, 1/(sequences * length) for a sequence mean), so that summing
    over micro-batches gives exactly the loss of the undivided batch. ``teacher``: its outputs at the same positions.
    ``lengths`` [B]: counted tokens of each sequence. ``rows`` [B]: the row that each sequence answers. ``scores`` [B]:
    of the responses, where there are any. ``rows_in_step``: rows of the whole optimizer step.
    """

    targets: Tensor
    weights: Tensor
    teacher: Projected | None = None
    lengths: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    scores: tuple[float, ...] = ()
    rows_in_step: int = 1


class Objective(Protocol):
    """One batch in, one loss out. ``needs`` is checked before the first step."""

    needs: ClassVar[frozenset[Need]]
    reduction: ClassVar[Literal["token_mean", "sequence_mean"]]

    def __call__(self, student: Projected, batch: TokenBatch) -> Loss:
        """Loss of ``batch``; ``total`` is the weighted sum over its tokens."""
        ...


objectives: Registry[type[Objective]] = Registry("objective")
