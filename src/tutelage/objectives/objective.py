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

Need = Literal["completion", "rollout", "teacher"]
"""What an objective asks of the loop: reference completions, the student's own rollouts, a teacher's outputs."""


@dataclass(frozen=True)
class TokenBatch:
    """The counted tokens of a micro-batch.

    ``targets`` [N] int64: the tokens themselves. ``weights`` [N] float32: what each token contributes to the loss of
    the whole optimizer step (1/tokens for a token mean, 1/(sequences * length) for a sequence mean), so that summing
    over micro-batches gives exactly the loss of the undivided batch. ``teacher``: its outputs at the same positions.
    """

    targets: Tensor
    weights: Tensor
    teacher: Projected | None = None


class Objective(Protocol):
    """One batch in, one loss out. ``needs`` is checked before the first step."""

    needs: ClassVar[frozenset[Need]]
    reduction: ClassVar[Literal["token_mean", "sequence_mean"]]

    def __call__(self, student: Projected, batch: TokenBatch) -> Loss:
        """Loss of ``batch``; ``total`` is the weighted sum over its tokens."""
        ...


objectives: Registry[type[Objective]] = Registry("objective")
