"""Preference rankings: what DPO does to the pairs that the reference model has the wrong way round.

A language model of 135 million parameters learns to prefer right answers to wrong ones, each said briefly or at length.
Before, during and after, it is asked which response of each pair it finds likelier.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import mannwhitneyu

from tutelage.functional.preference import dpo_gamma_loss
from tutelage.models import LoadedModel, load
from tutelage.models.sequence_logprobs import SequenceLogprobs
from tutelage.papers.claim import Claim, Paper, Part, Plan, recipe
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.base_model import BaseSettings, base_model
from tutelage.papers.lab.preferences import preference_pairs
from tutelage.papers.lab.verdicts import finished
from tutelage.stats import flip_table, idealized_ranking_accuracy, pair_difficulty
from tutelage.training.dpo import DpoSettings, prefer
from tutelage.training.ranking_callback import PairLogprobs

__all__ = ["CLAIMS", "DESCRIBED", "PAPER", "PLAN", "PreferenceRankingConfig", "run", "scores"]

PAPER = Paper(
    title="Preference Learning Algorithms Do Not Learn Preference Rankings",
    date="2024-05-29",
    arxiv="2405.19534",
    family="preference",
    summary="DPO raises its reward accuracy far more than the share of pairs whose preferred response is the likelier.",
    code="https://github.com/angie-chen55/pref-learning-ranking-acc",
)
DESCRIBED = {
    "reference": "the model before DPO: which response is the likelier",
    "dpo": "after DPO: which response is the likelier",
    "reward": "after DPO: which response has gained more on the other (what trainers log as reward accuracy)",
    "shorter": "no model: the response of fewer tokens",
}
CONTROLS = ("reference", "reward", "shorter")
NOTES = (
    "H1 is a theorem: it tests the code, and would fail with another end token or reference than the loss has.",
    "All is measured on the pairs trained on, as in the paper's count of flips.",
    "Optimizer, learning rate and beta are those of the spec (RMSProp, 1e-6, 0.1); pilots on other seeds had 96 pairs "
    "for three epochs at that rate (2 of 22 wrong pairs turned) and 64 pairs for two epochs at three times the rate "
    "(5 of 23).",
    "No supervised stage stands before DPO: the model knows most of the answers and has not seen their wording.",
    "The reference is a four-bit model made float32. One preferred answer a pair stands for raters of one mind.",
    "A seed of which no pair turns round counts one half under H4: it says nothing for difficulty. There was one among "
    "the five, which is why H4 is not decided.",
    "Answers of three wordings make difficulty fall into few groups, which favours H4; 135 million parameters, short "
    "answers and 64 pairs say nothing about 7 billion and dialogues.",
)
CLAIMS = (
    Claim(
        "H1",
        "A pair is ranked right exactly when its DPO loss is at most the one computed from the reference model.",
        "paper, theorem 4.1; spec (1)",
        (Part("share of pairs that agree at every measurement", "agrees", "dpo", "greater", threshold=0.999),),
    ),
    Claim(
        "H2",
        "The reward accuracy is above the ranking accuracy of the same model by more than ten points.",
        "paper, remark 2.5 and section 4; spec (2)",
        (Part("right by reward - right by likelihood", "excess", "dpo", "greater", threshold=0.1),),
    ),
    Claim(
        "H3",
        "The loss falls, and less than a quarter of the pairs that the reference has wrong are right afterwards.",
        "paper, section 4.1 (below a tenth); spec (3)",
        (
            Part("loss - loss before training", "loss_change", "dpo", "less", threshold=0.0),
            Part("share of wrong pairs that turned right", "corrected", "dpo", "less", threshold=0.25),
        ),
    ),
    Claim(
        "H4",
        "The wrong pairs that turn right are those of low difficulty by the reference model.",
        "paper, theorem 4.1 and section 4.2; spec (4)",
        (Part("area under the curve of -difficulty", "easier_turned", "dpo", "greater", threshold=0.8),),
    ),
)


@dataclass(frozen=True)
class PreferenceRankingConfig:
    """Defaults: the CPU tier. Paper: 7B models, lr 5e-7 to 1e-5, batches of 32 to 128, up to five epochs of HH."""

    tier: str = "cpu"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    model: str = "smollm2-135m-instruct"
    base: BaseSettings | None = None
    pairs: int = 64
    dpo: DpoSettings = field(default_factory=lambda: DpoSettings(epochs=2, batch_size=8, learning_rate=1e-6, every=8))
    resamples: int = 10_000


def cpu(seeds: int) -> PreferenceRankingConfig:
    """The tier of the verdict."""
    return PreferenceRankingConfig(seeds=tuple(range(seeds)))


def smoke(seeds: int) -> PreferenceRankingConfig:
    """Everything once, in seconds, on a model that has learnt nothing: no verdict."""
    tiny = BaseSettings(width=32, layers=1, heads=2, inner=64, steps=3, batch_size=8)
    dpo = DpoSettings(batch_size=6, learning_rate=1e-3, every=1)
    return PreferenceRankingConfig("smoke", tuple(range(seeds)), "", tiny, 12, dpo, 200)


PLAN = Plan(tiers={"smoke": smoke, "cpu": cpu}, arms=DESCRIBED, controls=CONTROLS, seconds={"smoke": 10, "cpu": 600})


@recipe("preference-ranking", PAPER, CLAIMS, PLAN)
def run(config: PreferenceRankingConfig, folder: Path) -> dict[str, Any]:
    """DPO under every seed on its own pairs, measure, judge; returns the evidence. Finished parts are not repeated."""
    place = RecipeFolder(folder, "preference-ranking", PAPER, CLAIMS, asdict(config))
    start = base_model(config.base, console=place.console) if config.base else load(config.model, dtype="float32")
    tables: dict[str, list[dict[str, Any]]] = {arm: [] for arm in DESCRIBED}
    for seed in config.seeds:
        made = place.once(f"points/{seed}", partial(_tuned, start, config, seed, folder / "work"))
        points = [_point(one) for one in made["points"]]
        found = place.once(f"results/{seed}", partial(scores, points, made["ids"], config.dpo.beta))
        for arm, rows in tables.items():
            rows.append({"scores": found[arm], **({"cost": made["cost"]} if arm == "dpo" else {})})
    return finished(place, PLAN, CLAIMS, config, tables, notes=NOTES)


def _tuned(start: LoadedModel, config: PreferenceRankingConfig, seed: int, work: Path) -> dict[str, Any]:
    """DPO from ``start`` on the pairs of a seed: sums and lengths of both responses at each measurement, as JSON."""
    pairs = preference_pairs(config.pairs, seed=seed)
    model = copy.deepcopy(start.model)
    rows = [{"prompt": one.prompt, "chosen": one.chosen, "rejected": one.rejected} for one in pairs]
    made = prefer(model, start.tokenizer, rows, config.dpo, folder=work, seed=seed)
    points = [
        {side: [one.sums.tolist(), one.lengths.tolist()] for side, one in vars(point).items()}
        for _, point in made.points
    ]
    return {"ids": [one.id for one in pairs], "points": points, "cost": dict(made.cost)}


def _point(told: Mapping[str, Any]) -> PairLogprobs:
    return PairLogprobs(**{side: SequenceLogprobs(*map(np.array, columns)) for side, columns in told.items()})


def scores(points: list[PairLogprobs], ids: list[str], beta: float) -> dict[str, dict[str, dict[str, float]]]:
    """By arm and metric, one value a pair or one for the run.

    Args:
        points: log-probabilities at each measurement, the reference's first.
        ids: of the pairs [N].
        beta: of the loss.
    """
    reference, now = points[0], points[-1]
    difficulty = pair_difficulty(reference.chosen.sums, reference.rejected.sums, beta)
    losses = [_losses(point, reference, beta) for point in points]
    agrees = np.ones(len(ids), dtype=bool)
    for point, loss in zip(points, losses, strict=True):
        tied = np.abs(loss - difficulty.required_loss) <= 1e-9
        agrees &= ((loss <= difficulty.required_loss) == point.right()) | tied
    by_reward = now.difference > reference.difference
    shorter = np.sign(now.rejected.lengths - now.chosen.lengths) / 2 + 0.5
    best = idealized_ranking_accuracy(reference.chosen.sums, reference.rejected.sums, np.ones(len(ids)), betas=(beta,))
    table = flip_table(reference.right(), now.right())
    corrected = 0.0 if table.corrected is None else table.corrected
    return {
        "reference": {**_rankings(reference, ids), "difficulty": _by(ids, difficulty.c)},
        "dpo": {
            **_rankings(now, ids),
            "agrees": _by(ids, agrees),
            "excess": _by(ids, by_reward.astype(float) - now.right()),
            "loss_change": _by(ids, losses[-1] - losses[0]),
            "corrected": {"run": corrected},
            "turned_wrong": {"run": table.turned_wrong.share},
            "easier_turned": {"run": easier_turned(difficulty.c, reference.right(), now.right())},
            "gap_to_the_optimum": _by(ids, best.right[0].astype(float) - now.right()),
        },
        "reward": {"right": _by(ids, by_reward)},
        "shorter": {"right": _by(ids, shorter)},
    }


def easier_turned(c: Any, before: Any, after: Any) -> float:
    """Chance that of a wrong pair that turned right and one that stayed wrong the first is the easier; ties one half.

    One half too where there are not both kinds.

    Example:
        >>> wrong = np.array([False, False, False])
        >>> easier_turned(np.array([1.0, 5.0, 3.0]), wrong, np.array([True, False, False]))
        1.0
    """
    turned, stayed = c[~before & after], c[~before & ~after]
    if not len(turned) or not len(stayed):
        return 0.5
    return float(mannwhitneyu(-turned, -stayed).statistic / (len(turned) * len(stayed)))


def _losses(point: PairLogprobs, reference: PairLogprobs, beta: float) -> Any:
    sides = (point.chosen.sums, point.rejected.sums, reference.chosen.sums, reference.rejected.sums)
    return dpo_gamma_loss(*(torch.from_numpy(side) for side in sides), beta=beta).numpy()


def _rankings(point: PairLogprobs, ids: list[str]) -> Mapping[str, dict[str, float]]:
    return {"right": _by(ids, point.right()), "right_normalised": _by(ids, point.right(normalised=True))}


def _by(ids: list[str], values: Any) -> dict[str, float]:
    return {name: float(value) for name, value in zip(ids, values, strict=True)}
