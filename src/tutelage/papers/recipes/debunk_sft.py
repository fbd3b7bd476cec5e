"""Debunk: what is called memorising in supervised fine-tuning is often a single frozen instruction.

A model that has only seen "up, down, left, right" need not read which words the prompt declares. Here a small model
learns to name the declared word that moves it towards a goal, with fixed or ever new words and with or without worked
reasoning, and is tested with unseen words, on a larger grid, and on prompts that lie about the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.errors import ModelError
from tutelage.measure import ShiftReport
from tutelage.models import LoadedModel
from tutelage.papers.claim import Claim, Paper, Part, Plan, Resampled, recipe
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.arm import answers, settings_of, tuned
from tutelage.papers.lab.grid import MOVE_WORDS, WORDS, general_exercises, grid_rows, reasoning
from tutelage.papers.lab.pretraining import BaseSettings, pretrained, tokenised
from tutelage.papers.lab.verdicts import finished
from tutelage.refine import InstructionVariants, ProgrammaticReasoning, diversify
from tutelage.types import Row, Scores

__all__ = ["ARMS", "CLAIMS", "PAPER", "PLAN", "DebunkConfig", "run"]

PAPER = Paper(
    title="Debunk the Myth of SFT Generalization",
    date="2025-09-30",
    arxiv="2510.00237",
    family="tuning",
    summary="Varied instructions and worked reasoning make supervised fine-tuning transfer.",
    code="https://github.com/XiaofengLin7/debunking-sft-generalization",
)


@dataclass(frozen=True)
class ArmPlan:
    """How many vocabularies the training rows have (0: the fixed one), and whether they reason first."""

    vocabularies: Any
    reasons: bool


ARMS: dict[str, ArmPlan] = {
    "fixed_answer": ArmPlan(0, False),
    "diverse_answer": ArmPlan("per_sample", False),
    "fixed_cot": ArmPlan(0, True),
    "diverse_cot": ArmPlan("per_sample", True),
    "four_answer": ArmPlan(4, False),
}
DESCRIBED = {
    "base": "the model before any tuning",
    "fixed_answer": "one fixed set of words, answers alone",
    "diverse_answer": "new words for every row, answers alone",
    "fixed_cot": "one fixed set of words, worked reasoning written by a program",
    "diverse_cot": "new words for every row and worked reasoning",
    "four_answer": "four sets of words in all, answers alone: is it the number that matters?",
}
CONTROLS = ("base", "fixed_answer", "four_answer")
WRITTEN = ProgrammaticReasoning(reasoning, version="grid", layout="{reasoning}{answer}")
"""On one line: after the side stands its word, in the prompt as in the reasoning."""
UNSEEN = frozenset(WORDS[::5]) - set(MOVE_WORDS)
"""Words that no training row declares; the base model knows them as words."""
BOTH: Resampled = "seeds and items"
FAKE_FIXED, FAKE_DIVERSE, SAME, LEARNT = 0.5, 0.1, 0.03, 0.5
NOTES = (
    "One step on a grid instead of whole games; Sokoban and General Points are in the library with their solvers.",
    "The reasoning is written by a program: nothing in it is distilled from a stronger model, as it is in the paper.",
    "fake counts answers with the trained word of the right direction where the prompt declares unseen words; the "
    "same outputs are scored for unseen, by the declared words.",
    "The trained words are not in the pool of the diverse arms: their success with them is transfer too.",
    "Before there was a guard, four pilots (seed 100) were made on base models that looked words up by chance; nothing "
    "of them counts. The base was then chosen by its two abilities alone, in twelve trials of size, spread of "
    "weights, steps and exercises: what made it look words up was to ask of any words, not of the four sides only.",
    "One pilot (seed 100) of every arm on that base had four passes over the rows. Some arms had not learnt their own "
    "training by then (right with the trained words: fixed 1.00 and with reasoning 0.76, diverse 0.17 and 0.90), so "
    "all have the paper's fifteen passes now. In a second pilot with these (seed 100, not in the run) diverse_answer "
    "still got 0.26 with the trained words and 0.11 with unseen ones, diverse_cot 1.00 and 1.00, fixed_cot 1.00 and "
    "0.07: finding the side and then its word without writing anything is too much for this model. So H1 was expected "
    "to fail on its second part before the run, and H2 asks that the arm has learnt: who fails everywhere is not fake "
    "either. Two bases that had also practised both steps at once, asked in another way, were tried and learnt less.",
    "There is no reinforcement arm. The paper was withdrawn from review; take its numbers as contested.",
)

CLAIMS = (
    Claim(
        "H1",
        "Varying the action words in training raises success with unseen words and leaves the trained wording within "
        "three points.",
        "spec; paper Table 1",
        (
            Part("unseen words, diverse - fixed", "unseen", "diverse_answer", "greater", "fixed_answer",
                 resampled=BOTH),
            Part(
                "trained words, diverse - fixed", "same", "diverse_answer", "greater", "fixed_answer",
                margin=SAME, resampled=BOTH,
            ),
        ),
    ),
    Claim(
        "H2",
        "A model trained on one wording ignores a changed instruction in most cases; one trained on many hardly ever "
        "does.",
        "spec; paper Table 1, Fake",
        (
            Part("fake, fixed - 0.5", "fake", "fixed_answer", "greater", threshold=FAKE_FIXED, resampled=BOTH),
            Part("fake, diverse - 0.1", "fake", "diverse_answer", "less", threshold=FAKE_DIVERSE, resampled=BOTH),
            Part("it has learnt: trained words, diverse - 0.5", "same", "diverse_answer", "greater",
                 threshold=LEARNT, resampled=BOTH),
        ),
    ),
    Claim(
        "H3",
        "Training on worked reasoning transfers better to larger instances than training on answers alone.",
        "spec; paper Table 1",
        (
            Part("larger grid, reasoning - answers, fixed", "larger", "fixed_cot", "greater", "fixed_answer",
                 resampled=BOTH),
            Part("larger grid, reasoning - answers, diverse", "larger", "diverse_cot", "greater", "diverse_answer",
                 resampled=BOTH),
        ),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class DebunkConfig:
    """Defaults: the CPU tier. Paper: 7-8B models, 3,981 state-action pairs, lr 1e-5, batch 128, up to 15 epochs."""

    tier: str = "cpu"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    rows: int = 1000
    steps: int = 940
    batch_size: int = 16
    learning_rate: float = 1e-3
    items: int = 120
    trained_side: int = 5
    larger_side: int = 10
    exercises: int = 80_000
    base: BaseSettings = field(
        default_factory=lambda: BaseSettings(width=64, layers=3, inner=176, steps=2500, learning_rate=3e-3)
    )
    spread: float = 0.1
    required: float = 0.9
    resamples: int = 10_000


def cpu(seeds: int) -> DebunkConfig:
    """The tier of the verdict."""
    return DebunkConfig(seeds=tuple(range(seeds)))


def smoke(seeds: int) -> DebunkConfig:
    """Everything once, in seconds, on a model that has learnt nothing: no verdict."""
    tiny = BaseSettings(width=32, layers=1, heads=2, inner=64, steps=3, batch_size=8)
    return DebunkConfig("smoke", tuple(range(seeds)), rows=20, steps=2, batch_size=4, items=4, exercises=400,
                        base=tiny, required=0.0, resamples=200)  # fmt: skip


PLAN = Plan({"smoke": smoke, "cpu": cpu}, DESCRIBED, CONTROLS, seconds={"smoke": 10, "cpu": 700})


@recipe("debunk-sft", PAPER, CLAIMS, PLAN)
def run(config: DebunkConfig, folder: Path) -> dict[str, Any]:
    """Train every arm under every seed, measure every cell, judge; returns the evidence."""
    place = RecipeFolder(folder, "debunk-sft", PAPER, CLAIMS, asdict(config))
    base = pretrained(
        "grid", general_exercises(config.exercises, 0), config.base, spread=config.spread, console=place.console
    )
    cells = _cells(config)
    checks = place.once("checks", lambda: _abilities(base, config))
    if min(checks.values()) < config.required:
        raise ModelError(
            f"the base model cannot look words up, so its arms would say nothing: {checks}",
            hint=f"each must reach {config.required:.0%}",
        )
    tables = {
        arm: [place.once(f"results/{arm}-{seed}", partial(_measured, base, arm, seed, config, cells, place))
              for seed in config.seeds]
        for arm in ARMS
    }  # fmt: skip
    tables["base"] = [place.once("results/base", lambda: {"scores": _scores(base, cells)})]
    return finished(place, PLAN, CLAIMS, config, tables, checks=checks, notes=[*NOTES, *_said(tables)])


def _variants() -> InstructionVariants:
    return InstructionVariants(MOVE_WORDS, tuple(WORDS), UNSEEN | set(MOVE_WORDS))


def _cells(config: DebunkConfig) -> dict[str, list[Row]]:
    """Test rows: as in training, under unseen words, and on a larger grid."""
    small = grid_rows(config.items, low=0, high=config.trained_side - 1, seed=10_001)
    large = grid_rows(config.items, low=0, high=config.larger_side - 1, reach=config.trained_side, seed=10_002)
    unseen = InstructionVariants(MOVE_WORDS, pool=tuple(sorted(UNSEEN)))
    return {"same": small, "unseen": diversify(small, unseen, seed=10_003), "larger": large}


def _training_rows(plan: ArmPlan, config: DebunkConfig, seed: int) -> list[Row]:
    """The same states in every arm of a seed; words and reasoning are what differs."""
    rows = grid_rows(config.rows, low=0, high=config.trained_side - 1, seed=seed)
    if plan.reasons:
        rows = [one.row for one in WRITTEN(rows) if one.row is not None]
    return diversify(rows, _variants(), plan.vocabularies, seed=seed) if plan.vocabularies else rows


def _measured(
    base: LoadedModel, arm: str, seed: int, config: DebunkConfig, cells: dict[str, list[Row]], place: RecipeFolder
) -> dict[str, Any]:
    rows = _training_rows(ARMS[arm], config, seed)
    texts = [(row["id"], row["prompt"][0]["content"], row["completion"][0]["content"]) for row in rows]
    settings = settings_of(config.steps, batch_size=config.batch_size, learning_rate=config.learning_rate)
    work = place.folder / "work" / f"{arm}-{seed}"
    trained = tuned(base, tokenised(texts, base.tokenizer), settings, seed=seed, folder=work)
    return {"scores": _scores(trained.loaded(base), cells), "cost": trained.cost}


def _scores(model: LoadedModel, cells: dict[str, list[Row]]) -> dict[str, dict[str, float]]:
    found = {}
    said = {name: _said_words(model, rows) for name, rows in cells.items()}
    for name, rows in cells.items():
        found[name] = {row["id"]: float(w == row["reference"]) for row, w in zip(rows, said[name], strict=True)}
    found["fake"] = {
        row["id"]: float(word == row["reference"]) for row, word in zip(cells["same"], said["unseen"], strict=True)
    }
    return found


def _said_words(model: LoadedModel, rows: Sequence[Row]) -> list[str]:
    prompts = [row["prompt"][0]["content"] for row in rows]
    said = answers(model.model, model.tokenizer, prompts, max_new_tokens=12)
    return [(text.split() or [""])[-1] for text in said]


def _abilities(base: LoadedModel, config: DebunkConfig) -> dict[str, float]:
    """Share of held-out general exercises that the base model gets right, where one reply is right."""
    tasks = [one for one in general_exercises(2 * config.items, 1) if one.kind in ("lookup", "side")]
    replies = answers(base.model, base.tokenizer, [one.prompt for one in tasks], max_new_tokens=12)
    right = {"lookup": list[bool](), "side": list[bool]()}
    for one, text in zip(tasks, replies, strict=True):
        right[one.kind].append(text.split()[:1] == one.reply.split()[:1])
    return {f"base_{kind}": sum(flags) / len(flags) for kind, flags in right.items()}


def _said(tables: dict[str, list[dict[str, Any]]]) -> list[str]:
    """The interaction of words and reasoning, and how much of each arm's success does without the prompt."""

    def mean(arm: str, metric: str) -> float:
        return float(np.mean([np.mean(list(row["scores"][metric].values())) for row in tables[arm]]))

    both = mean("diverse_cot", "unseen") - mean("fixed_cot", "unseen")
    alone = mean("diverse_answer", "unseen") - mean("fixed_answer", "unseen")
    index = []
    for arm in ARMS:
        pooled = {
            metric: Scores(metric, ids, np.array(values))
            for metric in ("same", "fake")
            for ids, values in [_pooled(tables[arm], metric)]
        }
        found = ShiftReport(pooled["same"], fake=pooled["fake"]).prompt_anchor_index()
        index.append(f"{arm} {found.value:.2f} [{found.low:.2f}, {found.high:.2f}]")
    return [
        f"interaction on unseen words, (diverse - fixed with reasoning) - (without): {both - alone:+.3f}",
        f"prompt anchor index (0: reads the prompt, 1: does not), items and seeds pooled: {'; '.join(index)}",
    ]


def _pooled(rows: Sequence[dict[str, Any]], metric: str) -> tuple[tuple[str, ...], list[float]]:
    cells = [(f"{n}-{i}", v) for n, row in enumerate(rows) for i, v in row["scores"][metric].items()]
    return tuple(name for name, _ in cells), [value for _, value in cells]
