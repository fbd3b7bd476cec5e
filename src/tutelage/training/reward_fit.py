"""Training of reward models with a head: cross-entropy on labelled steps or on outcomes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tutelage.data.steps import UNKNOWN, StepRow, outcome_label, until_first_error
from tutelage.errors import ConfigError, DataError, NumericalError
from tutelage.models.rollout import plan_groups
from tutelage.seeds import derive
from tutelage.training.plan import StepPlan
from tutelage.training.reward_heads import HeadRewardModel
from tutelage.training.schedules import ScheduleSettings, schedule_multiplier

__all__ = ["RewardFit", "fit_reward_model", "reward_losses"]


WARM_THEN_DOWN = ScheduleSettings("cosine", 0.001, decay_share=0.9, warmup_ratio=0.1)


@dataclass(frozen=True)
class RewardFit:
    """Optimizer and length of the training of a reward model.

    Raises:
        ConfigError: a number that must be above 0 and is not.
    """

    epochs: float = 1.0
    batch_size: int = 16
    learning_rate: float = 1e-4
    weight_decay: float = 0.01
    clip: float = 1.0
    tokens_per_micro_batch: int = 8192
    schedule: ScheduleSettings = WARM_THEN_DOWN

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "learning_rate", "clip", "tokens_per_micro_batch"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}, it must be above 0", where=f"reward.{name}")


@dataclass(frozen=True)
class _Item:
    text: tuple[list[int], list[int]]
    labels: list[int]


def fit_reward_model(
    model: HeadRewardModel,
    rows: Sequence[StepRow],
    settings: RewardFit,
    *,
    seed: int,
    on_step: Callable[[int, int, float], None] | None = None,
) -> list[float]:
    """Train the parameters of ``model`` that require a gradient, on the CPU to the same bits for the same seed.

    A dORM learns one label of the whole solution (:func:`~tutelage.data.steps.outcome_label`); a dPRM those of its
    steps up to and with the first wrong one, and nothing of unknown ones. The loss of an optimizer step is the mean
    over its labels, however its rows are cut into micro-batches.

    Args:
        model: with a head; it is left in evaluation mode.
        rows: to train on; those without a label that counts are left out.
        settings: of the optimizer.
        seed: of the order of the rows.
        on_step: called with (steps done, steps in all, loss).

    Returns:
        The loss of every optimizer step, nats a label.

    Raises:
        DataError: no row with a label that counts, or one that cannot be encoded.
        NumericalError: the loss is not finite.

    Source: arXiv 2510.00492, official code (two-way cross-entropy, first-error truncation, mean over labels).
    """
    items = [item for row in rows if (item := _item(model, row)) is not None]
    if not items:
        raise DataError("no row has a label to learn", hint="a dORM needs outcomes, a dPRM labels of steps")
    trained = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    plan = StepPlan.of(
        len(items), batch_size=settings.batch_size, epochs=settings.epochs, max_steps=0, seed=derive(seed, "reward")
    )
    losses = []
    model.train()
    for step in range(len(plan)):
        batch = [items[i] for i in plan[step]]
        count = sum(label != UNKNOWN for item in batch for label in item.labels)
        optimizer.zero_grad()
        loss = 0.0
        for group in plan_groups(
            [len(item.text[0]) for item in batch], budget=settings.tokens_per_micro_batch, rows=len(batch)
        ):
            part = _loss(model, [batch[i] for i in group]) / count
            part.backward()
            loss += float(part.detach())
        if not math.isfinite(loss):
            raise NumericalError("the loss is not finite", where=f"step {step}", hint="lower the learning rate")
        nn.utils.clip_grad_norm_(trained, settings.clip)
        for group_of in optimizer.param_groups:
            group_of["lr"] = settings.learning_rate * schedule_multiplier(step, len(plan), settings.schedule)
        optimizer.step()
        losses.append(loss)
        if on_step is not None:
            on_step(step + 1, len(plan), loss)
    model.eval()
    return losses


def reward_losses(model: HeadRewardModel, rows: Sequence[StepRow]) -> list[float]:
    """Mean cross-entropy of the labels of each row that has some, nats, without training: for a validation set."""
    found = []
    with torch.no_grad():
        for row in rows:
            item = _item(model, row)
            if item is not None:
                count = sum(label != UNKNOWN for label in item.labels)
                found.append(float(_loss(model, [item])) / count)
    return found


def _item(model: HeadRewardModel, row: StepRow) -> _Item | None:
    if model.kind == "dORM":
        ids, places = model.encode(row.question, row.steps)
        labels = [outcome_label(row)]
        return None if labels == [UNKNOWN] else _Item((ids, places[-1:]), labels)
    cut = until_first_error(row)
    labels = list(cut.labels)
    if all(label == UNKNOWN for label in labels):
        return None
    return _Item(model.encode(cut.question, cut.steps), labels)


def _loss(model: HeadRewardModel, items: Sequence[_Item]) -> Tensor:
    """Sum of the cross-entropies of the known labels."""
    logits = torch.cat(model.logits([item.text for item in items]))
    labels = torch.tensor([label for item in items for label in item.labels], device=logits.device)
    known = labels != UNKNOWN
    return nn.functional.binary_cross_entropy_with_logits(logits[known], labels[known].float(), reduction="sum")
