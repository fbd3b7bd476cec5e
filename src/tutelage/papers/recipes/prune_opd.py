"""Prune-OPD: on-policy distillation that counts less, and generates less, where the student has left its teacher.

A student of a million parameters that has barely learnt to work out sums learns from a teacher that can, on its own
attempts. Most of these go astray. Pruned distillation is compared with plain one and with a cap of the same mean
length; and with a student that hardly differs from its teacher, the allowed length must grow to its maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from tutelage.errors import ModelError
from tutelage.functional.divergence import DivergenceSettings
from tutelage.models import LoadedModel
from tutelage.objectives import ContextDistillation
from tutelage.papers.claim import Claim, Paper, Part, Plan, recipe
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.arm import TrainedArm, answers, settings_of, tuned
from tutelage.papers.lab.base_model import BaseSettings, base_model, tokenised
from tutelage.papers.lab.instructions import Exercise
from tutelage.papers.lab.sums import chain_sums, last_number
from tutelage.papers.lab.verdicts import finished
from tutelage.training.pruning import LengthSettings, PruneSettings, Reliability
from tutelage.training.settings import RolloutSettings

__all__ = ["CLAIMS", "DESCRIBED", "PAPER", "PLAN", "PruneConfig", "run"]

PAPER = Paper(
    title="Prune-OPD: Efficient and Reliable On-Policy Distillation for Long-Horizon Reasoning",
    date="2026-05-31",
    arxiv="2605.07804",
    family="tuning",
    summary="Weigh a rollout's tokens by what student and teacher share, and let that decide how long rollouts are.",
)
DESCRIBED = {
    "student": "the student before distillation",
    "opd": "on-policy distillation with the full length",
    "prune": "weights that fall with disagreement, and length control",
    "in_flight": "the same weights; a rollout stops, block by block, where its weight is gone",
    "capped": "on-policy distillation with a fixed cap: the mean length limit that prune had under the same seed",
    "compatible": "prune with a student that is the teacher at nine tenths of its training, from a short limit on",
}
CONTROLS = ("student", "opd", "capped")
LENGTH = LengthSettings(start=40, minimum=8, maximum=40, step=4, margin=4, hit_ratio=0.3, patience=2)
FEWER, NO_HARM, REACHED = 0.8, 0.02, 0.95
NOTES = (
    "The student's support and reverse divergence as in the paper's base method, with the tail as one more outcome "
    "(the truncated sum alone is no divergence), as a differentiable loss rather than a reward.",
    "Overlap of the 4 likeliest tokens of 843, threshold 0.7: the paper has 16 of 150,000. Weights fall by 0.1 an "
    "event to 0 (w_base 0, as in its configuration file; its experiments have 0.5).",
    "Two pilots on seed 100: a rate of 3e-3 destroyed the student, 1e-3 taught it nothing, 3e-4 a little; with "
    "threshold 0.5, w_drop 0.05 or 0.1 and a hit ratio of 0.1 nothing was ever pruned. The sizes were fixed then, "
    "without a third.",
    "A million parameters and sums of five numbers: what is long here is forty tokens.",
)
CLAIMS = (
    Claim(
        "H1",
        "Pruned distillation generates at least a fifth fewer tokens, at an accuracy not more than 2 pp lower.",
        "spec; the paper's main table",
        (
            Part("tokens, prune / opd - 0.8", "tokens_beside_opd", "prune", "less", threshold=FEWER),
            Part("accuracy, prune - opd", "accuracy", "prune", "greater", "opd", margin=NO_HARM),
        ),
    ),
    Claim(
        "H2",
        "It is not more than 2 pp less accurate than a fixed cap of the same mean limit: it does not shorten blindly.",
        "spec; the paper's ablation",
        (Part("accuracy, prune - capped", "accuracy", "prune", "greater", "capped", margin=NO_HARM),),
    ),
    Claim(
        "H3",
        "When student and teacher agree, the allowed length grows to its maximum.",
        "spec; the paper's second setting",
        (Part("last limit / maximum - 0.95", "limit_reached", "compatible", "greater", threshold=REACHED),),
    ),
    Claim(
        "H4",
        "Stopping in flight saves at least a fifth of the tokens too, at an accuracy not more than 2 pp lower.",
        "own: the release only shortens the next step's rollouts",
        (
            Part("tokens, in_flight / opd - 0.8", "tokens_beside_opd", "in_flight", "less", threshold=FEWER),
            Part("accuracy, in_flight - opd", "accuracy", "in_flight", "greater", "opd", margin=NO_HARM),
        ),
    ),
)


@dataclass(frozen=True)
class PruneConfig:
    """Defaults: the CPU tier. Paper: 1.5B and 4B students, limits from 1024 to 12288, 203 steps of 64 prompts."""

    tier: str = "cpu"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    base: BaseSettings = field(default_factory=BaseSettings)
    terms: int = 5
    rows: int = 1200
    tested: int = 100
    teacher_steps: int = 500
    student_steps: int = 120
    teacher_rate: float = 2e-3
    steps: int = 40
    batch_size: int = 8
    learning_rate: float = 3e-4
    longest: int = 40
    pruning: PruneSettings = field(
        default_factory=lambda: PruneSettings(k=4, theta=0.7, w_drop=0.1, w_base=0.0, length=LENGTH)
    )
    required: float = 0.4
    resamples: int = 10_000


def cpu(seeds: int) -> PruneConfig:
    """The tier of the verdict."""
    return PruneConfig(seeds=tuple(range(seeds)))


def smoke(seeds: int) -> PruneConfig:
    """Everything once, in seconds, on models that have learnt nothing: no verdict."""
    tiny = BaseSettings(width=32, layers=1, heads=2, inner=64, steps=3, batch_size=8)
    length = LengthSettings(start=8, minimum=4, maximum=8, step=2, margin=2, patience=1)
    return PruneConfig(
        tier="smoke", seeds=tuple(range(seeds)), base=tiny, rows=12, tested=4, teacher_steps=10, student_steps=2,
        steps=3, batch_size=2, longest=8, pruning=PruneSettings(k=4, theta=0.7, w_drop=0.1, w_base=0.0, length=length),
        required=0.0, resamples=200,
    )  # fmt: skip


PLAN = Plan(tiers={"smoke": smoke, "cpu": cpu}, arms=DESCRIBED, controls=CONTROLS, seconds={"smoke": 10, "cpu": 500})


@recipe("prune-opd", PAPER, CLAIMS, PLAN)
def run(config: PruneConfig, folder: Path) -> dict[str, Any]:
    """Distil every arm under every seed, add, judge; returns the evidence. Finished parts are not repeated."""
    place = RecipeFolder(folder, "prune-opd", PAPER, CLAIMS, asdict(config))
    lab = _Lab(base_model(config.base, console=place.console), config, folder)
    checks = place.once("checks", lambda: {"teacher_accuracy": lab.accuracy(lab.teacher)})
    if checks["teacher_accuracy"] < config.required:
        raise ModelError(f"the teacher adds right in {checks['teacher_accuracy']:.0%}", hint="train it for longer")
    tables: dict[str, list[dict[str, Any]]] = {arm: [] for arm in DESCRIBED if arm != "student"}
    for seed in config.seeds:
        made = {arm: place.once(f"results/{arm}-{seed}", partial(lab.distilled, arm, seed)) for arm in ("opd", "prune")}
        made["in_flight"] = place.once(f"results/in_flight-{seed}", partial(lab.distilled, "in_flight", seed))
        cap = max(1, round(made["prune"]["mean_limit"]))
        made["capped"] = place.once(f"results/capped-{seed}", partial(lab.distilled, "capped", seed, cap))
        made["compatible"] = place.once(f"results/compatible-{seed}", partial(lab.distilled, "compatible", seed))
        for arm, row in made.items():
            share = row["cost"]["tokens_generated"] / made["opd"]["cost"]["tokens_generated"]
            row["scores"]["tokens_beside_opd"] = {"run": share}
            tables[arm].append(row)
    before = place.once("results/student", lambda: {"scores": {"accuracy": lab.scores(lab.student)}})
    return finished(place, PLAN, CLAIMS, config, {"student": [before], **tables}, checks=checks, notes=NOTES)


class _Lab:
    """Teacher and students of one run. They are the same for every seed, and made only where they are needed."""

    def __init__(self, base: LoadedModel, config: PruneConfig, folder: Path) -> None:
        self.base, self.config, self.folder = base, config, folder
        self.tested = chain_sums(config.tested, config.terms, seed=1, label="test")
        drawn = chain_sums(config.rows + config.tested, config.terms, seed=2, label="train")
        shown = {one.prompt for one in self.tested}
        self.rows = [one for one in drawn if one.prompt not in shown][: config.rows]
        self.examples = tokenised([(one.id, one.prompt, one.reply) for one in self.rows], base.tokenizer)

    def _taught(self, steps: int) -> PreTrainedModel:
        """The base model after ``steps`` of the teacher's own training, at a constant rate."""
        settings = settings_of(
            steps, batch_size=16, learning_rate=self.config.teacher_rate, schedule="constant_with_warmup"
        )
        return tuned(self.base, self.examples, settings, seed=0, folder=self.folder / "work" / "teacher").model

    @cached_property
    def teacher(self) -> PreTrainedModel:
        """Knows how to add."""
        return self._taught(self.config.teacher_steps).requires_grad_(False)

    @cached_property
    def student(self) -> PreTrainedModel:
        """Has seen a little of the form of the answers."""
        return self._taught(self.config.student_steps)

    @cached_property
    def near(self) -> PreTrainedModel:
        """The teacher a little before its end."""
        return self._taught(round(0.9 * self.config.teacher_steps))

    def distilled(self, arm: str, seed: int, cap: int | None = None) -> dict[str, Any]:
        """One arm under one seed: scores, cost, and the limits that it had."""
        config = self.config
        told, longest = config.pruning, cap or config.longest
        length = told.length
        if arm == "compatible":
            length = LengthSettings(**{**asdict(length), "start": length.minimum})
        pruning = {
            "prune": PruneSettings(**{**vars(told), "length": length}),
            "compatible": PruneSettings(**{**vars(told), "length": length}),
            "in_flight": PruneSettings(**{**vars(told), "length": LengthSettings(), "block": length.minimum}),
        }.get(arm)
        start = TrainedArm(self.near if arm == "compatible" else self.student, []).loaded(self.base)
        made = tuned(
            start,
            self.examples,
            settings_of(config.steps, batch_size=config.batch_size, learning_rate=config.learning_rate),
            seed=seed,
            folder=self.folder / "work" / f"{arm}-{seed}",
            parts={"kl": ContextDistillation(DivergenceSettings("student", 16, "reverse", "bucket"))},
            teacher=self.teacher,
            rollout=RolloutSettings(max_new_tokens=longest),
            reweights={} if pruning is None else {"kl": Reliability(pruning)},
        )
        limits = [step.get("kl/limit", float(longest)) for step in made.steps]
        scores = {
            "accuracy": self.scores(made.model),
            "limit_reached": {"run": limits[-1] / length.maximum},
            "overlap": {str(i): step["kl/overlap"] for i, step in enumerate(made.steps)},
        }
        return {"scores": scores, "cost": made.cost, "mean_limit": sum(limits) / len(limits)}

    def scores(self, model: PreTrainedModel) -> dict[str, float]:
        """1 where the last number of the reply is the sum."""
        said = answers(model, self.base.tokenizer, [one.prompt for one in self.tested], max_new_tokens=48)
        return dict(zip((one.id for one in self.tested), _right(self.tested, said), strict=True))

    def accuracy(self, model: PreTrainedModel) -> float:
        """Share of the test sums that are right."""
        found = self.scores(model)
        return sum(found.values()) / len(found)


def _right(tested: Sequence[Exercise], said: Sequence[str]) -> list[float]:
    return [float(last_number(text) == last_number(one.reply)) for one, text in zip(tested, said, strict=True)]
