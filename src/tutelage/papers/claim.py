"""A paper, its claims, and the rule that turns measurements into verdicts: all of it data, fixed before the run.

A claim is made of parts, each a difference between two arms (or an arm and a number) with a direction. All parts
replicated: the claim is. One part refuted: it is not. Anything else is inconclusive.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.errors import DataError
from tutelage.io import content_hash
from tutelage.registry import Registry
from tutelage.stats import ClaimVerdict, paired_bootstrap, verdict
from tutelage.stats.verdict import Direction
from tutelage.types import FloatArray

__all__ = [
    "Claim",
    "Measured",
    "Paper",
    "Part",
    "Recipe",
    "Results",
    "gathered",
    "judge_claim",
    "judge_part",
    "overall",
    "recipe",
    "recipes",
    "rule_hash",
]


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
    than that on the wrong side (see :func:`tutelage.stats.verdict`).
    """

    name: str
    metric: str
    arm: str
    direction: Direction
    against: str | None = None
    threshold: float | None = None
    margin: float | None = None

    def __post_init__(self) -> None:
        if (self.against is None) == (self.threshold is None):
            raise DataError("a part is measured against an arm or a number, one of them", where=f"part {self.name!r}")


@dataclass(frozen=True)
class Claim:
    """A falsifiable statement, where the paper or spec makes it, and the parts that all must hold."""

    id: str
    statement: str
    source: str
    parts: tuple[Part, ...]


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
class Recipe:
    """A paper's experiment: ``tiers`` maps the tier's name to a function (seeds) -> config; ``run(config, folder)``."""

    slug: str
    paper: Paper
    claims: tuple[Claim, ...]
    tiers: Mapping[str, Callable[[int], Any]]
    run: Run


recipes: Registry[Recipe] = Registry("recipe")


def recipe(
    slug: str, paper: Paper, claims: Sequence[Claim], tiers: Mapping[str, Callable[[int], Any]]
) -> Callable[[Run], Run]:
    """Decorator: register ``run`` as the recipe ``slug`` and leave it untouched."""

    def decorate(run: Run) -> Run:
        link = f"https://arxiv.org/abs/{paper.arxiv}"
        recipes.register(slug, paper=link)(Recipe(slug, paper, tuple(claims), dict(tiers), run))
        return run

    return decorate


def rule_hash(claims: Sequence[Claim], config: Mapping[str, Any]) -> str:
    """SHA-256 of claims and configuration: what is written down before the run cannot be bent after it."""
    return content_hash({"claims": [asdict(claim) for claim in claims], "config": dict(config)})


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
    drawn = paired_bootstrap(other, first.values, cluster=first.seeds, resamples=resamples, seed=seed)
    return verdict(drawn.delta, part.direction, part.margin)


def judge_claim(claim: Claim, results: Results, *, resamples: int = 10_000) -> tuple[str, dict[str, ClaimVerdict]]:
    """The claim's verdict ("replicated", "not replicated" or "inconclusive") and that of each part."""
    parts = {part.name: judge_part(part, results, resamples=resamples) for part in claim.parts}
    return overall([found.outcome for found in parts.values()]), parts


def overall(outcomes: Sequence[str]) -> str:
    """The verdict on a claim from the outcomes of its parts.

    Example:
        >>> overall(["replicated", "inconclusive"]), overall(["inconclusive", "refuted"])
        ('inconclusive', 'not replicated')
    """
    if "refuted" in outcomes:
        return "not replicated"
    return "replicated" if set(outcomes) == {"replicated"} else "inconclusive"


def _measured(results: Results, arm: str, metric: str) -> Measured:
    try:
        return results[arm][metric]
    except KeyError as error:
        raise DataError(f"{metric} of the arm {arm} was not measured", hint="run the recipe with this arm") from error
