"""Overlap: how much of what reinforcement sees had the supervised stage seen before?

A small model learns to reach a value with three numbers, first from answers and then by GRPO on prompts of which none,
30 % or all were among the answered ones. Sizes, strata and seeds are the same in every condition. What it writes is
scored twice: is it an expression at all, and does it use the right numbers to the right value?
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.data import StagePlan, plan_stages
from tutelage.measure import dual_metric
from tutelage.models import LoadedModel
from tutelage.papers.claim import Claim, Paper, Part, Plan, Resampled, recipe
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.arm import answers, settings_of, tuned
from tutelage.papers.lab.countdown import countdown_pool, countdown_tokenizer, general_exercises
from tutelage.papers.lab.pretraining import BaseSettings, pretrained, tokenised
from tutelage.papers.lab.verdicts import finished
from tutelage.seeds import derive
from tutelage.stats import jonckheere
from tutelage.training.grpo import GrpoSettings, reinforce
from tutelage.types import Row
from tutelage.verify import countdown, expression

__all__ = ["CLAIMS", "OVERLAPS", "PAPER", "PLAN", "OverlapConfig", "run"]

PAPER = Paper(
    title="SFT-GRPO Data Overlap as a Post-Training Hyperparameter for Autoformalization",
    date="2026-04-14",
    arxiv="2604.13515",
    family="tuning",
    summary="The less the prompts of both stages overlap, the better; form and meaning are scored apart.",
    code="https://github.com/suxls/data-overlap-autoformalization",
)
OVERLAPS = {"overlap_0": 0.0, "overlap_30": 0.3, "overlap_100": 1.0}
DESCRIBED = {
    "base": "the model before any tuning",
    "sft": "supervised fine-tuning on the first stage's prompts",
    "grpo": "reinforcement alone, on the prompts of overlap_0's second stage",
    "overlap_0": "both stages, no prompt shared",
    "overlap_30": "both stages, 30 % of the second stage's prompts shared",
    "overlap_100": "both stages, all of the second stage's prompts shared",
    "sft_union": "supervised fine-tuning on all prompts of overlap_0's two stages, as many steps as sft",
}
CONTROLS = ("base", "sft", "grpo", "sft_union")
BOTH: Resampled = "seeds and items"
SMALL = 0.03
RIGHT, FORMED, GAP = "S@1", "C@1", "gap"
NOTES = (
    "Countdown with three numbers stands for autoformalisation: an expression that parses for Lean code that compiles, "
    "right numbers and value for the right meaning. Some solution of every problem keeps the order of its numbers.",
    "Disjoint prompts are also more distinct prompts; sft_union has as many, but learns them from answers.",
    "GRPO runs through TRL (loss type dapo, no divergence from the start), the reward is the meaning alone.",
    "The equivalence claim of the paper is two claims here: the stage adds less than 3 points, and costs less than 3.",
    "zero_variance is the share of groups without any advantage; saturation on memorised prompts would show there.",
)
CLAIMS = (
    Claim(
        "H1",
        "Disjoint prompts for the two stages give higher semantic accuracy than fully shared ones.",
        "spec; paper's main table",
        (Part("S@1, 0 % - 100 %", RIGHT, "overlap_0", "greater", "overlap_100", resampled=BOTH),),
    ),
    Claim(
        "H2",
        "With all prompts shared, the reinforcement stage adds less than three points of semantic accuracy.",
        "spec; paper's main table",
        (Part("S@1, 100 % - SFT, no rise", RIGHT, "overlap_100", "less", "sft", margin=SMALL, resampled=BOTH),),
    ),
    Claim(
        "H3",
        "With all prompts shared, the reinforcement stage costs less than three points of semantic accuracy.",
        "spec; paper's main table",
        (Part("S@1, 100 % - SFT, no fall", RIGHT, "overlap_100", "greater", "sft", margin=SMALL, resampled=BOTH),),
    ),
    Claim(
        "H4",
        "Semantic accuracy falls steadily as the share of common prompts rises from none to all.",
        "spec; paper's main table",
        (
            Part("S@1, 0 % - 30 %", RIGHT, "overlap_0", "greater", "overlap_30", resampled=BOTH),
            Part("S@1, 30 % - 100 %", RIGHT, "overlap_30", "greater", "overlap_100", resampled=BOTH),
        ),
    ),
    Claim(
        "H5",
        "In every condition more outputs are well formed than are right.",
        "spec; paper's dual metric",
        tuple(Part(f"C@1 - S@1, {arm}", GAP, arm, "greater", threshold=0.0, resampled=BOTH) for arm in DESCRIBED),
    ),
)


@dataclass(frozen=True)
class OverlapConfig:
    """Defaults: the CPU tier. Paper: Qwen3-8B, 20k SFT pairs, 16k GRPO prompts, sampled at T = 1, top_p = 1."""

    tier: str = "cpu"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    n_sft: int = 512
    n_rl: int = 256
    items: int = 120
    samples: int = 8
    sft_steps: int = 120
    batch_size: int = 32
    learning_rate: float = 1e-3
    grpo: GrpoSettings = field(
        default_factory=lambda: GrpoSettings(steps=40, prompts=8, group=8, max_new_tokens=9, learning_rate=5e-4)
    )
    exercises: int = 22_400
    base: BaseSettings = field(default_factory=lambda: BaseSettings(width=64, layers=3, inner=176, steps=700))
    resamples: int = 10_000


def cpu(seeds: int) -> OverlapConfig:
    """The tier of the verdict."""
    return OverlapConfig(seeds=tuple(range(seeds)))


def smoke(seeds: int) -> OverlapConfig:
    """Everything once, in seconds, on a model that has learnt nothing: no verdict."""
    return OverlapConfig(
        "smoke", tuple(range(seeds)), n_sft=12, n_rl=10, items=4, samples=2, sft_steps=2, batch_size=4,
        grpo=GrpoSettings(steps=2, prompts=2, group=2, max_new_tokens=4, learning_rate=1e-3), exercises=60,
        base=BaseSettings(width=16, layers=1, heads=2, inner=32, steps=2, batch_size=4), resamples=200,
    )  # fmt: skip


PLAN = Plan({"smoke": smoke, "cpu": cpu}, DESCRIBED, CONTROLS, seconds={"smoke": 14, "cpu": 400})


@recipe("sft-grpo-overlap", PAPER, CLAIMS, PLAN)
def run(config: OverlapConfig, folder: Path) -> dict[str, Any]:
    """Both stages of every condition under every seed, sampled and scored; returns the evidence."""
    place = RecipeFolder(folder, "sft-grpo-overlap", PAPER, CLAIMS, asdict(config))
    base = pretrained(
        "countdown", general_exercises(config.exercises, 0), config.base,
        tokenizer=countdown_tokenizer(), console=place.console,
    )  # fmt: skip
    lab = _Lab(base, config, place)
    tables: dict[str, list[dict[str, Any]]] = {arm: [] for arm in DESCRIBED if arm != "base"}
    for seed in config.seeds:
        made = lab.conditions(seed)
        for arm, rows in tables.items():
            rows.append(made[arm])
    tables["base"] = [{"scores": place.once("results/base", lambda: lab.scores(base, 0))}]
    return finished(place, PLAN, CLAIMS, config, tables, notes=[*NOTES, *_said(tables)])


class _Lab:
    """Problems, and the arms of one seed; every arm is a file that is made once."""

    def __init__(self, base: LoadedModel, config: OverlapConfig, place: RecipeFolder) -> None:
        self.base, self.config, self.place = base, config, place
        pool = countdown_pool()
        order = np.random.default_rng(derive(0, "held out")).permutation(len(pool))
        self.held_out = [pool[i] for i in order[: config.items]]
        self.pool = {pool[i]["id"]: pool[i] for i in sorted(order[config.items :])}

    def conditions(self, seed: int) -> dict[str, dict[str, Any]]:
        """Every arm under one seed. The model after the first stage is shared, and trained only if it is needed."""
        strata = [row["group"] for row in self.pool.values()]
        plans = {
            arm: plan_stages(list(self.pool), self.config.n_sft, self.config.n_rl, share, strata=strata, seed=seed)
            for arm, share in OVERLAPS.items()
        }
        started: list[LoadedModel] = []

        def first() -> LoadedModel:
            if not started:
                started.append(self._supervised("sft", plans["overlap_0"].sft, seed)[0])
            return started[0]

        found = {}
        disjoint = plans["overlap_0"]
        for arm, ids in (("sft", disjoint.sft), ("sft_union", tuple(sorted({*disjoint.sft, *disjoint.rl})))):
            found[arm] = self._kept(arm, seed, partial(self._first_stage, arm, ids, seed, started))
        for arm, plan in plans.items():
            found[arm] = self._kept(arm, seed, partial(self._second_stage, arm, plan, seed, first))
        found["grpo"] = self._kept("grpo", seed, partial(self._second_stage, "grpo", disjoint, seed, lambda: self.base))
        return found

    def _kept(self, arm: str, seed: int, work: Any) -> dict[str, Any]:
        made: dict[str, Any] = self.place.once(f"results/{arm}-{seed}", work)
        return made

    def _supervised(self, arm: str, ids: Sequence[str], seed: int) -> tuple[LoadedModel, dict[str, float]]:
        rows = [self.pool[one] for one in ids]
        texts = [(row["id"], row["prompt"][0]["content"], row["completion"][0]["content"]) for row in rows]
        c = self.config
        settings = settings_of(c.sft_steps, batch_size=c.batch_size, learning_rate=c.learning_rate)
        work = self.place.folder / "work" / f"{arm}-{seed}"
        trained = tuned(self.base, tokenised(texts, self.base.tokenizer), settings, seed=seed, folder=work)
        return trained.loaded(self.base), {"cpu_seconds": trained.cost["cpu_seconds"]}

    def _first_stage(self, arm: str, ids: Sequence[str], seed: int, started: list[LoadedModel]) -> dict[str, Any]:
        model, cost = self._supervised(arm, ids, seed)
        if arm == "sft":
            started.append(model)
        return {"scores": self.scores(model, seed), "cost": cost}

    def _second_stage(self, arm: str, plan: StagePlan, seed: int, start: Any) -> dict[str, Any]:
        before: LoadedModel = start()
        model = copy.deepcopy(before.model).train().requires_grad_(True)
        rows: list[Row] = [self.pool[one] for one in plan.rl]
        work = self.place.folder / "work" / f"{arm}-{seed}"
        done = reinforce(model, before.tokenizer, rows, countdown, self.config.grpo, folder=work, seed=seed)
        scores = self.scores(replace(before, model=model), seed)
        scores["zero_variance"] = {str(n): one["zero_variance"] for n, one in enumerate(done.steps)}
        scores["reward"] = {str(n): one["reward"] for n, one in enumerate(done.steps)}
        return {"scores": scores, "cost": {"cpu_seconds": done.cost["cpu_seconds"]}}

    def scores(self, model: LoadedModel, seed: int) -> dict[str, dict[str, float]]:
        """Form and meaning of samples for the held-out problems, one value a problem."""
        c, known = self.config, {row["id"]: row for row in self.held_out}
        prompts = [row["prompt"][0]["content"] for row in self.held_out for _ in range(c.samples)]
        texts = answers(
            model.model, model.tokenizer, prompts, max_new_tokens=c.grpo.max_new_tokens, temperature=1.0,
            seed=derive(seed, "samples") % 2**31,
        )  # fmt: skip
        samples = {name: texts[n * c.samples : (n + 1) * c.samples] for n, name in enumerate(known)}
        found = dual_metric(
            samples,
            lambda name, text: expression([], text, None).score,
            lambda name, text: countdown([], text, known[name]["reference"]).score,
            ks=(1, c.samples),
        )
        return {name: dict(zip(one.ids, map(float, one.values), strict=True)) for name, one in found.items()}


def _said(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """The trend over all conditions, and how many groups taught nothing."""
    means = {arm: [float(np.mean(list(row["scores"][RIGHT].values()))) for row in tables[arm]] for arm in OVERLAPS}
    flat = {
        arm: np.mean([np.mean(list(row["scores"]["zero_variance"].values())) for row in tables[arm]])
        for arm in (*OVERLAPS, "grpo")
    }
    groups = [means[arm] for arm in reversed(OVERLAPS)]
    trend = "none to test" if len({v for g in groups for v in g}) == 1 else f"p = {jonckheere(groups).p:.3f}"
    told = ", ".join(f"{arm} {share:.2f}" for arm, share in flat.items())
    return [
        f"Jonckheere's test that S@1 falls with overlap, seeds as values: {trend}",
        f"share of groups whose rewards were all the same: {told}",
    ]
