"""A report as a real run would give it: scores drawn from a seed, compared by the library's own statistics."""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist

import numpy as np

from tutelage.report.document import (
    ArmCost,
    ArmResult,
    AssetUse,
    Cost,
    Curve,
    CurvePoint,
    DataFacts,
    Document,
    FlipCount,
    Histogram,
    Measure,
    ModelFacts,
    Note,
    Phase,
    Refinement,
    RegressionCase,
    RegressionSuite,
    RunFacts,
    Setting,
    SideBySide,
    headline,
)
from tutelage.stats import compare, compare_macro, estimate, estimate_macro, negative_flips
from tutelage.types import Scores

__all__ = ["example", "minimal"]

ABILITIES = {
    "instructions": ("Following instructions", 120),
    "arithmetic": ("Arithmetic", 120),
    "knowledge": ("Common knowledge", 300),
    "reading": ("Reading", 150),
}
RATES = {
    "base": (0.13, (0.55, 0.32, 0.47, 0.61), 3.02, 0.0),
    "raft": (0.46, (0.53, 0.33, 0.46, 0.60), 3.05, 0.06),
    "sft": (0.49, (0.19, 0.15, 0.43, 0.52), 3.41, 0.71),
    "sdft": (0.27, (0.54, 0.31, 0.47, 0.61), 3.03, 0.03),
}
SUMMARIES = {
    "base": "the model as it came",
    "raft": "refined answers plus answer-conditioned on-policy distillation, balanced",
    "sft": "supervised fine-tuning on the answers as given",
    "sdft": "on-policy self-distillation from the model shown the answer, no supervised part",
}


def _scores(name: str, arm: str, rate: float, n: int, *, lower: bool = False, spread: float = 0.0) -> Scores:
    """Items share their difficulty between arms, so that pairs are pairs."""
    shared = np.random.default_rng([len(name), n, 7]).standard_normal(n)
    noise = np.random.default_rng([len(arm), ord(arm[0]), len(name), n]).standard_normal(n)
    if lower:
        values = rate + spread * (0.3 * shared + 0.03 * noise)
    else:
        values = (0.95 * shared + 0.31 * noise < NormalDist().inv_cdf(rate)).astype(float)
    return Scores(name, tuple(f"{name}-{i}" for i in range(n)), values, higher_is_better=not lower)


def _measure(name: str, title: str, base: Scores, scores: Scores, *, unit: str = "points") -> Measure:
    if base is scores:
        return Measure(name, title, estimate(scores), unit=unit, higher_is_better=scores.higher_is_better)
    change = compare(base, scores, smallest_effect=0.05, resamples=500)
    flips = None
    if unit == "points":
        found = negative_flips(base, scores)
        flips = FlipCount(len(found.negative), len(found.positive), found.n, found.negative_rate)
    return Measure(name, title, estimate(scores), change, flips, unit, scores.higher_is_better)


def _all_scores(arm: str) -> dict[str, Scores]:
    rate, abilities, nll, kl = RATES[arm]
    found = {"domain": _scores("domain", arm, rate, 200)}
    for (name, (_, n)), ability in zip(ABILITIES.items(), abilities, strict=True):
        found[name] = _scores(name, arm, ability, n)
    found["text_nll"] = _scores("text_nll", arm, nll, 64, lower=True, spread=1.2)
    found["kl_to_base"] = _scores("kl_to_base", arm, kl, 64, lower=True, spread=kl)
    return found


def _arm(name: str) -> ArmResult:
    base = _all_scores("base")
    mine = base if name == "base" else _all_scores(name)
    composite = {k: mine[k] for k in ABILITIES}, {k: base[k] for k in ABILITIES}
    general = Measure("general", "General ability", estimate_macro(composite[0]))
    if name != "base":
        change = compare_macro(composite[1], composite[0], smallest_effect=0.04, resamples=500)
        general = Measure("general", "General ability", estimate_macro(composite[0]), change)
    return ArmResult(
        name=name,
        domain=_measure("domain", "Skill groups (domain)", base["domain"], mine["domain"]),
        general=general,
        abilities=tuple(_measure(k, title, base[k], mine[k]) for k, (title, _) in ABILITIES.items()),
        text_nll=_measure("text_nll", "General text", base["text_nll"], mine["text_nll"], unit="nats per token"),
        kl_to_base=None
        if name == "base"
        else _measure(
            "kl_to_base", "Distance from base", base["kl_to_base"], mine["kl_to_base"], unit="nats per token"
        ),
        summary=SUMMARIES[name],
        saved=None if name == "base" else f"arms/{name}/adapter",
    )


def _curve(arm: str, steps: int = 120) -> Curve:
    random = np.random.default_rng([len(arm), ord(arm[0])])
    points = []
    for step in range(1, steps + 1):
        fade, jitter = math.exp(-step / 25), 1 + 0.12 * random.standard_normal()
        sft = None if arm == "sdft" else (0.6 + 2.4 * fade) * jitter
        kl = None if arm == "sft" else (0.15 + 0.25 * fade) * (1 + 0.3 * random.standard_normal() ** 2)
        weight = None if kl is None else (1.0 if sft is None else min(10.0, 0.9 * sft / kl))
        points.append(
            CurvePoint(
                step,
                loss=(sft or 0) + (weight or 0) * (kl or 0),
                sft=sft,
                kl=kl,
                weight=weight,
                grad_norm=(3 + 6 * fade) * jitter,
                grad_norm_sft=None if sft is None else (2.5 + 5 * fade) * jitter,
                grad_norm_kl=None if kl is None else 0.4 * jitter,
                teacher_mass=None if kl is None else 0.985 + 0.004 * random.standard_normal(),
                student_mass_on_support=None if kl is None else 0.975 + 0.006 * random.standard_normal(),
                overlap=None if kl is None else 0.82 - 0.1 * (1 - fade) + 0.01 * random.standard_normal(),
                learning_rate=5e-4 * min(1, step / 12) * (1 - step / (steps + 1)),
                truncated=None if kl is None else max(0.0, 0.35 * fade + 0.03 * random.standard_normal()),
            )
        )
    return Curve(arm, tuple(points))


GROUPS = (
    "information skills",
    "assisting and caring",
    "working with computers",
    "handling and moving",
    "management skills",
)
SKILLS = (
    "interpret floor plans for visually impaired visitors",
    "calibrate laboratory furnaces",
    "moderate a forum",
    "set up a budget for a touring production",
    "stack pallets in cold storage",
    "teach sign language",
)


def _refinement() -> Refinement:
    random = np.random.default_rng(3)
    passed = np.histogram(np.clip(random.normal(0.9, 0.05, 512), 0.8, 1), np.linspace(0, 1, 21))[0]
    failed = np.histogram(np.clip(random.normal(0.68, 0.08, 118), 0, 0.799), np.linspace(0, 1, 21))[0]
    examples = [
        SideBySide(
            f"esco-{i}",
            f"Which skill group does “{skill}” belong to? Choose one: {', '.join(GROUPS)}.",
            GROUPS[i % 5],
            GROUPS[i % 5] if i > 3 else f"The skill “{skill}” belongs to the group {GROUPS[i % 5]}.",
            "It is a skill." if i > 3 else "",
            0.61 + 0.06 * i,
            "orig" if i > 3 else "fused",
            "similarity below 0.80" if i > 3 else "fused",
        )
        for i, skill in enumerate(SKILLS)
    ]
    return Refinement(
        rows=640,
        kept=128,
        rewritten=74,
        fused=438,
        reasons={"similarity below 0.80": 97, "a number was lost": 19, "no rewrite ended before the cap": 12},
        histogram=Histogram(tuple(i / 20 for i in range(21)), tuple(map(int, passed)), tuple(map(int, failed))),
        threshold=0.8,
        mean_words={"original": 2.1, "refined": 13.7},
        tokens_generated=38_214,
        seconds=151.2,
        examples=tuple(examples),
        warnings=("fuser and judge are the same model: it may favour its own wording",),
    )


def _regressions() -> tuple[RegressionSuite, ...]:
    tom = RegressionCase(
        "asdiv-0421",
        "Tom has 12 marbles. He gives 5 to Ann and then finds 3 more. How many marbles does Tom have now?",
        "Tom starts with 12 marbles. He gives away 5, so he has 12 - 5 = 7. Then he finds 3 more: 7 + 3 = 10.\n\n"
        "Tom has 10 marbles.",
        "12 marbles.",
        1.0,
        0.0,
        "10",
    )
    capital = RegressionCase(
        "ifr-0033",
        "Name three rivers of Europe. Write in capital letters only and do not use any commas.",
        "DANUBE\nRHINE\nLOIRE",
        "The rivers of Europe belong to the group of information skills.",
        1.0,
        0.0,
        None,
    )
    skill = RegressionCase(
        "esco-1180",
        "Which skill group does “moderate a forum” belong to? Choose one: information skills, assisting and caring, "
        "working with computers, handling and moving, management skills.",
        "Working with computers.",
        "The skill “moderate a forum” belongs to the group management skills.",
        1.0,
        0.0,
        "working with computers",
    )
    return (
        RegressionSuite("domain", "Skill groups (domain)", "raft", 200, 3, (skill,)),
        RegressionSuite("arithmetic", "Arithmetic", "raft", 120, 9, (tom, tom)),
        RegressionSuite("instructions", "Following instructions", "raft", 120, 11, (capital,)),
        RegressionSuite("reading", "Reading", "raft", 150, 0, ()),
    )


@cache
def example() -> Document:
    """Everything filled in: base, RAFT, SFT and SDFT."""
    arms = tuple(_arm(name) for name in RATES)
    main = arms[1]
    assert main.general is not None
    return Document(
        run=RunFacts(
            id="20260301-101500-04242",
            command="tutelage tune --model smollm2-135m-instruct --data esco-skill-groups --out runs/demo "
            "--method raft --compare-with sft --compare-with sdft --seed 0",
            created="2026-03-01T10:15:00Z",
            model=ModelFacts(
                "smollm2-135m-instruct",
                revision="12fd25f77366fa6b3b4b768ec3050bf629380bac",
                weights_hash="5af571cbf074e6d21a03528d2330792e532ca608f24ac70a143f6b369968ab8c",
                parameters=134_515_008,
                trainable=4_884_480,
                hub_id="HuggingFaceTB/SmolLM2-135M-Instruct",
                licence="apache-2.0",
            ),
            seed=0,
            seconds=561.4,
            threads=2,
            versions={"tutelage": "0.1.0", "torch": "2.13.0", "transformers": "5.23.0", "peft": "0.21.0"},
            environment={"python": "3.11.9", "system": "Linux", "machine": "x86_64", "cores": 2},
        ),
        headline=headline(
            "raft", "choice", main.domain.change, main.general.change, after=main.domain.estimate, trivial=0.24
        ),
        arms=arms,
        curves=tuple(_curve(name) for name in RATES if name != "base"),
        refinement=_refinement(),
        regressions=_regressions(),
        data=DataFacts(
            source="esco-skill-groups",
            rows_read=13_485,
            train_rows=640,
            test_rows=200,
            rejected={"duplicate prompt": 31, "empty answer": 4, "longer than 1024 tokens": 2},
            test_from="held out, 10% of the rows",
            format="task",
            source_hash="0f3a9c7715f2be64d1c0b0c5c0fa1d6a2f6b5b7d6a8d8f1c31f1f9d3c8f26b11",
            overlap_exact=6,
            overlap_near=14,
            overlap_removed=20,
            conflicts=2,
            most_frequent_answer=0.24,
            notes=("prompts were read from the column “question”",),
            assets=("esco-skills",),
        ),
        cost=Cost(
            arms=(
                ArmCost("raft", 120, 21_337, 88_102, 96_480, 61.3, 148.9),
                ArmCost("sft", 120, 0, 0, 47_120, 0.0, 71.4),
                ArmCost("sdft", 120, 20_904, 86_411, 41_300, 58.8, 96.0),
            ),
            phases=tuple(
                Phase(name, seconds, memory)
                for name, seconds, memory in (
                    ("data", 3.1, 640.0),
                    ("measure-base", 58.7, 1490.0),
                    ("refine", 151.2, 1612.0),
                    ("train-raft", 210.2, 2210.0),
                    ("measure-raft", 55.9, 2210.0),
                    ("save-raft", 6.1, 2410.0),
                )
            ),
            peak_memory_mib=2410.0,
        ),
        assets=(
            AssetUse("smollm2-135m-instruct", "the model", "model", "1.0", "ab" * 32, "Apache-2.0",
                     "https://huggingface.co/HuggingFaceTB", "Hugging Face TB Research", checked=True),
            AssetUse("esco-skills", "training and test data", "text", "1.2.0", "cd" * 32, "CC-BY-4.0",
                     "https://esco.ec.europa.eu", "European Commission, ESCO", checked=True),
            AssetUse("asdiv", "measuring arithmetic", "eval", "2.1", "ef" * 32, "CC-BY-NC-4.0",
                     "https://github.com/chaochun/nlu-asdiv-dataset", "Miao, Liang, Su 2020",
                     noncommercial=True, eval_only=True),
        ),
        settings=(
            Setting("method", "raft", "flag"),
            Setting("train.learning_rate", "0.0005", "run.toml:4"),
            Setting("train.batch_size", "8"),
            Setting("balance.lambda_max", "10.0"),
            Setting("distill.top_k", "512"),
        ),
        notes=(
            Note("Common knowledge is scored on items that the base may have seen in pre-training.", "note"),
            Note("20 training rows also stood in the test split and were removed before training."),
        ),
    )  # fmt: skip


def minimal() -> Document:
    """As little as a document can say: no arm measured, nothing else known."""
    return Document(
        run=RunFacts("run-1", "tutelage tune", "2026-03-01T10:15:00Z", ModelFacts("tiny")),
        headline=headline("raft", "choice", None, None),
        arms=(ArmResult("base", Measure("domain", "Domain")), ArmResult("raft", Measure("domain", "Domain"))),
    )
