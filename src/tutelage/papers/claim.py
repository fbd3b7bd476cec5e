"""A paper, its claims, and the rule that turns measurements into verdicts: all of it data, fixed before the run.

A claim is made of parts, each a difference between two arms (or an arm and a number) with a direction. All parts
replicated: the claim is. One part refuted: it is not. Anything else is inconclusive. A claim may need fewer of its
parts, such as two tasks of three: then it is not replicated once too few are left that could be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tutelage.errors import ConfigError, DataError
from tutelage.io import content_hash
from tutelage.registry import Registry
from tutelage.stats import ClaimVerdict, paired_bootstrap, two_level_bootstrap, verdict
from tutelage.stats.verdict import Direction
from tutelage.types import Estimate, FloatArray

__all__ = [
    "Claim",
    "Measured",
    "Paper",
    "Part",
    "Plan",
    "Recipe",
    "Resampled",
    "Results",
    "Tier",
    "gathered",
    "judge_claim",
    "judge_part",
    "overall",
    "recipe",
    "recipes",
    "rule_hash",
    "rule_records",
]

Tier = Literal["smoke", "cpu", "full", "gpu"]
Resampled = Literal["seeds", "seeds and items"]


@dataclass(frozen=True)
class Paper:
    """What is being tested. ``code`` is the official code's address, empty when none was found."""

    title: str
    date: str
    arxiv: str
    family: str
    summary: str
    code: str = ""


@dataclass(frozen=True)
class Part:
    """One comparison: mean of ``metric`` in ``arm`` minus that in ``against`` (an arm) or ``threshold`` (a number).

    ``direction`` is the claimed sign of the difference; with ``margin`` the claim is that it does not fall further
    than that on the wrong side (see :func:`tutelage.stats.verdict`). ``resampled`` says what another run would have
    drawn anew: other seeds on these items, or other seeds and other items (the same items under every seed).
    """

    name: str
    metric: str
    arm: str
    direction: Direction
    against: str | None = None
    threshold: float | None = None
    margin: float | None = None
    resampled: Resampled = "seeds"

    def __post_init__(self) -> None:
        if (self.against is None) == (self.threshold is None):
            raise DataError("a part is measured against an arm or a number, one of them", where=f"part {self.name!r}")

    def record(self) -> dict[str, Any]:
        """The part as it is hashed and written; what is left at ``resampled="seeds"`` is not said."""
        found = asdict(self)
        if self.resampled == "seeds":
            del found["resampled"]
        return found


@dataclass(frozen=True)
class Claim:
    """A falsifiable statement, where the paper or spec makes it, and the parts that must hold: all, or ``needed``.

    Raises:
        DataError: it needs no part, or more than there are.
    """

    id: str
    statement: str
    source: str
    parts: tuple[Part, ...]
    needed: int | None = None

    def __post_init__(self) -> None:
        if self.needed is not None and not 1 <= self.needed <= len(self.parts):
            raise DataError(f"{self.needed} of {len(self.parts)} parts are needed", where=f"claim {self.id!r}")

    def record(self) -> dict[str, Any]:
        """The claim as it is hashed and written; that all parts are needed is not said."""
        found = {**asdict(self), "parts": [part.record() for part in self.parts]}
        if self.needed is None:
            del found["needed"]
        return found


@dataclass(frozen=True)
class Measured:
    """One metric of one arm: ``values`` [N] of the items ``ids`` [N] under the seeds ``seeds`` [N]."""

    seeds: tuple[int, ...]
    ids: tuple[str, ...]
    values: FloatArray

    def __post_init__(self) -> None:
        if not len(self.seeds) == len(self.ids) == len(self.values):
            raise DataError(f"{len(self.seeds)} seeds, {len(self.ids)} ids and {len(self.values)} values")

    def summary(self) -> dict[str, float]:
        """Mean over the seeds, and the seeds' lowest and highest mean."""
        seeds = np.array(self.seeds)
        means = [float(self.values[seeds == seed].mean()) for seed in sorted(set(self.seeds))]
        return {"mean": float(np.mean(means)), "lowest_seed": min(means), "highest_seed": max(means)}


def gathered(rows: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> dict[str, Measured]:
    """One arm's results, a row a seed with ``row["scores"][metric][id]``, as one :class:`Measured` a metric."""
    found = {}
    for metric in rows[0]["scores"]:
        cells = [(s, i, v) for s, row in zip(seeds, rows, strict=True) for i, v in row["scores"][metric].items()]
        owners, ids, values = zip(*cells, strict=True)
        found[metric] = Measured(owners, ids, np.array(values))
    return found


Results = Mapping[str, Mapping[str, Measured]]
"""Arm, then metric."""

Run = Callable[[Any, Path], dict[str, Any]]


@dataclass(frozen=True)
class Plan:
    """How a recipe is run.

    Attributes:
        tiers: from a tier's name to a function (number of seeds) -> config; "smoke" and "cpu" are always there.
        arms: from an arm's name to what it does, the controls included.
        controls: the arms that are there to be beaten: doing nothing, the same effort spent otherwise.
        seconds: from a tier's name to the CPU-seconds to expect of it with ``seeds`` seeds on one thread.
        seeds: how many seeds the verdict takes.
    """

    tiers: Mapping[Tier, Callable[[int], Any]]
    arms: Mapping[str, str]
    controls: tuple[str, ...]
    seconds: Mapping[Tier, float]
    seeds: int = 5


@dataclass(frozen=True)
class Recipe:
    """A paper's experiment: claims fixed before the run, the plan, and ``run(config, folder)`` -> evidence."""

    slug: str
    paper: Paper
    claims: tuple[Claim, ...]
    plan: Plan
    run: Run

    def config(self, tier: str, seeds: int | None = None) -> Any:
        """The configuration of a tier, with the plan's number of seeds unless another is given.

        Raises:
            ConfigError: the recipe has no such tier.
        """
        for name, make in self.plan.tiers.items():
            if name == tier:
                return make(self.plan.seeds if seeds is None else seeds)
        raise ConfigError(
            f"there is no tier {tier!r}", where=f"recipe {self.slug}", hint=f"one of {', '.join(self.plan.tiers)}"
        )


recipes: Registry[Recipe] = Registry("recipe")


def recipe(slug: str, paper: Paper, claims: Sequence[Claim], plan: Plan) -> Callable[[Run], Run]:
    """Decorator: register ``run`` as the recipe ``slug`` and leave it untouched.

    Raises:
        DataError: a control is no arm, a claim compares arms that are not there, a tier has no expected cost.
    """
    named = {arm for claim in claims for part in claim.parts for arm in (part.arm, part.against) if arm is not None}
    unknown = sorted((named | set(plan.controls)) - set(plan.arms))
    if unknown:
        raise DataError(f"arms that the plan does not name: {', '.join(unknown)}", where=f"recipe {slug}")
    if not {"smoke", "cpu"} <= set(plan.tiers) or set(plan.tiers) != set(plan.seconds):
        raise DataError("smoke and cpu are needed, and the seconds of every tier", where=f"recipe {slug}")

    def decorate(run: Run) -> Run:
        link = f"https://arxiv.org/abs/{paper.arxiv}"
        recipes.register(slug, paper=link)(Recipe(slug, paper, tuple(claims), plan, run))
        return run

    return decorate


def rule_records(claims: Sequence[Claim]) -> list[dict[str, Any]]:
    """The claims with their rules as they stand in the evidence."""
    return [claim.record() for claim in claims]


def rule_hash(claims: Sequence[Claim], config: Mapping[str, Any]) -> str:
    """SHA-256 of claims and configuration: what is written down before the run cannot be bent after it."""
    return content_hash({"claims": rule_records(claims), "config": dict(config)})


def judge_part(part: Part, results: Results, *, resamples: int = 10_000, seed: int = 0) -> ClaimVerdict:
    """The part's difference with its interval, paired by seed and item and clustered by seed, and what it says.

    Raises:
        DataError: an arm or metric was not measured, or two arms not on the same items.
    """
    first = _measured(results, part.arm, part.metric)
    if part.against is None:
        other: FloatArray = np.full(len(first.values), part.threshold, dtype=np.float64)
    else:
        second = _measured(results, part.against, part.metric)
        if (second.seeds, second.ids) != (first.seeds, first.ids):
            raise DataError(
                f"{part.arm} and {part.against} were not measured on the same items and seeds",
                where=f"metric {part.metric}",
            )
        other = second.values
    interval = _interval(part, first, first.values - other, resamples, seed)
    return verdict(interval, part.direction, part.margin)


def _interval(part: Part, owner: Measured, differences: FloatArray, resamples: int, seed: int) -> Estimate:
    if part.resampled == "seeds":
        none = np.zeros(len(differences))
        return paired_bootstrap(none, differences, cluster=owner.seeds, resamples=resamples, seed=seed).delta
    seeds = list(dict.fromkeys(owner.seeds))
    table = {
        one: {i: d for s, i, d in zip(owner.seeds, owner.ids, differences, strict=True) if s == one} for one in seeds
    }
    items = list(table[seeds[0]])
    if any(list(row) != items for row in table.values()):
        raise DataError("not every seed has the same items in the same order", where=f"metric {part.metric}")
    scores = [[row[item] for item in items] for row in table.values()]
    return two_level_bootstrap(scores, resamples=resamples, seed=seed).mean


def judge_claim(claim: Claim, results: Results, *, resamples: int = 10_000) -> tuple[str, dict[str, ClaimVerdict]]:
    """The claim's verdict ("replicated", "not replicated" or "inconclusive") and that of each part."""
    parts = {part.name: judge_part(part, results, resamples=resamples) for part in claim.parts}
    return overall([found.outcome for found in parts.values()], claim.needed), parts


def overall(outcomes: Sequence[str], needed: int | None = None) -> str:
    """The verdict on a claim from the outcomes of its parts, of which all or ``needed`` must be replicated.

    Example:
        >>> overall(["replicated", "inconclusive"]), overall(["inconclusive", "refuted"])
        ('inconclusive', 'not replicated')
    """
    needed = len(outcomes) if needed is None else needed
    if outcomes.count("replicated") >= needed:
        return "replicated"
    return "not replicated" if len(outcomes) - outcomes.count("refuted") < needed else "inconclusive"


def _measured(results: Results, arm: str, metric: str) -> Measured:
    try:
        return results[arm][metric]
    except KeyError as error:
        raise DataError(f"{metric} of the arm {arm} was not measured", hint="run the recipe with this arm") from error
