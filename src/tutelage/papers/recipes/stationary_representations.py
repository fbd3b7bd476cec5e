"""d-Simplex and HOC: features of successive models that search each other's galleries without re-embedding.

A model in service is replaced by one that knows more classes; what the old one stored stays as it is. With class
directions fixed at the corners of a simplex the new features fall where the old ones did, and a contrast to the
previous model (HOC) is claimed to bring them closer still. Here four versions of a small network, each trained from
fresh weights on 4, 6, 8 and 10 kinds of real handwritten digits, search one another's galleries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tutelage.compat import CompatibilityMatrix, compatibility_matrix
from tutelage.papers.claim import Claim, Paper, Part, Plan, Resampled, gathered, judge_claim, recipe
from tutelage.papers.evidence import claim_record
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.digits import DigitSplit, split_digits
from tutelage.papers.lab.digits_versions import Version, VersionPlan, VersionSettings, train_versions

__all__ = ["ARMS", "CLAIMS", "PAPER", "PLAN", "SimplexConfig", "run"]

PAPER = Paper(
    title="Stationary Representations: Optimally Approximating Compatibility and Implications for Improved Model "
    "Replacements",
    date="2024-05-04",
    arxiv="2405.02581",
    family="compatibility",
    summary="Class directions fixed at the corners of a simplex keep features of successive models comparable.",
    code="https://github.com/miccunifi/iamcl2r",
)
ARMS: dict[str, VersionPlan] = {
    "learnable": VersionPlan("learnable"),
    "simplex": VersionPlan("simplex"),
    "simplex_hoc": VersionPlan("simplex", tie="previous"),
    "random_directions": VersionPlan("random"),
    "simplex_longer": VersionPlan("simplex", effort=1.5),
    "hoc_untrained": VersionPlan("simplex", tie="untrained"),
}
DESCRIBED = {
    "learnable": "an ordinary classifier, retrained: nothing is done for compatibility",
    "simplex": "class directions fixed at the corners of a simplex, cross-entropy",
    "simplex_hoc": "the same with the contrast to the previous model",
    "unchanged": "no update at all: the first version of simplex stays in service",
    "random_directions": "class directions fixed and the same in every version too, but drawn at random",
    "simplex_longer": "simplex with half as many epochs more, which is more than the contrast costs",
    "hoc_untrained": "the contrast, but to a network that has learnt nothing",
}
CONTROLS = ("learnable", "unchanged", "random_directions", "simplex_longer", "hoc_untrained")
AC_GAIN = 0.2
BOTH: Resampled = "seeds and items"
NOTES = (
    "Strict AC is all or nothing in each of six pairs of versions; the mean of C_ij - C_jj says how far a pair is from "
    "compatible.",
    "unchanged has a gain of exactly 0 because nothing is replaced; its accuracy is what that costs.",
    "Class templates are easier to search than single images; average_accuracy_instances is the latter.",
    "Which digits come first is drawn by the seed. Split, queries and gallery are the same under every seed; the "
    "intervals resample both seeds and queries.",
    "All data of the known classes are there in every version, so nothing is forgotten; the paper's class-incremental "
    "setting, ResNet-18 on CIFAR-100 with model replacement, was not run.",
)

CLAIMS = (
    Claim(
        "H1",
        "Average accuracy over all pairs of versions rises from learnable directions to the simplex, and to the "
        "simplex with HOC.",
        "spec; paper section 5",
        (
            Part("AM, simplex - learnable", "average_accuracy", "simplex", "greater", "learnable", resampled=BOTH),
            Part("AM, simplex+HOC - simplex", "average_accuracy", "simplex_hoc", "greater", "simplex", resampled=BOTH),
        ),
    ),
    Claim(
        "H2",
        "What a replacement changes for an old gallery, mean of C_ij - C_jj, is ordered in the same way.",
        "spec; paper's empirical criterion",
        (
            Part("gain, simplex - learnable", "gain", "simplex", "greater", "learnable", resampled=BOTH),
            Part("gain, simplex+HOC - simplex", "gain", "simplex_hoc", "greater", "simplex", resampled=BOTH),
        ),
    ),
    Claim(
        "H3",
        "At least a fifth more of all replacements are compatible (AC) with simplex and HOC than with learnable "
        "directions.",
        "spec; paper's AC",
        (Part("AC, simplex+HOC - learnable - 0.2", "ac_above_learnable", "simplex_hoc", "greater", threshold=AC_GAIN),),
    ),
    Claim(
        "H4",
        "With simplex and HOC, new queries search an old gallery better than the old ones did: replacing beats "
        "doing nothing without re-embedding.",
        "abstract; paper's empirical criterion",
        (Part("gain, simplex+HOC - unchanged", "gain", "simplex_hoc", "greater", "unchanged", resampled=BOTH),),
    ),
)


@dataclass(frozen=True)
class SimplexConfig:
    """Defaults: the CPU tier. Paper (official code): K 1024, ResNet-18, SGD 1e-3, 70 epochs, batch 128."""

    tier: str = "cpu"
    seeds: tuple[int, ...] = tuple(range(100, 110))
    versions: VersionSettings = field(default_factory=VersionSettings)
    gallery: int = 200
    query: int = 197
    resamples: int = 10_000


def cpu(seeds: int) -> SimplexConfig:
    """The tier of the verdict; seeds from 100, none of which was looked at before."""
    return SimplexConfig(seeds=tuple(range(100, 100 + seeds)))


def gpu(seeds: int) -> SimplexConfig:
    """The paper's 1024 corners, 70 epochs and batches of 128, on the same digits; needs a GPU."""
    large = VersionSettings(hidden=1024, prototypes=1024, epochs=70, batch_size=128)
    return SimplexConfig("gpu", tuple(range(100, 100 + seeds)), large)


def smoke(seeds: int) -> SimplexConfig:
    """Everything once, in a second: no verdict."""
    return SimplexConfig("smoke", tuple(range(seeds)), VersionSettings(epochs=1), gallery=60, query=40, resamples=200)


PLAN = Plan(
    tiers={"smoke": smoke, "cpu": cpu, "gpu": gpu},
    arms=DESCRIBED,
    controls=CONTROLS,
    seconds={"smoke": 4, "cpu": 150, "gpu": 900},
    seeds=10,
)


@recipe("stationary-representations", PAPER, CLAIMS, PLAN)
def run(config: SimplexConfig, folder: Path) -> dict[str, Any]:
    """Train every arm's versions under every seed, search, judge; returns the evidence."""
    place = RecipeFolder(folder, "stationary-representations", PAPER, CLAIMS, asdict(config))
    split = split_digits(config.gallery, config.query)
    tables: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for seed in config.seeds:
        for arm in ARMS:
            work = partial(_measured, arm, seed, config, split, place.device)
            tables[arm].append(place.once(f"results/{arm}-{seed}", work))
    tables["unchanged"] = [{"scores": row["unchanged"]} for row in tables["simplex"]]
    for row, other in zip(tables["simplex_hoc"], tables["learnable"], strict=True):
        first, second = row["scores"]["compatible"], other["scores"]["compatible"]
        row["scores"]["ac_above_learnable"] = {pair: first[pair] - second[pair] for pair in first}
    results = {arm: gathered(rows, config.seeds) for arm, rows in tables.items()}
    claims = [claim_record(claim, *judge_claim(claim, results, resamples=config.resamples)) for claim in CLAIMS]
    arms = {arm: {name: one.summary() for name, one in metrics.items()} for arm, metrics in results.items()}
    spent = [row["cost"] for arm in ARMS for row in tables[arm]]
    cost = {key: sum(row[key] for row in spent) for key in spent[0]}
    checks = {"final_accuracy_simplex_hoc": arms["simplex_hoc"]["final_accuracy"]["mean"]}
    notes = [*NOTES, _of_controls(arms)]
    return place.evidence(config.tier, config.seeds, claims, arms, checks, cost, notes, PLAN)


def _of_controls(arms: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """How much of the effect the controls have too, in words."""
    found = [
        f"{arm} {arms[arm]['average_accuracy']['mean']:.3f}, {arms[arm]['gain']['mean']:+.3f}" for arm in DESCRIBED
    ]
    return f"average accuracy and gain of every arm: {'; '.join(found)}"


def _measured(arm: str, seed: int, config: SimplexConfig, split: DigitSplit, device: torch.device) -> dict[str, Any]:
    """Scores of one arm under one seed, per query or pair of versions."""
    versions, cost = train_versions(ARMS[arm], split, config.versions, seed, device)
    found: dict[str, Any] = {"scores": _scores(versions, split), "cost": cost}
    if arm == "simplex":
        found["unchanged"] = _scores([versions[0]] * len(versions), split)
    return found


def _scores(versions: list[Version], split: DigitSplit) -> dict[str, dict[str, float]]:
    queries = [one.embed(split.query[0]) for one in versions]
    galleries = [one.embed(split.gallery[0]) for one in versions]
    asked, stored = split.query[1].numpy(), split.gallery[1].numpy()
    templates = compatibility_matrix(queries, galleries, asked, stored)
    instances = compatibility_matrix(queries, galleries, asked, stored, gallery="instances")
    own = np.mean([templates.items[i, i] for i in range(len(versions))], axis=0)
    by_query = {
        "average_accuracy": templates.accuracies(),
        "gain": templates.gains(),
        "own_accuracy": own,
        "final_accuracy": templates.items[-1, -1],
        "average_accuracy_instances": instances.accuracies(),
        "gain_instances": instances.gains(),
    }
    named = {name: dict(zip(split.query_ids, map(float, one), strict=True)) for name, one in by_query.items()}
    return {**named, "compatible": _compatible(templates)}


def _compatible(matrix: CompatibilityMatrix) -> dict[str, float]:
    found: Mapping[tuple[int, int], float] = {
        (new, old): float(matrix.means[new, old] > matrix.means[old, old]) for new, old in matrix.pairs()
    }
    return {f"{new + 1}-{old + 1}": value for (new, old), value in found.items()}
