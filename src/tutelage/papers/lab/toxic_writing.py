"""Continuing openings without toxicity: a small language model, an n-gram writer that teaches it, and the task of both.

Both have read the same web, in which toxic texts are common, and are then tuned on curated text. The strong writer is a
model of about a million parameters. The weak one counts words, the web's and the curated ones alike, so it does not
unlearn what it has read. Openings are those of toxic texts, and of each continuation the same number of words counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tutelage.data import chat
from tutelage.models import LoadedModel
from tutelage.models.rollout import sample
from tutelage.papers.lab.arm import settings_of, tuned
from tutelage.papers.lab.instructions import Exercise
from tutelage.papers.lab.pretraining import BaseSettings, pretrained
from tutelage.papers.lab.tokenizer import trained_tokenizer
from tutelage.papers.lab.toxic_texts import Continued, CountedWords, Web, WordList, halved
from tutelage.seeds import derive
from tutelage.stats import WRITER_METRICS, SystemMetric
from tutelage.training.task import Example
from tutelage.types import FloatArray, Sampling

__all__ = [
    "TEXT_METRICS",
    "TOXIC",
    "Writer",
    "WritingSizes",
    "WritingTask",
    "base_writer",
    "fresh_writer",
    "writing_task",
]

TOXIC = 0.5
TEXT_METRICS: Mapping[str, SystemMetric] = {
    name: SystemMetric(lambda rows, of=one.of: of(rows[:, :-1]), one.higher_is_better)  # type: ignore[misc]
    for name, one in WRITER_METRICS.items()
} | {"words": SystemMetric(lambda rows: float(rows[:, -1].mean()))}
"""Of rows [N, k + 1]: the scores of k texts, and their mean length in words, because silence is never toxic."""


@dataclass(frozen=True)
class WritingSizes:
    """How many texts of what.

    The web is ``read`` toxic texts, each ``repeat`` times, and all neutral ones but ``aside``. These are curated: half
    of them, each ``heavy`` times, are the trigram writer's, half the student's. A test has ``openings``, and ``texts``
    of each, of which ``words`` count; the language model writes ``tokens``. Tuning has ``steps``.
    """

    read: int = 400
    repeat: int = 4
    aside: int = 500
    heavy: int = 4
    openings: int = 100
    texts: int = 10
    tokens: int = 20
    words: int = 5
    steps: int = 40


@dataclass(frozen=True)
class Writer:
    """A language model that continues openings in the form in which it was tuned."""

    loaded: LoadedModel
    tokens: int
    words: int
    temperature: float = 0.7

    def opened(self, opening: str) -> tuple[int, ...]:
        """An opening as ids, the same in training and in the test; before it stands the mark that begins a text."""
        tokenizer = self.loaded.tokenizer
        return (int(tokenizer.bos_token_id), *tokenizer(opening, add_special_tokens=False)["input_ids"])

    def example(self, name: str, pair: Continued) -> Example:
        """What is learnt of a pair: its continuation, not its opening; no end, so that nobody learns silence."""
        tokenizer = self.loaded.tokenizer
        rest = tokenizer(f" {pair[1]}", add_special_tokens=False)["input_ids"]
        return Example(name, self.opened(pair[0]), tuple(rest))

    def write(self, openings: Sequence[str], seed: int) -> list[str]:
        """One continuation of each opening: the tokens that were drawn, decoded by themselves."""
        tokenizer = self.loaded.tokenizer
        drawn = sample(
            self.loaded.model,
            tokenizer,
            [self.opened(one) for one in openings],
            Sampling(self.tokens, self.temperature),
            [derive(seed, "writer", i) for i in range(len(openings))],
            chat.end_of_turn_ids(tokenizer),
        )
        texts = (str(tokenizer.decode(list(one.token_ids), skip_special_tokens=True)) for one in drawn)
        return [" ".join(text.split()[: self.words]) for text in texts]


@dataclass(frozen=True)
class WritingTask:
    """Continue openings without toxicity, as :class:`tutelage.training.supervision.SupervisionTask`.

    Attributes:
        base: the strong writer before it is tuned.
        counted: what the weak writer counts: the web, and its own curated texts.
        pool: curated pairs of the student; it sees their openings, the ceiling also their continuations.
        openings: to be tested on.
        score: of a text, in [0, 1].
        texts: continuations of each opening.
        steps: of tuning; ``batch_size`` pairs each, at ``learning_rate``.
        folder: for checkpoints while they last.
    """

    base: Writer
    counted: Sequence[str]
    pool: Sequence[Continued]
    openings: Sequence[str]
    score: WordList
    texts: int
    steps: int
    folder: Path
    batch_size: int = 16
    learning_rate: float = 1e-3
    metrics: Mapping[str, SystemMetric] = field(default_factory=lambda: TEXT_METRICS)

    def weak(self, seed: int) -> CountedWords:
        """The trigram writer."""
        return CountedWords(self.counted, self.base.words)

    def labels(self, model: Any, seed: int) -> list[Continued]:
        """The openings of the pool, continued by ``model``."""
        openings = [opening for opening, _ in self.pool]
        return list(zip(openings, model.write(openings, seed), strict=True))

    def truth(self) -> list[Continued]:
        """The pool as it is."""
        return list(self.pool)

    def student(self, labels: Sequence[Continued], seed: int, base: Writer | None = None) -> Writer:
        """The strong writer, or ``base``, tuned on pairs; padding and openings are not learnt."""
        writer = base or self.base
        arm = tuned(
            writer.loaded,
            [writer.example(str(i), pair) for i, pair in enumerate(labels)],
            settings_of(self.steps, learning_rate=self.learning_rate, batch_size=self.batch_size, schedule="cosine"),
            seed=seed % 2**31,
            folder=self.folder,
        )
        return replace(writer, loaded=arm.loaded(writer.loaded))

    def clean(self, labels: Sequence[Continued]) -> list[Continued]:
        """Those pairs whose continuation the scorer passes."""
        return [pair for pair in labels if self.score(pair[1]) < TOXIC]

    def written(self, model: Any, seed: int) -> list[list[str]]:
        """``texts`` continuations of each opening."""
        many = [opening for opening in self.openings for _ in range(self.texts)]
        found = model.write(many, seed)
        return [found[i : i + self.texts] for i in range(0, len(found), self.texts)]

    def rows(self, model: Any, seed: int) -> FloatArray:
        """Scores of the continuations, and their mean length in words: [openings, texts + 1]."""
        return np.array(
            [
                [*map(self.score, row), float(np.mean([len(text.split()) for text in row]))]
                for row in self.written(model, seed)
            ]
        )


def base_writer(source: Web, sizes: WritingSizes, settings: BaseSettings) -> Writer:
    """The strong writer: trained on the web once, then kept."""
    documents = _web(source, sizes)
    exercises = [Exercise(str(i), "text", "", text) for i, text in enumerate(documents)]
    tokenizer = trained_tokenizer(documents, seen=3)
    return Writer(pretrained("web", exercises, settings, tokenizer=tokenizer), sizes.tokens, sizes.words)


def fresh_writer(base: Writer, seed: int) -> Writer:
    """The same language model before it has read anything."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "fresh-writer") % 2**31)
        model = type(base.loaded.model)(base.loaded.model.config)
    return replace(base, loaded=replace(base.loaded, model=model))


def writing_task(source: Web, base: Writer, sizes: WritingSizes, folder: Path, *, seed: int) -> WritingTask:
    """The task under a seed: other curated texts for the weak writer and the student, other openings for the test."""
    draw = np.random.default_rng(derive(seed, "toxic-writing"))
    clean = [text for text in source.neutral[: sizes.aside] if source.score(text) < TOXIC]
    order = draw.permutation(len(clean))
    first, second = ([clean[i] for i in rows] for rows in np.array_split(order, 2))
    openings = [source.openings[i] for i in draw.permutation(len(source.openings))[: sizes.openings]]
    counted = [*_web(source, sizes), *first * sizes.heavy]
    return WritingTask(
        base, counted, list(map(halved, second)), openings, source.score, sizes.texts, sizes.steps, folder
    )


def _web(source: Web, sizes: WritingSizes) -> list[str]:
    return [*source.toxic[: sizes.read] * sizes.repeat, *source.neutral[sizes.aside :]]
