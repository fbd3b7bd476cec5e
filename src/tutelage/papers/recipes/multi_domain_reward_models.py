"""Outcome or process: heads of equal size on one small model, and a dial of how noisy the labels of steps are.

The model has learnt to work out chains of clock arithmetic. Both kinds of reward model see the same solutions; one
learns whether each ends right, the other which steps are right, from labels of which none, a tenth or a fifth is
flipped. They are asked to pick a right solution among eight.
"""

from __future__ import annotations

import copy
import math
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from tutelage.chat_template import render
from tutelage.data.steps import StepRow
from tutelage.errors import ModelError
from tutelage.models import LoadedModel
from tutelage.papers.claim import Claim, Paper, Part, Plan, recipe
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.chains import Worked, answer_of, chains, spoil, worked
from tutelage.papers.lab.instructions import Exercise
from tutelage.papers.lab.pretraining import BaseSettings, pretrained
from tutelage.papers.lab.verdicts import finished
from tutelage.seeds import derive
from tutelage.stats import aggregate, length_diagnostic, select
from tutelage.training.reward_fit import RewardFit, fit_reward_model
from tutelage.training.reward_heads import HeadRewardModel, ScalarHead

__all__ = ["CLAIMS", "DESCRIBED", "PAPER", "PLAN", "RewardConfig", "run"]

PAPER = Paper(
    title="Rethinking Reward Models for Multi-Domain Test-Time Scaling",
    date="2025-10-01",
    arxiv="2510.00492",
    family="weak-to-strong",
    summary="Outcome and process reward models compared: noisy step labels and long solutions undo the second.",
    code="https://github.com/db-Lee/Multi-RM",
)
DESCRIBED = {
    "random": "the first of the eight solutions",
    "majority": "the most frequent answer",
    "oracle": "a right solution where there is one",
    "dorm": "a head on the last step, outcomes as labels",
    "dprm_00": "a head on every step, all labels of steps right, the lowest score counts",
    "dprm_10": "the same with a tenth of the labels flipped",
    "dprm_20": "the same with a fifth of the labels flipped",
}
CONTROLS = ("random", "majority", "oracle", "dprm_00")
FLIPS = {"dprm_00": 0.0, "dprm_10": 0.1, "dprm_20": 0.2}
SEPARATOR = " ;"
MARGIN = 0.03
NOTES = (
    "Solutions come from a scripted policy, not from a model: one or two steps at random places are wrong and every "
    "wrong one ends wrong. The outcomes are exact; only labels of steps are noisy, as in the paper's explanation.",
    "Heads are linear maps of equal size and the whole model is trained with them; the paper trains LoRA on 8 and 14 "
    "billion parameters. The generative kinds (gORM, gPRM) stand in the library and were not run.",
    "A first run (seeds 0 to 4) is not recorded: no head had learnt anything (AUC 0.5 at every length, also with right "
    "labels). Since then there is a guard. Take other seeds for the next one.",
    "One domain: clock arithmetic. The paper's claim about fourteen subjects is not tested.",
    "Wrong answers of the policy are spread over 22 numbers, so that a majority is strong here; it is no claim.",
    "AUC by length compares right and wrong solutions of one length, so the share of right ones plays no part.",
)
CLAIMS = (
    Claim(
        "H1",
        "With noisy step labels, a step verifier loses accuracy with the length of the solution faster than an outcome "
        "verifier.",
        "the paper's abstract; spec (a)",
        tuple(
            Part(f"AUC per further step, {arm} - dorm", "auc_slope", arm, "less", "dorm")
            for arm in ("dprm_10", "dprm_20")
        ),
    ),
    Claim(
        "H2",
        "With noisy step labels, choosing the best of eight by step scores is at most three points better than by "
        "outcome scores.",
        "the paper's abstract; spec (b)",
        tuple(
            Part(
                f"right of 8, dorm - {arm}", "best_of_8", "dorm", "greater", arm,
                margin=MARGIN, resampled="seeds and items",
            )
            for arm in ("dprm_10", "dprm_20")
        ),
    ),
    Claim(
        "H3",
        "With right step labels, step scores choose better than outcome scores.",
        "spec: the other end of the dial, as in arXiv 2501.01290",
        (Part("right of 8, dprm_00 - dorm", "best_of_8", "dprm_00", "greater", "dorm", resampled="seeds and items"),),
    ),
    Claim(
        "H4",
        "Flipping a fifth of the step labels costs a step verifier right choices.",
        "spec: the dial",
        (
            Part(
                "right of 8, dprm_20 - dprm_00", "best_of_8", "dprm_20", "less", "dprm_00", resampled="seeds and items"
            ),
        ),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class RewardConfig:
    """Defaults: the CPU tier. Paper: LoRA rank 16, lr 1e-4, batch 16, 1 epoch, texts of at most 650 tokens."""

    tier: str = "cpu"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    base: BaseSettings = field(
        default_factory=lambda: BaseSettings(width=64, layers=2, heads=4, inner=176, steps=700, batch_size=32)
    )
    lengths: tuple[int, ...] = (2, 4, 8, 12)
    rows: int = 1000
    questions: int = 160
    candidates: int = 8
    right: float = 0.3
    required: float = 0.7
    fit: RewardFit = field(default_factory=lambda: RewardFit(epochs=3, batch_size=16, learning_rate=1e-3))
    resamples: int = 10_000


def cpu(seeds: int) -> RewardConfig:
    """The tier of the verdict."""
    return RewardConfig(seeds=tuple(range(seeds)))


def smoke(seeds: int) -> RewardConfig:
    """Everything once, in seconds, on a model that has learnt nothing: no verdict."""
    return RewardConfig(
        tier="smoke", seeds=tuple(range(seeds)), base=BaseSettings(16, 1, 2, 32, steps=2, batch_size=8),
        lengths=(2, 3), rows=24, questions=12, fit=RewardFit(epochs=1, batch_size=8), required=0.0,
        resamples=200,
    )  # fmt: skip


PLAN = Plan(tiers={"smoke": smoke, "cpu": cpu}, arms=DESCRIBED, controls=CONTROLS, seconds={"smoke": 10, "cpu": 400})


@recipe("multi-domain-reward-models", PAPER, CLAIMS, PLAN)
def run(config: RewardConfig, folder: Path) -> dict[str, Any]:
    """Train every scorer under every seed, let it choose, judge; returns the evidence."""
    place = RecipeFolder(folder, "multi-domain-reward-models", PAPER, CLAIMS, asdict(config))
    base = arithmetic_model(config, place.console)
    tested = candidates(config)
    tables: dict[str, list[dict[str, Any]]] = {
        arm: [{"scores": {"best_of_8": _chosen(arm, tested)}}] for arm in ("random", "majority", "oracle")
    }
    for arm in ("dorm", *FLIPS):
        tables[arm] = [
            place.once(f"results/{arm}-{seed}", partial(_arm, arm, seed, base, tested, config)) for seed in config.seeds
        ]
    aucs = [value for row in tables["dprm_00"] for name, value in row["scores"].items() if name in _aucs(config)]
    told = sum(one["run"] for one in aucs) / len(aucs)
    if told < config.required:
        raise ModelError(
            f"with right labels the step verifier tells solutions apart with an AUC of {told:.2f}: it has not learnt",
            hint=f"train base and heads for longer; {config.required} is needed for the claims to be put to the test",
        )
    return finished(place, PLAN, CLAIMS, config, tables, checks={"auc_of_dprm_00": told}, notes=NOTES)


def _aucs(config: RewardConfig) -> set[str]:
    return {f"auc_{length}" for length in config.lengths}


def arithmetic_model(config: RewardConfig, console: Any = None) -> LoadedModel:
    """The model that has learnt to work out chains of these lengths and those between."""
    count = min(config.base.steps * config.base.batch_size, 20_000)
    found = chains(count, range(min(config.lengths), max(config.lengths) + 1), seed=0, label="learnt")
    rows = [Exercise(one.id, "chain", one.question, "".join(_lines(worked(one)))) for one in found]
    return pretrained("chains", rows, config.base, spread=1 / math.sqrt(config.base.width), console=console)


def _lines(solution: Worked) -> list[str]:
    """The steps as the model writes them: a space before every word makes one spelling of it, also of the first."""
    return [f" {line}{SEPARATOR}" for line in solution.steps]


def _solution(chain: Any, wrong: bool, draw: random.Random) -> Worked:
    if not wrong:
        return worked(chain)
    mistakes = 1 if draw.random() < 0.7 else 2
    places = draw.sample(range(len(chain.moves)), min(mistakes, len(chain.moves)))
    return spoil(chain, places, seed=draw.randrange(2**31))


def candidates(config: RewardConfig) -> dict[str, list[Worked]]:
    """Per question the solutions to choose from; the same under every seed."""
    draw = random.Random(derive(0, "reward", "candidates"))
    asked = chains(config.questions, config.lengths, seed=0, label="asked")
    return {
        one.id: [_solution(one, draw.random() >= config.right, draw) for _ in range(config.candidates)] for one in asked
    }


def training_rows(config: RewardConfig, seed: int, flip: float) -> list[StepRow]:
    """Half of the solutions are wrong; of the labels of steps a share is flipped, outcomes are exact."""
    draw = random.Random(derive(seed, "reward", "rows"))
    noise = random.Random(derive(seed, "reward", "flips"))
    asked = chains(config.rows, config.lengths, seed=1 + seed, label="labelled")
    made = [_solution(one, draw.random() < 0.5, draw) for one in asked]
    return [
        StepRow(
            one.chain.id,
            one.chain.question,
            tuple(f" {line}" for line in one.steps),
            tuple(label ^ int(noise.random() < flip) for label in one.labels),
            one.right,
        )
        for one in made
    ]


def scorer(base: LoadedModel, arm: str) -> HeadRewardModel:
    """An untrained head on a copy of the base model."""
    model = copy.deepcopy(base.model).requires_grad_(True)
    mark = "\x1a"
    before, after = render(base.tokenizer, [{"role": "user", "content": mark}], header=True).split(mark)
    return HeadRewardModel(
        model,
        base.tokenizer,
        ScalarHead(model),
        "dORM" if arm == "dorm" else "dPRM",
        separator=SEPARATOR,
        prompt=lambda question: before + question + after,
    )


def _arm(
    arm: str, seed: int, base: LoadedModel, tested: dict[str, list[Worked]], config: RewardConfig
) -> dict[str, Any]:
    started = time.process_time()
    torch.manual_seed(derive(seed, "reward", "dropout") % 2**31)
    model = scorer(base, arm)
    losses = fit_reward_model(model, training_rows(config, seed, FLIPS.get(arm, 0.0)), config.fit, seed=seed)
    solutions = [one for row in tested.values() for one in row]
    steps = model.score_all([(one.chain.question, [f" {line}" for line in one.steps]) for one in solutions])
    rules = {"": "min"} if arm == "dorm" else {"": "min", "_product": "prod", "_mean": "mean"}
    found: dict[str, dict[str, float]] = {"loss_at_the_end": {"run": sum(losses[-10:]) / len(losses[-10:])}}
    for suffix, how in rules.items():
        scores = [aggregate(one, how) for one in steps]  # type: ignore[arg-type]
        found |= {name + suffix: values for name, values in _metrics(scores, tested, config).items()}
    return {"scores": found, "cost": {"cpu_seconds": time.process_time() - started, "steps": len(losses)}}


def _metrics(
    scores: Sequence[float], tested: dict[str, list[Worked]], config: RewardConfig
) -> dict[str, dict[str, float]]:
    """Right choices by question, and the AUC by length with its slope."""
    size = config.candidates
    of = {name: scores[i * size : (i + 1) * size] for i, name in enumerate(tested)}
    solutions = [one for row in tested.values() for one in row]
    found = {
        "best_of_8": {name: _picked(row, of[name], "best_of_n") for name, row in tested.items()},
        "weighted_8": {name: _picked(row, of[name], "weighted") for name, row in tested.items()},
    }
    owners = [name for name, row in tested.items() for _ in row]
    lengths = [len(one.results) for one in solutions]
    told = length_diagnostic(scores, [one.right for one in solutions], lengths, question=owners, resamples=100)
    found["auc_slope"] = {"run": told.slope.value}
    return found | {f"auc_{round(one.steps)}": {"run": one.auc} for one in told.bins}


def _picked(row: Sequence[Worked], scores: Sequence[float] | None, how: Any) -> float:
    found = select([answer_of(one.steps) for one in row], scores, how)
    return float(found.index is not None and row[found.index].right)


def _chosen(arm: str, tested: dict[str, list[Worked]]) -> dict[str, float]:
    if arm == "majority":
        return {name: _picked(row, None, "majority") for name, row in tested.items()}
    return {
        name: float(any(one.right for one in (row if arm == "oracle" else row[:1]))) for name, row in tested.items()
    }
