"""ACT: sampled answers, ranked by the constraints they meet, teach a model to follow instructions.

A base model of about 0.4 million parameters has read lists under rules of form, written by careful and by careless
writers, so it keeps some rules some of the time. Of six answers to each request, checks of the library count what was
kept. One arm ranks the answers, one imitates the best, one imitates any. Eight kinds of rule are trained, four are not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tutelage.data import chat
from tutelage.models import LoadedModel
from tutelage.objectives import ConstraintRanking
from tutelage.papers.claim import Claim, Paper, Part, Plan, recipe
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.arm import TrainedArm, answers, settings_of, tuned
from tutelage.papers.lab.measurement import base_replies, divergence_from_base
from tutelage.papers.lab.pretraining import BaseSettings, pretrained, tokenised
from tutelage.papers.lab.ruled_lists import HELD_OUT, TRAINED, Request, Rule, requests, writers
from tutelage.papers.lab.verdicts import finished
from tutelage.refine.preferences import Asked, PreferenceSet, build_preferences
from tutelage.seeds import derive
from tutelage.training.task import Example
from tutelage.types import Chat
from tutelage.verify import Constraint, constraint_of, get, verifier

__all__ = ["ARMS", "CLAIMS", "PAPER", "PLAN", "ActConfig", "checks_of", "run"]

PAPER = Paper(
    title="From Instructions to Constraints: Language Model Alignment with Automatic Constraint Verification",
    date="2024-03-10",
    arxiv="2403.06326",
    family="preference",
    summary="Sampled answers are ranked by the constraints a program finds met, and the model learns the ranking.",
)
ARMS = {
    "base": "the model before any tuning",
    "sft_any": "imitates the first different answer of each request, however it was rated: as many updates, no checks",
    "sft_best": "imitates the answer of each request that meets most constraints",
    "act": "ranks all answers of each request by the constraints they meet, and imitates the best",
}
CONTROLS = ("base", "sft_any", "sft_best")
NOTES = (
    "Training checks are verifiers of the library; the reply is measured by a separate reader that goes word by word.",
    "The corpus of the base model has careful writers, who keep rules together, and careless ones. What there is to "
    "transfer was put in: the run tests whether the ranking finds it, not whether other models have it.",
    "A check of content (two words at least, nothing but list words and the frame) goes into the training score "
    "against degenerate answers; it does not know which words are right, the measured task accuracy does.",
    "Answers are sampled at temperature 1 in training and in measuring: at temperature 0 the base model is already "
    "near one extreme of its writers.",
    "Equal samples are not equal tokens: act trains on all answers of a request, the imitating arms on one.",
    "m = 6, margin 0.1 and the weight 1 of the imitation are inferred; the paper's code was not published. "
    "Set constraints are in the library and tested there, not trained here.",
    "A claim tested at half a million parameters says nothing about 8 billion.",
)
CLAIMS = (
    Claim(
        "A1",
        "Training on verified constraints raises the constraint satisfaction rate on the trained kinds of constraint, "
        "over the base model and over imitating unrated answers.",
        "spec ACT, CPU run; paper's main result",
        (
            Part("CSR on trained kinds, act - base", "csr_trained", "act", "greater", against="base"),
            Part("CSR on trained kinds, act - sft_any", "csr_trained", "act", "greater", against="sft_any"),
        ),
    ),
    Claim(
        "A2",
        "It costs the task itself no more than 3 pp of accuracy.",
        "spec ACT, CPU run; paper's main result",
        (Part("task accuracy, act - base", "task", "act", "greater", against="base", margin=0.03),),
    ),
    Claim(
        "A3",
        "The constraint satisfaction rate also rises on kinds of constraint that were held out of training.",
        "spec ACT, CPU run; paper's transfer experiment",
        (
            Part("CSR on held-out kinds, act - base", "csr_held_out", "act", "greater", against="base"),
            Part("CSR on held-out kinds, act - sft_any", "csr_held_out", "act", "greater", against="sft_any"),
        ),
    ),
    Claim(
        "A4",
        "From the same samples, ranking raises the rate on trained kinds more than imitating the best answer.",
        "spec ACT, comparison at equal samples",
        (Part("CSR on trained kinds, act - sft_best", "csr_trained", "act", "greater", against="sft_best"),),
    ),
)


@dataclass(frozen=True)
class ActConfig:
    """Defaults: the CPU tier. The paper tunes 7B models with LoRA on entity typing, summaries and temporal QA."""

    tier: str = "cpu"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    base: BaseSettings = field(
        default_factory=lambda: BaseSettings(width=96, layers=3, inner=256, steps=600, batch_size=32)
    )
    prompts: int = 128
    responses: int = 6
    steps: int = 32
    batch_size: int = 8
    learning_rate: float = 5e-4
    margin: float = 0.1
    sft_weight: float = 1.0
    tested: int = 128
    general: int = 32
    resamples: int = 10_000


def cpu(seeds: int) -> ActConfig:
    """The tier of the verdict."""
    return ActConfig(seeds=tuple(range(seeds)))


def smoke(seeds: int) -> ActConfig:
    """Everything once, in seconds, on a model that has learnt little: no verdict."""
    tiny = BaseSettings(width=32, layers=1, heads=2, inner=64, steps=40, batch_size=16)
    return replace(
        cpu(seeds), tier="smoke", base=tiny, prompts=8, responses=4, steps=2, batch_size=2, tested=4, general=2,
        resamples=200,
    )  # fmt: skip


PLAN = Plan(tiers={"smoke": smoke, "cpu": cpu}, arms=ARMS, controls=CONTROLS, seconds={"smoke": 12, "cpu": 160})


def checks_of(request: Request) -> list[Constraint]:
    """The constraints of a request as the library's verifiers, and the check against answers without content."""
    return [*(constraint_of(rule.name, _library_check(rule)) for rule in request.rules), _with_content]


def _library_check(rule: Rule) -> Any:
    patterns = {
        "count": r"^\s*3\b", "shout": r"!\s*$", "commas": r"^[^-/]*\w\s*,\s*\w+\s*,\s*\w[^-/]*$",
        "dashes": r"^[^,/]*\w\s*-\s*\w+\s*-\s*\w[^,/]*$", "brackets": r"\[[^\]]*\w[^\]]*\]",
        "quotes": r'"[^"]*\w[^"]*"',
    }  # fmt: skip
    if rule.name == "start":
        return get("starts-with", phrase=rule.word)
    return _sorted if rule.name == "sorted" else get("regex", pattern=patterns[rule.name])


_FRAME = frozenset(("sure", "fine", "look", "3"))


def _content(text: str) -> list[str]:
    return [word for word in re.findall(r"\w+", text) if word not in _FRAME]


@verifier("y", name="sorted")
def _sorted(text: str) -> bool:
    words = _content(text)
    return len(words) > 1 and words == sorted(words)


@verifier("y", name="content")
def _with_content(text: str) -> bool:
    words = _content(text)
    return 2 <= len(words) <= 4 and len(set(words)) == len(words)


@recipe("constraint-verification", PAPER, CLAIMS, PLAN)
def run(config: ActConfig, folder: Path) -> dict[str, Any]:
    """Sample, check, train and measure under every seed; returns the evidence. Finished parts are not repeated."""
    place = RecipeFolder(folder, "constraint-verification", PAPER, CLAIMS, asdict(config))
    size = config.base.steps * config.base.batch_size
    base = pretrained("ruled-lists", writers(size, seed=1), config.base, console=place.console)
    lab = _Lab(base, config, place)
    tables: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for seed in config.seeds:
        for arm in ARMS:
            tables[arm].append(lab.measured(arm, seed))
    kept = {f"prompts kept, seed {seed}": lab.provenance(seed)["kept"] / config.prompts for seed in config.seeds}
    return finished(place, PLAN, CLAIMS, config, tables, checks=kept, notes=NOTES)


class _Lab:
    """Preferences and results of one run; every result is a file that is made once."""

    def __init__(self, base: LoadedModel, config: ActConfig, place: RecipeFolder) -> None:
        self.base, self.config, self.place = base, config, place
        general = writers(config.general, seed=99)
        self.written = base_replies(base.model, base.tokenizer, general, seed=99)
        self.sets: dict[int, PreferenceSet] = {}

    def preferences(self, seed: int) -> PreferenceSet:
        """Sampled from the base model under one seed and checked; the same set for every arm."""
        if seed not in self.sets:
            wanted = requests(self.config.prompts, seed, names=TRAINED, label="train")
            asked = [Asked(one.id, [{"role": "user", "content": one.prompt}]) for one in wanted]
            checks = {one.id: checks_of(one) for one in wanted}
            self.sets = {seed: build_preferences(asked, self._sampler, checks, self.config.responses, seed=seed)}
        return self.sets[seed]

    def provenance(self, seed: int) -> dict[str, Any]:
        """What the preferences of a seed were made of, written once."""
        found: dict[str, Any] = self.place.once(f"preferences/{seed}", lambda: dict(self.preferences(seed).provenance))
        return found

    def _sampler(self, prompts: Sequence[Chat], m: int, seed: int) -> list[list[str]]:
        texts = [prompt[-1]["content"] for prompt in prompts for _ in range(m)]
        said = self._said(self.base.model, texts, derive(seed, "act", "samples"))
        return [said[i : i + m] for i in range(0, len(said), m)]

    def _said(self, model: Any, texts: Sequence[str], seed: int) -> list[str]:
        return answers(model, self.base.tokenizer, texts, max_new_tokens=20, temperature=1.0, seed=seed % 2**40)

    def measured(self, arm: str, seed: int) -> dict[str, Any]:
        """Scores of one arm under one seed: trained and measured once."""

        def work() -> dict[str, Any]:
            if arm == "base":
                return {"scores": self._scores(self.base.model, seed)}
            trained = self._train(arm, seed)
            return {"scores": self._scores(trained.model, seed), "cost": trained.cost}

        found: dict[str, Any] = self.place.once(f"results/{arm}-{seed}", work)
        return found

    def _train(self, arm: str, seed: int) -> TrainedArm:
        lists = self.preferences(seed).lists
        pick: Callable[[dict[str, Any]], str] = lambda row: row["responses"][0]  # noqa: E731
        if arm == "sft_any":
            pick = partial(_any, seed)
        rows = tokenised([(row["id"], row["prompt"][-1]["content"], pick(row)) for row in lists], self.base.tokenizer)
        parts = None
        if arm == "act":
            end = tuple(chat.end_of_turn_ids(self.base.tokenizer))
            rows = [self._listed(row, example, end) for row, example in zip(lists, rows, strict=True)]
            parts = {"ranking": ConstraintRanking(self.config.margin, self.config.sft_weight)}
        settings = settings_of(
            self.config.steps, batch_size=self.config.batch_size, learning_rate=self.config.learning_rate
        )
        work = self.place.folder / "work" / f"{arm}-{seed}"
        return tuned(self.base, rows, settings, seed=seed, folder=work, parts=parts)

    def _listed(self, row: dict[str, Any], example: Example, end: tuple[int, ...]) -> Example:
        said = self.base.tokenizer(row["responses"], add_special_tokens=False)["input_ids"]
        return replace(example, responses=tuple((*ids, *end) for ids in said), scores=tuple(row["scores"]))

    def _scores(self, model: Any, seed: int) -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {"task": {}}
        for metric, names in (("csr_trained", TRAINED), ("csr_held_out", HELD_OUT)):
            asked = requests(self.config.tested, 0, names=names, label=f"test-{metric}")
            said = self._said(model, [one.prompt for one in asked], derive(seed, "act", metric))
            kept = [sum(one.heeds(rule, text) for rule in one.rules) for one, text in zip(asked, said, strict=True)]
            found[metric] = {one.id: n / len(one.rules) for one, n in zip(asked, kept, strict=True)}
            found["task"] |= {one.id: float(one.answered(text)) for one, text in zip(asked, said, strict=True)}
        moved = divergence_from_base(self.base.model, model, self.written)
        return {**found, "divergence": dict(zip(moved.ids, map(float, moved.values), strict=True))}


def _any(seed: int, row: dict[str, Any]) -> str:
    """One of the answers, whatever its score."""
    return str(row["responses"][derive(seed, "any", row["id"]) % len(row["responses"])])
