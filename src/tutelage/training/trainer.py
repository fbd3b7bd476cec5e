"""The one training loop: transformers' Trainer, fed one optimizer step at a time.

One item of the data loader is one optimizer step. :meth:`Trainer.training_step` turns its rows into the sequences that
each part of the loss needs (reference completions, or fresh rollouts of the student), cuts them into micro-batches by
token count, and runs backward for each part into its own gradient buffer. Only then are the losses of the *whole* step
known, the balance updated once, and the buffers combined. So the result does not depend on the micro-batches, the
weight of the step is the weight of its own losses, and the gradient norm of each part comes for free.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, cast

import torch
import transformers
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tutelage.errors import NumericalError, TutelageError
from tutelage.functional.fused import Projected
from tutelage.functional.logprobs import projected_logprobs
from tutelage.models.adapter import adapter_off
from tutelage.models.rollout import evaluating
from tutelage.objectives import Objective
from tutelage.seeds import derive
from tutelage.training import checkpoint
from tutelage.training.arguments import arguments
from tutelage.training.averaging import CheckpointAverager, load_average
from tutelage.training.balance import Balance
from tutelage.training.forward import (
    Backbone,
    PrefixCache,
    TokenPair,
    common_beginning,
    student_outputs,
    teacher_outputs,
)
from tutelage.training.micro_batches import Sequences, sequences, teacher_prompt
from tutelage.training.plan import StepPlan, epoch_orders
from tutelage.training.reweighting import MicroBatch, Reweighting, StepView
from tutelage.training.rollouts import rollouts
from tutelage.training.schedules import schedule_multiplier
from tutelage.training.settings import OWN_SCHEDULES, RolloutSettings, TrainSettings
from tutelage.training.step_end import StepEnd
from tutelage.training.task import Cost, Example, TrainingTask

__all__ = ["Trainer"]


class Trainer(transformers.Trainer):
    """Trains ``model`` on a :class:`TrainingTask`.

    Args:
        model: causal LM, with or without a LoRA adapter; the parameters that require a gradient are trained.
        tokenizer: kept beside the model, as transformers expects.
        task: examples, objectives and where things go.
        train: the optimizer and its steps.
        balance: weighs the parts.
        rollout: how the student speaks.

    Raises:
        ConfigError: an objective needs a teacher prompt that the examples lack.
        ModelError: the model's logits are not a linear map of its last hidden state.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        task: TrainingTask,
        train: TrainSettings,
        balance: Balance,
        rollout: RolloutSettings,
    ) -> None:
        self.task, self.train_settings, self.rollout, self.balance = task, train, rollout, balance
        self.on_metrics: Callable[[int, dict[str, float]], None] = lambda step, metrics: None
        self.last_metrics: dict[str, float] = {}
        self.cost = Cost()
        self.backbone = Backbone(model)
        self.backbone.check()
        self.teacher = Backbone(task.teacher) if task.teacher is not None else self.backbone
        self.prefixes = self._prefix_cache()
        self.plan = StepPlan.of(
            len(task.examples),
            batch_size=train.batch_size,
            epochs=train.epochs,
            max_steps=train.max_steps,
            seed=task.seed,
            order=epoch_orders(task),
        )
        self.averager = CheckpointAverager(task.averaging) if task.averaging is not None else None
        if task.averaging is not None:
            task.averaging.spacing(len(self.plan))
        self._resumed: checkpoint.Checkpoint | None = None
        self.student, self.tokenizer = model, tokenizer
        task.check()
        super().__init__(
            model=model,
            args=arguments(train, task, len(self.plan), model.device),
            train_dataset=self.plan,
            processing_class=tokenizer,
            callbacks=[StepEnd(self)],
        )
        self.remove_callback(transformers.PrinterCallback)

    # --- what transformers calls -------------------------------------------------------------------------------

    def get_train_dataloader(self) -> DataLoader[Any]:
        """One item = the row indices of one optimizer step, starting where the run left off."""
        return DataLoader(self.plan.left(self.step), batch_size=None, shuffle=False)  # type: ignore[arg-type]

    def _init_training_state(self, *args: Any, **kwargs: Any) -> tuple[int, int]:
        epochs, skip = super()._init_training_state(*args, **kwargs)
        self.state.global_step = self.step
        return epochs, skip

    def _prepare_for_training(self, *args: Any, **kwargs: Any) -> Any:
        prepared = super()._prepare_for_training(*args, **kwargs)
        if self._resumed is not None:
            scalars = checkpoint.restore(self._resumed, self.student, self._plain_optimizer())
            scheduler = self._scheduler()
            scheduler.load_state_dict({**scheduler.state_dict(), **scalars["scheduler"]})
            self._continue_from(scalars)
        return prepared

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> Any:
        """transformers' schedule, or one of ours."""
        if self.train_settings.schedule not in OWN_SCHEDULES:
            return super().create_scheduler(num_training_steps, optimizer)
        shape = self.train_settings.own_schedule()
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer if optimizer is not None else self._plain_optimizer(),
            lambda step: schedule_multiplier(step, num_training_steps, shape),
        )
        return self.lr_scheduler

    def training_step(
        self, model: torch.nn.Module, inputs: Any, num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """One whole optimizer step: every part's gradient, then their balanced sum, left in ``.grad``."""
        step = self.state.global_step
        rows = [self.task.examples[i] for i in inputs]
        torch.manual_seed(derive(self.task.seed, "dropout", step))
        drawn = rollouts(self, rows, step) if _wants(self.task.parts, "rollout") else []
        started = time.perf_counter()
        model.train()
        losses: dict[str, float] = {}
        gradients: dict[str, list[Tensor | None]] = {}
        metrics: dict[str, float] = {}
        for name, objective in self.task.parts.items():
            reweighting = self.task.reweights.get(name)
            with _naming(name, rows, step):
                if reweighting is not None:
                    reweighting.begin(self._view(step, inputs))
                loss, stats = self._backward(objective, sequences(objective, rows, drawn), reweighting)
            scale = reweighting.scale() if reweighting is not None else 1.0
            losses[name] = scale * loss
            metrics |= {f"{name}/{key}": value for key, value in stats.items()}
            gradients[name] = self._take_gradients(scale)
        weights = self.balance.weights(losses)
        metrics |= self._combine(gradients, losses, weights)
        if drawn:
            cut = sum(p.completion[-1] not in self.task.stop_ids for p in drawn)
            metrics["rollout/truncated"] = cut / len(drawn)
            metrics["rollout/tokens"] = sum(len(p.completion) for p in drawn) / len(drawn)
        self.cost.seconds_training += time.perf_counter() - started
        self.last_metrics = metrics
        return torch.tensor(metrics["loss"])

    # --- what we call ------------------------------------------------------------------------------------------

    @property
    def step(self) -> int:
        """Optimizer steps done when this process started."""
        return self._resumed.step if self._resumed else 0

    @property
    def stopped_early(self) -> bool:
        """Whether :meth:`fit` returned because it was asked to."""
        return max(self.step, self.state.global_step) < len(self.plan)

    def resume(self) -> list[str]:
        """Continue from the newest complete checkpoint, if there is one; returns what was found damaged."""
        self._resumed, damaged = checkpoint.latest(self.task.folder)
        if self._resumed is not None and self._resumed.step >= len(self.plan):
            self._restore_finished()
        return damaged

    def fit(self) -> None:
        """Train to the end, or until ``task.should_stop``; the last step is always checkpointed."""
        if self.step >= len(self.plan):
            return
        try:
            with _older_objects_aside():
                self.train()
            self._use_average()
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise TutelageError(
                f"out of memory in step {self.state.global_step}",
                where=str(self.task.folder),
                hint="lower train.tokens_per_micro_batch (same result, less memory), then `tutelage resume`",
            ) from error

    def save_checkpoint(self) -> None:
        """Write a checkpoint of the current step."""
        scalars = {
            "scheduler": {k: v for k, v in self._scheduler().state_dict().items() if k != "lr_lambdas"},
            "balance": self.balance.state_dict(),
            "cost": vars(self.cost),
            "reweights": {name: one.state_dict() for name, one in self.task.reweights.items()},
        }
        extra: dict[str, Tensor] = {}
        if self.averager is not None:
            scalars["average"], extra = self.averager.state_dict(), self.averager.tensors()
        keep, optimizer = self.train_settings.keep_checkpoints, self._plain_optimizer()
        step = self.state.global_step
        checkpoint.save(self.task.folder, step, self.student, optimizer, scalars, keep=keep, extra=extra)

    def _continue_from(self, scalars: dict[str, Any]) -> None:
        """Take up everything but weights, optimizer and schedule."""
        assert self._resumed is not None
        self.balance.load_state_dict(scalars["balance"])
        self.cost = Cost(**scalars["cost"])
        for name, state in scalars.get("reweights", {}).items():
            self.task.reweights[name].load_state_dict(state)
        if self.averager is not None:
            self.averager.load(checkpoint.extra_tensors(self._resumed), scalars["average"])

    def _step_done(self) -> None:
        """Take the weights into the average when it is their turn."""
        if self.averager is not None:
            named = ((n, p) for n, p in self.student.named_parameters() if p.requires_grad)
            self.averager.update(self.state.global_step, len(self.plan), named)

    def _use_average(self) -> None:
        """The trained model is the average; the checkpoint keeps the last weights as they are."""
        if self.averager is not None and self.averager.complete:
            load_average(self.student, self.averager.averaged())

    def _prefix_cache(self) -> PrefixCache | None:
        if not self.train_settings.teacher_cache_mib or not _wants(self.task.parts, "teacher"):
            return None
        prompts = [teacher_prompt(example) for example in self.task.examples]
        return PrefixCache(self.train_settings.teacher_cache_mib, common_beginning(prompts))

    def _restore_finished(self) -> None:
        assert self._resumed is not None
        self._continue_from(checkpoint.restore(self._resumed, self.student, self.create_optimizer()))
        self._use_average()

    def _plain_optimizer(self) -> torch.optim.Optimizer:
        """The optimizer under accelerate's wrapper."""
        assert self.optimizer is not None
        return cast("torch.optim.Optimizer", getattr(self.optimizer, "optimizer", self.optimizer))

    def _scheduler(self) -> torch.optim.lr_scheduler.LRScheduler:
        assert self.lr_scheduler is not None
        return self.lr_scheduler

    def _backward(
        self, objective: Objective, all_of: Sequences, reweighting: Reweighting | None
    ) -> tuple[float, dict[str, float]]:
        """Accumulate the gradient of one part over its micro-batches; returns its loss and token-weighted stats."""
        loss, stats = 0.0, dict[str, float]()
        for part in all_of.cut(self.train_settings.tokens_per_micro_batch):
            student = student_outputs(self.backbone, part.pairs)
            batch = part.batch(objective, self.backbone.device, self._teacher_side(part))
            if reweighting is not None:
                seen = MicroBatch(part.pairs, part.places, student.detached(), batch, partial(self._before, part))
                batch = replace(batch, weights=batch.weights * reweighting.factors(seen))
            result = objective(student, batch)
            result.total.backward()
            loss += float(result.total.detach())
            share = len(batch.targets) / all_of.tokens
            for key, value in result.stats.items():
                stats[key] = stats.get(key, 0.0) + share * value
        self.cost.tokens_trained += sum(len(p) for p in all_of.pairs)
        return loss, stats | (reweighting.stats() if reweighting is not None else {})

    def _teacher_side(self, part: Sequences) -> Projected | None:
        if part.teacher_pairs is None:
            return None
        self.cost.tokens_scored += sum(len(p) for p in part.teacher_pairs)
        return teacher_outputs(self.teacher, part.teacher_pairs, as_teacher=self.as_teacher, cache=self.prefixes)

    def _before(self, part: Sequences) -> Tensor:
        """Log-probabilities of the counted tokens under the model before tuning."""
        outputs = teacher_outputs(self.teacher, part.pairs, as_teacher=self.as_teacher)
        self.cost.tokens_scored += sum(len(p) for p in part.pairs)
        return projected_logprobs(outputs, torch.tensor(part.targets, device=outputs.hidden.device))

    def _view(self, step: int, inputs: Sequence[int]) -> StepView:
        """The step as a reweighting may see it; the probe batch is drawn from the other rows, as many as there are."""

        def probe() -> list[TokenPair]:
            others = sorted(set(range(len(self.task.examples))) - set(inputs)) or list(inputs)
            chosen = random.Random(derive(self.task.seed, "probe", step)).sample(others, min(len(inputs), len(others)))
            pairs = [TokenPair(e.prompt, e.completion) for e in (self.task.examples[i] for i in chosen)]
            self.cost.tokens_trained += sum(len(p) for p in pairs)
            return pairs

        train = self.train_settings
        return StepView(step, self.task.seed, self.backbone, probe, train.tokens_per_micro_batch, train.max_grad_norm)

    @contextmanager
    def as_teacher(self) -> Iterator[None]:
        """The base model: adapter off, dropout off."""
        if self.teacher is not self.backbone:
            yield
            return
        with evaluating(self.student), adapter_off(self.student):
            yield

    def _trainable(self) -> list[Tensor]:
        return [p for p in self.student.parameters() if p.requires_grad]

    def _take_gradients(self, scale: float) -> list[Tensor | None]:
        """Move the accumulated gradients out of ``.grad``, without copying, times ``scale``."""
        taken = [p.grad if p.grad is None or scale == 1.0 else p.grad.mul_(scale) for p in self._trainable()]
        for parameter in self._trainable():
            parameter.grad = None
        return taken

    def _combine(
        self, gradients: dict[str, list[Tensor | None]], losses: dict[str, float], weights: dict[str, float]
    ) -> dict[str, float]:
        """Leave sum of weight * gradient in ``.grad`` and report losses, weights and both gradient norms."""
        for name, parts in gradients.items():
            for parameter, gradient in zip(self._trainable(), parts, strict=True):
                if gradient is None:
                    continue
                if parameter.grad is None:
                    parameter.grad = gradient * weights[name] if weights[name] != 1.0 else gradient
                else:
                    parameter.grad = parameter.grad.add(gradient, alpha=weights[name])
        metrics = {f"{name}/loss": value for name, value in losses.items()}
        metrics |= {f"{name}/weight": weights[name] for name in losses}
        metrics |= {f"{name}/grad_norm": _norm(parts) for name, parts in gradients.items()}
        metrics["loss"] = sum(weights[name] * value for name, value in losses.items())
        metrics["grad_norm"] = _norm([p.grad for p in self._trainable()])
        return metrics


@contextmanager
def _naming(part: str, rows: Sequence[Example], step: int) -> Iterator[None]:
    """Say in which step and rows a loss was not finite. No optimizer step has been taken, no checkpoint written."""
    try:
        yield
    except NumericalError as error:
        raise NumericalError(
            f"the {part} loss is not finite in step {step}: {error.what}",
            where=f"rows {', '.join(r.id for r in rows)}",
            hint="lower train.learning_rate, or look at these rows; `tutelage resume` goes on from the last checkpoint",
        ) from error


def _norm(gradients: Sequence[Tensor | None]) -> float:
    present = [g for g in gradients if g is not None]
    return float(torch.nn.utils.get_total_norm(present)) if present else 0.0


def _wants(parts: dict[str, Objective], need: str) -> bool:
    return any(need in objective.needs for objective in parts.values())


@contextmanager
def _older_objects_aside() -> Iterator[None]:
    """Collections inside look only at what was made inside.

    Accelerate collects after every training; in a process full of modules that takes longer than a short training.
    """
    if gc.get_freeze_count():  # somebody else's, who would not want it thawed
        yield
        return
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
