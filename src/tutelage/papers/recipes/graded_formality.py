"""3LF: labels on an absolute scale with a casual level in the middle, against labels that are only relative.

A mechanism demonstration. A small base model knows messages in three registers and rewrites them one level up or down
by example; no level has a name for it. Arms teach it the names: "formal" as one step up from wherever the source
stands, "formal" as the top level, or all three levels. Then it is asked to make informal messages formal.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tutelage.measure.graded import direction_report
from tutelage.models import LoadedModel
from tutelage.papers.claim import Claim, Paper, Part, Plan, recipe
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.arm import answers, settings_of, tuned
from tutelage.papers.lab.pretraining import BaseSettings, pretrained, tokenised
from tutelage.papers.lab.registers import LEVELS, Message, instruction, messages, shown, speakers
from tutelage.papers.lab.verdicts import finished
from tutelage.seeds import derive
from tutelage.verify.formality import RuleFormality

__all__ = ["ARMS", "CLAIMS", "DIRECTIONS", "PAPER", "PLAN", "FormalityConfig", "rows_of", "run"]

PAPER = Paper(
    title="Casual as an Anchor: Resolving Supervision Misalignment in Formality Transfer Dataset",
    date="2026-05-27",
    arxiv="2605.29365",
    family="tuning",
    summary="Formality labels that are only relative teach half-formal text; three absolute levels do not.",
)
Named = tuple[str, str, str]
"""(source level, target level, what the target is called)."""
DIRECTIONS: dict[str, tuple[Named, ...]] = {
    "binary_relative": (
        ("informal", "casual", "formal"),
        ("casual", "formal", "formal"),
        ("casual", "informal", "informal"),
        ("formal", "casual", "informal"),
    ),
    "binary_absolute": (
        ("informal", "formal", "formal"),
        ("casual", "formal", "formal"),
        ("casual", "informal", "informal"),
        ("formal", "informal", "informal"),
    ),
    "three_level": tuple((a, b, b) for a in LEVELS for b in LEVELS if a != b),
}
ARMS = {
    "base": "the model before any tuning, asked with the instruction",
    "few_shot": "the model before any tuning, shown examples from informal to formal instead",
    "binary_relative": "tuned on pairs whose upper text is called formal and whose lower one informal",
    "binary_absolute": "tuned on as many pairs to the top and to the bottom of the scale",
    "three_level": "tuned on as many pairs in all six directions between three named levels",
}
CONTROLS = ("base", "few_shot", "binary_relative", "binary_absolute")
NOTES = (
    "A mechanism demonstration on a grammar: human perception of formality is not measured.",
    "The rater that scores is the rule rubric of the library. It had no part in making the data: levels come from the "
    "grammar. It was written before the grammar, and agrees with it on the share of texts given under checks.",
    "That relative labels fail from informal to formal follows from what they are made of once the model learns them; "
    "what the run adds is by how much, whether examples do instead, and whether the middle level itself helps.",
    "Every training arm sees the same number of rows; of three_level's only a sixth go from informal to formal, of "
    "binary_absolute's a quarter.",
    "The base model has rewritten by one or two examples, one level up or down, never from informal to formal.",
    "In the items measured the target is formal throughout, so precision is 1 and F1 = 2 r / (1 + r).",
)
CLAIMS = (
    Claim(
        "F1",
        "Training on three explicit levels gives better informal-to-formal output, on an absolute scale, than training "
        "on relative pairs.",
        "spec 3LF, CPU run; paper's main result",
        (
            Part("F1 informal to formal, three_level - relative", "formal_f1", "three_level", "greater",
                 against="binary_relative"),
            Part("meaning and level both exact, three_level - relative", "exact", "three_level", "greater",
                 against="binary_relative"),
        ),
    ),
    Claim(
        "F2",
        "Examples in the prompt do not achieve what training on the three levels does.",
        "spec 3LF, CPU run; paper's few-shot comparison",
        (Part("F1 informal to formal, few_shot - three_level", "formal_f1", "few_shot", "less",
              against="three_level"),),
    ),
    Claim(
        "F3",
        "At the same number of rows, the explicit middle level gives better informal-to-formal output than two "
        "absolute levels.",
        "spec 3LF, arms; the casual level as the anchor in the paper's title",
        (Part("meaning and level both exact, three_level - absolute", "exact", "three_level", "greater",
              against="binary_absolute"),),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class FormalityConfig:
    """Defaults: the CPU tier. The paper tunes GPT-4.1-nano on its triples and on GYAFC."""

    tier: str = "cpu"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    base: BaseSettings = field(
        default_factory=lambda: BaseSettings(width=96, layers=3, inner=256, steps=500, batch_size=24)
    )
    rows: int = 192
    steps: int = 48
    batch_size: int = 8
    learning_rate: float = 1e-3
    tested: int = 64
    examples: int = 2
    resamples: int = 10_000


def cpu(seeds: int) -> FormalityConfig:
    """The tier of the verdict."""
    return FormalityConfig(seeds=tuple(range(seeds)))


def smoke(seeds: int) -> FormalityConfig:
    """Everything once, in seconds, on a model that has learnt little: no verdict."""
    tiny = BaseSettings(width=32, layers=1, heads=2, inner=64, steps=40, batch_size=16)
    return replace(cpu(seeds), tier="smoke", base=tiny, rows=12, steps=2, batch_size=2, tested=4, resamples=200)


PLAN = Plan(
    tiers={"smoke": smoke, "cpu": cpu}, arms=ARMS, controls=CONTROLS, seconds={"smoke": 12, "cpu": 200}, seeds=10
)


def rows_of(arm: str, known: Sequence[Message], count: int, seed: int) -> list[tuple[str, str, str]]:
    """``count`` training rows (id, prompt, reply) of an arm, its directions in turn."""
    draw = random.Random(derive(seed, "formality", "rows"))
    found = []
    for number in range(count):
        source, target, called = DIRECTIONS[arm][number % len(DIRECTIONS[arm])]
        one = draw.choice(list(known))
        found.append((f"{arm}-{number}", instruction(called, one.at(source)), one.at(target)))
    return found


@recipe("graded-formality", PAPER, CLAIMS, PLAN)
def run(config: FormalityConfig, folder: Path) -> dict[str, Any]:
    """Train and measure every arm under every seed; returns the evidence. Finished parts are not repeated."""
    place = RecipeFolder(folder, "graded-formality", PAPER, CLAIMS, asdict(config))
    everything = messages()
    held_out, known = everything[: config.tested], everything[config.tested :]
    size = config.base.steps * config.base.batch_size
    base = pretrained("registers", speakers(size, 1, known), config.base, console=place.console)
    rater = RuleFormality()
    agreed = {
        f"rules agree on {level}": sum(found == level for found in rater.rate([one.at(level) for one in everything]))
        / len(everything)
        for level in LEVELS
    }
    tables: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for seed in config.seeds:
        for arm in ARMS:
            lab = _Arm(base, arm, seed, config, known, held_out)
            tables[arm].append(place.once(f"results/{arm}-{seed}", partial(lab.measured, place.folder)))
    return finished(place, PLAN, CLAIMS, config, tables, checks=agreed, notes=NOTES)


@dataclass(frozen=True)
class _Arm:
    """One arm under one seed."""

    base: LoadedModel
    name: str
    seed: int
    config: FormalityConfig
    known: Sequence[Message]
    held_out: Sequence[Message]

    def measured(self, folder: Path) -> dict[str, Any]:
        """Its scores on the held-out messages, and what they cost."""
        model, cost = self.base.model, dict[str, float]()
        if self.name in DIRECTIONS:
            rows = rows_of(self.name, self.known, self.config.rows, self.seed)
            settings = settings_of(
                self.config.steps, batch_size=self.config.batch_size, learning_rate=self.config.learning_rate
            )
            work = folder / "work" / f"{self.name}-{self.seed}"
            trained = tuned(self.base, tokenised(rows, self.base.tokenizer), settings, seed=self.seed, folder=work)
            model, cost = trained.model, trained.cost
        found: dict[str, dict[str, float]] = {}
        for source in ("informal", "casual"):
            found |= self._scores(model, source)
        return {"scores": found, "cost": cost}

    def _scores(self, model: Any, source: str) -> dict[str, dict[str, float]]:
        """How well messages on a level are made formal."""
        asked = [self._prompt(one, source) for one in self.held_out]
        said = answers(model, self.base.tokenizer, asked, max_new_tokens=40)
        texts = [one.at(source) for one in self.held_out]
        ids = [one.id for one in self.held_out]
        report = direction_report(texts, said, ["formal"] * len(said), RuleFormality(), ids=ids)
        exact = [float(text == one.at("formal")) for text, one in zip(said, self.held_out, strict=True)]
        named: dict[str, list[float]] = {"exact": exact}
        for found in (report.hits, report.adjacent, report.copies):
            named[found.metric] = [float(value) for value in found.values]
        prefix = "" if source == "informal" else f"{source}_"
        scores = {prefix + key: dict(zip(ids, values, strict=True)) for key, values in named.items()}
        return {**scores, prefix + "formal_f1": {"all": float(report.f1["formal"] or 0.0)}}

    def _prompt(self, one: Message, source: str) -> str:
        if self.name != "few_shot":
            return instruction("formal", one.at(source))
        draw = random.Random(derive(self.seed, "formality", "shown", one.id))
        some = draw.sample(list(self.known), self.config.examples)
        return shown([(other.at(source), other.at("formal")) for other in some], one.at(source))
