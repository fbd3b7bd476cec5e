"""Training one arm: a method, on its answers, into an adapter or a full model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from tutelage.errors import Interrupted
from tutelage.functional.balance import EmaBalancer
from tutelage.functional.divergence import DivergenceSettings
from tutelage.jobs.tune_config import ModelConfig, TuneConfig
from tutelage.jobs.tune_options import ObjectiveChoice, options_text, reweights_of
from tutelage.models.adapter import LoraSettings, attach_lora
from tutelage.models.loading import LoadedModel
from tutelage.models.prompt import stop_token_ids
from tutelage.objectives import ConstraintRanking, ContextDistillation, Objective, SupervisedFineTuning
from tutelage.training.balance import Balance, EmaBalance, FixedBalance
from tutelage.training.examples import examples
from tutelage.training.methods import Method
from tutelage.training.settings import BalanceSettings, DistillSettings
from tutelage.training.task import TrainingTask
from tutelage.training.trainer import Trainer
from tutelage.types import Row

__all__ = ["TrainedArm", "lora_settings", "objectives_of", "train_arm"]


@dataclass(frozen=True)
class TrainedArm:
    """A trained model (still holding its adapter), and what its training cost."""

    loaded: LoadedModel
    facts: dict[str, Any]


@dataclass(frozen=True)
class ArmReporting:
    """Where an arm's numbers go, and when it must stop. ``metrics_from`` gets the first step and the last."""

    metrics_from: Callable[[int, int], Callable[[int, dict[str, float]], None]]
    should_stop: Callable[[], bool]


def lora_settings(model: ModelConfig) -> LoraSettings:
    """The adapter that the configuration asks for."""
    targets: str | list[str] = model.lora_targets
    if model.lora_targets != "all-linear":
        targets = [t.strip() for t in model.lora_targets.split(",")]
    layers: str | list[int] = model.lora_layers
    if model.lora_layers not in ("all", "last-third"):
        layers = [int(n) for n in model.lora_layers.split(",")]
    return LoraSettings(
        rank=model.lora_rank, alpha=model.lora_alpha, dropout=model.lora_dropout, targets=targets, layers=layers
    )


def objectives_of(method: Method, distill: DistillSettings, choice: ObjectiveChoice = "auto") -> dict[str, Objective]:
    """The named parts of a method's loss; the supervised one comes first and anchors the balance."""
    parts: dict[str, Objective] = {}
    if method.supervised:
        ranking = choice == "ranking"
        parts["sft"] = ConstraintRanking(chunk=distill.chunk) if ranking else SupervisedFineTuning(chunk=distill.chunk)
    if method.distilled:
        named: dict[str, Literal["forward", "reverse", "jsd"]] = {
            "forward-kl": "forward", "reverse-kl": "reverse", "jsd": "jsd",
        }  # fmt: skip
        distill = replace(distill, direction=named.get(choice, distill.direction))
        divergence = DivergenceSettings(
            support=distill.support if distill.top_k else "full",
            k=max(distill.top_k, 1),
            direction=distill.jsd_beta if distill.direction == "jsd" else distill.direction,
            tail=distill.tail,
            temperature=distill.temperature,
        )
        parts["kl"] = ContextDistillation(divergence, chunk=distill.chunk)
    return parts


def balance_of(parts: dict[str, Objective], settings: BalanceSettings) -> Balance:
    """EMA balance where there are two parts to balance, fixed weights otherwise."""
    if set(parts) != {"sft", "kl"}:
        return FixedBalance()
    if settings.kind == "fixed":
        return FixedBalance({"kl": settings.fixed_weight})
    balancer = EmaBalancer(
        beta=settings.beta, eps=settings.epsilon, lambda_max=settings.lambda_max, kl_floor=settings.kl_floor
    )
    return EmaBalance("sft", "kl", balancer)


def train_arm(
    base: LoadedModel, method: Method, rows: Sequence[Row], config: TuneConfig, folder: Path, reporting: ArmReporting
) -> TrainedArm:
    """Train ``base`` by ``method`` on ``rows``, continuing from the newest complete checkpoint in ``folder``.

    With LoRA the base weights are never written and the teacher is the same weights with the adapter off; with full
    tuning ``base`` itself is changed and a frozen copy of it is the teacher.

    Raises:
        Interrupted: the user asked to stop; the last step is checkpointed.
    """
    is_main = method.name == config.method  # the arms beside it stay plain: they show what the options change
    reweights = reweights_of(config) if is_main else {}
    wants_teacher = method.distilled or any("reference" in one.sees for one in reweights.values())
    teacher = None
    if config.model.tune == "lora":
        model = attach_lora(base, lora_settings(config.model), seed=config.run.seed)
    else:
        teacher = copy.deepcopy(base.model).eval().requires_grad_(False) if wants_teacher else None
        model = base
        model.model.requires_grad_(True)
    parts = objectives_of(method, config.distill, config.objective if is_main else "auto")
    made = examples(
        rows,
        base.tokenizer,
        conditioned=method.conditioned,
        window=base.context_length,
        reply_tokens=config.rollout.max_new_tokens,
    )
    task = TrainingTask(
        examples=made.examples,
        parts=parts,
        folder=folder,
        seed=config.run.seed,
        stop_ids=frozenset(stop_token_ids(base.model, base.tokenizer)),
        teacher=teacher,
        should_stop=reporting.should_stop,
        reweights=reweights,
        curriculum=config.curriculum.settings() if is_main else None,
        averaging=config.average.settings() if is_main else None,
    )
    trainer = Trainer(
        model.model, base.tokenizer, task, config.train, balance_of(parts, config.balance), config.rollout
    )
    damaged = trainer.resume()
    trainer.on_metrics = reporting.metrics_from(trainer.step, len(trainer.plan))
    trainer.fit()
    model.model.eval()
    if trainer.stopped_early:
        raise Interrupted("stopped as asked; everything needed to continue is saved", where=str(folder))
    facts = {
        "steps": len(trainer.plan),
        "cost": vars(trainer.cost),
        "options": options_text(config) if is_main else "",
        "context_truncated": made.context_truncated,
        "damaged_checkpoints": damaged,
        "trainable_parameters": sum(p.numel() for p in model.model.parameters() if p.requires_grad),
    }
    return TrainedArm(model, facts)
