"""MEET: controls of a language model are trained alone first, and only then together with it.

A model of about 0.9 million parameters always answers sums, sorting and copying with a lead-in ("Sum: 3 + 4 = 7").
From 600 pairs it is to learn to answer briefly ("7") or at length, whichever a control asks for. Every arm sees as many
rows; they differ in what the control is and in when the model is trained.
"""

from __future__ import annotations

import copy
import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.data import chat
from tutelage.models import LoadedModel
from tutelage.models.control_decoding import generate
from tutelage.models.controls import ControlKind, ControlSet, ControlSettings
from tutelage.papers.claim import Claim, Paper, Part, Plan, Resampled, recipe
from tutelage.papers.folder import RecipeFolder
from tutelage.papers.lab.arm import settings_of
from tutelage.papers.lab.base_model import BaseSettings, base_model, tokenised
from tutelage.papers.lab.instructions import Exercise, mixture
from tutelage.papers.lab.verdicts import finished
from tutelage.seeds import derive
from tutelage.training.control_tuning import ControlledExample, train_controls, train_joint
from tutelage.training.study import Split, kd_study
from tutelage.types import Sampling, Scores, TokenSequence

__all__ = ["ARMS", "CLAIMS", "PAPER", "PLAN", "MeetConfig", "brief", "exercises", "is_brief", "run", "trained"]

PAPER = Paper(
    title="Parameter-Efficient Tuning Helps Language Model Alignment",
    date="2023-10-01",
    arxiv="2310.00819",
    family="preference",
    summary="Train control tokens alone by parameter-efficient tuning first, then the language model with them.",
)
BRIEF, LONG = "brief", "long"
RATES = ("prompt_rate", "lora_rate", "model_rate", "joint_rate")
LEAD_INS = {"sum": "Sum:", "sort": "Sorted:", "copy": "Copy:", "pick": "It is"}
TEXTS = {BRIEF: "Answer briefly.", LONG: "Answer in full."}


@dataclass(frozen=True)
class ControlPlan:
    """One arm. ``alone`` is the share of the steps in which only the control is trained."""

    kind: ControlKind = "prompt"
    tokens: int = 20
    alone: float = 0.0
    handwritten: bool = False
    effort: float = 1.0


ARMS: dict[str, ControlPlan] = {
    "meet_prompt": ControlPlan(alone=0.5),
    "meet_lora": ControlPlan("lora", alone=0.5),
    "special_token": ControlPlan(tokens=1),
    "handwritten": ControlPlan(handwritten=True),
    "prompt_joint": ControlPlan(),
    "stage_1_only": ControlPlan(alone=1.0),
    "special_token_twice": ControlPlan(tokens=1, effort=2.0),
}
DESCRIBED = {
    "meet_prompt": "a soft prompt of 20 tokens for each attribute: half of the steps alone, half with the model",
    "meet_lora": "a LoRA adapter of rank 8 for each attribute: half of the steps alone, half with the model",
    "special_token": "one new token for each attribute, trained with the model from the start",
    "handwritten": "a request in words before the prompt; the model alone is trained",
    "prompt_joint": "the soft prompt of meet_prompt, but trained with the model from the start",
    "stage_1_only": "the soft prompt alone in all steps; the model is never trained",
    "special_token_twice": "special_token with twice the steps",
}
CONTROLS = ("special_token", "handwritten", "prompt_joint", "stage_1_only", "special_token_twice")
BOTH: Resampled = "seeds and items"
NOTES = (
    "Equal budgets are equal rows: every arm but special_token_twice sees as many prompts and replies; the tokens of "
    "the controls themselves are not counted.",
    "Separation is log p(brief reply | brief) - log p(brief reply | long) in nats; accuracy is greedy decoding, judged "
    "by the lead-in, over both controls.",
    "Brief replies are what the base model never gives, so the control 'long' is right from the start and accuracy "
    "begins at one half.",
    "Every arm tries its rates times 0.3, 1 and 3 on two selection seeds and keeps the scale that separates best on "
    "exercises of their own; training, choice and test share no prompt.",
    "The rates that are scaled, and 30 steps, come from pilots on seeds 100 and 101 that were uneven between the arms: "
    "two to four settings for most, one or two for stage_1_only, none for special_token_twice.",
    "prompt_joint tells the order of training from the size of the control: it differs from meet_prompt in that alone.",
    "The paper's stages were not found in code; its data (HH, TL;DR) and model sizes were not run.",
)


def _part(name: str, metric: str, arm: str, against: str) -> Part:
    return Part(f"{name}, {arm} - {against}", metric, arm, "greater", against, resampled=BOTH)


def _both(arm: str, against: str) -> tuple[Part, ...]:
    return (
        _part("control accuracy", "control_accuracy", arm, against),
        _part("separation (nats)", "separation", arm, against),
    )


CLAIMS = (
    Claim(
        "H1",
        "At as many rows, a soft prompt trained in two stages controls better than a special token trained jointly.",
        "abstract; spec",
        _both("meet_prompt", "special_token"),
    ),
    Claim(
        "H2",
        "At as many rows, LoRA controls trained in two stages control better than a special token trained jointly.",
        "abstract; spec",
        _both("meet_lora", "special_token"),
    ),
    Claim(
        "H3",
        "At as many rows, a soft prompt trained in two stages controls better than a request in words.",
        "abstract",
        _both("meet_prompt", "handwritten"),
    ),
    Claim(
        "H4",
        "It is the order that helps: the same soft prompt trained jointly from the start separates less.",
        "ablation asked for by the paper's reviewers, our design",
        (_part("separation (nats)", "separation", "meet_prompt", "prompt_joint"),),
    ),
    Claim(
        "H5",
        "The second stage is needed: controls alone separate less.",
        "ablation asked for by the paper's reviewers",
        (_part("separation (nats)", "separation", "meet_prompt", "stage_1_only"),),
    ),
)


@dataclass(frozen=True)
class MeetConfig:
    """Defaults: the CPU tier.

    Stage 1 has ``prompt_rate`` or ``lora_rate``, the model ``model_rate`` after it and ``joint_rate`` without it, a
    control trained with the model ``control_rate`` times the model's. ``scales`` multiplies all rates of an arm.
    """

    tier: str = "cpu"
    seeds: tuple[int, ...] = tuple(range(10))
    base: BaseSettings = field(default_factory=BaseSettings)
    pairs: int = 600
    held_out: int = 48
    chosen_on: int = 24
    scales: tuple[float, ...] = (0.3, 1.0, 3.0)
    selection_seeds: tuple[int, ...] = (100, 101)
    steps: int = 30
    batch_size: int = 8
    prompt_rate: float = 3e-2
    lora_rate: float = 1e-2
    model_rate: float = 1e-3
    joint_rate: float = 3e-3
    control_rate: float = 10.0
    resamples: int = 10_000


def cpu(seeds: int) -> MeetConfig:
    """The tier of the verdict."""
    return MeetConfig(seeds=tuple(range(seeds)))


def smoke(seeds: int) -> MeetConfig:
    """Everything once, in seconds, on a model that has learnt nothing: no verdict."""
    tiny = BaseSettings(width=32, layers=1, heads=2, inner=64, steps=3, batch_size=8)
    return MeetConfig(
        "smoke", tuple(range(seeds)), tiny, pairs=8, held_out=4, chosen_on=2, scales=(1.0, 3.0), selection_seeds=(100,),
        steps=2, batch_size=2, resamples=200,
    )  # fmt: skip


PLAN = Plan(
    tiers={"smoke": smoke, "cpu": cpu}, arms=DESCRIBED, controls=CONTROLS, seconds={"smoke": 10, "cpu": 480}, seeds=10
)


def brief(exercise: Exercise) -> str:
    """The reply without its lead-in; of a sum the total alone.

    Example:
        >>> brief(Exercise("0", "sum", "Add 3 4", "Sum: 3 + 4 = 7"))
        '7'
    """
    rest = exercise.reply.removeprefix(LEAD_INS[exercise.kind]).strip()
    return rest.rpartition("= ")[2] if exercise.kind == "sum" else rest


def is_brief(text: str) -> bool:
    """Whether a reply begins with none of the lead-ins."""
    return not text.strip().startswith(tuple(LEAD_INS.values()))


def exercises(config: MeetConfig) -> dict[str, list[Exercise]]:
    """Exercises that can be answered both ways, for training, choice and test; no prompt stands twice."""
    shown: set[str] = set()
    found: dict[str, list[Exercise]] = {}
    for name, count, seed in (
        ("test", config.held_out, 98),
        ("validation", config.chosen_on, 96),
        ("train", config.pairs, 97),
    ):
        fresh = {one.prompt: one for one in mixture(8 * count + 50, seed) if one.kind in LEAD_INS and brief(one)}
        found[name] = [one for prompt, one in fresh.items() if prompt not in shown][:count]
        shown |= {one.prompt for one in found[name]}
    return found


@recipe("meet", PAPER, CLAIMS, PLAN)
def run(config: MeetConfig, folder: Path) -> dict[str, Any]:
    """Choose every arm's scale, train it under every seed, judge; returns the evidence."""
    place = RecipeFolder(folder, "meet", PAPER, CLAIMS, asdict(config))
    base = base_model(config.base, console=place.console)
    parts = exercises(config)
    choosing: list[dict[str, float]] = []

    def cell(arm: str, scale: float, seed: int, split: Split) -> dict[str, Any]:
        name = f"{arm}-{scale:g}-{seed}"
        work = partial(
            _measured, ARMS[arm], scale, seed, config, base, parts["train"], parts[split], folder / "work" / name
        )
        found: dict[str, Any] = place.once(f"results/{name}", work)
        return found

    def evaluate(arm: str, scale: float, seed: int, split: Split) -> Scores:
        found = cell(arm, scale, seed, split)
        if split == "validation":
            choosing.append(found["cost"])
        separation = found["scores"]["separation"]
        return Scores("separation", tuple(separation), np.array(list(separation.values())))

    grids = dict.fromkeys(ARMS, config.scales)
    report = kd_study(grids, evaluate, selection_seeds=config.selection_seeds, seeds=config.seeds)
    tables = {arm: [cell(arm, report.chosen[arm], seed, "test") for seed in config.seeds] for arm in ARMS}
    facts = {arm: {"rate_scale": report.chosen[arm]} for arm in ARMS}
    first = next(iter(tables.values()))[0]
    first["cost"] = {key: value + sum(one[key] for one in choosing) for key, value in first["cost"].items()}
    return finished(place, PLAN, CLAIMS, config, tables, notes=NOTES, more=facts)


def _measured(
    plan: ControlPlan,
    scale: float,
    seed: int,
    config: MeetConfig,
    base: LoadedModel,
    shown: Sequence[Exercise],
    asked: Sequence[Exercise],
    work: Path,
) -> dict[str, Any]:
    started = time.process_time()
    rates = {name: scale * getattr(config, name) for name in RATES}
    controls, cost = trained(plan, seed, replace(config, **rates), base, shown, work)
    return {"scores": _scores(controls, base, asked), "cost": {**cost, "cpu_seconds": time.process_time() - started}}


def trained(
    plan: ControlPlan, seed: int, config: MeetConfig, base: LoadedModel, shown: Sequence[Exercise], work: Path
) -> tuple[ControlSet, dict[str, float]]:
    """The controls of one arm on a copy of the base model, trained; and the tokens that took."""
    shutil.rmtree(work, ignore_errors=True)  # left by a killed process: an arm takes seconds and is trained anew
    texts = {name: base.tokenizer(text, add_special_tokens=False)["input_ids"] for name, text in TEXTS.items()}
    tokens = max(map(len, texts.values())) if plan.handwritten else plan.tokens
    settings = ControlSettings(plan.kind, tokens, initial=texts if plan.handwritten else {})
    controls = ControlSet(copy.deepcopy(base.model), (BRIEF, LONG), settings, seed=seed)
    rows = _rows(shown, base, seed)
    steps = round(plan.effort * config.steps)
    alone = round(plan.alone * steps)
    cost = 0.0
    if alone:
        rate = config.prompt_rate if plan.kind == "prompt" else config.lora_rate
        first = settings_of(alone, batch_size=config.batch_size, learning_rate=rate)
        cost += train_controls(
            controls, base.tokenizer, rows, first, seed=derive(seed, "alone") % 2**31, folder=work / "alone"
        ).tokens_trained
    if steps > alone:
        rate = config.model_rate if alone else config.joint_rate
        second = settings_of(steps - alone, batch_size=config.batch_size, learning_rate=rate)
        cost += train_joint(
            controls, base.tokenizer, rows, second, seed=derive(seed, "joint") % 2**31, folder=work / "joint",
            control_rate=0.0 if plan.handwritten else config.control_rate,
        ).tokens_trained  # fmt: skip
    shutil.rmtree(work, ignore_errors=True)
    return controls, {"tokens_trained": cost}


def _rows(shown: Sequence[Exercise], base: LoadedModel, seed: int) -> list[ControlledExample]:
    """Every exercise as two rows, in an order of the seed."""
    found = []
    for name in (BRIEF, LONG):
        texts = [(f"{one.id}/{name}", one.prompt, brief(one) if name == BRIEF else one.reply) for one in shown]
        found += [ControlledExample(one, name) for one in tokenised(texts, base.tokenizer)]
    random.Random(derive(seed, "rows")).shuffle(found)
    return found


def _scores(controls: ControlSet, base: LoadedModel, asked: Sequence[Exercise]) -> dict[str, dict[str, float]]:
    rows = {
        BRIEF: tokenised([(one.id, one.prompt, brief(one)) for one in asked], base.tokenizer),
        LONG: tokenised([(one.id, one.prompt, one.reply) for one in asked], base.tokenizer),
    }
    stop = chat.end_of_turn_ids(base.tokenizer)
    accuracy: dict[str, float] = {}
    fluency: dict[str, float] = {}
    logprobs: dict[str, list[Any]] = {}
    for name in (BRIEF, LONG):
        drawn = generate(
            controls, base.tokenizer, [row.prompt for row in rows[name]], control=name,
            sampling=Sampling(24, 0.0), seeds=[0] * len(asked), stop_ids=stop,
        )  # fmt: skip
        for one, rollout in zip(asked, drawn, strict=True):
            text = str(base.tokenizer.decode(list(rollout.token_ids), skip_special_tokens=True))
            accuracy[f"{one.id}/{name}"] = float(is_brief(text) == (name == BRIEF))
        own = controls.score([TokenSequence(r.prompt + r.completion, len(r.prompt)) for r in rows[name]], name)
        fluency |= {f"{one.id}/{name}": -float(s.logprobs.mean()) for one, s in zip(asked, own, strict=True)}
        shown = [TokenSequence(r.prompt + r.completion, len(r.prompt)) for r in rows[BRIEF]]
        logprobs[name] = controls.score(shown, name)
    separation = {
        one.id: float(good.logprobs.sum() - bad.logprobs.sum())
        for one, good, bad in zip(asked, logprobs[BRIEF], logprobs[LONG], strict=True)
    }
    return {"control_accuracy": accuracy, "separation": separation, "fluency_nll": fluency}
