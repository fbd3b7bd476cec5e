"""The tasks of an experiment beyond accuracy, each as rows of measurements by arm, under one seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from tutelage.objectives.weak_to_strong import WeakLossSettings
from tutelage.papers.lab.clause_relevance import (
    ClausePairs,
    clause_pairs,
    drawn_pairs,
    made_up_pairs,
    products,
    shared_words,
)
from tutelage.papers.lab.frozen_texts import encoded, word_vectors
from tutelage.papers.lab.pretraining import BaseSettings
from tutelage.papers.lab.prompt_safety import Prompts, drawn_prompts, function_words, made_up_prompts, prompts
from tutelage.papers.lab.toxic_texts import Continued, Web, halved, made_up_web, web
from tutelage.papers.lab.toxic_writing import TOXIC, Writer, WritingSizes, base_writer, fresh_writer, writing_task
from tutelage.training.labelled_items import Items
from tutelage.training.probes import FeatureClassifier, ProbeSettings, SklearnClassifier, TorchProbe
from tutelage.training.supervision import ProbeTask, Strategy, Supervised, supervised
from tutelage.training.weak_to_strong import Maker
from tutelage.types import FloatArray, IntArray

__all__ = ["Bench", "BenchSettings", "Outcome"]

Features = tuple[FloatArray, FloatArray]
"""Of every item what the pre-trained student reads, and what the one without pre-training reads."""


@dataclass(frozen=True)
class BenchSettings:
    """Which texts, how many (weak, pool, test), and how probes and the language model are trained."""

    real: bool = True
    encoder: str = "all-minilm-l6-v2"
    safety: tuple[int, int, int] = (150, 800, 400)
    legal: tuple[int, int, int] = (300, 3_000, 700)
    probe: ProbeSettings = field(default_factory=lambda: ProbeSettings(epochs=5, batch_size=64, learning_rate=0.003))
    confident: float = 0.5
    base: BaseSettings = field(default_factory=lambda: BaseSettings(layers=3, steps=900))
    writing: WritingSizes = field(default_factory=WritingSizes)


@dataclass(frozen=True)
class Outcome:
    """``ids`` [N] of the test, rows by arm [N, C], facts about the labels, and further items: right or wrong by arm."""

    ids: tuple[str, ...]
    arms: Mapping[str, FloatArray]
    checks: Mapping[str, float]
    contrast: Mapping[str, FloatArray] = field(default_factory=dict)


class Bench:
    """The texts and their frozen features, read when they are first needed.

    Args:
        settings: of all tasks.
        folder: for checkpoints while they last.
    """

    def __init__(self, settings: BenchSettings, folder: Path) -> None:
        self.settings, self.folder = settings, folder

    def outcome(self, task: str, seed: int) -> Outcome:
        """All arms of "safety", "toxicity" or "legal" under a seed."""
        found: Outcome = getattr(self, task)(seed)
        return found

    @cached_property
    def _prompts(self) -> tuple[Prompts, Features]:
        given = prompts() if self.settings.real else made_up_prompts()
        return given, (encoded(given.texts, self.settings.encoder), word_vectors(given.texts))

    @cached_property
    def _pairs(self) -> tuple[ClausePairs, FloatArray, Features]:
        given = clause_pairs() if self.settings.real else made_up_pairs()
        sides = (given.questions, given.clauses)
        known = products(given, *(encoded(side, self.settings.encoder) for side in sides))
        return given, shared_words(given), (known, products(given, *(word_vectors(side) for side in sides)))

    @cached_property
    def _web(self) -> tuple[Web, Writer]:
        found = web() if self.settings.real else made_up_web()
        return found, base_writer(found, self.settings.writing, self.settings.base)

    def safety(self, seed: int) -> Outcome:
        """Harmful prompts, tested on sources that nobody has learnt from, and on contrast pairs."""
        given, features = self._prompts
        parts = drawn_prompts(given, self.settings.safety, seed=seed)
        many, contrast = len(parts["test"]), given.of("contrast")
        parts["test"] = np.concatenate([parts["test"], contrast])
        task = self._task(parts, given.truth, _words(given.texts), features[0])
        forms = _words([function_words(text) or "none" for text in given.texts])
        style: Strategy = lambda t, labels, s: t.student(t.truth(), s, forms)  # noqa: E731
        found = supervised(task, {**self._strategies(features), "style": style}, seed=seed)
        right = {arm: (rows[many:, 0] == rows[many:, 1]).astype(np.float64) for arm, rows in found.arms.items()}
        arms = {arm: rows[:many] for arm, rows in found.arms.items()}
        return Outcome(task.test.ids[:many], arms, _label_checks(found, task), right)

    def legal(self, seed: int) -> Outcome:
        """Clauses that answer a question; the arm without labels takes the half with the larger cosine."""
        given, shared, features = self._pairs
        parts = drawn_pairs(given, self.settings.legal, seed=seed)
        task = self._task(parts, given.truth, _numbers(shared), features[0])
        found = supervised(task, self._strategies(features), seed=seed)
        cosine = features[0][parts["test"]].sum(1)
        above = cosine > np.median(cosine)
        untaught = np.column_stack([given.truth[parts["test"]], above, 0.5 - cosine / 2, 0.5 + cosine / 2])
        return Outcome(task.test.ids, {**found.arms, "untaught": untaught}, _label_checks(found, task))

    def toxicity(self, seed: int) -> Outcome:
        """Continuations of openings; the labels are texts of the trigram writer."""
        source, base = self._web
        task = writing_task(source, base, self.settings.writing, self.folder / "work", seed=seed)
        toxic = [halved(text) for text in source.toxic[self.settings.writing.read :]]
        found = supervised(
            task,
            {
                "plain": lambda t, labels, s: t.student(labels, s),
                "confident": lambda t, labels, s: t.student(t.clean(labels), s),
                "shuffled": lambda t, labels, s: t.student(_exchanged(labels, s), s),
                "untrained": lambda t, labels, s: t.student(labels, s, fresh_writer(base, seed)),
                "uncurated": lambda t, labels, s: t.student(toxic[: len(labels)], s),
                "untaught": lambda t, labels, s: base,
            },
            seed=seed,
        )
        share = float(np.mean([task.score(rest) >= TOXIC for _, rest in found.labels]))
        return Outcome(tuple(map(str, range(len(task.openings)))), found.arms, {"toxic labels": share})

    def _task(self, parts: Mapping[str, IntArray], truth: IntArray, weak: Maker, features: FloatArray) -> ProbeTask:
        items = {name: Items(tuple(map(str, rows)), rows, truth[rows]) for name, rows in parts.items()}
        return ProbeTask(items["weak"], items["pool"], items["test"], weak, _probe(features, self.settings.probe))

    def _strategies(self, features: Features) -> dict[str, Strategy]:
        known, new = features
        probe, share = self.settings.probe, self.settings.confident
        conf = _probe(known, replace(probe, loss=WeakLossSettings("conf")))
        narrow, words = _probe(known[:, : known.shape[1] // 4], probe), _probe(new, probe)
        return {
            "plain": lambda t, labels, s: t.student(labels.hardened(), s),
            "soft": lambda t, labels, s: t.student(labels, s),
            "confident": lambda t, labels, s: t.student(labels.confident(share).hardened(), s),
            "conf": lambda t, labels, s: t.student(labels, s, conf),
            "chain": lambda t, labels, s: t.student(t.labels(t.student(labels.hardened(), s, narrow)).hardened(), s),
            "shuffled": lambda t, labels, s: t.student(labels.hardened().shuffled(s), s),
            "untrained": lambda t, labels, s: t.student(labels.hardened(), s, words),
            "untrained_ceiling": lambda t, labels, s: t.student(t.truth(), s, words),
        }


def _label_checks(found: Supervised, task: ProbeTask) -> dict[str, float]:
    return {"label accuracy": float((found.labels.probs.argmax(1) == task.pool.truth).mean())}


def _exchanged(labels: Sequence[Continued], seed: int) -> list[Continued]:
    order = np.random.default_rng(seed).permutation(len(labels))
    return [(opening, labels[i][1]) for (opening, _), i in zip(labels, order, strict=True)]


def _probe(features: FloatArray, settings: ProbeSettings) -> Maker:
    return lambda seed: FeatureClassifier(lambda rows: features[rows], TorchProbe(settings, seed=seed))


def _numbers(table: FloatArray) -> Maker:
    """A logistic regression on a few numbers of each item."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def make(seed: int) -> FeatureClassifier:
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000))
        return FeatureClassifier(lambda rows: table[rows], SklearnClassifier(model))

    return make


def _words(texts: Sequence[str]) -> Callable[[int], FeatureClassifier]:
    """A logistic regression on the words of the texts at given places; it knows only words that it learns from."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    def make(seed: int) -> FeatureClassifier:
        model = make_pipeline(TfidfVectorizer(token_pattern=r"\S+"), LogisticRegression(max_iter=2_000))
        return FeatureClassifier(lambda rows: [texts[i] for i in rows], SklearnClassifier(model))

    return make
