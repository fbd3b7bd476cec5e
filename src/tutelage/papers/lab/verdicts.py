"""From what every arm scored under every seed to the evidence: the same last step in every recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tutelage.papers.claim import Claim, Plan, gathered, judge_claim
from tutelage.papers.evidence import claim_record
from tutelage.papers.folder import RecipeFolder

__all__ = ["finished"]

Row = Mapping[str, Any]


def finished(
    place: RecipeFolder,
    plan: Plan,
    claims: Sequence[Claim],
    config: Any,
    tables: Mapping[str, Sequence[Row]],
    *,
    checks: Mapping[str, float] | None = None,
    notes: Sequence[str] = (),
    more: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Judge the claims and write the evidence.

    Args:
        place: the run's folder.
        plan: of the recipe.
        claims: of the recipe.
        config: dataclass with ``tier``, ``seeds`` and ``resamples``.
        tables: per arm one row a seed, ``{"scores": {metric: {item: value}}, "cost": {what: number}}``; an arm that is
            the same under every seed may give a single row.
        checks: what had to hold before the arms were run.
        notes: what a reader must know.
        more: further facts of an arm, such as the learning rate that was chosen.
    """
    seeds = config.seeds
    full = {arm: list(rows) * len(seeds) if len(rows) == 1 else list(rows) for arm, rows in tables.items()}
    results = {arm: gathered(rows, seeds) for arm, rows in full.items()}
    judged = [claim_record(claim, *judge_claim(claim, results, resamples=config.resamples)) for claim in claims]
    arms: dict[str, dict[str, Any]] = {
        arm: {name: one.summary() for name, one in metrics.items()} for arm, metrics in results.items()
    }
    for arm, facts in (more or {}).items():
        arms[arm] |= facts
    cost: dict[str, float] = {}
    for rows in tables.values():
        for row in rows:
            for key, value in row.get("cost", {}).items():
                cost[key] = cost.get(key, 0.0) + value
    assert place.config["seeds"] == list(asdict(config)["seeds"])
    return place.evidence(config.tier, seeds, judged, arms, checks or {}, cost, notes, plan)
