"""The stability gap: what a language model can do falls as soon as its pre-training goes on in a new domain.

A model of a million parameters goes on with raw registers of an invented world. Half of their texts are scrambled.
What it said to general instructions before, and what it says to questions about the registers, is measured every second
step: the mean log-probability of the right replies.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from tutelage.data import CptPlan, CptSettings, cpt_plan
from tutelage.models import LoadedModel
from tutelage.papers.claim import Claim, Paper, Part, Plan, recipe
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.arm import settings_of, tuned
from tutelage.papers.lab.base_model import BaseSettings, base_model, tokenised
from tutelage.papers.lab.instructions import Exercise, mixture
from tutelage.papers.lab.measurement import general_nll
from tutelage.papers.lab.verdicts import finished
from tutelage.papers.lab.world import Fact, domain_facts, held_out_facts
from tutelage.seeds import derive
from tutelage.training.curriculum import CurriculumSettings
from tutelage.training.stability import StabilityGapCallback
from tutelage.training.task import Example

__all__ = ["CLAIMS", "DESCRIBED", "PAPER", "PLAN", "StabilityGapConfig", "planned", "registers", "run"]

PAPER = Paper(
    title="Efficient Continual Pre-training by Mitigating the Stability Gap",
    date="2024-06-20",
    arxiv="2406.14833",
    family="continual",
    summary="Skill dips when pre-training goes on in a new domain; a small good subset and a mixture soften the dip.",
)
DESCRIBED = {
    "plain": "every document once",
    "subset": "a random quarter of the documents, four times",
    "lowest": "the quarter with the lowest perplexity by an n-gram model of clean registers, four times",
    "mixture": "half of the tokens from the mixture that the model was trained on, half from the domain, once",
    "rewarm": "only that mixture, with the same learning rate: what starting to train again does by itself",
}
CONTROLS = ("plain", "rewarm")
NOTES = (
    "The measure is the mean log-probability of right replies in nats a token, the area is in nats times steps up to "
    "the recovery or the end of training.",
    "Selection is compared with a random subset of the same size, so that it is tested alone; the paper adds its "
    "measures one after the other.",
    "Arms have as many tokens (within a document) in as many steps; rows of the mixture are shorter, so more of them "
    "make a step.",
    "The learning rate is constant after its warm-up; the paper's was not found.",
    "A million parameters and 32 steps say nothing about 3 billion and 20 billion tokens.",
)
CLAIMS = (
    Claim(
        "H1",
        "General skill falls by more than 0.05 nats a token, and further than when training is only started again.",
        "paper, the first figures; spec (a) with its control",
        (
            Part("depth on general replies, plain", "depth", "plain", "greater", threshold=0.05),
            Part("depth on general replies, plain - rewarm", "depth", "plain", "greater", "rewarm"),
        ),
    ),
    Claim(
        "H2",
        "What the domain's questions need first falls by more than 0.05 nats a token and then rises above its start.",
        "paper, the first figures; spec (a)",
        (
            Part("depth on domain replies, plain", "domain_depth", "plain", "greater", threshold=0.05),
            Part("last - first on domain replies, plain", "domain_gain", "plain", "greater", threshold=0.0),
        ),
    ),
    Claim(
        "H3",
        "Four passes over a quarter make the area of the dip smaller than one pass over everything.",
        "paper, first measure; spec (b)",
        (Part("area, subset - plain", "area", "subset", "less", "plain"),),
    ),
    Claim(
        "H4",
        "The quarter of lowest perplexity makes the area smaller than a random quarter.",
        "paper, second measure; spec (b)",
        (Part("area, lowest - subset", "area", "lowest", "less", "subset"),),
    ),
    Claim(
        "H5",
        "A mixture with the old data makes the area smaller than the domain alone.",
        "paper, third measure; spec (b)",
        (Part("area, mixture - plain", "area", "mixture", "less", "plain"),),
    ),
)


@dataclass(frozen=True)
class StabilityGapConfig:
    """Defaults: the CPU tier. Paper: OpenLlama-3B, 5 of 50 billion tokens, about four passes."""

    tier: str = "cpu"
    seeds: tuple[int, ...] = tuple(range(10))
    base: BaseSettings = field(default_factory=BaseSettings)
    steps: int = 32
    documents: int = 320
    every: int = 2
    passes: int = 4
    scrambled: float = 0.5
    tested: int = 40
    learning_rate: float = 1e-3
    resamples: int = 10_000


def cpu(seeds: int) -> StabilityGapConfig:
    """The tier of the verdict."""
    return StabilityGapConfig(seeds=tuple(range(seeds)))


def smoke(seeds: int) -> StabilityGapConfig:
    """Everything once, in seconds, on a model that has learnt nothing: no verdict."""
    tiny = BaseSettings(width=32, layers=1, heads=2, inner=64, steps=3, batch_size=8)
    return StabilityGapConfig("smoke", tuple(range(seeds)), tiny, steps=2, documents=16, tested=6, resamples=200)


PLAN = Plan(
    tiers={"smoke": smoke, "cpu": cpu}, arms=DESCRIBED, controls=CONTROLS, seconds={"smoke": 10, "cpu": 330}, seeds=10
)


@recipe("stability-gap-pretraining", PAPER, CLAIMS, PLAN)
def run(config: StabilityGapConfig, folder: Path) -> dict[str, Any]:
    """Go on with every arm under every seed, measure, judge; returns the evidence. Finished parts are not repeated."""
    place = RecipeFolder(folder, "stability-gap-pretraining", PAPER, CLAIMS, asdict(config))
    base = base_model(config.base, console=place.console)
    evals = _evals(base, config)

    def work(arm: str, seed: int) -> dict[str, Any]:
        examples = _examples(arm, base, config, seed)
        watch = StabilityGapCallback(evals, config.every)
        settings = settings_of(
            config.steps,
            batch_size=max(1, len(examples) // config.steps),
            learning_rate=config.learning_rate,
            schedule="constant_with_warmup",
        )
        made = tuned(
            base,
            examples,
            settings,
            seed=seed,
            folder=folder / "work" / f"{arm}-{seed}",
            curriculum=CurriculumSettings("ascend"),
            callbacks=[watch],
        )
        return {"scores": _scores(watch), "cost": made.cost, "curves": watch.curves}

    tables = {
        arm: [place.once(f"results/{arm}-{seed}", partial(work, arm, seed)) for seed in config.seeds]
        for arm in DESCRIBED
    }
    return finished(place, PLAN, CLAIMS, config, tables, notes=NOTES)


def registers(facts: Sequence[Fact], count: int, scrambled: float, seed: int) -> list[str]:
    """Texts of three entries each; of a share ``scrambled`` the words stand in random order."""
    found = []
    for number in range(count):
        draw = random.Random(derive(seed, "register", number))
        entries = [
            f"REG {fact.noun} {fact.name} ; {fact.attribute} {fact.value} ; code {fact.code}"
            for fact in draw.sample(list(facts), 3)
        ]
        words = " / ".join(entries).split()
        if draw.random() < scrambled:
            draw.shuffle(words)
        found.append(" ".join(words))
    return found


def planned(
    arm: str, documents: Sequence[str], general: Sequence[str], config: StabilityGapConfig, count: Callable[[str], int]
) -> CptPlan:
    """The plan of an arm but ``rewarm``; all have as many tokens as the documents together."""
    total = sum(map(count, documents))
    if arm == "mixture":
        settings = CptSettings(total // 2, 1, mixture={"domain": 0.5, "general": 0.5})
    elif arm == "plain":
        settings = CptSettings(total, 1)
    else:
        chosen: Any = "ngram" if arm == "lowest" else "random"
        settings = CptSettings(total // config.passes, config.passes, chosen, order=3)
    reference = registers(held_out_facts(), 200, 0.0, seed=1)
    seed = derive(0, "plan", *documents[:1])
    return cpt_plan(documents, {"general": general}, settings, reference=reference, count=count, seed=seed)


def _examples(arm: str, base: LoadedModel, config: StabilityGapConfig, seed: int) -> list[Example]:
    """What the arm sees, in its order; every arm has about the same number of tokens."""
    documents = registers(domain_facts(), config.documents, config.scrambled, derive(seed, "documents"))
    old = mixture(6 * config.documents, 50_000 + seed)
    general = dict(zip((_text(one) for one in old), tokenised(_rows(old), base.tokenizer), strict=True))
    raw = {text: _raw(text, base) for text in documents}
    if arm == "rewarm":
        total, chosen = sum(len(raw[text].completion) for text in documents), list[Example]()
        for one in general.values():
            if total > 0:
                chosen.append(one)
                total -= len(one.completion)
    else:

        def count(text: str) -> int:
            return len((raw[text] if text in raw else general[text]).completion)

        plan = planned(arm, documents, list(general), config, count)
        sources = {"domain": [raw[text] for text in documents], "general": list(general.values())}
        chosen = [sources[name][at] for epoch in plan.epochs for name, at in epoch]
    return [Example(f"{i}", one.prompt, one.completion, quality=float(i)) for i, one in enumerate(chosen)]


def _raw(text: str, base: LoadedModel) -> Example:
    ids = base.tokenizer(text, add_special_tokens=False)["input_ids"]
    return Example("", (base.tokenizer.bos_token_id,), (*ids, base.tokenizer.eos_token_id))


def _text(one: Exercise) -> str:
    return f"{one.prompt}\n{one.reply}"


def _rows(exercises: Sequence[Exercise]) -> list[tuple[str, str, str]]:
    return [(one.id, one.prompt, one.reply) for one in exercises]


def _evals(base: LoadedModel, config: StabilityGapConfig) -> dict[str, Callable[[PreTrainedModel], float]]:
    """Mean log-probability of the right replies to held-out instructions, and to questions about the domain."""
    facts = random.Random(derive(0, "asked")).sample(domain_facts(), config.tested)
    asked = [(f"{i}", fact.question(i % 4), fact.sentence) for i, fact in enumerate(facts)]
    sets = {
        "general": tokenised(_rows(mixture(config.tested, 90_001)), base.tokenizer),
        "domain": tokenised(asked, base.tokenizer),
    }

    def mean(rows: Sequence[Example], model: PreTrainedModel) -> float:
        return -float(general_nll(model, rows).values.mean())

    return {name: partial(mean, rows) for name, rows in sets.items()}


def _scores(watch: StabilityGapCallback) -> dict[str, dict[str, float]]:
    gaps, domain = watch.gaps(), watch.curves["domain"]
    found = {
        "depth": gaps["general"].depth,
        "area": gaps["general"].area,
        "lowest_at": gaps["general"].t_min,
        "domain_depth": gaps["domain"].depth,
        "domain_area": gaps["domain"].area,
        "domain_gain": domain[-1][1] - domain[0][1],
    }
    return {name: {"run": value} for name, value in found.items()}
