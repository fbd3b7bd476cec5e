"""One arm of an experiment: a copy of a base model, tuned by the house's loop; only its weights are left of it."""

from __future__ import annotations

import copy
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerCallback

from tutelage.data import chat
from tutelage.models import LoadedModel
from tutelage.models.rollout import sample
from tutelage.objectives import Objective, SupervisedFineTuning
from tutelage.papers.lab.pretraining import tokenised
from tutelage.training.balance import Balance, FixedBalance
from tutelage.training.settings import RolloutSettings, TrainSettings
from tutelage.training.task import Example, TrainingTask
from tutelage.training.trainer import Trainer
from tutelage.types import Sampling

__all__ = ["REPLY_TOKENS", "TrainedArm", "answers", "settings_of", "tuned"]

REPLY_TOKENS = 48


@dataclass(frozen=True)
class TrainedArm:
    """The tuned model, the metrics of every step, and what it cost (tokens, seconds, ``cpu_seconds``)."""

    model: PreTrainedModel
    steps: list[dict[str, float]]
    cost: dict[str, float] = field(default_factory=dict)

    def loaded(self, base: LoadedModel) -> LoadedModel:
        """The tuned model with the tokenizer of ``base``, as a start for further arms."""
        return replace(base, model=self.model)


def tuned(
    base: LoadedModel,
    examples: Sequence[Example],
    settings: TrainSettings,
    *,
    seed: int,
    folder: Path,
    parts: Mapping[str, Objective] | None = None,
    teacher: PreTrainedModel | None = None,
    rollout: RolloutSettings | None = None,
    balance: Balance | None = None,
    **more: Any,
) -> TrainedArm:
    """Full fine-tuning of a copy of ``base``. ``folder`` holds the checkpoints while it lasts and is removed.

    An arm takes seconds, so an interrupted one is not continued but trained again, to the same weights.

    Args:
        base: where to start; it is not changed.
        examples: what to train on (:func:`tokenised`).
        settings: optimizer and steps.
        seed: of the order of the rows and of everything drawn.
        folder: for the checkpoints.
        parts: objectives by name; None is plain supervised fine-tuning.
        teacher: a frozen model, for objectives that need one.
        rollout: how the student speaks, for objectives that need its own replies.
        balance: weighs the parts.
        more: further fields of :class:`tutelage.training.task.TrainingTask`, such as ``reweights``, and ``callbacks``
            of transformers.
    """
    started = time.process_time()
    callbacks: Sequence[TrainerCallback] = more.pop("callbacks", ())
    student = copy.deepcopy(base.model).train().requires_grad_(True)
    shutil.rmtree(folder, ignore_errors=True)  # left by a killed process
    if teacher is None and any("reference" in one.sees for one in more.get("reweights", {}).values()):
        teacher = copy.deepcopy(base.model).eval().requires_grad_(False)
    task = TrainingTask(
        examples=examples,
        parts=dict(parts) if parts is not None else {"sft": SupervisedFineTuning()},
        folder=folder,
        seed=seed,
        stop_ids=frozenset(chat.end_of_turn_ids(base.tokenizer)),
        teacher=teacher,
        **more,
    )
    rollout = rollout or RolloutSettings(max_new_tokens=REPLY_TOKENS)
    trainer = Trainer(student, base.tokenizer, task, settings, balance or FixedBalance(), rollout)
    for callback in callbacks:
        trainer.add_callback(callback)
    steps: list[dict[str, float]] = []
    trainer.on_metrics = lambda step, metrics: steps.append(metrics)
    trainer.fit()
    shutil.rmtree(folder, ignore_errors=True)
    cost = {**vars(trainer.cost), "cpu_seconds": time.process_time() - started}
    return TrainedArm(student.eval(), steps, cost)


def settings_of(steps: int, **settings: Any) -> TrainSettings:
    """Settings of an arm of ``steps`` optimizer steps that writes one checkpoint, at its end."""
    return TrainSettings(max_steps=steps, checkpoint_every=steps, keep_checkpoints=1, **settings)


def answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    *,
    max_new_tokens: int = REPLY_TOKENS,
    temperature: float = 0.0,
    seed: int = 0,
) -> list[str]:
    """One reply to each prompt, greedy unless ``temperature`` says otherwise."""
    rows = tokenised([("", prompt, "") for prompt in prompts], tokenizer)
    drawn = sample(
        model,
        tokenizer,
        [row.prompt for row in rows],
        Sampling(max_new_tokens, temperature),
        [seed + i for i in range(len(rows))],
        chat.end_of_turn_ids(tokenizer),
    )
    return [str(tokenizer.decode(list(one.token_ids), skip_special_tokens=True)) for one in drawn]
