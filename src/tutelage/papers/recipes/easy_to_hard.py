"""Trained on easy, used on hard: may a verifier that was taught short chains judge long ones?

A small model is tuned on right solutions of two to four moves and then asked about six to ten. Reward models of steps
and of outcomes, trained on labelled solutions of easy chains alone, choose among its sixteen answers; the one of steps
is also the reward of reinforcement on hard chains whose answers nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.errors import ModelError
from tutelage.papers.claim import Claim, Paper, Part, Plan, Resampled, recipe
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.easy_hard import EasyHardConfig, EasyHardLab
from tutelage.papers.lab.pretraining import BaseSettings
from tutelage.papers.lab.verdicts import finished
from tutelage.stats import paired_bootstrap
from tutelage.training.grpo import GrpoSettings
from tutelage.training.reward_fit import RewardFit

__all__ = ["CLAIMS", "DESCRIBED", "PAPER", "PLAN", "run"]

PAPER = Paper(
    title="Easy-to-Hard Generalization: Scalable Alignment Beyond Human Supervision",
    date="2024-03-14",
    arxiv="2403.09472",
    family="weak-to-strong",
    summary="A verifier of steps that was trained on easy problems chooses well among solutions of hard ones.",
    code="https://github.com/Edward-Sun/easy-to-hard",
)
DESCRIBED = {
    "generator": "a hasty writer tuned on right easy solutions: one of its sixteen samples",
    "greedy": "the same model, its likeliest solution",
    "majority": "the most frequent of sixteen answers",
    "oracle": "a right answer where one of the sixteen is",
    "prm": "sixteen answers weighted by the worst step's score; labels of steps, easy solutions",
    "orm": "the same by one score of the whole; labels of outcomes, the same solutions",
    "oprm": "the same by a head on steps that learnt both kinds of labels",
    "prm_shuffled": "as prm, the labels of steps dealt out anew",
    "rl_prm": "the generator reinforced on hard chains by prm and on easy ones by prm and outcomes",
    "rl_easy": "the generator reinforced on easy chains by outcomes, as many samples",
}
CONTROLS = ("generator", "greedy", "majority", "oracle", "prm_shuffled", "rl_easy")
BOTH: Resampled = "seeds and items"
CHOSEN, ONE = "right_of_16", "pass_at_1"
NOTES = (
    "What a large model has read of hard problems stands here in two texts without labels, on chains of all "
    "lengths. The base has read right solutions in which numbers are taken back; reward models are heads on it. The "
    "generator has since read hasty ones: in chains of five moves and more, minus six to nine is taken for plus in "
    "nine of ten cases, and any number is written in a seventh. Right solutions and labels to learn from are of "
    "easy chains only.",
    "Without such texts a model of this size writes nothing about lengths it has not seen, and no choice can help. "
    "So that the base can tell a wrong step of a long chain is not learnt from labels; that a head trained on easy "
    "chains reads it there is what is tested.",
    "Heads are linear and their model stays as it is. With the whole model trained, or with a head one token after "
    "the result, nothing was learnt from as many labels (pilots). A linear head on the last result is little for an "
    "outcome model: that it does worse here says nothing about outcome models.",
    "Reward models learn from samples of the generator and of the hasty writer, with exact labels of steps; in the "
    "paper people labelled them. A step is wrong when it does not follow from the line before it.",
    "An answer is one of ten numbers, so a wrong solution ends right in a tenth of the cases, which a grader of "
    "answers does not see; every_step_right does.",
    "The number of steps is that of the question, so a rule that favours short solutions has nothing to favour here.",
    "Reinforcement is GRPO, which takes one reward a solution: the shaped rewards of its steps added up. The "
    "paper's PPO takes them step by step; the sum is the same. Rewards are compared within a question only. Half of "
    "rl_prm's questions are easy; in a pilot without them the reward rose for twelve steps and fell, and 5 % of the "
    "answers were right.",
    "Pilots (seeds 1000 and 1001, one generator each, 60 questions) chose the texts, the steps of tuning, the heads "
    "and the rate of reinforcement.",
)
CLAIMS = (
    Claim(
        "H1",
        "On hard problems, voting weighted by a step verifier that was trained on easy ones beats majority voting.",
        "the paper's abstract; spec",
        (
            Part("right of 16, prm - majority", CHOSEN, "prm", "greater", "majority", resampled=BOTH),
            Part("right of 16, prm - prm_shuffled", CHOSEN, "prm", "greater", "prm_shuffled", resampled=BOTH),
        ),
    ),
    Claim(
        "H2",
        "Reinforcement on hard problems, rewarded by a step verifier that was trained on easy ones, beats the "
        "generator and reinforcement by the outcomes of easy problems.",
        "the paper's abstract; spec",
        (
            Part("pass@1, rl_prm - generator", ONE, "rl_prm", "greater", "generator", resampled=BOTH),
            Part("pass@1, rl_prm - rl_easy", ONE, "rl_prm", "greater", "rl_easy", resampled=BOTH),
        ),
    ),
)


def cpu(seeds: int) -> EasyHardConfig:
    """The tier of the verdict; seeds that no pilot has seen."""
    return EasyHardConfig(seeds=tuple(range(100, 100 + seeds)))


def smoke(seeds: int) -> EasyHardConfig:
    """Everything once, in seconds, on models that have learnt nothing: no verdict."""
    return EasyHardConfig(
        tier="smoke", seeds=tuple(range(seeds)), base=BaseSettings(16, 1, 2, 32, steps=2, batch_size=8), rows=24,
        longest=3, hasty_steps=2,
        easy=(1, 2), hard=(3,), taught=16, steps=2, labelled=16, fit=RewardFit(epochs=1, batch_size=8), questions=4,
        samples=2, rl_samples=2, rl_questions=4,
        grpo=GrpoSettings(steps=1, prompts=2, group=2, max_new_tokens=12, learning_rate=1e-4),
        required=0.0, resamples=200,
    )  # fmt: skip


PLAN = Plan({"smoke": smoke, "cpu": cpu}, DESCRIBED, CONTROLS, seconds={"smoke": 15, "cpu": 650})


@recipe("easy-to-hard", PAPER, CLAIMS, PLAN)
def run(config: EasyHardConfig, folder: Path) -> dict[str, Any]:
    """Tune, sample, score, choose and reinforce under every seed, judge; returns the evidence."""
    place = RecipeFolder(folder, "easy-to-hard", PAPER, CLAIMS, asdict(config))
    lab = EasyHardLab(config, folder, place.console)
    tables: dict[str, list[dict[str, Any]]] = {arm: [] for arm in DESCRIBED}
    for seed in config.seeds:
        made = place.once(f"results/choice-{seed}", partial(lab.choice, seed))
        made |= place.once(f"results/reinforcement-{seed}", partial(lab.reinforcement, seed))
        for arm, row in made.items():
            tables[arm].append(row)
    checks = {
        "easy_pass_at_1": _mean(tables["generator"], "easy_pass_at_1"),
        "easy_auc_of_prm": _mean(tables["prm"], "easy_auc"),
    }
    for name, value in checks.items():
        if value < config.required:
            raise ModelError(
                f"{name} is {value:.2f}: a model has not learnt what it was taught",
                hint=f"train it for longer; {config.required} is needed for the claims to be put to the test",
            )
    return finished(place, PLAN, CLAIMS, config, tables, checks=checks, notes=[*NOTES, *_said(tables)])


def _mean(rows: Sequence[Mapping[str, Any]], metric: str) -> float:
    return float(np.mean([row["scores"][metric]["run"] for row in rows]))


def _said(tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[str]:
    """The rule of the spec, seed by seed: how often the interval over the questions lies above zero."""
    found = []
    for arm in ("prm", "orm", "oprm", "prm_shuffled"):
        above = []
        for chosen, voted in zip(tables[arm], tables["majority"], strict=True):
            a, b = voted["scores"][CHOSEN], chosen["scores"][CHOSEN]
            above.append(paired_bootstrap([*a.values()], [b[name] for name in a]).delta.low > 0)
        found.append(f"weighted by {arm} above the majority, paired over questions: {sum(above)} of {len(above)} seeds")
    return found
