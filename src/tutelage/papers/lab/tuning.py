"""Tuning the laboratory's base model on facts: refine their answers, then train one arm with the house's loop."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from transformers import PreTrainedModel

from tutelage.functional.divergence import DivergenceSettings
from tutelage.models import LoadedModel
from tutelage.objectives import ContextDistillation, Objective, SupervisedFineTuning
from tutelage.papers.lab.arm import REPLY_TOKENS, settings_of, tuned
from tutelage.papers.lab.base_model import tokenised
from tutelage.papers.lab.instructions import reading_prompt
from tutelage.papers.lab.measurement import contains, replies
from tutelage.papers.lab.world import Fact, held_out_facts, rewrite_prompt
from tutelage.refine import CallCache, Case, RuleJudge, TemplateFuser
from tutelage.refine.checks import what_is_lost
from tutelage.training.balance import Balance, EmaBalance, FixedBalance
from tutelage.training.settings import RolloutSettings
from tutelage.training.task import Example

__all__ = ["ArmPlan", "FactArm", "LabTraining", "base_abilities", "refined_answers", "train_arm"]


@dataclass(frozen=True)
class ArmPlan:
    """One way to learn the facts.

    ``answers``: the owner's terse ones, the model's rewrites, or the fused ones. ``conditioned``: the teacher sees the
    answer. ``kl_weight``: a fixed weight of the distillation, or None for the moving-average balance.
    """

    answers: Literal["original", "rewritten", "fused"]
    supervised: bool
    distilled: bool
    conditioned: bool = False
    kl_weight: float | None = None


@dataclass(frozen=True)
class LabTraining:
    """What all arms share. Paper: K = 512 of a large vocabulary, T = 1.5, batch 16, three epochs."""

    steps: int = 60
    batch_size: int = 8
    reply_tokens: int = REPLY_TOKENS
    top_k: int = 64
    temperature: float = 1.5


@dataclass(frozen=True)
class FactArm:
    """The tuned model, the balance CE / (lambda KL) of each step where there are both, and what it cost."""

    model: PreTrainedModel
    ratios: list[float]
    cost: dict[str, float] = field(default_factory=dict)


def base_abilities(base: LoadedModel) -> dict[str, float]:
    """Share of 100 facts with unseen names that the base model gets right: saying a terse answer as a sentence, and
    answering from a reference sentence or a terse one, in the words in which RAFT shows it to the teacher.
    """
    facts = held_out_facts()
    asked = {
        "rewrites": [rewrite_prompt(f.question(0), f.terse()) for f in facts],
        "reads_sentences": [reading_prompt(f, f.sentence, i % 4) for i, f in enumerate(facts)],
        "reads_terse": [reading_prompt(f, f.terse(), i % 4) for i, f in enumerate(facts)],
    }
    shares = {}
    for name, prompts in asked.items():
        said = replies(base.model, base.tokenizer, prompts)
        shares[name] = sum(contains(text, f.value) for text, f in zip(said, facts, strict=True)) / len(facts)
    return shares


def refined_answers(base: LoadedModel, facts: Sequence[Fact], wording: int) -> list[dict[str, str]]:
    """Per fact: ``original``, ``rewritten`` (by the base model itself, where faithful) and ``fused`` answers.

    Stage 1 of RAFT in small: one greedy rewrite; the filter is the house's strict check of values, numbers and names
    (no encoder: its cosine is blind to invented words); the template fuser puts value and code in as they are written;
    the rule judge decides between fusion and rewrite. A fact without a faithful rewrite keeps its original answer.
    """
    questions = [fact.question(wording) for fact in facts]
    asked = [rewrite_prompt(question, fact.terse()) for question, fact in zip(questions, facts, strict=True)]
    fuser, judge, found = TemplateFuser(), RuleJudge(), []
    with CallCache() as calls:
        for fact, question, text in zip(facts, questions, replies(base.model, base.tokenizer, asked), strict=True):
            case = Case(question, fact.plain, text.strip())
            original = fact.terse()
            if not case.text or not what_is_lost(case, 8).ok:
                found.append({"original": original, "rewritten": original, "fused": original})
                continue
            fused = fuser.fuse([case], 0, calls)[0].text
            both = [Case(question, fact.plain, fused), case]
            of_fused, of_rewrite = (score or 0.0 for score in judge.scores(both, calls))
            chosen = fused if of_fused >= of_rewrite else case.text
            found.append({"original": original, "rewritten": case.text, "fused": chosen})
    return found


def train_arm(
    base: LoadedModel,
    plan: ArmPlan,
    facts: Sequence[Fact],
    answers: Sequence[dict[str, str]],
    shared: LabTraining,
    *,
    learning_rate: float,
    seed: int,
    folder: Path,
    schedule: str = "linear",
    **more: Any,
) -> FactArm:
    """Full fine-tuning of a copy of ``base``; the frozen base is the teacher. ``folder`` is removed at the end.

    ``more`` goes to :func:`tutelage.papers.lab.arm.tuned`: reweighting, a curriculum, averaging.

    An arm takes seconds, so an interrupted one is not continued but trained again, to the same weights.
    """
    teacher = copy.deepcopy(base.model).eval().requires_grad_(False) if plan.distilled else None
    settings = settings_of(shared.steps, batch_size=shared.batch_size, learning_rate=learning_rate, schedule=schedule)
    arm = tuned(
        base,
        _examples(base, plan, facts, answers),
        settings,
        seed=seed,
        folder=folder,
        parts=_parts(plan, shared),
        teacher=teacher,
        rollout=RolloutSettings(max_new_tokens=shared.reply_tokens),
        balance=_balance(plan),
        **more,
    )
    return FactArm(arm.model, [_ratio(one) for one in arm.steps if {"sft/loss", "kl/loss"} <= set(one)], arm.cost)


def _ratio(metrics: dict[str, float]) -> float:
    """CE / (lambda KL) of one step."""
    weighted = metrics["kl/weight"] * metrics["kl/loss"]
    return metrics["sft/loss"] / weighted if weighted > 0 else float("inf")


def _examples(
    base: LoadedModel, plan: ArmPlan, facts: Sequence[Fact], answers: Sequence[dict[str, str]]
) -> list[Example]:
    chosen = [answer[plan.answers] for answer in answers]
    rows = [(fact.name, fact.question(0), text) for fact, text in zip(facts, chosen, strict=True)]
    plain = tokenised(rows, base.tokenizer)
    if not plan.conditioned:
        return plain
    shown = [(fact.name, reading_prompt(fact, text, 0), "") for fact, text in zip(facts, chosen, strict=True)]
    contexts = tokenised(shown, base.tokenizer)
    return [Example(p.id, p.prompt, p.completion, c.prompt) for p, c in zip(plain, contexts, strict=True)]


def _parts(plan: ArmPlan, shared: LabTraining) -> dict[str, Objective]:
    divergence = DivergenceSettings(support="teacher", k=shared.top_k, temperature=shared.temperature)
    parts: dict[str, Objective] = {"sft": SupervisedFineTuning(), "kl": ContextDistillation(divergence)}
    wanted = {"sft": plan.supervised, "kl": plan.distilled}
    return {name: part for name, part in parts.items() if wanted[name]}


def _balance(plan: ArmPlan) -> Balance:
    if not (plan.supervised and plan.distilled):
        return FixedBalance()
    return EmaBalance("sft", "kl") if plan.kl_weight is None else FixedBalance({"kl": plan.kl_weight})
