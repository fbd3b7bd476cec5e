"""Debate: does a judge label better when two sides show it evidence in turn than with as much evidence at random?

The paper lets large language models argue before a small one labels. Here a judge sees six pixels of a handwritten
digit. Two sides claim different digits, one of them rightly, and neither knows which; each reveals pixels in turn.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.papers.claim import Claim, Paper, Part, Plan, recipe
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.digit_classifiers import CLASSES, digit_parts
from tutelage.papers.lab.digit_encoder import EncoderSettings
from tutelage.papers.lab.digit_supervision import digit_items, encoder_of, frozen_student
from tutelage.papers.lab.pixel_debate import PixelJudge, pixel_claims, play, random_masks, side_that_starts
from tutelage.papers.lab.verdicts import finished
from tutelage.seeds import derive
from tutelage.stats import performance_gap_recovered
from tutelage.training.labelled_items import Items, one_hot
from tutelage.training.probes import ProbeSettings, TorchProbe
from tutelage.training.weak_to_strong import WeakToStrongSettings, taught
from tutelage.types import FloatArray, IntArray

__all__ = ["CLAIMS", "PAPER", "PLAN", "DebateConfig", "run"]

PAPER = Paper(
    title="Debate Helps Weak-to-Strong Generalization",
    date="2025-01-21",
    arxiv="2501.13124",
    family="weak-to-strong",
    summary="Labels of a small model are better when it reads a debate of two large ones first.",
)
DESCRIBED = {
    "random": "the judge sees random pixels, as many as a debate reveals",
    "order": "guesses the claim that is argued first and sees nothing",
    "consultancy": "one side, drawn at random, reveals all pixels",
    "market": "one adviser reveals all pixels, each for the claim that the judge believes less by then",
    "debate": "both sides reveal in turn what helps their claim most",
    "sampled": "the same, with drawn instead of best pixels",
    "debates": "mean of one judge over four drawn debates",
    "judges": "mean of four judges, trained from other seeds, on one drawn debate",
}
CONTROLS = ("random", "order", "consultancy")
TAUGHT = ("random", "consultancy", "market", "debate", "debates")
NOTES = (
    "Accuracy is of the labels on images that the judge has not learnt from; only the two claims can be said. The "
    "second claim is the wrong digit that a strong classifier likes best, and posing the pair takes the truth, as "
    "posing a label and its negation does in the paper.",
    "Both sides see the image and the judge, inside and out, and not the truth. They are greedy searchers, not trained "
    "speakers: the strong classifier serves to choose the wrong claim alone. With the judge's weights known, an only "
    "adviser of the wrong claim misleads it easily, which is a hard test for consultancy.",
    "The judge has learnt from random pixels and never from debates; the paper trains its weak models on transcripts.",
    "Debates against judges and the shares of the gap of students (`recovered`, against the judge with random pixels) "
    "are reported and not judged; students, ceiling and judge choose among the same two claims on the test images.",
    "The paper's control of equal compute, an ensemble of strong samples, has no counterpart in this game.",
    "Market-making was added after the verdict, and everything run again with it under the same seeds and the same "
    "rule; no claim reads it, and the other arms draw what they drew before.",
    "Language models and more than three turns a side were not run.",
    "Pilots on the seeds 900 to 904 with these settings: random pixels .73, an only adviser .51, debate .92, one drawn "
    "debate .87, four of them .91, four judges on one .88. There the only adviser persuaded the judge every time, so "
    "that consultancy was as good as a coin: H2 says little more than that an opponent is needed. Nothing was tuned; "
    "at temperature 0.5 one drawn debate gave .91, four .92 and four judges .91, and 1.0 was kept.",
    "No correction for several claims.",
)
CLAIMS = (
    Claim(
        "H1",
        "A judge who reads a debate labels more accurately than one who sees as much random evidence.",
        "abstract; spec, label accuracy against random pixels",
        (Part("debate - random", "accuracy", "debate", "greater", "random"),),
    ),
    Claim(
        "H2",
        "Two-sided debate gives better labels than one adviser arguing one side.",
        "section on baselines; spec, label accuracy against consultancy",
        (Part("debate - consultancy", "accuracy", "debate", "greater", "consultancy"),),
    ),
)


@dataclass(frozen=True)
class DebateConfig:
    """Defaults: the CPU tier. ``turns`` are those of each side, as in the paper (3); ``members`` as there (4)."""

    tier: str = "cpu"
    seeds: tuple[int, ...] = tuple(range(100, 105))
    sizes: Mapping[str, int] = field(default_factory=lambda: {"weak": 600, "student": 600, "test": 597})
    turns: int = 3
    members: int = 4
    temperature: float = 1.0
    copies: int = 20
    judge: ProbeSettings = field(
        default_factory=lambda: ProbeSettings(hidden=(128,), epochs=10, batch_size=200, standardise=False)
    )
    strong: ProbeSettings = field(default_factory=lambda: ProbeSettings(hidden=(256,), epochs=20, batch_size=50))
    encoder: EncoderSettings = field(default_factory=lambda: EncoderSettings(width=128, epochs=100, noise=0.2))
    student: ProbeSettings = field(default_factory=lambda: ProbeSettings(epochs=10, batch_size=50))
    resamples: int = 10_000


def cpu(seeds: int) -> DebateConfig:
    """The tier of the verdict; pilots used the seeds 900 and above."""
    return DebateConfig(seeds=tuple(range(100, 100 + seeds)))


def smoke(seeds: int) -> DebateConfig:
    """Everything once, in seconds: no verdict."""
    small = ProbeSettings(hidden=(16,), epochs=2, batch_size=100, standardise=False)
    return DebateConfig(
        "smoke",
        tuple(range(seeds)),
        {"weak": 100, "student": 60, "test": 60},
        turns=2,
        members=2,
        copies=3,
        judge=small,
        strong=small,
        encoder=EncoderSettings(width=16, hidden=16, epochs=2, batch_size=100),
        student=ProbeSettings(epochs=2, batch_size=50),
        resamples=200,
    )


PLAN = Plan(tiers={"smoke": smoke, "cpu": cpu}, arms=DESCRIBED, controls=CONTROLS, seconds={"smoke": 4, "cpu": 60})


@recipe("debate-weak-to-strong", PAPER, CLAIMS, PLAN)
def run(config: DebateConfig, folder: Path) -> dict[str, Any]:
    """Every way to show a judge evidence under every seed, and students on the labels; returns the evidence."""
    place = RecipeFolder(folder, "debate-weak-to-strong", PAPER, CLAIMS, asdict(config))
    found = []
    for seed in config.seeds:
        labels = place.once(f"results/labels-{seed}", lambda seed=seed: _labels(config, seed))  # type: ignore[misc]
        students = place.once(
            f"results/students-{seed}",
            lambda seed=seed, labels=labels: _students(config, seed, labels),  # type: ignore[misc]
        )
        found.append({**labels, **students, "cpu_seconds": labels["cpu_seconds"] + students["cpu_seconds"]})
    tables: dict[str, list[dict[str, Any]]] = {
        arm: [{"scores": {"accuracy": dict(zip(row["ids"], row["labels"][arm], strict=True))}} for row in found]
        for arm in DESCRIBED
    }
    tables["random"][0]["cost"] = {"runs": len(found), "cpu_seconds": sum(row["cpu_seconds"] for row in found)}
    facts: dict[str, dict[str, Any]] = {
        arm: {"macro_f1": float(np.mean([row["macro_f1"][arm] for row in found]))} for arm in DESCRIBED
    }
    for arm in TAUGHT:
        facts[arm] |= _share(found, arm)
    checks = {
        name: float(np.mean([row[name] for row in found])) for name in ("strong accuracy", "truth is argued first")
    }
    return finished(place, PLAN, CLAIMS, config, tables, checks=checks, notes=NOTES, more=facts)


def _labels(config: DebateConfig, seed: int) -> dict[str, Any]:
    """What the judges say of the student's images in every arm, and of the test images from random pixels."""
    started, parts = time.process_time(), digit_parts(config.sizes, seed=seed)
    learnt, pool, test = (digit_items(parts[name]) for name in ("weak", "student", "test"))
    strong = TorchProbe(config.strong, seed=derive(seed, "strong"))
    strong.fit(learnt.inputs, one_hot(learnt.truth, CLASSES))
    judges = [
        PixelJudge(
            config.judge, pixels=2 * config.turns, copies=config.copies, seed=derive(seed, "member", number)
        ).fit(learnt)
        for number in range(config.members)
    ]
    guessed = strong.predict_proba(pool.inputs)
    bench = _Bench(config, judges, pool, guessed, derive(seed, "pool"))
    asked = _Bench(config, judges[:1], test, strong.predict_proba(test.inputs), derive(seed, "test"))
    shown, weak = bench.shares(), asked.random()
    right = {arm: _right(share, bench.claims, pool.truth) for arm, share in shown.items()}
    return {
        "ids": list(pool.ids),
        "labels": {arm: one.tolist() for arm, one in right.items()},
        "macro_f1": {arm: _macro_f1(share, bench.claims, pool.truth) for arm, share in shown.items()},
        "given": {arm: _spread(shown[arm], bench.claims).tolist() for arm in TAUGHT},
        "test claims": asked.claims.tolist(),
        "weak on test": weak.tolist(),
        "strong accuracy": float((guessed.argmax(1) == pool.truth).mean()),
        "truth is argued first": float(right["order"].mean()),
        "cpu_seconds": time.process_time() - started,
    }


def _students(config: DebateConfig, seed: int, labels: Mapping[str, Any]) -> dict[str, Any]:
    """Right or wrong on each test image, by the labels that a student was given; all choose among the two claims."""
    started, parts = time.process_time(), digit_parts(config.sizes, seed=seed)
    pool, test = digit_items(parts["student"]), digit_items(parts["test"])
    student = frozen_student(encoder_of(parts, config.encoder, seed=seed), config.student)
    claims, weak = np.array(labels["test claims"]), np.array(labels["weak on test"])
    right = {"weak": _right(weak, claims, test.truth).tolist()}
    for arm in TAUGHT:
        report = taught(
            pool,
            np.array(labels["given"][arm]),
            _spread(weak, claims),
            test,
            student=student,
            truth=pool,
            settings=WeakToStrongSettings(seed=seed),
        )
        for name, found in ((arm, report.student), ("ceiling", report.ceiling)):
            right[name] = _right(np.take_along_axis(found, claims, 1), claims, test.truth).tolist()
    return {"students": right, "cpu_seconds": time.process_time() - started}


def _spread(shares: FloatArray, claims: IntArray) -> FloatArray:
    """Probabilities of the claims as labels [N, 10]."""
    found = np.zeros((len(shares), CLASSES))
    np.put_along_axis(found, claims, shares, 1)
    return found


def _said(shares: FloatArray, claims: IntArray) -> IntArray:
    found: IntArray = claims[np.arange(len(claims)), shares.argmax(1)]
    return found


def _right(shares: FloatArray, claims: IntArray, truth: IntArray) -> FloatArray:
    """1 where the likelier claim is true."""
    return np.equal(_said(shares, claims), truth).astype(np.float64)


def _macro_f1(shares: FloatArray, claims: IntArray, truth: IntArray) -> float:
    """Mean over the digits; one-sided protocols may favour some of them."""
    from sklearn.metrics import f1_score

    return float(f1_score(truth, _said(shares, claims), average="macro", zero_division=0.0))


class _Bench:
    """The items that are argued about, both claims on each, and who starts."""

    def __init__(
        self, config: DebateConfig, judges: list[PixelJudge], items: Items, strong: FloatArray, seed: int
    ) -> None:
        self.config, self.judges, self.items, self.seed = config, judges, items, seed
        self.claims = pixel_claims(items.truth, strong, seed=seed)
        self.first = side_that_starts(len(items), seed=seed)

    def shares(self) -> dict[str, FloatArray]:
        """Probabilities [N, 2] of the claims by arm."""
        turns, judge = self.config.turns, self.judges[0]
        alternating = [self.first, 1 - self.first] * turns
        masks = [self._debate(alternating, number) for number in range(self.config.members)]
        sampled = [self._judged(judge, one) for one in masks]
        return {
            "random": self.random(),
            "order": one_hot(self.first, 2),
            "consultancy": self._judged(judge, play(judge, self.items.inputs, self.claims, [self.first] * 2 * turns)),
            "market": self._judged(
                judge, play(judge, self.items.inputs, self.claims, [self.first, *[None] * (2 * turns - 1)])
            ),
            "debate": self._judged(judge, play(judge, self.items.inputs, self.claims, alternating)),
            "sampled": sampled[0],
            "debates": np.mean(sampled, 0),
            "judges": np.mean([self._judged(one, masks[0]) for one in self.judges], 0),
        }

    def random(self) -> FloatArray:
        """What the first judge says from random pixels."""
        masks = random_masks(len(self.items), 2 * self.config.turns, seed=derive(self.seed, "random"))
        return self._judged(self.judges[0], masks)

    def _debate(self, sides: list[IntArray], number: int) -> FloatArray:
        temperature, seed = self.config.temperature, derive(self.seed, "debate", number)
        return play(self.judges[0], self.items.inputs, self.claims, sides, temperature=temperature, seed=seed)

    def _judged(self, judge: PixelJudge, masks: FloatArray) -> FloatArray:
        return judge.between(self.items.inputs, masks, self.claims)


def _share(found: list[dict[str, Any]], arm: str) -> dict[str, Any]:
    """The student's accuracy and its share of the gap over all seeds, seeds as clusters."""
    columns = [np.concatenate([row["students"][name] for row in found]) for name in ("weak", arm, "ceiling")]
    seeds = [number for number, row in enumerate(found) for _ in row["students"]["weak"]]
    shares = performance_gap_recovered(*columns, cluster=seeds)
    told: dict[str, Any] = {"student_accuracy": float(columns[1].mean()), "gap": shares.gap.value}
    if shares.recovered is not None and np.isfinite([shares.recovered.low, shares.recovered.high]).all():
        told["recovered"] = [shares.recovered.value, shares.recovered.low, shares.recovered.high]
    return told
