"""The one training loop: transformers' Trainer, fed one optimizer step at a time.

One item of the data loader is one optimizer step. :meth:`Trainer.training_step` turns its rows into the sequences that
each part of the loss needs (reference completions, or fresh rollouts of the student), cuts them into micro-batches by
token count, and runs backward for each part into its own gradient buffer. Only then are the losses of the *whole* step
known, the balance updated once, and the buffers combined. So the result does not depend on the micro-batches, the
weight of the step is the weight of its own losses, and the gradient norm of each part comes for free.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
import transformers
from torch import Tensor
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainerControl, TrainerState, TrainingArguments

from tutelage.errors import NumericalError, TutelageError
from tutelage.functional.reduction import sequence_mean_weights, token_mean_weights
from tutelage.models.adapter import adapter_off
from tutelage.models.rollout import evaluating, plan_groups, sample
from tutelage.objectives import Objective, TokenBatch
from tutelage.seeds import derive
from tutelage.training import checkpoint
from tutelage.training.balance import Balance
from tutelage.training.forward import (
    Backbone,
    PrefixCache,
    TokenPair,
    common_beginning,
    student_outputs,
    teacher_outputs,
)
from tutelage.training.lean_adapter import lean_adapters
from tutelage.training.plan import StepPlan
from tutelage.training.settings import RolloutSettings, TrainSettings
from tutelage.training.task import Cost, Example, TrainingTask
from tutelage.types import Sampling

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
        )
        self._resumed: checkpoint.Checkpoint | None = None
        self.student, self.tokenizer = model, tokenizer
        task.check()
        super().__init__(
            model=model,
            args=_arguments(train, task, len(self.plan)),
            train_dataset=self.plan,
            processing_class=tokenizer,
            callbacks=[_StepEnd(self)],
        )
        self.remove_callback(transformers.PrinterCallback)

    # --- what transformers calls -------------------------------------------------------------------------------

    def get_train_dataloader(self) -> DataLoader[Any]:
        """One item = the row indices of one optimizer step, starting where the run left off."""
        left = StepPlan(
            self.plan.rows, self.plan.batch_size, len(self.plan) - self.step, self.plan.seed, start=self.step
        )
        return DataLoader(left, batch_size=None, shuffle=False)  # type: ignore[arg-type]

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
            self.balance.load_state_dict(scalars["balance"])
            self.cost = Cost(**scalars["cost"])
        return prepared

    def training_step(
        self, model: torch.nn.Module, inputs: Any, num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """One whole optimizer step: every part's gradient, then their balanced sum, left in ``.grad``."""
        step = self.state.global_step
        rows = [self.task.examples[i] for i in inputs]
        torch.manual_seed(derive(self.task.seed, "dropout", step))
        rollouts = self._rollouts(rows, step) if _wants(self.task.parts, "rollout") else []
        started = time.perf_counter()
        model.train()
        losses: dict[str, float] = {}
        gradients: dict[str, list[Tensor | None]] = {}
        metrics: dict[str, float] = {}
        for name, objective in self.task.parts.items():
            pairs, teacher_pairs = self._sequences(objective, rows, rollouts)
            with _naming(name, rows, step):
                losses[name], stats = self._backward(objective, pairs, teacher_pairs)
            metrics |= {f"{name}/{key}": value for key, value in stats.items()}
            gradients[name] = self._take_gradients()
        weights = self.balance.weights(losses)
        metrics |= self._combine(gradients, losses, weights)
        if rollouts:
            metrics["rollout/truncated"] = sum(p.completion[-1] not in self.task.stop_ids for p in rollouts) / len(
                rollouts
            )
            metrics["rollout/tokens"] = sum(len(p.completion) for p in rollouts) / len(rollouts)
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
            self.train()
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
        }
        keep, optimizer = self.train_settings.keep_checkpoints, self._plain_optimizer()
        checkpoint.save(self.task.folder, self.state.global_step, self.student, optimizer, scalars, keep=keep)

    def _prefix_cache(self) -> PrefixCache | None:
        if not self.train_settings.teacher_cache_mib or not _wants(self.task.parts, "teacher"):
            return None
        prompts = [_teacher_prompt(example) for example in self.task.examples]
        return PrefixCache(self.train_settings.teacher_cache_mib, common_beginning(prompts))

    def _restore_finished(self) -> None:
        assert self._resumed is not None
        scalars = checkpoint.restore(self._resumed, self.student, self.create_optimizer())
        self.cost = Cost(**scalars["cost"])

    def _plain_optimizer(self) -> torch.optim.Optimizer:
        """The optimizer under accelerate's wrapper."""
        assert self.optimizer is not None
        return cast("torch.optim.Optimizer", getattr(self.optimizer, "optimizer", self.optimizer))

    def _scheduler(self) -> torch.optim.lr_scheduler.LRScheduler:
        assert self.lr_scheduler is not None
        return self.lr_scheduler

    def _rollouts(self, rows: Sequence[Example], step: int) -> list[TokenPair]:
        """One completion per row, drawn from the student as it is now."""
        started = time.perf_counter()
        sampling = Sampling(
            self.rollout.max_new_tokens, self.rollout.temperature, self.rollout.top_p, self.rollout.top_k
        )
        seeds = [derive(self.task.seed, "rollout", step, place) for place in range(len(rows))]
        with lean_adapters(self.student):
            drawn = sample(self.student, self.tokenizer, [r.prompt for r in rows], sampling, seeds, self.task.stop_ids)
        self.cost.tokens_generated += sum(len(d.token_ids) for d in drawn)
        self.cost.seconds_generating += time.perf_counter() - started
        return [TokenPair(r.prompt, tuple(d.token_ids)) for r, d in zip(rows, drawn, strict=True)]

    def _sequences(
        self, objective: Objective, rows: Sequence[Example], rollouts: Sequence[TokenPair]
    ) -> tuple[list[TokenPair], list[TokenPair] | None]:
        """The sequences an objective scores and, if it has a teacher, what the teacher scores beside them."""
        own = "rollout" in objective.needs
        pairs = list(rollouts) if own else [TokenPair(r.prompt, r.completion) for r in rows]
        if "teacher" not in objective.needs:
            return pairs, None
        return pairs, [TokenPair(_teacher_prompt(r), p.completion) for r, p in zip(rows, pairs, strict=True)]

    def _backward(
        self, objective: Objective, pairs: list[TokenPair], teacher_pairs: list[TokenPair] | None
    ) -> tuple[float, dict[str, float]]:
        """Accumulate the gradient of one part over its micro-batches; returns its loss and token-weighted stats."""
        tokens = sum(len(p.completion) for p in pairs)
        groups = plan_groups(
            [len(p) for p in pairs], budget=self.train_settings.tokens_per_micro_batch, rows=len(pairs)
        )
        loss, stats = 0.0, dict[str, float]()
        for group in groups:
            chosen = [pairs[i] for i in group]
            batch = self._token_batch(
                objective, chosen, teacher_pairs and [teacher_pairs[i] for i in group], tokens, len(pairs)
            )
            result = objective(student_outputs(self.backbone, chosen), batch)
            result.total.backward()
            loss += float(result.total.detach())
            share = len(batch.targets) / tokens
            for key, value in result.stats.items():
                stats[key] = stats.get(key, 0.0) + share * value
        self.cost.tokens_trained += sum(len(p) for p in pairs)
        return loss, stats

    def _token_batch(
        self,
        objective: Objective,
        pairs: list[TokenPair],
        teacher_pairs: list[TokenPair] | None,
        tokens: int,
        sequences: int,
    ) -> TokenBatch:
        device = self.backbone.device
        targets = torch.tensor([t for p in pairs for t in p.completion], device=device)
        lengths = torch.tensor([len(p.completion) for p in pairs])
        counted = torch.arange(int(lengths.max())) < lengths[:, None]
        if objective.reduction == "token_mean":
            table = token_mean_weights(counted, tokens=tokens)
        else:
            table = sequence_mean_weights(counted, sequences=sequences)
        weights = table[counted].to(device)
        teacher = None
        if teacher_pairs is not None:
            teacher = teacher_outputs(self.teacher, teacher_pairs, as_teacher=self._as_teacher, cache=self.prefixes)
            self.cost.tokens_scored += sum(len(p) for p in teacher_pairs)
        return TokenBatch(targets, weights, teacher)

    @contextmanager
    def _as_teacher(self) -> Iterator[None]:
        """The base model: adapter off, dropout off."""
        if self.teacher is not self.backbone:
            yield
            return
        with evaluating(self.student), adapter_off(self.student):
            yield

    def _trainable(self) -> list[Tensor]:
        return [p for p in self.student.parameters() if p.requires_grad]

    def _take_gradients(self) -> list[Tensor | None]:
        """Move the accumulated gradients out of ``.grad``, without copying."""
        taken = [p.grad for p in self._trainable()]
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


class _StepEnd(transformers.TrainerCallback):
    """After each optimizer step: report, checkpoint, and stop when asked."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        trainer = self.trainer
        metrics = {**trainer.last_metrics, "learning_rate": float(trainer._scheduler().get_last_lr()[0])}
        trainer.on_metrics(state.global_step, metrics)
        stop = trainer.task.should_stop()
        if (
            stop
            or state.global_step % trainer.train_settings.checkpoint_every == 0
            or state.global_step >= state.max_steps
        ):
            trainer.save_checkpoint()
        control.should_training_stop = control.should_training_stop or stop
        return control


def _norm(gradients: Sequence[Tensor | None]) -> float:
    present = [g for g in gradients if g is not None]
    return float(torch.nn.utils.get_total_norm(present)) if present else 0.0


def _teacher_prompt(example: Example) -> tuple[int, ...]:
    """What the teacher reads before the student's tokens: its own prompt, or the student's."""
    return example.teacher_prompt if example.teacher_prompt is not None else example.prompt


def _wants(parts: dict[str, Objective], need: str) -> bool:
    return any(need in objective.needs for objective in parts.values())


def _arguments(train: TrainSettings, task: TrainingTask, steps: int) -> TrainingArguments:
    """Everything that transformers' Trainer would do by itself and we do differently is switched off here."""
    return TrainingArguments(
        output_dir=str(task.folder),
        max_steps=steps,
        per_device_train_batch_size=1,
        gradient_accumulation_steps=1,
        learning_rate=train.learning_rate,
        lr_scheduler_type=train.schedule,
        warmup_steps=round(train.warmup_ratio * steps),
        weight_decay=train.weight_decay,
        max_grad_norm=train.max_grad_norm,
        adam_beta1=train.adam_beta1,
        adam_beta2=train.adam_beta2,
        optim=train.optimizer,
        activation_checkpointing=train.gradient_checkpointing,
        seed=task.seed % 2**31,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=not torch.cuda.is_available() and not torch.backends.mps.is_available(),
    )
