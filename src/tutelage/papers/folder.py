"""The folder of a recipe's run: the rule first, then one file for every finished part, at the end the evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from tutelage.errors import ConfigError
from tutelage.io import contained, write_json
from tutelage.io.documents import read_json
from tutelage.papers.claim import Claim, Paper, Plan, rule_hash, rule_records
from tutelage.papers.device import device_of, gpu_name
from tutelage.papers.evidence import FORMAT, validate_evidence, versions

__all__ = ["RecipeFolder"]


class RecipeFolder:
    """Opens ``folder`` for a recipe and writes its rule before anything is measured.

    Raises:
        ConfigError: the folder was begun under another rule or configuration, or a ``config`` of the tier gpu is to be
            run where there is none.
    """

    def __init__(
        self, folder: Path, slug: str, paper: Paper, claims: Sequence[Claim], config: Mapping[str, Any]
    ) -> None:
        device = device_of(str(config.get("tier", "cpu")))
        self.folder, self.slug, self.paper, self.device = folder, slug, paper, device
        self.console = Console(stderr=True)
        self.rules, self.config = _plain(rule_records(claims)), _plain(dict(config))
        self.rule_hash = rule_hash(claims, config)
        rule = {"rule_hash": self.rule_hash, "claims": self.rules, "config": self.config}
        path = folder / "rule.json"
        if not path.exists():
            write_json(path, rule)
        elif read_json(path)["rule_hash"] != self.rule_hash:
            raise ConfigError(
                "this run was begun under another rule or configuration",
                where=str(path),
                hint="give a new folder; a rule is not changed after the run has begun",
            )

    def once(self, name: str, work: Callable[[], Any]) -> Any:
        """The value of ``work()``, from ``<name>.json`` when that was made before; always as JSON has it."""
        path = contained(self.folder, f"{name}.json")
        if not path.exists():
            self.console.print(f"[dim]{self.slug}[/] {name}", highlight=False)
            write_json(path, {"value": work()})
        return read_json(path)["value"]

    def evidence(
        self,
        tier: str,
        seeds: Sequence[int],
        claims: Sequence[Mapping[str, Any]],
        arms: Mapping[str, Any],
        checks: Mapping[str, float],
        cost: Mapping[str, float],
        notes: Sequence[str],
        plan: Plan,
    ) -> dict[str, Any]:
        """The evidence, checked, also written to ``evidence.json`` in the folder."""
        found = {
            "format": FORMAT,
            "slug": self.slug,
            "paper": asdict(self.paper),
            "tier": tier,
            "seeds": list(seeds),
            "claims": [dict(claim) for claim in claims],
            "rules": self.rules,
            "config": self.config,
            "rule_hash": self.rule_hash,
            "arms": dict(arms),
            "described": {arm: text for arm, text in plan.arms.items() if arm in arms},
            "controls": [arm for arm in plan.controls if arm in arms],
            "notes": list(notes),
            "checks": dict(checks),
            "cost": dict(cost),
            "versions": versions() | ({"gpu": gpu_name(self.device)} if tier == "gpu" else {}),
            "command": f"tutelage papers run {self.slug} --tier {tier} --seeds {len(seeds)} --out RUN",
        }
        validate_evidence(found, where=self.slug)
        write_json(self.folder / "evidence.json", found)
        return found


def _plain(value: Any) -> Any:
    """``value`` as JSON gives it back: tuples are lists."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value
