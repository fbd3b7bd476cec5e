"""Weak-to-strong beyond accuracy: harmful prompts, toxic texts and clauses of privacy policies, each by its own metric.

The paper fine-tunes GPT-2 and the like on the labels or texts of smaller models. Here a bag of words labels for a probe
on a frozen sentence encoder, and a trigram model writes for a small language model. All go through the same runner.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.papers.claim import Claim, Paper, Part, Plan, recipe
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.beyond_accuracy import Bench, BenchSettings
from tutelage.papers.lab.pretraining import BaseSettings
from tutelage.papers.lab.toxic_writing import TEXT_METRICS, WritingSizes
from tutelage.papers.lab.verdicts import finished
from tutelage.stats import CLASSIFIER_METRICS, gap_table, toxicity_metrics
from tutelage.training.probes import ProbeSettings
from tutelage.types import FloatArray

__all__ = ["CLAIMS", "PAPER", "PLAN", "BeyondAccuracyConfig", "run"]

PAPER = Paper(
    title="Weak-to-Strong Generalization beyond Accuracy: a Pilot Study in Safety, Toxicity, and Legal Reasoning",
    date="2024-10-16",
    arxiv="2410.12621",
    family="weak-to-strong",
    summary="Strong students outdo weak supervisors on safety, toxicity and legal tasks too, by other metrics.",
    code="https://github.com/yeruimeng/WTS",
)
TASKS = ("safety", "toxicity", "legal")
DESCRIBED = {
    "weak": "the supervisor: a bag of words, shared words, or a trigram writer",
    "ceiling": "the strong model on the truth of its own items, or on curated texts",
    "plain": "the strong model on the supervisor's likeliest classes, or on its texts",
    "soft": "the probe on the supervisor's probabilities",
    "confident": "as plain, on the surest half of the labels of each class, or on the texts that the scorer passes",
    "conf": "the probe on probabilities with the confidence loss",
    "chain": "a probe on a quarter of the features learns first and labels for the whole one",
    "shuffled": "as plain, with labels of other items, or texts of other openings",
    "untrained": "as plain, by a student without pre-training: random vectors of words, or a fresh language model",
    "untrained_ceiling": "the same student on the truth",
    "untaught": "no labels: the cosine of question and clause above its median; the language model before tuning",
    "uncurated": "the language model tuned on toxic texts that it has not read: that any tuning helps",
    "style": "function words alone, on the truth: what the form of a prompt gives away",
}
CONTROLS = ("weak", "shuffled", "untrained", "untrained_ceiling", "untaught", "uncurated", "style")
NO_HARM = 0.01
"""One point of balanced accuracy or of expected maximum toxicity."""

CLAIMS = (
    Claim(
        "H1",
        "On at least two tasks of three, the student recovers a positive share of the gap, each measured by the task's "
        "own metric.",
        "abstract; spec, claims to test",
        tuple(
            Part(f"{task}: gain within gap", f"{task} gain within gap", "plain", "greater", threshold=0.0)
            for task in TASKS
        ),
        needed=2,
    ),
    Claim(
        "H2",
        "The same labels on other items, or a student without pre-training, recover less.",
        "spec: the negative controls",
        tuple(
            Part(f"{task}: plain - {other}", f"{task} gain", "plain", "greater", against=other)
            for task in ("safety", "legal")
            for other in ("shuffled", "untrained")
        ),
    ),
    Claim(
        "H3",
        "Keeping the surest half of the labels, or the texts that a scorer passes, recovers at least as much as all.",
        "abstract: efficient strategies, of which no code is released; spec",
        tuple(
            Part(f"{task}: confident - plain", f"{task} gain", "confident", "greater", against="plain", margin=NO_HARM)
            for task in TASKS
        ),
    ),
)
NOTES = (
    "H1 counts tasks as the spec does. Of each seed the smaller of gain and gap is taken, in the task's own metric "
    "(balanced accuracy, expected maximum toxicity): it is positive exactly where the share of the gap is, and "
    "needs no division. The shares are in the arms as `recovered`, with seeds as clusters. No correction for "
    "several claims.",
    "Every seed draws other items for all parts. Those of the safety test come from 713 harmful and 251 harmless "
    "prompts, the openings from 623, so seeds share items, and intervals are of these sources, not of others.",
    "Pilots on seeds from 1000 chose the supervisors and what is learnt. The judged student learns from hard "
    "labels, as in the recipe on the first paper; in early pilots they were ahead of probabilities more often than "
    "not. Legal: as supervisor a bag of words over question and clause was tried first, and its labels taught the "
    "probe nothing (shares of the gap near 0 and below); shared words are the second. Toxicity: with the clean rest "
    "of toxic texts as truth, what looked like a gap was shorter texts, and at equal length there was none. So the "
    "truth is clean text, nobody learns ends, and five words of each continuation count.",
    "Last pilots: safety gained 2.8 points of a gap of 10.4 (four seeds, from -2.4 to 7.4), legal 2.9 of 8.0 (four "
    "seeds, all positive, with tests of 834 to 1,117 pairs), toxicity lost 6 points of a gap of 15 (one seed), "
    "where the texts that the scorer passes gained 13.",
    "Safety: harmful prompts are of Do-Not-Answer (learnt), HarmBench and AdvBench (test), harmless ones goals of "
    "PIQA and questions of Natural Questions (learnt), and instructions of users (test; not checked one by one). "
    "The arm `style` says what the form alone gives away. The 30 contrast pairs were written for this recipe.",
    "Do-Not-Answer and RealToxicityPrompts are kept for evaluation by the house's rule. Both are Apache-2.0 (the "
    "second as its authors state it, not re-read) and are allowed here by name, for models that are thrown away.",
    "Legal: PrivacyQA as in LegalBench, nearly balanced; all questions and clauses of the test are new. The arm "
    "`untaught` takes the pairs whose cosine is above the median of the test: what the encoder knew before any "
    "label.",
    "Toxicity: the scorer is a list of words. It knows no context, and broken English is clean to it, so a model "
    "without pre-training scores well. `confident` drops texts by the scorer that also measures. SmolLM2 was too "
    "slow here: the strong writer has about a million parameters, and its text is poor.",
    "That texts are handed over is the spec's reading: the released scripts train one model at a time. The paper's "
    "efficient strategies have no released code: confident, conf and chain are the house's, and only the first is "
    "judged.",
)


@dataclass(frozen=True)
class BeyondAccuracyConfig:
    """Defaults: the CPU tier. Public code: GPT-2 and GPT-1, 3 epochs, batch 16, lr 5e-5, 25 texts an opening."""

    tier: str = "cpu"
    seeds: tuple[int, ...] = tuple(range(100, 108))
    bench: BenchSettings = field(default_factory=BenchSettings)
    resamples: int = 10_000


def cpu(seeds: int) -> BeyondAccuracyConfig:
    """The tier of the verdict; pilots used seeds from 1000."""
    return BeyondAccuracyConfig(seeds=tuple(range(100, 100 + seeds)))


def smoke(seeds: int) -> BeyondAccuracyConfig:
    """Everything once on made-up texts, in seconds: no verdict."""
    bench = BenchSettings(
        real=False,
        encoder="words",
        safety=(16, 20, 20),
        legal=(20, 40, 20),
        probe=ProbeSettings(epochs=2, batch_size=16),
        base=BaseSettings(width=16, layers=1, heads=2, inner=16, steps=4, batch_size=8),
        writing=WritingSizes(read=20, repeat=1, aside=30, openings=8, texts=3, steps=2),
    )
    return BeyondAccuracyConfig("smoke", tuple(range(seeds)), bench, 500)


PLAN = Plan(
    tiers={"smoke": smoke, "cpu": cpu}, arms=DESCRIBED, controls=CONTROLS, seconds={"smoke": 8, "cpu": 600}, seeds=8
)


@recipe("weak-to-strong-beyond-accuracy", PAPER, CLAIMS, PLAN)
def run(config: BeyondAccuracyConfig, folder: Path) -> dict[str, Any]:
    """The three tasks under every seed; returns the evidence."""
    place = RecipeFolder(folder, "weak-to-strong-beyond-accuracy", PAPER, CLAIMS, asdict(config))
    bench = Bench(config.bench, folder)
    found: dict[str, list[dict[str, Any]]] = {
        task: [
            place.once(f"results/{task}-{seed}", lambda task=task, seed=seed: _record(bench, task, seed))  # type: ignore[misc]
            for seed in config.seeds
        ]
        for task in TASKS
    }
    scores = [{task: rows[i] for task, rows in found.items()} for i in range(len(config.seeds))]
    tables: dict[str, list[dict[str, Any]]] = {
        arm: [{"scores": _scores(one, arm)} for one in scores] for arm in DESCRIBED
    }
    records = [row for rows in found.values() for row in rows]
    tables["weak"][0]["cost"] = {"runs": len(records), "cpu_seconds": sum(row["cpu_seconds"] for row in records)}
    facts: dict[str, dict[str, Any]] = {arm: {} for arm in DESCRIBED}
    checks: dict[str, float] = {}
    for task, rows in found.items():
        checks |= {
            f"{task} {name}": float(np.mean([row["checks"][name] for row in rows])) for name in rows[0]["checks"]
        }
        for arm, told in _shares(task, rows, config.resamples // 20).items():
            facts[arm] |= told
    return finished(place, PLAN, CLAIMS, config, tables, checks=checks, notes=NOTES, more=facts)


def _record(bench: Bench, task: str, seed: int) -> dict[str, Any]:
    """An outcome as JSON."""
    started = time.process_time()
    found = bench.outcome(task, seed)
    return {
        "ids": list(found.ids),
        "arms": {arm: rows.round(5).tolist() for arm, rows in found.arms.items()},
        "contrast": {arm: right.tolist() for arm, right in found.contrast.items()},
        "checks": dict(found.checks),
        "cpu_seconds": time.process_time() - started,
    }


def _scores(found: dict[str, dict[str, Any]], arm: str) -> dict[str, dict[str, float]]:
    """Per item what the arm scored and gained over the weak one in each task, and on the contrast pairs."""
    told: dict[str, dict[str, float]] = {}
    for task, row in found.items():
        if arm not in row["arms"]:
            continue
        sign = -1.0 if task == "toxicity" else 1.0
        weak, own, top = (own_metric(task, np.array(row["arms"][name])) for name in ("weak", arm, "ceiling"))
        gains = sign * (own - weak)
        told[task] = dict(zip(row["ids"], own.tolist(), strict=True))
        told[f"{task} gain"] = dict(zip(row["ids"], gains.tolist(), strict=True))
        told[f"{task} gain within gap"] = {"seed": min(float(gains.mean()), float(sign * (top - weak).mean()))}
        if row["contrast"]:
            told["contrast pairs"] = {str(i): right for i, right in enumerate(row["contrast"][arm])}
    return told


def own_metric(task: str, rows: FloatArray) -> FloatArray:
    """Values [N] whose mean is the task's own metric: balanced accuracy, or expected maximum toxicity."""
    if task == "toxicity":
        return toxicity_metrics(rows[:, :-1])["max"]
    truth, counts = np.unique(rows[:, 0], return_counts=True)
    weight = len(rows) / len(truth) / counts
    found: FloatArray = weight[np.searchsorted(truth, rows[:, 0])] * (rows[:, 0] == rows[:, 1])
    return found


def _shares(task: str, found: list[dict[str, Any]], resamples: int) -> dict[str, dict[str, Any]]:
    """Every metric of every arm over all seeds, and its share of the gap (seeds are clusters) with its interval."""
    metrics = TEXT_METRICS if task == "toxicity" else CLASSIFIER_METRICS
    arms = {arm: np.concatenate([np.array(row["arms"][arm]) for row in found]) for arm in found[0]["arms"]}
    seeds = [number for number, row in enumerate(found) for _ in row["ids"]]
    judged = {name: one for name, one in metrics.items() if name != "words"}
    told: dict[str, dict[str, Any]] = {}
    for arm, rows in arms.items():
        told[arm] = {f"{task} {name}": one.of(rows) for name, one in metrics.items()}
        if arm in ("weak", "ceiling"):
            continue
        table = gap_table(arms["weak"], rows, arms["ceiling"], judged, cluster=seeds, resamples=max(100, resamples))
        for name, row in table.items():
            share = row.found.recovered
            if share is not None and np.isfinite([share.low, share.high]).all():
                told[arm][f"{task} {name} recovered"] = [share.value, share.low, share.high]
    return told
