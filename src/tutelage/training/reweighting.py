"""Token reweighting inside the loop: what each counted token of a step is worth beside its plain share.

A reweighting sees every micro-batch of its part of the loss and gives one factor per token; the loop multiplies the
token's weight by it. What belongs to the whole step (a probe gradient before it, a control factor after it) is asked
for once a step, so the result does not depend on how the step was cut.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from tutelage.errors import ConfigError
from tutelage.functional.fused import Projected
from tutelage.functional.logprobs import projected_logprobs
from tutelage.functional.token_weights import dft_weights, importance_weights, random_weights
from tutelage.objectives import TokenBatch
from tutelage.seeds import derive
from tutelage.training.forward import Backbone, TokenPair

__all__ = ["DFT", "ImportanceSFT", "MicroBatch", "RandomTokens", "Reweighting", "StepView", "as_flat", "as_table"]

Seen = Literal["completion", "teacher", "reference"]


@dataclass(frozen=True)
class StepView:
    """What a reweighting may know before a step.

    ``probe()`` gives an independent batch of reference sequences, as many as the step has; ``evaluating`` is a context
    without dropout; ``max_grad_norm`` bounds the step's gradient.
    """

    step: int
    seed: int
    backbone: Backbone
    probe: Callable[[], list[TokenPair]]
    tokens_per_micro_batch: int
    max_grad_norm: float


@dataclass(frozen=True)
class MicroBatch:
    """Sequences of one micro-batch with the student's outputs [N, D] at their counted tokens, detached.

    ``places`` [B] are their places in the whole step. ``reference()`` gives log-probabilities [N] of the same tokens
    under the model before tuning.
    """

    pairs: Sequence[TokenPair]
    places: Sequence[int]
    student: Projected
    batch: TokenBatch
    reference: Callable[[], Tensor]

    @property
    def lengths(self) -> list[int]:
        """Counted tokens of each sequence."""
        return [len(pair.completion) for pair in self.pairs]

    def logprobs(self) -> tuple[Tensor, Tensor]:
        """The student's log-probabilities [B, T] of the counted tokens, and their mask."""
        return as_table(projected_logprobs(self.student, self.batch.targets), self.lengths)


class Reweighting(ABC):
    """Factors of the tokens of one part of the loss.

    ``sees`` says which sequences it can work on, and with "reference" that it asks for the model before tuning.
    """

    name: ClassVar[str]
    sees: ClassVar[frozenset[Seen]] = frozenset({"completion"})

    def begin(self, view: StepView) -> None:  # noqa: B027 - most have nothing to prepare
        """Called once before the micro-batches of a step; may use and must clear the gradients."""

    @abstractmethod
    def factors(self, micro: MicroBatch) -> Tensor:
        """One factor of at least 0 for each counted token [N], in the order of the micro-batch."""

    def scale(self) -> float:
        """What loss and gradient of the whole step are multiplied by; asked after its last micro-batch."""
        return 1.0

    def stats(self) -> dict[str, float]:
        """Numbers of the step for the log."""
        return {}

    def rollout_limit(self) -> int | None:
        """Longest rollout of the next step, or None for the settings' own."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """What resuming needs, as JSON."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:  # noqa: B027 - most have no state
        """Continue from ``state``."""


def as_table(flat: Tensor, lengths: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Values [N] of sequences one after the other as a padded table [B, T], and its mask.

    Example:
        >>> as_table(torch.tensor([1.0, 2.0, 3.0]), [1, 2])[0]
        tensor([[1., 0.],
                [2., 3.]])
    """
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    mask = mask.to(flat.device)
    table = flat.new_zeros(mask.shape)
    table[mask] = flat
    return table, mask


def as_flat(table: Tensor, mask: Tensor) -> Tensor:
    """The counted values of a padded table, one sequence after the other: the inverse of :func:`as_table`."""
    return table[mask]


@dataclass
class DFT(Reweighting):
    """Every token weighs its own probability (:func:`tutelage.functional.token_weights.dft_weights`)."""

    name: ClassVar[str] = "dft"

    def factors(self, micro: MicroBatch) -> Tensor:
        """``p(y_t)`` under the student."""
        table, mask = micro.logprobs()
        return as_flat(dft_weights(table, mask), mask)


@dataclass
class ImportanceSFT(Reweighting):
    """Every example weighs how much likelier it has become since before tuning (iw-SFT)."""

    clip: float = 5.0
    name: ClassVar[str] = "iw-sft"
    sees: ClassVar[frozenset[Seen]] = frozenset({"completion", "reference"})

    def __post_init__(self) -> None:
        if not self.clip >= 1:
            raise ConfigError(f"clip is {self.clip}", where="reweight.clip", hint="at least 1; 1 is plain fine-tuning")

    def factors(self, micro: MicroBatch) -> Tensor:
        """The clipped mean ratio of each example."""
        table, mask = micro.logprobs()
        before, _ = as_table(micro.reference(), micro.lengths)
        return as_flat(importance_weights(table, before, mask, clip=self.clip), mask)


@dataclass
class RandomTokens(Reweighting):
    """A random share of the tokens, and the last ones always: the control of every reweighting.

    Kept tokens weigh ``1 / keep``, so that the loss keeps its size on average.
    """

    keep: float = 0.2
    always: int = 0
    name: ClassVar[str] = "random"

    def __post_init__(self) -> None:
        if not 0 < self.keep <= 1 or self.always < 0:
            raise ConfigError(
                f"keep is {self.keep}, always {self.always}",
                where="reweight",
                hint="keep is a share in (0, 1], always a number of tokens",
            )
        self._at = (0, 0)

    def begin(self, view: StepView) -> None:
        """Note which step it is: every sequence of every step has its own draw."""
        self._at = (view.seed, view.step)

    def factors(self, micro: MicroBatch) -> Tensor:
        """1 / keep or 0; the tokens that always count weigh 1."""
        found = []
        for place, length in zip(micro.places, micro.lengths, strict=True):
            mask = torch.ones(1, length, device=micro.batch.targets.device)
            seed = derive(*self._at[:1], "random-tokens", self._at[1], place)
            kept = random_weights(mask, keep=self.keep, always=self.always, seed=seed)[0]
            drawn = torch.arange(length, device=kept.device) < length - self.always
            found.append(torch.where(drawn, kept / self.keep, kept))
        return torch.cat(found)
