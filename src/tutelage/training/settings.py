"""How to train: every knob of the loop, with its default and its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tutelage.errors import ConfigError
from tutelage.training.schedules import WSD, ScheduleSettings

__all__ = ["OWN_SCHEDULES", "BalanceSettings", "DistillSettings", "RolloutSettings", "TrainSettings"]

OWN_SCHEDULES = ("wsd", "moderate_decay")
"""Schedules that are ours (:mod:`tutelage.training.schedules`); the others are transformers' own."""


@dataclass(frozen=True)
class TrainSettings:
    """The optimizer and its steps."""

    epochs: float = field(
        default=2.0, metadata={"help": "passes over the training rows (ignored when max_steps is set)"}
    )
    max_steps: int = field(default=0, metadata={"help": "optimizer steps; 0 = from epochs"})
    batch_size: int = field(default=16, metadata={"help": "rows per optimizer step"})
    tokens_per_micro_batch: int = field(
        default=2048, metadata={"help": "padded tokens in one forward; the batch is cut to fit, the result is the same"}
    )
    learning_rate: float = field(default=2e-4, metadata={"help": "peak learning rate"})
    schedule: Literal["linear", "cosine", "constant", "constant_with_warmup", "wsd", "moderate_decay"] = field(
        default="linear",
        metadata={"help": "wsd and moderate_decay: constant, then a fall to 1/300 or to floor_ratio of the peak"},
    )
    warmup_ratio: float = 0.03
    floor_ratio: float = field(default=1 / 3, metadata={"help": "where moderate_decay ends, as a share of the peak"})
    decay_share: float = field(
        default=0.2, metadata={"help": "share of the steps in which wsd or moderate_decay falls"}
    )
    weight_decay: float = 0.01
    max_grad_norm: float = 1.0
    adam_beta1: float = 0.9
    adam_beta2: float = 0.999
    optimizer: str = field(default="adamw_torch", metadata={"help": "any optimizer name of transformers"})
    gradient_checkpointing: bool = False
    checkpoint_every: int = field(default=10, metadata={"help": "steps between checkpoints; the last is always kept"})
    keep_checkpoints: int = 2
    teacher_cache_mib: int = field(
        default=256,
        metadata={"help": "memory for the teacher's prefixes, computed once and reused across epochs; 0 = off"},
    )

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.max_steps < 0 or self.epochs <= 0 or self.learning_rate <= 0:
            raise ConfigError(
                "batch_size, epochs and learning_rate must be positive, max_steps not negative", where="[train]"
            )
        if self.checkpoint_every < 1 or self.keep_checkpoints < 1:
            raise ConfigError("checkpoint_every and keep_checkpoints must be at least 1", where="[train]")
        if self.schedule in OWN_SCHEDULES:
            self.own_schedule()

    def own_schedule(self) -> ScheduleSettings:
        """The shape of ``wsd`` or ``moderate_decay``."""
        floor = WSD.floor_ratio if self.schedule == "wsd" else self.floor_ratio
        return ScheduleSettings("sqrt", floor, self.decay_share, self.warmup_ratio)


@dataclass(frozen=True)
class RolloutSettings:
    """How the student speaks during on-policy distillation. Neutral by default: its own distribution, untruncated."""

    max_new_tokens: int = 128
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or self.temperature < 0:
            raise ConfigError("max_new_tokens must be positive and temperature not negative", where="[rollout]")


@dataclass(frozen=True)
class DistillSettings:
    """Top-K temperature divergence between teacher and student (RAFT section 3.3; T in [1.5, 1.8] is its advice)."""

    temperature: float = 1.5
    top_k: int = field(
        default=512, metadata={"help": "support size, clamped to the vocabulary; 0 = the full vocabulary"}
    )
    support: Literal["teacher", "student", "union", "full"] = "teacher"
    tail: Literal["drop", "bucket"] = field(
        default="drop", metadata={"help": "mass outside the support: dropped (the paper) or kept as one more outcome"}
    )
    direction: Literal["forward", "reverse", "jsd"] = "forward"
    jsd_beta: float = 0.5
    chunk: int = field(default=128, metadata={"help": "positions projected to the vocabulary at a time"})


@dataclass(frozen=True)
class BalanceSettings:
    """How the distillation loss is weighed against the supervised one (RAFT Eq. 12)."""

    kind: Literal["ema", "fixed"] = "ema"
    fixed_weight: float = 1.0
    beta: float = 0.9
    epsilon: float = 1e-8
    lambda_max: float = field(
        default=100.0, metadata={"help": "cap: an unconditioned teacher has KL 0 at the first step"}
    )
    kl_floor: float = 1e-4
