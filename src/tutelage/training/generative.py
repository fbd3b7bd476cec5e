"""Generative fine-tuning: a language model goes on learning to write a task's texts before anybody labels them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tutelage.errors import DataError, Interrupted, RangeError
from tutelage.models.loading import LoadedModel
from tutelage.models.scoring import score_sequences
from tutelage.objectives import SupervisedFineTuning
from tutelage.training.balance import FixedBalance
from tutelage.training.settings import RolloutSettings, TrainSettings
from tutelage.training.task import Example, TrainingTask
from tutelage.training.trainer import Trainer
from tutelage.types import TokenSequence

__all__ = ["GenerativeSettings", "documents", "generatively_tuned", "text_loss"]


@dataclass(frozen=True)
class GenerativeSettings:
    """How long and how fast; the defaults are ours, the paper names none.

    Attributes:
        epochs: passes over the texts.
        learning_rate: at its peak; falls along a cosine.
        batch_size: texts a step.
        max_tokens: of a text: its last ones, those that :func:`~tutelage.models.last_token.last_token_features` reads.
        seed: of the order.

    Raises:
        RangeError: a number that is not above 0; a text cut to fewer than 2 tokens.
    """

    epochs: float = 1.0
    learning_rate: float = 5e-5
    batch_size: int = 16
    max_tokens: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        if not (self.epochs > 0 and self.learning_rate > 0 and self.batch_size > 0 and self.max_tokens > 1):
            raise RangeError("epochs, learning_rate and batch_size are above 0, max_tokens is 2 or more")


def documents(loaded: LoadedModel, ids: Sequence[str], texts: Sequence[str], max_tokens: int = 512) -> list[Example]:
    """Plain texts as rows to train on: no template, no mark at the end; every token but the first is learnt.

    These are the very tokens that a probe of the last token reads. Texts of one token teach nothing and are left out.
    """
    limit = min(max_tokens, loaded.context_length)
    coded = [tuple(map(int, loaded.tokenizer(text, verbose=False)["input_ids"]))[-limit:] for text in texts]
    return [Example(name, one[:1], one[1:]) for name, one in zip(ids, coded, strict=True) if len(one) > 1]


def generatively_tuned(
    loaded: LoadedModel,
    ids: Sequence[str],
    texts: Sequence[str],
    folder: Path,
    settings: GenerativeSettings | None = None,
    *,
    should_stop: Callable[[], bool] = lambda: False,
) -> int:
    """Train all weights of ``loaded``, in place, to predict the next token of ``texts``; returns the steps taken.

    Labels have no part in it. What was interrupted goes on from the newest checkpoint in ``folder``.

    Args:
        loaded: the strong model; it is in evaluation mode again afterwards.
        ids: names of the texts, for errors.
        texts: [N], without what is tested on.
        folder: of the checkpoints: weights and both moments of the optimiser, three times the model each.
        settings: how.
        should_stop: asked after every step.

    Raises:
        DataError: no text of two tokens or more.
        Interrupted: ``should_stop`` said so; the last step is kept.
        NumericalError: a loss that is not finite; names the texts.

    Source: arXiv 2312.09390, section on generative supervision.
    """
    settings = settings or GenerativeSettings()
    rows = documents(loaded, ids, texts, settings.max_tokens)
    if not rows:
        raise DataError("there is no text of two tokens or more", hint="give texts to learn from")
    task = TrainingTask(
        examples=rows,
        parts={"text": SupervisedFineTuning()},
        folder=folder,
        seed=settings.seed,
        stop_ids=frozenset(),
        should_stop=should_stop,
    )
    train = TrainSettings(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        learning_rate=settings.learning_rate,
        schedule="cosine",
        checkpoint_every=50,
        keep_checkpoints=1,
    )
    needed = [(one, one.requires_grad) for one in loaded.model.parameters()]
    loaded.model.requires_grad_(True)
    trainer = Trainer(loaded.model, loaded.tokenizer, task, train, FixedBalance(), RolloutSettings())
    try:
        trainer.resume()
        trainer.fit()
        if trainer.stopped_early:
            raise Interrupted("stopped as asked; everything needed to continue is saved", where=str(folder))
    finally:
        for parameter, before in needed:
            parameter.requires_grad_(before)
        loaded.model.eval()
    return len(trainer.plan)


def text_loss(loaded: LoadedModel, texts: Sequence[str], *, max_tokens: int = 512) -> float:
    """Mean negative log-probability of a token, nats, over all tokens of ``texts`` but the first of each.

    Raises:
        DataError: no text of two tokens or more.
    """
    rows = documents(loaded, [str(i) for i in range(len(texts))], texts, max_tokens)
    if not rows:
        raise DataError("there is no text of two tokens or more", hint="give texts to read")
    scores = score_sequences(loaded.model, [TokenSequence((*row.prompt, *row.completion), 1) for row in rows])
    return -float(np.concatenate([one.logprobs for one in scores]).astype(np.float64).mean())
