"""Evidence: one JSON a recipe, strict enough that a verdict in it can be recomputed and cannot be edited by hand."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tutelage.errors import DataError
from tutelage.io import content_hash, write_json
from tutelage.io.documents import read_json
from tutelage.papers.claim import Claim, overall
from tutelage.stats import ClaimVerdict, verdict
from tutelage.types import Estimate

__all__ = [
    "FORMAT",
    "claim_record",
    "evidence_files",
    "evidence_name",
    "is_evidence",
    "part_record",
    "read_evidence",
    "validate_evidence",
    "versions",
    "write_evidence",
]

FORMAT = 1
LEVEL = 0.95
SEEDS_NEEDED = 5
SCHEMA = Path(__file__).with_name("evidence.schema.json")
SAME = 1e-9
"""Two numbers that are the same but for the order of their sums differ by less, relative to the larger or to 1."""


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


def validate_evidence(value: Any, where: str = "evidence") -> dict[str, Any]:
    """Return ``value`` if it is evidence whose verdicts follow from its intervals and from rules fixed before the run.

    The form is that of ``evidence.schema.json`` in this package. Beyond it: the hash is that of rules and
    configuration; every claim and part is its rule's; every difference is that of the arms' means; every outcome is
    what the rule says of the interval, every verdict what the parts say; a tier other than smoke has five seeds.

    Args:
        value: what was read from JSON.
        where: named in the error, for example the file.

    Raises:
        DataError: one of these does not hold; names the place.
    """
    _finite(value, where)
    _check_form(value, where)
    seeds = value["seeds"]
    if value["tier"] != "smoke" and len(seeds) < SEEDS_NEEDED:
        raise DataError(f"{len(seeds)} seeds are too few", where=where, hint=f"run at least {SEEDS_NEEDED}")
    if value["rule_hash"] != content_hash({"claims": value["rules"], "config": value["config"]}):
        raise DataError("the rule's hash does not belong to these rules and this configuration", where=where)
    rules = {rule["id"]: rule for rule in value["rules"]}
    if len(rules) != len(value["rules"]) or [claim["id"] for claim in value["claims"]] != list(rules):
        raise DataError("every rule needs a verdict, in the same order, and a name of its own", where=where)
    for claim in value["claims"]:
        _check_claim(claim, rules[claim["id"]], value, f"{where}, claim {claim['id']}")
    return dict(value)


@cache
def _schema() -> Draft202012Validator:
    return Draft202012Validator(read_json(SCHEMA))


def _check_form(value: Any, where: str) -> None:
    found = best_match(_schema().iter_errors(value))
    if found is not None:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found.absolute_path)
        raise DataError(_shortened(found.message), where=f"{where}{place}", hint="see papers/evidence.schema.json")


def _shortened(text: str, length: int = 200) -> str:
    """``text`` cut to ``length`` characters: a message may repeat what is wrong at length."""
    return text if len(text) <= length else text[: length - 4] + " ..."


def _check_claim(claim: Mapping[str, Any], rule: Mapping[str, Any], value: Mapping[str, Any], where: str) -> None:
    if claim["statement"] != rule["statement"]:
        raise DataError("the statement is not the one that was fixed", where=where)
    if [part["name"] for part in claim["parts"]] != [part["name"] for part in rule["parts"]]:
        raise DataError("the parts are not those of the rule", where=where)
    for part, fixed in zip(claim["parts"], rule["parts"], strict=True):
        _check_part(part, fixed, value, f"{where}, part {part['name']!r}")
    if claim["verdict"] != overall([part["outcome"] for part in claim["parts"]], rule.get("needed")):
        raise DataError(f"the parts do not say {claim['verdict']!r}", where=where)


def _check_part(part: Mapping[str, Any], rule: Mapping[str, Any], value: Mapping[str, Any], where: str) -> None:
    if (part["direction"], part["margin"]) != (rule["direction"], rule["margin"]):
        raise DataError("direction or margin is not the rule's", where=where)
    delta, seeds = Estimate(**part["delta"]), len(value["seeds"])
    if delta.level != LEVEL:
        raise DataError(f"the interval is of {delta.level}, not {LEVEL}", where=where)
    if delta.n_clusters != seeds:
        raise DataError(f"the interval has {delta.n_clusters} clusters for {seeds} seeds", where=where)
    slack = SAME * max(1.0, abs(delta.value))
    if not delta.low - slack <= delta.value <= delta.high + slack:
        raise DataError("the value lies outside its interval", where=where)
    if ("seeds and items" in delta.method) != ("resampled" in rule):
        raise DataError(f"{delta.method!r} is not what the rule resamples", where=where)
    measured = _difference(rule, value["arms"], where)
    if not _same(measured, delta.value):
        raise DataError(f"the arms differ by {measured:.6g}, not by {delta.value:.6g}", where=where)
    again = verdict(delta, part["direction"], part["margin"])
    if again.outcome != part["outcome"]:
        raise DataError(f"the interval does not say {part['outcome']!r}", where=where)
    if not _same(again.minimum_detectable, part["minimum_detectable"]):
        raise DataError(f"the smallest detectable effect is {again.minimum_detectable:.6g}", where=where)


def _difference(rule: Mapping[str, Any], arms: Mapping[str, Any], where: str) -> float:
    """The rule's difference from the means that the evidence gives of its arms."""
    if (rule["against"] is None) == (rule["threshold"] is None):
        raise DataError("a part is measured against an arm or a number, one of them", where=where)
    try:
        first = float(arms[rule["arm"]][rule["metric"]]["mean"])
        other = rule["threshold"] if rule["against"] is None else arms[rule["against"]][rule["metric"]]["mean"]
        return first - float(other)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("the arms have no mean of what the rule compares", where=where) from error


def _same(first: float, second: float) -> bool:
    return abs(first - second) <= SAME * max(1.0, abs(first), abs(second))


def _finite(value: Any, where: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{value} is not a finite number", where=where)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            _finite(inner, f"{where}.{key}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for place, inner in enumerate(value):
            _finite(inner, f"{where}[{place}]")


def is_evidence(value: Any) -> bool:
    """Whether ``value`` means to be a recipe's evidence, valid or not: other results may lie in the same folder."""
    return isinstance(value, dict) and bool({"claims", "rules", "rule_hash"} & set(value))


def evidence_files(folder: str | os.PathLike[str]) -> tuple[Path, ...]:
    """The files in ``folder`` that mean to be a recipe's evidence, by name.

    Raises:
        DataError: the folder is missing, or a file is not JSON.
    """
    place = Path(folder)
    if not place.is_dir():
        raise DataError("there is no such folder", where=os.fspath(folder), hint="name the folder of the evidence")
    paths = sorted(place.glob("*.json"), key=lambda path: (path.name.split(".")[0], len(path.name), path.name))
    return tuple(path for path in paths if is_evidence(read_json(path)))


def evidence_name(slug: str, tier: str) -> str:
    """How the file of a paper's evidence is called: a GPU's lies beside the CPU's and does not replace it.

    Example:
        >>> evidence_name("raft", "cpu"), evidence_name("raft", "gpu")
        ('raft.json', 'raft.gpu.json')
    """
    return f"{slug}.gpu.json" if tier == "gpu" else f"{slug}.json"


def write_evidence(path: str | os.PathLike[str], value: dict[str, Any]) -> None:
    """Check ``value`` and write it atomically."""
    write_json(path, validate_evidence(value, os.fspath(path)))


def read_evidence(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read and check one file of evidence."""
    return validate_evidence(read_json(path), os.fspath(path))
