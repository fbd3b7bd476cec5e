"""Pairs of the made-up market with labels that miss suitable pairs, seen as text and as relations."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.matching import SkillBase, SkillLinker
from tutelage.matching.phrases import words
from tutelage.measure.rankings import group_auc
from tutelage.models.relation_graph import RelationGraph, RGCNLite, build_relation_graph
from tutelage.papers.lab.job_market import market
from tutelage.seeds import derive
from tutelage.training.co_teaching import CoTeacher, CoTeachingSettings, Policy
from tutelage.types import Scores

__all__ = ["JobPairs", "PairSettings", "job_pairs"]


@dataclass(frozen=True)
class PairSettings:
    """Sizes of the market, the share of suitable pairs that are labelled unsuitable, and of the networks.

    ``suitable`` is the share of skills from which a pair is; half of the jobs train, pairs of the others are ranked.
    """

    jobs: int = 60
    resumes: int = 90
    pairs: int = 900
    missed: float = 0.3
    suitable: float = 0.4
    buckets: int = 512
    width: int = 32
    epochs: int = 30
    learning_rate: float = 3e-3


class TextMatcher(nn.Module):
    """Bags of hashed words of both sides through one layer; a small network on their product and difference."""

    def __init__(self, features: Tensor, width: int) -> None:
        super().__init__()
        self.register_buffer("features", features)
        self.embed = nn.Linear(features.shape[1], width)
        self.head = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, pairs: Tensor) -> Tensor:
        """Logits [B, 2] of pairs of items [B, 2]."""
        hidden = self.embed(self.features).tanh()
        return _judged(self.head, hidden, pairs)


def _judged(head: nn.Module, hidden: Tensor, pairs: Tensor) -> Tensor:
    job, resume = hidden[pairs[:, 0]], hidden[pairs[:, 1]]
    logits: Tensor = head(torch.cat([job * resume, (job - resume).abs()], 1))
    return logits


class RelationMatcher(nn.Module):
    """Vectors of a relational network over all items; the same head."""

    def __init__(self, features: Tensor, graph: RelationGraph, width: int) -> None:
        super().__init__()
        self.register_buffer("features", features)
        self.graph = graph
        self.net = RGCNLite(len(graph.relations), (features.shape[1], width, width))
        self.head = nn.Sequential(nn.Linear(2 * width, width), nn.ReLU(), nn.Linear(width, 2))

    def forward(self, pairs: Tensor) -> Tensor:
        """Logits [B, 2] of pairs of items [B, 2]."""
        hidden = self.net(self.features, self.graph)
        return _judged(self.head, hidden, pairs)


@dataclass(frozen=True)
class JobPairs:
    """Pairs (job, resume) as places among all items, with true and noisy labels; test pairs are of other jobs."""

    settings: PairSettings
    text: Tensor
    graph: RelationGraph
    train: Tensor
    truth: Tensor
    noisy: Tensor
    test: Tensor
    test_truth: Tensor
    seed: int

    def trained(self, policy: Policy, exchange: bool, seed: int) -> tuple[dict[str, Scores], float]:
        """Group AUC of the test jobs by text, relations and both, and CPU-seconds of training."""
        chosen = self.settings
        models: list[nn.Module] = []
        for view in ("text", "relations"):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derive(seed, "job pairs", "weights", view))
                if view == "text":
                    models.append(TextMatcher(self.text, chosen.width))
                else:
                    models.append(RelationMatcher(_narrow(self.text), self.graph, chosen.width))
        settings = CoTeachingSettings(
            policy, exchange, chosen.missed, epochs=chosen.epochs, learning_rate=chosen.learning_rate, seed=seed
        )
        teacher = CoTeacher(models[0], models[1], settings)
        teacher.fit(self.train, self.train, self.noisy)
        jobs = [f"job-{int(one)}" for one in self.test[:, 0]]
        found = {}
        for name, which in (("text", "a"), ("relations", "b"), ("both", "both")):
            scores = teacher.predict_proba(self.test, self.test, which)[:, 1]  # type: ignore[arg-type]
            found[name] = group_auc(scores.numpy(), self.test_truth.numpy(), jobs)
        return found, teacher.cpu_seconds


def _narrow(text: Tensor) -> Tensor:
    """Features of the nodes of the graph: the bags folded to 64 numbers, so that relations must say the rest."""
    return text.reshape(len(text), 64, -1).sum(2)


def job_pairs(settings: PairSettings, *, seed: int) -> JobPairs:
    """A market with labelled pairs, of which a share of the suitable ones is labelled unsuitable.

    Training pairs are drawn so that about a third is suitable; all pairs of the other half of the jobs are ranked.
    """
    made = market(settings.jobs, settings.resumes, seed=seed)
    draw = np.random.default_rng(derive(seed, "job pairs"))
    linker = SkillLinker(SkillBase.load())
    documents = (*made.jobs, *made.resumes)
    keywords = [sorted({link.skill for link in linker.link(one.text).links}) for one in documents]
    graph = build_relation_graph([one.id for one in documents], (*made.job_fields, *made.resume_fields), keywords)
    half = settings.jobs // 2
    fit = np.array([[made.fit(job, one) for one in range(settings.resumes)] for job in range(settings.jobs)])
    good = fit >= settings.suitable
    places = {kind: np.argwhere(good[:half] == kind) for kind in (True, False)}
    wanted = {True: settings.pairs // 3, False: settings.pairs - settings.pairs // 3}
    rows = np.concatenate([places[kind][draw.permutation(len(places[kind]))[: wanted[kind]]] for kind in (True, False)])
    truth = good[:half][rows[:, 0], rows[:, 1]].astype(np.int64)
    missed = (truth == 1) & (draw.random(len(truth)) < settings.missed)
    test = np.argwhere(np.ones_like(good[half:])) + np.array([half, 0])
    test_truth = good[test[:, 0], test[:, 1]].astype(np.int64)
    shift = np.array([0, settings.jobs])
    return JobPairs(
        settings,
        _bags([one.text for one in documents], settings.buckets),
        graph,
        torch.from_numpy(rows + shift),
        torch.from_numpy(truth),
        torch.from_numpy(np.where(missed, 0, truth)),
        torch.from_numpy(test + shift),
        torch.from_numpy(test_truth),
        seed,
    )


def _bags(texts: list[str], buckets: int) -> Tensor:
    """Words hashed into buckets, each text of unit length [V, buckets]."""
    found = torch.zeros(len(texts), buckets)
    for row, text in enumerate(texts):
        for word in words(text):
            found[row, zlib.crc32(word.form.encode()) % buckets] += 1
    return torch.nn.functional.normalize(found, dim=1)
