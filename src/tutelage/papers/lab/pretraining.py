"""Small language models that are trained once on exercises and kept: the starting point of a laboratory's arms.

They are trained by the house's own loop and objective. The cache stands under :func:`tutelage.io.home` and is keyed by
everything that decides the weights, so a change of exercises, wording or budget makes a new one.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from rich.console import Console
from rich.progress import Progress
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from tutelage.data import chat
from tutelage.io import atomic_folder, content_hash, home, verify_folder
from tutelage.models import LoadedModel, load
from tutelage.models.loading import no_bars
from tutelage.objectives import SupervisedFineTuning
from tutelage.papers.lab.instructions import Exercise
from tutelage.papers.lab.tokenizer import trained_tokenizer
from tutelage.papers.lab.world import WORLD_SEED
from tutelage.seeds import derive
from tutelage.training.balance import FixedBalance
from tutelage.training.settings import RolloutSettings, TrainSettings
from tutelage.training.task import Example, TrainingTask
from tutelage.training.trainer import Trainer

__all__ = ["WINDOW", "BaseSettings", "around_prompt", "kept_folder", "kept_model", "pretrained", "tokenised"]

WINDOW = 192
SPREAD = 0.02


@dataclass(frozen=True)
class BaseSettings:
    """Size and budget of a base model; the defaults are the verdict tier (about 900,000 parameters)."""

    width: int = 128
    layers: int = 4
    heads: int = 4
    inner: int = 352
    steps: int = 1200
    batch_size: int = 32
    learning_rate: float = 3e-3
    seed: int = 0


def pretrained(
    name: str,
    exercises: Sequence[Exercise],
    settings: BaseSettings,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    window: int = WINDOW,
    spread: float = SPREAD,
    console: Console | None = None,
) -> LoadedModel:
    """A model trained on ``exercises``, on the first call; loaded afterwards.

    Training is resumable: what a killed call has done is continued by the next. ``settings.steps`` times
    ``settings.batch_size`` rows are drawn, so a shorter list is seen more than once.

    Args:
        name: of the family of models, part of the folder's name.
        exercises: prompts and replies; the replies are learnt.
        settings: size and budget.
        tokenizer: None trains one on the exercises.
        window: the model's context length in tokens.
        spread: standard deviation of the initial weights. That of large models is small for a narrow one: with about
            one over the root of the width, looking words up is learnt in a fraction of the steps.
        console: where the progress of training is shown; None shows nothing.

    Raises:
        CheckpointError: the kept model is damaged; remove its folder to train it again.
    """
    given = tokenizer.get_vocab() if tokenizer is not None else None
    made_from = [given, [vars(one) for one in exercises], *([spread] if spread != SPREAD else [])]
    folder = kept_folder(name, settings, made_from, window)

    def make() -> tuple[PreTrainedTokenizerBase, Sequence[Exercise]]:
        return tokenizer or trained_tokenizer(f"{one.prompt}\n{one.reply}" for one in exercises), exercises

    return kept_model(folder, settings, make, window=window, spread=spread, console=console)


def kept_folder(name: str, settings: BaseSettings, made_from: Any, window: int = WINDOW) -> Path:
    """Where the model of these settings, trained on what ``made_from`` says (JSON), is kept."""
    versions = [torch.__version__, transformers.__version__]
    return home() / "lab" / f"{name}-{content_hash([asdict(settings), made_from, window, versions])[:16]}"


def kept_model(
    folder: Path,
    settings: BaseSettings,
    make: Callable[[], tuple[PreTrainedTokenizerBase, Sequence[Exercise]]],
    *,
    window: int = WINDOW,
    spread: float = SPREAD,
    console: Console | None = None,
) -> LoadedModel:
    """The model in ``folder``; trained first, with the tokenizer and exercises that ``make`` gives, if it is not there.

    Raises:
        CheckpointError: the kept model is damaged.
    """
    if not folder.exists():
        tokenizer, exercises = make()
        _train(_untrained(settings, tokenizer, window, spread), tokenizer, exercises, settings, folder, console)
    verify_folder(folder)
    return load(str(folder), dtype="float32", device="cpu")


def around_prompt(tokenizer: PreTrainedTokenizerBase) -> tuple[str, str]:
    """What the chat template puts before a question and after it, up to where the reply begins."""
    mark = "\x1a"
    before, after = chat.render(tokenizer, [{"role": "user", "content": mark}], header=True).split(mark)
    return before, after


def tokenised(rows: Sequence[tuple[str, str, str]], tokenizer: PreTrainedTokenizerBase) -> list[Example]:
    """Rows of (id, prompt, reply) as token ids, the end of the turn included; all in one call, which is much faster.

    A row with an empty prompt is a document: plain text after the token that begins a text, without a template.
    """
    before, after = around_prompt(tokenizer)
    end = chat.end_of_turn_ids(tokenizer)
    prompts = tokenizer([before + prompt + after for _, prompt, _ in rows], add_special_tokens=False)["input_ids"]
    replies = tokenizer([reply for _, _, reply in rows], add_special_tokens=False)["input_ids"]
    return [
        Example(name, tuple(coded) if prompt else (tokenizer.bos_token_id,), (*reply, *end))
        for (name, prompt, _), coded, reply in zip(rows, prompts, replies, strict=True)
    ]


def _train(
    model: LlamaForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    exercises: Sequence[Exercise],
    settings: BaseSettings,
    folder: Path,
    console: Console | None,
) -> None:
    work = folder.with_name(folder.name + ".training")
    task = TrainingTask(
        examples=tokenised([(e.id, e.prompt, e.reply) for e in exercises], tokenizer),
        parts={"sft": SupervisedFineTuning(chunk=4096)},
        folder=work,
        seed=settings.seed,
        stop_ids=frozenset(chat.end_of_turn_ids(tokenizer)),
    )
    train = TrainSettings(
        max_steps=settings.steps,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        schedule="cosine",
        tokens_per_micro_batch=768,
        checkpoint_every=200,
        keep_checkpoints=1,
    )
    trainer = Trainer(model, tokenizer, task, train, FixedBalance(), RolloutSettings())
    trainer.resume()
    with Progress(console=console or Console(quiet=True)) as progress:
        bar = progress.add_task("base model", total=settings.steps, completed=trainer.step)
        trainer.on_metrics = lambda step, metrics: progress.update(
            bar, completed=step, description=f"base model, loss {metrics['loss']:.3f}"
        )
        trainer.fit()
    with atomic_folder(folder) as temporary, no_bars():
        model.eval().save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
    shutil.rmtree(work)


def _untrained(
    settings: BaseSettings, tokenizer: PreTrainedTokenizerBase, window: int, spread: float
) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=settings.width,
        intermediate_size=settings.inner,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        max_position_embeddings=window,
        initializer_range=spread,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(WORLD_SEED, "weights", settings.seed) % 2**31)
        return LlamaForCausalLM(config)
