"""Evidence: one JSON a recipe, strict enough that a verdict in it can be recomputed and cannot be edited by hand."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tutelage.errors import DataError
from tutelage.io import content_hash, write_json
from tutelage.io.documents import read_json
from tutelage.papers.claim import Claim, overall
from tutelage.stats import ClaimVerdict, verdict
from tutelage.types import Estimate

__all__ = [
    "FORMAT",
    "board",
    "check_evidence",
    "claim_record",
    "part_record",
    "read_evidence",
    "versions",
    "write_evidence",
]

FORMAT = 1
SEEDS_NEEDED = 5
TIERS = ("smoke", "cpu", "gpu")
KEYS: dict[str, type] = {
    "format": int,
    "slug": str,
    "paper": dict,
    "tier": str,
    "seeds": list,
    "claims": list,
    "rules": list,
    "config": dict,
    "rule_hash": str,
    "arms": dict,
    "notes": list,
    "checks": dict,
    "cost": dict,
    "versions": dict,
    "command": str,
}
CLAIM_KEYS = {"id", "statement", "verdict", "parts"}
PART_KEYS = {"name", "direction", "margin", "outcome", "minimum_detectable", "delta"}
DELTA_KEYS = {"value", "low", "high", "level", "method", "n", "n_clusters", "seed"}


def part_record(name: str, found: ClaimVerdict) -> dict[str, Any]:
    """One part of a claim as it stands in the evidence."""
    return {
        "name": name,
        "direction": found.direction,
        "margin": found.margin,
        "outcome": found.outcome,
        "minimum_detectable": found.minimum_detectable,
        "delta": dict(vars(found.interval)),
    }


def claim_record(claim: Claim, outcome: str, parts: Mapping[str, ClaimVerdict]) -> dict[str, Any]:
    """A claim with its verdict as it stands in the evidence."""
    records = [part_record(name, found) for name, found in parts.items()]
    return {"id": claim.id, "statement": claim.statement, "verdict": outcome, "parts": records}


def versions() -> dict[str, str]:
    """What the numbers depend on."""
    names = ("tutelage", "torch", "transformers", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in names}}


def check_evidence(value: Any, *, where: str = "evidence") -> dict[str, Any]:
    """Return ``value`` if it is evidence, with verdicts that follow from its intervals.

    Raises:
        DataError: a key is missing, unknown or of the wrong type; a number is not finite; a tier other than smoke has
            fewer than five seeds; the rule's hash, a part's outcome or a claim's verdict is not what the rest says.
    """
    if not isinstance(value, dict):
        raise DataError("evidence is a JSON object", where=where)
    _same_keys(value, set(KEYS), where)
    for key, kind in KEYS.items():
        if not isinstance(value[key], kind) or isinstance(value[key], bool):
            raise DataError(f"{key} must be {kind.__name__}", where=where)
    _finite(value, where)
    if value["format"] != FORMAT:
        raise DataError(f"format {value['format']} is not {FORMAT}", where=where)
    if value["tier"] not in TIERS:
        raise DataError(f"tier {value['tier']!r} is none of {', '.join(TIERS)}", where=where)
    seeds = value["seeds"]
    if not all(isinstance(seed, int) for seed in seeds) or len(set(seeds)) != len(seeds):
        raise DataError("seeds must be different whole numbers", where=where)
    if value["tier"] != "smoke" and len(seeds) < SEEDS_NEEDED:
        raise DataError(f"{len(seeds)} seeds are too few", where=where, hint=f"run at least {SEEDS_NEEDED}")
    if value["rule_hash"] != content_hash({"claims": value["rules"], "config": value["config"]}):
        raise DataError("the rule's hash does not belong to these rules and this configuration", where=where)
    rules = {rule["id"]: rule for rule in value["rules"]}
    if [claim.get("id") for claim in value["claims"]] != list(rules):
        raise DataError("every rule needs a verdict, in the same order", where=where)
    for claim in value["claims"]:
        _check_claim(claim, rules[claim["id"]], len(seeds), f"{where}, claim {claim['id']}")
    return value


def _check_claim(claim: Mapping[str, Any], rule: Mapping[str, Any], seeds: int, where: str) -> None:
    _same_keys(claim, CLAIM_KEYS, where)
    if claim["statement"] != rule["statement"] or not claim["statement"]:
        raise DataError("the statement is not the one that was fixed", where=where)
    if [part.get("name") for part in claim["parts"]] != [part["name"] for part in rule["parts"]]:
        raise DataError("the parts are not those of the rule", where=where)
    for part, fixed in zip(claim["parts"], rule["parts"], strict=True):
        place = f"{where}, part {part['name']!r}"
        _same_keys(part, PART_KEYS, place)
        _same_keys(part["delta"], DELTA_KEYS, place)
        if (part["direction"], part["margin"]) != (fixed["direction"], fixed["margin"]):
            raise DataError("direction or margin is not the rule's", where=place)
        delta = Estimate(**part["delta"])
        if delta.n_clusters != seeds:
            raise DataError(f"the interval has {delta.n_clusters} clusters for {seeds} seeds", where=place)
        if not delta.low <= delta.value <= delta.high:
            raise DataError("the value lies outside its interval", where=place)
        if verdict(delta, part["direction"], part["margin"]).outcome != part["outcome"]:
            raise DataError(f"the interval does not say {part['outcome']!r}", where=place)
    if claim["verdict"] != overall([part["outcome"] for part in claim["parts"]]):
        raise DataError(f"the parts do not say {claim['verdict']!r}", where=where)


def _same_keys(value: Any, expected: set[str], where: str) -> None:
    if not isinstance(value, dict):
        raise DataError("an object is expected here", where=where)
    missing, unknown = sorted(expected - set(value)), sorted(set(value) - expected)
    if missing or unknown:
        raise DataError(
            f"missing: {', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}", where=where
        )


def _finite(value: Any, where: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{value} is not a finite number", where=where)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _finite(inner, f"{where}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for place, inner in enumerate(value):
            _finite(inner, f"{where}[{place}]")


def write_evidence(path: str | os.PathLike[str], value: dict[str, Any]) -> None:
    """Check ``value`` and write it atomically."""
    write_json(path, check_evidence(value, where=os.fspath(path)))


def read_evidence(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read and check one file of evidence."""
    return check_evidence(read_json(path), where=os.fspath(path))


def board(folder: str | os.PathLike[str]) -> str:
    """The table of all evidence in ``folder`` as Markdown: claim, what was measured, verdict."""
    lines = ["| paper | claim | measured (95 % interval) | verdict |", "|---|---|---|---|"]
    for path in sorted(Path(folder).glob("*.json")):
        found = read_evidence(path)
        link = f"[{found['paper']['title']}](https://arxiv.org/abs/{found['paper']['arxiv']})"
        for claim in found["claims"]:
            measured = "<br>".join(_measured(part) for part in claim["parts"])
            note = "" if found["tier"] != "smoke" else " (smoke run)"
            lines.append(f"| {link} | {claim['id']}: {claim['statement']} | {measured} | {claim['verdict']}{note} |")
    return "\n".join(lines) + "\n"


def _measured(part: Mapping[str, Any]) -> str:
    delta = part["delta"]
    text = f"{part['name']}: {delta['value']:+.3g} [{delta['low']:.3g}, {delta['high']:.3g}]"
    if part["outcome"] == "inconclusive":
        text += f", would have found {part['minimum_detectable']:.2g}"
    return text
