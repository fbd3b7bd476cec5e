"""RAFT: refine the answers of a domain in the model's own voice, then tune with a balanced self-distillation.

Plain fine-tuning on terse domain answers changes how a model speaks about everything else. RAFT lets the model say
the answers itself, trains on those, and pulls its rollouts towards its old self that is shown the answer. Here a base
model of about 0.9 million parameters learns 240 invented facts; every arm runs under the same seeds, and what it
learnt and what it forgot are compared.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from tutelage.errors import ModelError
from tutelage.models import LoadedModel
from tutelage.papers.claim import Claim, Paper, Part, Plan, recipe
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.base_model import BaseSettings, base_model, tokenised
from tutelage.papers.lab.instructions import format_instructions, mixture
from tutelage.papers.lab.measurement import (
    base_replies,
    divergence_from_base,
    domain_accuracy,
    general_nll,
    instruction_following,
)
from tutelage.papers.lab.tuning import ArmPlan, LabTraining, base_abilities, refined_answers, train_arm
from tutelage.papers.lab.verdicts import finished
from tutelage.papers.lab.world import Fact, domain_facts
from tutelage.types import Scores

__all__ = ["ARMS", "CLAIMS", "PAPER", "RaftConfig", "run"]

PAPER = Paper(
    title="RAFT: data refinement and adaptive distillation for domain fine-tuning",
    date="2026-05-28",
    arxiv="2606.00147",
    family="tuning",
    summary="Refine answers in the model's own voice, then tune with a balanced answer-conditioned distillation.",
)
ARMS: dict[str, ArmPlan] = {
    "sft": ArmPlan("original", supervised=True, distilled=False),
    "sft_fused": ArmPlan("fused", supervised=True, distilled=False),
    "opd": ArmPlan("fused", supervised=True, distilled=True),
    "sdft": ArmPlan("original", supervised=False, distilled=True, conditioned=True),
    "raft": ArmPlan("fused", supervised=True, distilled=True, conditioned=True),
    "raft_fixed_0.1": ArmPlan("fused", supervised=True, distilled=True, conditioned=True, kl_weight=0.1),
    "raft_fixed_1": ArmPlan("fused", supervised=True, distilled=True, conditioned=True, kl_weight=1.0),
}
DESCRIBED = {
    "base": "the model before any tuning",
    "sft": "plain fine-tuning on the answers as given",
    "sft_fused": "plain fine-tuning on the refined answers",
    "opd": "refined answers and distillation from the base model without the answer",
    "sdft": "distillation from the base model that is shown the answer, nothing else",
    "raft": "refined answers, answer-conditioned distillation, moving-average balance",
    "raft_fixed_0.1": "raft with the fixed weight 0.1",
    "raft_fixed_1": "raft with the fixed weight 1",
    "sdft_data": "fine-tuning on the rewrites before they are fused",
}
CONTROLS = ("base", "sft", "sft_fused", "raft_fixed_0.1", "raft_fixed_1")
FULL: dict[str, ArmPlan] = {"sdft_data": ArmPlan("rewritten", supervised=True, distilled=False)}
LIKE_RAFT = ("raft_fixed_0.1", "raft_fixed_1")
"""Arms that differ from raft in the balance alone: they take its learning rate."""
NOTES = (
    "The domain's 240 facts follow 24 family rules (a name's last syllable decides value and code), because 60 steps "
    "of 8 rows show each fact twice: too little to learn 240 unrelated pairs.",
    "The tokenizer may have 2,048 tokens and finds 843 worth having; K = 64 is therefore 8 % of the vocabulary.",
    "Stage 1 filters by the strict check of values and names alone: an encoder knows no invented words. "
    "The template fuser never had to change a rewrite, so fused and rewritten answers are the same here.",
    "The rate is chosen on every third fact in its own wording, for domain accuracy alone; fixed weights take raft's.",
    "opd starts with a teacher equal to the student, so its weight begins near the cap of 100; it learnt "
    "nothing of the domain at any rate of the grid. H3 tests this balance as much as the missing answer.",
    "A claim tested at a million parameters says nothing about 8 billion.",
)
BAND = (0.5, 2.0)
IN_BAND = 0.9

CLAIMS = (
    Claim(
        "H1",
        "At domain accuracy no worse than SFT on the original answers - 3 pp, RAFT keeps more of the format "
        "instructions and diverges less from the base model.",
        "spec H1; paper section 4, Table 1",
        (
            Part("domain accuracy, raft - sft", "domain_accuracy", "raft", "greater", against="sft", margin=0.03),
            Part("instructions kept, raft - sft", "instructions", "raft", "greater", against="sft"),
            Part("divergence from base (nats), raft - sft", "divergence", "raft", "less", against="sft"),
        ),
    ),
    Claim(
        "H2",
        "SFT on the fused answers diverges less from the base model than SFT on the original ones.",
        "spec H2; paper's ablation ladder",
        (Part("divergence from base (nats), sft_fused - sft", "divergence", "sft_fused", "less", against="sft"),),
    ),
    Claim(
        "H3",
        "Distillation from the base model without the answer in its context learns less of the domain than RAFT.",
        "spec H3; paper section 3.3",
        (Part("domain accuracy, opd - raft", "domain_accuracy", "opd", "less", against="raft"),),
    ),
    Claim(
        "H4",
        "The moving-average balance keeps CE / (lambda KL) within [0.5, 2] in more than 90 % of steps; fixed weights "
        "0.1 and 1 do not.",
        "spec H4; paper Eq. 10-12",
        (
            Part("steps in band - 0.9, raft", "in_band", "raft", "greater", threshold=IN_BAND),
            Part("steps in band - 0.9, fixed 0.1", "in_band", "raft_fixed_0.1", "less", threshold=IN_BAND),
            Part("steps in band - 0.9, fixed 1", "in_band", "raft_fixed_1", "less", threshold=IN_BAND),
        ),
    ),
)


@dataclass(frozen=True)
class RaftConfig:
    """Defaults: the CPU tier. Paper (section 4.1): 3 epochs, batch 16, lr 5e-6, K = 512 at 3-4B parameters."""

    tier: str = "cpu"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    selection_seed: int = 100
    learning_rates: tuple[float, ...] = (3e-4, 1e-3, 3e-3)
    training: LabTraining = field(default_factory=LabTraining)
    base: BaseSettings = field(default_factory=BaseSettings)
    facts: int = 240
    validate_every: int = 3
    instructions: int = 60
    general: int = 64
    required: float = 0.8
    resamples: int = 10_000
    full: bool = False


def cpu(seeds: int) -> RaftConfig:
    """The tier of the verdict."""
    return RaftConfig(seeds=tuple(range(seeds)))


def full(seeds: int) -> RaftConfig:
    """The tier of the verdict with the arm that trains on the rewrites."""
    return replace(cpu(seeds), full=True)


def gpu(seeds: int) -> RaftConfig:
    """A base of about 25 million parameters, twice the steps and the paper's batch of 16; needs a GPU."""
    large = BaseSettings(width=512, layers=8, heads=8, inner=1408, steps=2400, learning_rate=1e-3)
    return RaftConfig(
        tier="gpu", seeds=tuple(range(seeds)), learning_rates=(1e-4, 3e-4, 1e-3), base=large,
        training=LabTraining(steps=120, batch_size=16),
    )  # fmt: skip


def smoke(seeds: int) -> RaftConfig:
    """Everything once, in seconds, on a model that has learnt nothing: no verdict."""
    tiny = BaseSettings(width=32, layers=1, heads=2, inner=64, steps=3, batch_size=8)
    return RaftConfig(
        tier="smoke", seeds=tuple(range(seeds)), learning_rates=(1e-3,), base=tiny, facts=8, instructions=6, general=4,
        training=LabTraining(steps=2, batch_size=2, reply_tokens=8), required=0.0, resamples=200, full=True,
    )  # fmt: skip


PLAN = Plan(
    tiers={"smoke": smoke, "cpu": cpu, "full": full, "gpu": gpu},
    arms=DESCRIBED,
    controls=CONTROLS,
    seconds={"smoke": 15, "cpu": 1200, "full": 1400, "gpu": 7200},
)


@recipe("raft", PAPER, CLAIMS, PLAN)
def run(config: RaftConfig, folder: Path) -> dict[str, Any]:
    """Train every arm under every seed, measure, judge; returns the evidence. Finished parts are not repeated."""
    place = RecipeFolder(folder, "raft", PAPER, CLAIMS, asdict(config))
    base = base_model(config.base, console=place.console)
    nn.Module.to(base.model, place.device)
    checks = place.once("checks", lambda: base_abilities(base))
    if min(checks.values()) < config.required:
        raise ModelError(
            f"the base model cannot play its parts: {checks}", hint=f"each must reach {config.required:.0%}"
        )
    lab = _Lab(base, config, place)
    rates = {arm: lab.learning_rate(arm) for arm in lab.arms}
    tables = {arm: [lab.measured(arm, seed, rates[arm]) for seed in config.seeds] for arm in lab.arms}
    tables["base"] = [lab.base_scores()]
    chosen: dict[str, dict[str, Any]] = {}
    for arm, rate in rates.items():
        tried = lab.validated("raft" if arm in LIKE_RAFT else arm)
        chosen[arm] = {"learning_rate": {"mean": rate}, "validation_accuracy_by_rate": tried}
    refined = {"refined_answers": sum(a["original"] != a["fused"] for a in lab.answers) / len(lab.answers)}
    notes = [*NOTES, *lab.notes(rates)]
    return finished(place, PLAN, CLAIMS, config, tables, checks={**checks, **refined}, notes=notes, more=chosen)


class _Lab:
    """Items, answers and results of one run; every result is a file that is made once."""

    def __init__(self, base: LoadedModel, config: RaftConfig, place: RecipeFolder) -> None:
        self.base, self.config, self.place = base, config, place
        self.facts = domain_facts()[:: len(domain_facts()) // config.facts][: config.facts]
        self.arms = {**ARMS, **(FULL if config.full else {})}
        self.answers: list[dict[str, str]] = place.once("answers", lambda: refined_answers(base, self.facts, 0))
        self.validation = dict(list(self.asked(lambda i: 1).items())[:: config.validate_every])
        self.tasks = format_instructions(config.instructions)
        general = mixture(2 * config.general, seed=99)
        self.written = base_replies(base.model, base.tokenizer, general[: config.general], seed=99)
        rows = [(e.id, e.prompt, e.reply) for e in general[config.general :]]
        self.held_out = tokenised(rows, base.tokenizer)

    def asked(self, wording: Callable[[int], int]) -> dict[str, tuple[str, Fact]]:
        return {fact.name: (fact.question(wording(i)), fact) for i, fact in enumerate(self.facts)}

    def validated(self, arm: str) -> dict[str, float]:
        """Accuracy on the validation wording under the selection seed, by learning rate."""
        found = {}
        for rate in self.config.learning_rates:
            made = self.place.once(f"select/{arm}-{rate:g}", partial(self._validated, arm, rate))
            found[f"{rate:g}"] = float(made["accuracy"])
        return found

    def learning_rate(self, arm: str) -> float:
        """The best of the grid; the smaller one of equals."""
        found = self.validated("raft" if arm in LIKE_RAFT else arm)
        return max(sorted(self.config.learning_rates), key=lambda rate: found[f"{rate:g}"])

    def _validated(self, arm: str, rate: float) -> dict[str, float]:
        trained = self._train(arm, self.config.selection_seed, rate)
        found = domain_accuracy(trained.model, self.base.tokenizer, self.validation)
        return {"accuracy": float(found.values.mean()), "cpu_seconds": trained.cost["cpu_seconds"]}

    def _train(self, arm: str, seed: int, rate: float) -> Any:
        work = self.place.folder / "work" / f"{arm}-{seed}"
        return train_arm(
            self.base, self.arms[arm], self.facts, self.answers, self.config.training,
            learning_rate=rate, seed=seed, folder=work,
        )  # fmt: skip

    def measured(self, arm: str, seed: int, rate: float) -> dict[str, Any]:
        """Scores of one arm under one seed: trained and measured once."""

        def work() -> dict[str, Any]:
            trained = self._train(arm, seed, rate)
            found = self._scores(trained.model)
            band = {str(i): float(BAND[0] <= r <= BAND[1]) for i, r in enumerate(trained.ratios)}
            return {"scores": found | ({"in_band": band} if band else {}), "cost": trained.cost}

        made: dict[str, Any] = self.place.once(f"results/{arm}-{seed}", work)
        return made

    def base_scores(self) -> dict[str, Any]:
        """The untuned model on the same items."""
        made: dict[str, Any] = self.place.once("results/base", lambda: {"scores": self._scores(self.base.model)})
        return made

    def notes(self, rates: dict[str, float]) -> list[str]:
        """What a reader must know about how this run's learning rates came about."""
        edge = [arm for arm, rate in rates.items() if rate == max(self.config.learning_rates)]
        tied = [arm for arm in rates if arm not in LIKE_RAFT and len(set(self.validated(arm).values())) == 1]
        found = []
        if edge:
            found.append(f"the best rate is the largest of the grid, so more may be gained, for: {', '.join(edge)}")
        if tied:
            found.append(
                f"the validation set could not tell the rates apart, so the smallest was taken, for: {', '.join(tied)}"
            )
        return found

    def _scores(self, model: Any) -> dict[str, dict[str, float]]:
        tokenizer = self.base.tokenizer
        found: Sequence[Scores] = (
            domain_accuracy(model, tokenizer, self.asked(lambda i: 2 + i % 2)),
            instruction_following(model, tokenizer, self.tasks),
            divergence_from_base(self.base.model, model, self.written),
            general_nll(model, self.held_out),
        )
        return {one.metric: dict(zip(one.ids, map(float, one.values), strict=True)) for one in found}
