"""Group-relative reinforcement with verifiable rewards: our rows and verifiers through TRL's GRPOTrainer.

TRL is the extra ``trl``; importing this module does not need it. What is ours: verifiers as rewards, sampling that no
``generation_config`` can truncate, global generators left as they were, and the share of groups that teach nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tutelage.errors import ConfigError, DataError
from tutelage.training.trl_session import generators_kept, need_trl, quiet
from tutelage.types import Row, Verifier

__all__ = ["GrpoResult", "GrpoSettings", "group_advantages", "reinforce", "reward_function"]

Metrics = dict[str, float]


@dataclass(frozen=True)
class GrpoSettings:
    """Optimizer, groups and sampling. TRL's defaults where nothing is said; sampling is neutral on purpose.

    ``prompts`` prompts a step, each answered ``group`` times. ``beta`` weighs the divergence from the starting model
    (0: none, and no copy of it is kept); ``epsilon`` clips the ratio.
    """

    steps: int = 100
    prompts: int = 8
    group: int = 8
    max_new_tokens: int = 64
    learning_rate: float = 1e-6
    schedule: str = "constant"
    temperature: float = 1.0
    beta: float = 0.0
    epsilon: float = 0.2
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0

    def __post_init__(self) -> None:
        if self.steps < 1 or self.prompts < 1 or self.group < 2 or self.max_new_tokens < 1:
            raise ConfigError("steps, prompts and max_new_tokens are at least 1, a group at least 2", where="[grpo]")
        if self.learning_rate <= 0 or self.temperature <= 0 or self.beta < 0 or self.epsilon <= 0:
            raise ConfigError(
                "learning_rate, temperature and epsilon must be positive, beta not negative", where="[grpo]"
            )


@dataclass(frozen=True)
class GrpoResult:
    """Metrics of every step (``reward``, ``zero_variance``, ``length``, ``loss``, ...) and what it cost.

    ``zero_variance`` is the share of groups whose rewards were all the same: with no advantages they teach nothing.
    """

    steps: list[Metrics]
    cost: Mapping[str, float] = field(default_factory=dict)

    @property
    def zero_variance(self) -> float:
        """Mean share over the steps."""
        return float(np.mean([one["zero_variance"] for one in self.steps]))


def reward_function(verifier: Verifier, rows: Sequence[Row]) -> Callable[..., list[float]]:
    """A reward for TRL: the verifier's score of each completion against its row's reference (else its answer).

    TRL hands over the prompts, the completions and the column ``id``; prompt and reference are looked up by it.

    Raises:
        DataError: two rows with one id.
    """
    known = {row["id"]: row for row in rows}
    if len(known) != len(rows):
        raise DataError("an id stands twice among the rows", hint="ids tell the reward which reference belongs to it")

    def reward(completions: Sequence[Any], id: Sequence[str], **_: Any) -> list[float]:  # noqa: A002 - TRL's column
        return [_score(verifier, known[name], _text(one)) for name, one in zip(id, completions, strict=True)]

    reward.__name__ = getattr(verifier, "__name__", "reward")
    return reward


def group_advantages(rewards: torch.Tensor, *, epsilon: float = 1e-4) -> tuple[torch.Tensor, float]:
    r"""Advantages within groups and the share of groups without any: :math:`(r - \bar r_g) / (s_g + \epsilon)`.

    s is the sample standard deviation (n - 1), as in TRL.

    Args:
        rewards: [G, n] rewards of n samples of each of G prompts.
        epsilon: TRL's.

    Returns:
        [G, n] advantages, and the share of groups whose rewards are all the same.

    Source: DeepSeekMath (arXiv 2402.03300), section 4.1.2.

    Example:
        >>> advantages, share = group_advantages(torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
        >>> advantages[1].tolist(), share
        ([0.0, 0.0], 0.5)
    """
    spread = rewards.std(dim=1, keepdim=True)
    flat = (rewards == rewards[:, :1]).all(dim=1)
    return (rewards - rewards.mean(dim=1, keepdim=True)) / (spread + epsilon), float(flat.float().mean())


def reinforce(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Row],
    verifier: Verifier,
    settings: GrpoSettings,
    *,
    folder: Path,
    seed: int = 0,
) -> GrpoResult:
    """Train ``model`` in place by GRPO on the rows' prompts; nothing but their references is read of the answers.

    The same call on the same machine gives the same weights. Python's, NumPy's and torch's global generators, which
    TRL seeds and uses, are put back afterwards.

    Args:
        model: causal LM; changed in place, in evaluation mode afterwards.
        tokenizer: with a chat template; its end-of-text token must end a turn.
        rows: prompts and references.
        verifier: the reward, in [0, 1].
        settings: how long, how wide, how fast.
        folder: where TRL may write; it leaves nothing there, since nothing is saved.
        seed: of the order of the prompts and of everything drawn.

    Raises:
        ConfigError: the extra ``trl`` is not installed.
        DataError: no rows, or one id twice.

    Source: DeepSeekMath (arXiv 2402.03300); loss and optimizer are TRL's (loss type ``dapo``, its default:
        every token of the batch counts the same).
    """
    if not rows:
        raise DataError("there are no prompts to reinforce")
    need_trl("GRPO")
    reward = reward_function(verifier, rows)
    started = time.process_time()
    with generators_kept(), quiet():
        trainer = _trainer(model, tokenizer, rows, reward, settings, folder, seed)
        trainer.train()
    model.eval()
    steps = [_metrics(entry) for entry in trainer.state.log_history if "reward" in entry]
    cost = {
        "cpu_seconds": time.process_time() - started,
        "tokens_trained": float(trainer.state.num_input_tokens_seen or steps[-1]["tokens"]),
        "samples": float(settings.steps * settings.prompts * settings.group),
    }
    return GrpoResult(steps, cost)


def _trainer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Sequence[Row],
    reward: Callable[..., Any],
    settings: GrpoSettings,
    folder: Path,
    seed: int,
) -> Any:
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer  # type: ignore[attr-defined]

    arguments = GRPOConfig(
        output_dir=str(folder),
        max_steps=settings.steps,
        per_device_train_batch_size=settings.prompts * settings.group,
        num_generations=settings.group,
        max_completion_length=settings.max_new_tokens,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.schedule,
        temperature=settings.temperature,
        top_p=1.0,
        top_k=0,
        beta=settings.beta,
        epsilon=settings.epsilon,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        seed=seed % 2**31,
        use_cpu=model.device.type == "cpu",
        bf16=False,
        gradient_checkpointing=False,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    columns = [{"id": row["id"], "prompt": [dict(turn) for turn in row["prompt"]]} for row in rows]
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=[reward],
        args=arguments,
        train_dataset=Dataset.from_list(columns),
        processing_class=tokenizer,
    )
    trainer.remove_callback(transformers.trainer_callback.PrinterCallback)
    return trainer


def _metrics(entry: Mapping[str, Any]) -> Metrics:
    """TRL's names as ours; the rest stays."""
    named = {"frac_reward_zero_std": "zero_variance", "completions/mean_length": "length", "num_tokens": "tokens"}
    return {named.get(key, key): float(value) for key, value in entry.items()}


def _score(verifier: Verifier, row: Row, text: str) -> float:
    reference = row.get("reference") or (row["completion"][-1]["content"] if row["completion"] else None)
    return float(verifier(row["prompt"], text, reference).score)


def _text(completion: Any) -> str:
    return completion if isinstance(completion, str) else str(completion[-1]["content"])
