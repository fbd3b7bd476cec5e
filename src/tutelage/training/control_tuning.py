"""MEET: controls are trained alone first, with the language model frozen, and then together with it.

A control is tiny beside the model. Trained together from the start, the model learns what an attribute's data have in
common before the control has come to mean anything; trained first, the control already says which data are meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from tutelage.data import chat
from tutelage.errors import DataError
from tutelage.models.controls import ControlSet
from tutelage.objectives import Objective, SupervisedFineTuning
from tutelage.training.balance import FixedBalance
from tutelage.training.micro_batches import Sequences
from tutelage.training.settings import RolloutSettings, TrainSettings
from tutelage.training.task import Cost, Example, TrainingTask
from tutelage.training.trainer import Trainer
from tutelage.types import Message, Row

__all__ = ["ControlledExample", "pointwise", "train_controls", "train_joint"]


@dataclass(frozen=True)
class ControlledExample:
    """A training row and the attribute that its completion has; the prompt is without the control's tokens."""

    example: Example
    attribute: str


def pointwise(
    pairs: Sequence[Mapping[str, Any]],
    tokenizer: PreTrainedTokenizerBase,
    *,
    chosen: str = "good",
    rejected: str = "bad",
) -> list[ControlledExample]:
    """Two rows of each preference pair: its chosen answer under one attribute, its rejected one under the other.

    Args:
        pairs: TRL's columns ``id``, ``prompt``, ``chosen`` and ``rejected``; each a text or a list of messages.
        tokenizer: with a chat template, or the documented plain format.
        chosen: the attribute of chosen answers.
        rejected: the attribute of rejected answers. A model with this control can be asked for bad text on purpose.

    Raises:
        DataError: a pair lacks a column or has an empty answer, with the pair's id or number.
    """
    found = []
    for number, pair in enumerate(pairs):
        name = str(pair.get("id", number))
        for attribute, column in ((chosen, "chosen"), (rejected, "rejected")):
            prompt, answer = (
                _messages(pair, key, role, name) for key, role in (("prompt", "user"), (column, "assistant"))
            )
            encoded = chat.encode(tokenizer, Row(id=f"{name}/{attribute}", prompt=prompt, completion=answer))
            first = encoded.labels_mask.index(True)
            example = Example(f"{name}/{attribute}", encoded.ids[:first], encoded.ids[first:])
            found.append(ControlledExample(example, attribute))
    return found


def _messages(pair: Mapping[str, Any], key: str, role: str, name: str) -> list[Message]:
    value = pair.get(key)
    if not value:
        raise DataError(f"the pair has no {key}", where=f"pair {name}", hint="prompt, chosen and rejected are needed")
    return [Message(role=role, content=value)] if isinstance(value, str) else list(value)


def train_controls(
    controls: ControlSet,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[ControlledExample],
    settings: TrainSettings,
    *,
    seed: int,
    folder: Path,
) -> Cost:
    r"""Stage 1: ``min_E sum -log p(y | E_c(y), x)`` over the controls E alone; no weight of the model changes.

    Args:
        controls: on the model they control; changed in place.
        tokenizer: of the model.
        rows: data of every attribute.
        settings: optimizer and steps.
        seed: of the order of the rows.
        folder: for checkpoints; a run that was cut is continued from there.

    Returns:
        What it cost; control tokens count among the trained ones.

    Raises:
        DataError: an attribute without rows.
        RegistryError: a row of an attribute that there is no control for.

    Source: MEET (arXiv 2310.00819), abstract; details are our reading.
    """
    return _fit(controls, tokenizer, rows, settings, seed=seed, folder=folder, model=False, control_rate=1.0)


def train_joint(
    controls: ControlSet,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[ControlledExample],
    settings: TrainSettings,
    *,
    seed: int,
    folder: Path,
    control_rate: float = 1.0,
) -> Cost:
    """Stage 2, or plain joint training where there was no stage 1: the same loss over controls and model.

    Args:
        controls: on the model they control; both are changed in place.
        tokenizer: of the model.
        rows: data of every attribute.
        settings: ``learning_rate`` is the model's.
        seed: of the order of the rows.
        folder: for checkpoints, not that of stage 1.
        control_rate: the controls' learning rate as a multiple of the model's.

    Raises:
        DataError: an attribute without rows.
        RegistryError: a row of an attribute that there is no control for.
    """
    return _fit(controls, tokenizer, rows, settings, seed=seed, folder=folder, model=True, control_rate=control_rate)


def _fit(
    controls: ControlSet,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[ControlledExample],
    settings: TrainSettings,
    *,
    seed: int,
    folder: Path,
    model: bool,
    control_rate: float,
) -> Cost:
    examples = _controlled(controls, rows)
    controls.require_gradients(model=model)
    task = TrainingTask(
        examples=examples,
        parts={"sft": SupervisedFineTuning()},
        folder=folder,
        seed=seed,
        stop_ids=frozenset(chat.end_of_turn_ids(tokenizer)),
    )
    trainer = _ControlTrainer(controls.model, tokenizer, task, settings, FixedBalance(), RolloutSettings())
    trainer.controls, trainer.control_rate = controls, control_rate
    trainer.attribute_of = {one.example.id: one.attribute for one in rows}
    trainer.resume()
    trainer.fit()
    controls.model.eval()
    return trainer.cost


def _controlled(controls: ControlSet, rows: Sequence[ControlledExample]) -> list[Example]:
    """The rows with their controls' tokens in front."""
    for one in rows:
        controls.check(one.attribute)
    missing = sorted(set(controls.attributes) - {one.attribute for one in rows})
    if missing:
        raise DataError(
            f"no row has the attribute {', '.join(missing)}",
            where="training rows",
            hint="a control is told from the others by data of its own; every attribute needs some",
        )
    if len({one.example.id for one in rows}) != len(rows):
        raise DataError("two training rows have the same id", where="training rows", hint="see pointwise")
    return [replace(one.example, prompt=controls.ids(one.attribute) + one.example.prompt) for one in rows]


class _ControlTrainer(Trainer):
    """The loop with an adapter for each attribute, and a learning rate of the controls' own.

    A step's rows are cut by attribute before they are cut into micro-batches, since a forward has one adapter. The
    weights of the tokens are those of the undivided step.
    """

    controls: ControlSet
    control_rate: float = 1.0
    attribute_of: Mapping[str, str]
    _attributes: list[str]

    def create_optimizer(self, *args: Any, **kwargs: Any) -> Any:
        """The usual groups, and one more for the controls: their own rate, no decay."""
        optimizer = super().create_optimizer(*args, **kwargs)
        own = {id(one) for one in self.controls.parameters()}
        for group in optimizer.param_groups:
            group["params"] = [one for one in group["params"] if id(one) not in own]
        optimizer.param_groups[:] = [group for group in optimizer.param_groups if group["params"]]
        rate = self.control_rate * self.train_settings.learning_rate
        optimizer.add_param_group({"params": self.controls.parameters(), "lr": rate, "weight_decay": 0.0})
        return optimizer

    def training_step(self, model: nn.Module, inputs: Any, num_items_in_batch: Tensor | int | None = None) -> Tensor:
        """One whole optimizer step."""
        self._attributes = [self.attribute_of[self.task.examples[i].id] for i in inputs]
        return super().training_step(model, inputs, num_items_in_batch)

    def _backward(self, objective: Objective, all_of: Sequences, *more: Any) -> tuple[float, dict[str, float]]:
        if self.controls.settings.kind == "prompt":
            return super()._backward(objective, all_of, *more)
        loss = 0.0
        for attribute in self.controls.attributes:
            chosen = [i for i, row in enumerate(all_of.rows) if self._attributes[row] == attribute]
            if chosen:
                with self.controls.using(attribute):
                    loss += super()._backward(objective, all_of.only(chosen), *more)[0]
        return loss, {}
