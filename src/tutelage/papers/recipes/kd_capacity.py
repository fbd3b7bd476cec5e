"""KD capacity: does distillation help wider students more, and how much of a gain is only a choice on the test set?

The paper compares residual networks on tiny images; the author's later code withdraws part of it, because settings had
been chosen on the test set. Here perceptrons of four widths learn real handwritten digits from a small and a large
teacher that are equally good. Every setting is chosen on validation images, and the old fault is run again beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.papers.claim import Claim, Paper, Part, Plan, Resampled, recipe
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.digit_classifiers import LoopSettings, digit_parts
from tutelage.papers.lab.digit_distillation import DistillationLab, Method, Setting
from tutelage.papers.lab.verdicts import finished
from tutelage.stats import minimum_detectable_effect
from tutelage.training.study import Split, StudyReport, kd_study
from tutelage.types import FloatArray, Scores

__all__ = ["CLAIMS", "PAPER", "PLAN", "CapacityConfig", "run", "slope_weights"]

PAPER = Paper(
    title="Student Capacity Moderates Knowledge Distillation Effectiveness: A Systematic Study Across ResNet "
    "Teacher-Student Pairs on CIFAR-10",
    date="2026-05-28",
    arxiv="2605.31191",
    family="tuning",
    summary="Wider students are said to gain more from distillation; the gains are near the noise.",
    code="https://github.com/umutonuryasar/kd-capacity-gap",
)
METHODS: dict[str, tuple[Method, str]] = {
    "ce": ("ce", ""),
    "logit_small": ("logit", "small"),
    "logit_large": ("logit", "large"),
    "feature_large": ("feature", "large"),
}
DESCRIBED = {
    "ce": "no teacher: cross-entropy alone, the learning rate chosen like everyone's",
    "logit_small": "the outputs of a teacher of 64 units a layer",
    "logit_large": "the outputs of a teacher of 256 units a layer, stopped when as good as the small one",
    "feature_large": "both hidden layers of the large teacher, through trained projections",
    "chosen_on_validation": "logit distillation at one width on other splits, setting chosen on validation images",
    "chosen_on_test": "the same runs, setting chosen on the very images that are reported",
}
CONTROLS = ("ce", "chosen_on_validation")
BOTH: Resampled = "seeds and items"
NO_HARM = 0.005
ASSUMED_DEVIATION = 0.01
"""Of one training's accuracy between seeds: assumed for the plan before anything was measured."""
CHANCE = "claims are judged one by one; with four of them a false positive is likelier than 5 %"
NOTES = (
    "Slope: least squares of the gain over log2 of the width, for each seed and image; its mean over seeds is that of "
    "a mixed model with seeds as a random effect, since every seed has every width.",
    "The gains of the paper's second version are 0.1 to 0.3 points; smallest_slope_found is what the plan could find.",
    "chosen_on_test and chosen_on_validation look at the same runs. The first difference cannot be negative by "
    "construction; the second part asks whether it is a real gain, on images that neither choice saw.",
    "One selection seed, as in the paper, and two values of each setting: what fitted; 20 seeds and the paper's "
    "grid of 3 by 3 would take about four times as long.",
    "The clip covers the projections in every run; leaving them out is an error of the library and not an arm here.",
    "Perceptrons on 500 digits; the paper's ResNets on CIFAR-10, its stem and its clipping were not run.",
    f"No correction for several tests: {CHANCE}.",
)

CLAIMS = (
    Claim(
        "H1",
        "The gain from distillation grows with the width of the student.",
        "the paper's first version",
        (
            Part("slope of the gain, logits", "slope", "logit_large", "greater", threshold=0.0, resampled=BOTH),
            Part("slope of the gain, features", "slope", "feature_large", "greater", threshold=0.0, resampled=BOTH),
        ),
    ),
    Claim(
        "H2",
        "Choosing the distillation settings on the test set makes the gain look larger than choosing them on a "
        "validation set, and the surplus is not there on fresh images.",
        "the paper's second version; spec",
        (
            Part("reported gain, test - validation", "reported", "chosen_on_test", "greater", "chosen_on_validation"),
            Part(
                "reported - fresh, test - validation", "optimism", "chosen_on_test", "greater", "chosen_on_validation"
            ),
        ),
    ),
    Claim(
        "H3",
        "A larger teacher of equal accuracy teaches no more than half a point worse.",
        "spec: the effect of the teacher's size at fixed accuracy",
        (
            Part(
                "gain, large - small teacher",
                "gain",
                "logit_large",
                "greater",
                "logit_small",
                margin=NO_HARM,
                resampled=BOTH,
            ),
        ),
    ),
    Claim(
        "H4",
        "Distillation of logits from the large teacher helps, over all widths.",
        "the paper's second version: +0.06 to +0.08 points",
        (Part("gain, logits", "gain", "logit_large", "greater", threshold=0.0, resampled=BOTH),),
    ),
)


@dataclass(frozen=True)
class CapacityConfig:
    """Defaults: the CPU tier. Paper: SGD 0.1, batch 128, 100 epochs, weight 0.3 to 0.7, T 2 to 4, beta 0.5."""

    tier: str = "cpu"
    seeds: tuple[int, ...] = tuple(range(100, 110))
    selection_seeds: tuple[int, ...] = (0,)
    sizes: Mapping[str, int] = field(default_factory=lambda: {"train": 500, "validation": 300, "test": 997})
    leak_sizes: Mapping[str, int] = field(
        default_factory=lambda: {"train": 500, "validation": 150, "test": 150, "fresh": 997}
    )
    widths: tuple[int, ...] = (8, 16, 32, 64)
    leak_width: int = 16
    teachers: Mapping[str, int] = field(default_factory=lambda: {"small": 64, "large": 256})
    rates: tuple[float, ...] = (0.1, 0.2)
    weights: tuple[float, ...] = (0.3, 0.7)
    temperatures: tuple[float, ...] = (2.0, 4.0)
    loop: LoopSettings = field(default_factory=lambda: LoopSettings(epochs=15, batch_size=64))
    resamples: int = 10_000


def cpu(seeds: int) -> CapacityConfig:
    """The tier of the verdict; no seed of the choice is a seed of the result."""
    return CapacityConfig(seeds=tuple(range(100, 100 + seeds)))


def smoke(seeds: int) -> CapacityConfig:
    """Everything once, in seconds: no verdict."""
    return CapacityConfig(
        "smoke",
        tuple(range(seeds)),
        (0,),
        {"train": 100, "validation": 40, "test": 60},
        {"train": 100, "validation": 40, "test": 40, "fresh": 60},
        (8, 16),
        teachers={"small": 8, "large": 16},
        rates=(0.2,),
        weights=(0.5, 0.7),
        loop=LoopSettings(epochs=2, batch_size=20),
        resamples=200,
    )


PLAN = Plan(
    tiers={"smoke": smoke, "cpu": cpu}, arms=DESCRIBED, controls=CONTROLS, seconds={"smoke": 6, "cpu": 100}, seeds=10
)


@recipe("kd-capacity", PAPER, CLAIMS, PLAN)
def run(config: CapacityConfig, folder: Path) -> dict[str, Any]:
    """Choose on validation, train under every seed, run the old fault beside it, judge; returns the evidence."""
    place = RecipeFolder(folder, "kd-capacity", PAPER, CLAIMS, asdict(config))
    deviation = ASSUMED_DEVIATION * float(np.sqrt(2 * np.square(slope_weights(config.widths)).sum()))
    smallest = minimum_detectable_effect(len(config.seeds), deviation=deviation)
    place.console.print(f"slopes from {100 * smallest:.2f} points per doubling are found with 80 % power")
    lab = DistillationLab(
        place, "study", digit_parts(config.sizes, seed=0), config.loop, config.teachers, followed="test"
    )
    lab.followed_width = config.leak_width
    report = _study(lab, config)
    tables: dict[str, list[dict[str, Any]]] = {
        arm: [_scores(report, lab, arm, config, number) for number in range(len(config.seeds))] for arm in METHODS
    }
    tables["ce"][0]["cost"] = lab.total_cost()
    leaks = [_leak(place, config, seed) for seed in config.seeds]
    for arm in ("chosen_on_validation", "chosen_on_test"):
        tables[arm] = [{"scores": row[arm]} for row in leaks]
    tables["chosen_on_test"][0]["cost"] = {key: sum(row["cost"][key] for row in leaks) for key in leaks[0]["cost"]}
    checks = {
        f"accuracy of the {size} teacher": float(np.mean([lab.teacher_accuracy(size, seed) for seed in config.seeds]))
        for size in config.teachers
    }
    checks["smallest_slope_found"] = smallest
    facts = {
        arm: {f"setting_{width}": list(report.chosen[f"{arm}-{width}"]) for width in config.widths} for arm in METHODS
    }
    return finished(place, PLAN, CLAIMS, config, tables, checks=checks, notes=NOTES, more=facts)


def _grid(method: Method, config: CapacityConfig) -> tuple[Setting, ...]:
    if method == "ce":
        return tuple((rate, 0.0, 0.0) for rate in config.rates)
    if method == "feature":
        return tuple((rate, weight, 0.0) for rate, weight in product(config.rates, config.weights))
    return tuple(product(config.rates, config.weights, config.temperatures))


def _study(lab: DistillationLab, config: CapacityConfig) -> StudyReport[Setting]:
    """Every method at every width, each with its own setting chosen on validation."""

    def evaluate(name: str, setting: Setting, seed: int, split: Split) -> Scores:
        arm, _, width = name.rpartition("-")
        method, size = METHODS[arm]
        values = lab.student(method, size, int(width), setting, seed)[split]
        return Scores("accuracy", lab.parts[split].ids, np.array(values))

    grids = {f"{arm}-{width}": _grid(METHODS[arm][0], config) for width in config.widths for arm in METHODS}
    return kd_study(grids, evaluate, selection_seeds=config.selection_seeds, seeds=config.seeds)


def slope_weights(widths: Sequence[int]) -> FloatArray:
    """Weights whose sum with the values at ``widths`` is the least-squares slope over log2(width).

    Example:
        >>> slope_weights([8, 16, 32]).tolist()
        [-0.5, 0.0, 0.5]
    """
    places = np.log2(np.array(widths, dtype=np.float64))
    centred = places - places.mean()
    found: FloatArray = centred / np.square(centred).sum()
    return found


def _scores(
    report: StudyReport[Setting], lab: DistillationLab, arm: str, config: CapacityConfig, number: int
) -> dict[str, Any]:
    """One arm under one seed: accuracy at each width, gain over no teacher, its slope, and fidelity, per image."""
    ids = lab.parts["test"].ids
    right = np.array([report.test[f"{arm}-{width}"][number].values for width in config.widths])
    found: dict[str, FloatArray] = {f"accuracy_{w}": row for w, row in zip(config.widths, right, strict=True)}
    if arm != "ce":
        base = np.array([report.test[f"ce-{width}"][number].values for width in config.widths])
        found["gain"] = (right - base).mean(0)
        found["slope"] = slope_weights(config.widths) @ (right - base)
        method, size = METHODS[arm]
        setting = report.chosen[f"{arm}-{config.leak_width}"]
        followed = lab.student(method, size, config.leak_width, setting, config.seeds[number])["fidelity"]
        found |= {name: np.array(values) for name, values in followed.items()}
    return {"scores": {name: dict(zip(ids, values.tolist(), strict=True)) for name, values in found.items()}}


def _leak(place: RecipeFolder, config: CapacityConfig, seed: int) -> dict[str, Any]:
    """The old fault: the same runs, chosen once on validation and once on the test images that are reported."""
    parts = digit_parts(config.leak_sizes, seed=seed)
    lab = DistillationLab(place, "leak", parts, config.loop, config.teachers)

    def student(setting: Setting, split: str) -> FloatArray:
        return np.array(lab.student("logit", "large", config.leak_width, setting, seed)[split])

    def evaluate(method: str, setting: Setting, number: int, split: Split) -> Scores:
        return Scores("accuracy", parts[split].ids, student(setting, split))

    arms = ("chosen_on_validation", "chosen_on_test")
    grid = _grid("logit", config)
    report = kd_study(
        dict.fromkeys(arms, grid), evaluate, selection_seeds=(seed,), seeds=(seed,), leaks=("chosen_on_test",)
    )
    found: dict[str, Any] = {"cost": lab.total_cost()}
    for arm in arms:
        reported = report.means(arm)[0]
        fresh = float(student(report.chosen[arm], "fresh").mean())
        values = {"reported": reported, "fresh": fresh, "optimism": reported - fresh}
        found[arm] = {name: {"all": value} for name, value in values.items()}
    return found
