"""Outcome or process: heads of equal size on one small model, and a dial of how noisy the labels of steps are.

The model has learnt to work out chains of clock arithmetic. Both kinds of reward model see the same solutions; one
learns whether each ends right, the other which steps are right, from labels of which none, a tenth or a fifth is
flipped. They are asked to pick a right solution among eight.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from tutelage.errors import ModelError
from tutelage.models import LoadedModel
from tutelage.papers.claim import Claim, Paper, Part, Plan, recipe
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.chain_choice import picked
from tutelage.papers.lab.chain_models import reward_head, step_texts
from tutelage.papers.lab.chain_rewards import ChainRewards
from tutelage.papers.lab.chains import Worked, answer_of
from tutelage.papers.lab.pretraining import BaseSettings
from tutelage.papers.lab.verdicts import finished
from tutelage.stats import SampledSet, aggregate, label_noise_probe, length_diagnostic, tts_curve
from tutelage.training.reward_fit import RewardFit, fit_reward_model

__all__ = ["CLAIMS", "DESCRIBED", "PAPER", "PLAN", "RewardConfig", "curves", "run"]

PAPER = Paper(
    title="Rethinking Reward Models for Multi-Domain Test-Time Scaling",
    date="2025-10-01",
    arxiv="2510.00492",
    family="weak-to-strong",
    summary="Outcome and process reward models compared: noisy step labels and long solutions undo the second.",
    code="https://github.com/db-Lee/Multi-RM",
)
DESCRIBED = {
    "random": "any of the eight solutions, on average",
    "random_text": "any of the different texts among them, on average: right ones are all alike, wrong ones differ",
    "majority": "the most frequent answer",
    "oracle": "a right solution where there is one",
    "dorm": "a head on the last step, outcomes as labels",
    "dprm_00": "a head on every step, all labels of steps right, the lowest score counts",
    "dprm_10": "the same with a tenth of the labels flipped",
    "dprm_20": "the same with a fifth of the labels flipped",
}
CONTROLS = ("random", "random_text", "majority", "oracle", "dprm_00")
FLIPS = {"dprm_00": 0.0, "dprm_10": 0.1, "dprm_20": 0.2}
NS = (1, 2, 4, 8)
MARGIN = 0.03
NOTES = (
    "Solutions come from a scripted policy, not from a model: one or two steps at random places are wrong and every "
    "wrong one ends wrong. The outcomes are exact; only labels of steps are noisy, as in the paper's explanation.",
    "Heads are linear maps of equal size and the whole model is trained with them; the paper trains LoRA on 8 and 14 "
    "billion parameters. The generative kinds (gORM, gPRM) stand in the library and were not run.",
    "One base for all seeds. Half of its texts take wrong numbers back at once, half are marked true or false at the "
    "end, so it knows of wrong steps and of wrong ends; it has read no question that is labelled or tested.",
    "Pilots (other questions, seed 1000): on a base that had read right solutions only, or steps taken back but no "
    "marks, outcome heads stayed at an AUC of 0.5, and so did step heads that looked one token after the result. "
    "With this base and configuration all learn and have room: AUC 0.81 (dprm_00), 0.84 (dorm), 0.81 (dprm_20). One "
    "pilot, no grid. Lengths end at 8 for the time that the base takes; the paper's solutions are longer.",
    "Runs before (seeds 0 to 4) are not recorded: no head had learnt anything. Since then both kinds are guarded.",
    "Right candidates are one text and wrong ones differ: among the texts a lot does worse than among the candidates.",
    "One domain: clock arithmetic. The paper's claim about fourteen subjects is not tested.",
    "Wrong answers of the policy are spread over nine numbers, so that a majority is strong here; it is no claim.",
    "AUC by length compares right and wrong solutions of one length, so the share of right ones plays no part.",
    "The dial turns the labels of steps only. first_error_kept says how many rows keep the place of their first error.",
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
    seeds: tuple[int, ...] = (100, 101, 102, 103, 104)
    base: BaseSettings = field(
        default_factory=lambda: BaseSettings(width=64, layers=5, heads=4, inner=176, steps=3000, batch_size=32)
    )
    world: ChainRewards = field(
        default_factory=lambda: ChainRewards((2, 4, 6, 8), questions=600, candidates=8, right=0.3, rows=1000, draw=100)
    )
    fit: RewardFit = field(default_factory=lambda: RewardFit(epochs=3, batch_size=16, learning_rate=1e-3))
    required: float = 0.7
    resamples: int = 10_000


def cpu(seeds: int) -> RewardConfig:
    """The tier of the verdict."""
    return RewardConfig(seeds=tuple(range(100, 100 + seeds)))


def smoke(seeds: int) -> RewardConfig:
    """Everything once, in seconds, on a model that has learnt nothing: no verdict."""
    return RewardConfig(
        tier="smoke", seeds=tuple(range(seeds)), base=BaseSettings(16, 1, 2, 32, steps=2, batch_size=8),
        world=ChainRewards((2, 3), questions=12, candidates=8, right=0.3, rows=24, draw=0),
        fit=RewardFit(epochs=1, batch_size=8), required=0.0, resamples=200,
    )  # fmt: skip


PLAN = Plan(tiers={"smoke": smoke, "cpu": cpu}, arms=DESCRIBED, controls=CONTROLS, seconds={"smoke": 10, "cpu": 800})


@recipe("multi-domain-reward-models", PAPER, CLAIMS, PLAN)
def run(config: RewardConfig, folder: Path) -> dict[str, Any]:
    """Train every scorer under every seed, let it choose, judge; returns the evidence."""
    place = RecipeFolder(folder, "multi-domain-reward-models", PAPER, CLAIMS, asdict(config))
    base = config.world.base(config.base, place.console)
    tested = config.world.tested()
    tables: dict[str, list[dict[str, Any]]] = {
        arm: [{"scores": {"best_of_8": _by_rule(arm, tested)}}]
        for arm in ("random", "random_text", "majority", "oracle")
    }
    for arm in ("dorm", *FLIPS):
        tables[arm] = [
            place.once(f"results/{arm}-{seed}", partial(_arm, arm, seed, base, tested, config)) for seed in config.seeds
        ]
    told = {
        arm: fmean(row["scores"][f"auc_{n}"]["run"] for row in tables[arm] for n in config.world.lengths)
        for arm in ("dorm", "dprm_00")
    }
    weak = min(told, key=told.__getitem__)
    if told[weak] < config.required:
        raise ModelError(
            f"{weak} tells solutions apart with an AUC of {told[weak]:.2f} on right labels: it has not learnt",
            hint=f"train base and heads for longer; {config.required} is needed for the claims to be put to the test",
        )
    checks = {f"auc_of_{arm}": value for arm, value in told.items()}
    checks |= {f"first_error_kept_{arm}": _kept(config, flip) for arm, flip in FLIPS.items()}
    return finished(
        place, PLAN, CLAIMS, config, tables, checks=checks, notes=NOTES, more=curves(tested, tables, config.seeds)
    )


def _arm(
    arm: str, seed: int, base: LoadedModel, tested: Mapping[str, Sequence[Worked]], config: RewardConfig
) -> dict[str, Any]:
    started = time.process_time()
    model = reward_head(base, base.model, "dORM" if arm == "dorm" else "dPRM")
    losses = fit_reward_model(model, config.world.labelled(seed, FLIPS.get(arm, 0.0)), config.fit, seed=seed)
    steps = model.score_all([(one.chain.question, step_texts(one.steps)) for row in tested.values() for one in row])
    rules = {"": "min"} if arm == "dorm" else {"": "min", "_product": "prod", "_mean": "mean"}
    found: dict[str, dict[str, float]] = {"loss_at_the_end": {"run": fmean(losses[-10:])}}
    for suffix, how in rules.items():
        scores = [aggregate(one, how) for one in steps]  # type: ignore[arg-type]
        found |= {name + suffix: values for name, values in _metrics(scores, tested).items()}
    given = [aggregate(one, "min") for one in steps]
    return {
        "scores": found,
        "given": given,
        "cost": {"cpu_seconds": time.process_time() - started, "steps": len(losses)},
    }


def _metrics(scores: Sequence[float], tested: Mapping[str, Sequence[Worked]]) -> dict[str, dict[str, float]]:
    """Right choices by question, and the AUC by length with its slope."""
    solutions = [one for row in tested.values() for one in row]
    owners = [name for name, row in tested.items() for _ in row]
    told = length_diagnostic(
        scores,
        [one.right for one in solutions],
        [len(one.results) for one in solutions],
        question=owners,
        resamples=100,
    )
    return {
        "best_of_8": picked(tested, scores, "best_of_n"),
        "weighted_8": picked(tested, scores, "weighted"),
        "auc_slope": {"run": told.slope.value},
        **{f"auc_{round(one.steps)}": {"run": one.auc} for one in told.bins},
    }


def _by_rule(arm: str, tested: Mapping[str, Sequence[Worked]]) -> dict[str, float]:
    """What needs no scores."""
    if arm == "majority":
        return picked(tested, None, "majority")
    found = {}
    for name, row in tested.items():
        flags = [one.right for one in row]
        if arm == "random_text":
            flags = list({one.steps: one.right for one in row}.values())
        found[name] = float(any(flags)) if arm == "oracle" else fmean(flags)
    return found


def _kept(config: RewardConfig, flip: float) -> float:
    """Share of rows whose first wrong label stands where the first mistake does."""
    seed = config.seeds[0]
    clean, noisy = ([row.labels for row in config.world.labelled(seed, rate)] for rate in (0.0, flip))
    return label_noise_probe(noisy, clean).first_error.value


def curves(
    tested: Mapping[str, Sequence[Worked]], tables: Mapping[str, Sequence[Mapping[str, Any]]], seeds: Sequence[int]
) -> dict[str, dict[str, Any]]:
    """What more samples buy, by arm: the mean over seeds with the error over questions, a mean over seeds too.

    The mean of the seeds' errors is no smaller than the error of their mean: intervals made with it are wide enough.
    """
    arms = {arm: [row["given"] for row in rows] for arm, rows in tables.items() if "given" in rows[0]}
    sets, start = [], 0
    for name, row in tested.items():
        part = slice(start, start + len(row))
        scores = {
            f"{arm} {seed}": one[part] for arm, all_ in arms.items() for seed, one in zip(seeds, all_, strict=True)
        }
        sets.append(
            SampledSet(name, tuple(answer_of(one.steps) for one in row), tuple(one.right for one in row), scores)
        )
        start += len(row)
    points = [one for one in tts_curve(sets, ns=NS) if one.domain == "macro"]

    def curve(method: str, arm: str = "") -> dict[str, dict[str, float]]:
        found = {}
        for n in NS:
            own = [p for p in points if (p.n, p.method) == (n, method) and p.scorer.partition(" ")[0] == arm]
            found[str(n)] = {"mean": fmean(p.mean for p in own), "se_questions": fmean(p.se_questions for p in own)}
        return found

    scored = {arm: {"curve": curve("best_of_n", arm), "curve_weighted": curve("weighted", arm)} for arm in arms}
    return scored | {arm: {"curve": curve(arm)} for arm in ("random", "majority", "oracle")}
