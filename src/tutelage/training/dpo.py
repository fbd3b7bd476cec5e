"""Direct preference optimisation through TRL's DPOTrainer, with its rankings watched.

TRL is the extra ``trl``; importing this module does not need it.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tutelage.errors import ConfigError, DataError
from tutelage.training.ranking_callback import PairLogprobs, watch_rankings
from tutelage.training.trl_session import generators_kept, need_trl, quiet

__all__ = ["DpoResult", "DpoSettings", "prefer"]


@dataclass(frozen=True)
class DpoSettings:
    """Optimizer and loss; ``every`` is in steps, for the rankings."""

    epochs: int = 1
    batch_size: int = 8
    learning_rate: float = 1e-6
    beta: float = 0.1
    schedule: str = "constant"
    optimizer: str = "rmsprop"
    max_grad_norm: float = 1.0
    every: int = 8

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch_size, self.every) < 1:
            raise ConfigError("epochs, batch_size and every are at least 1", where="[dpo]")
        if min(self.learning_rate, self.beta, self.max_grad_norm) <= 0:
            raise ConfigError("learning_rate, beta and max_grad_norm must be positive", where="[dpo]")


@dataclass(frozen=True)
class DpoResult:
    """The log of every step, what each pair's log-probabilities were (step, then pairs), and what it cost."""

    steps: list[dict[str, float]]
    points: list[tuple[int, PairLogprobs]]
    cost: Mapping[str, float] = field(default_factory=dict)


def prefer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[Mapping[str, Any]],
    settings: DpoSettings,
    *,
    folder: Path,
    seed: int = 0,
) -> DpoResult:
    """Train ``model`` in place on preference pairs; the reference is a copy of the model as it comes.

    The same call on the same machine gives the same weights; global generators are put back afterwards.

    Args:
        model: causal LM; in evaluation mode afterwards.
        tokenizer: of the model.
        pairs: ``prompt``, ``chosen`` and ``rejected`` in TRL's forms, plain or conversational.
        settings: how long and how fast.
        folder: where TRL may write; nothing is saved.
        seed: of the order of the pairs.

    Raises:
        ConfigError: the extra ``trl`` is not installed.
        DataError: no pairs.

    Source: arXiv 2305.18290; loss and optimizer are TRL's.
    """
    if not pairs:
        raise DataError("there are no pairs to learn from")
    need_trl("DPO")
    started = time.process_time()
    with generators_kept(), quiet():
        trainer = _trainer(model, tokenizer, pairs, settings, folder, seed)
        watched = watch_rankings(trainer, settings.every, most=len(pairs))
        trainer.train()
    model.eval()
    steps = [{k: float(v) for k, v in entry.items()} for entry in trainer.state.log_history if "loss" in entry]
    tokens = sum(len(one.ids) for pair in watched.pairs for one in pair) * settings.epochs
    cost = {"cpu_seconds": time.process_time() - started, "tokens_trained": float(tokens)}
    return DpoResult(steps, watched.points, cost)


def _trainer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[Mapping[str, Any]],
    settings: DpoSettings,
    folder: Path,
    seed: int,
) -> Any:
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer  # type: ignore[attr-defined]

    arguments = DPOConfig(
        output_dir=str(folder),
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        optim=settings.optimizer,
        beta=settings.beta,
        max_grad_norm=settings.max_grad_norm,
        max_length=None,
        seed=seed % 2**31,
        use_cpu=model.device.type == "cpu",
        bf16=False,
        gradient_checkpointing=False,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    columns = [{name: pair[name] for name in ("prompt", "chosen", "rejected")} for pair in pairs]
    trainer = DPOTrainer(
        model=model,
        ref_model=copy.deepcopy(model),  # computed beforehand, its log-probabilities would go through a file in /tmp
        args=arguments,
        train_dataset=Dataset.from_list(columns),
        processing_class=tokenizer,
    )
    trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
    return trainer
