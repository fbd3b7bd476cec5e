"""How plans, runs and the evidence board look on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from tutelage.report.untrusted import one_line

if TYPE_CHECKING:
    from tutelage.papers.board import BoardRow
    from tutelage.papers.claim import Recipe

__all__ = ["show_board", "show_plan", "show_run"]

_TONES = {"replicated": "green", "not replicated": "red", "inconclusive": "yellow"}
_LONGEST = 2000


def show_plan(console: Console, chosen: Recipe, plan: Mapping[str, Any]) -> None:
    """What a recipe would do: claims with their rules, arms, cost."""
    seeds = ", ".join(map(str, plan["config"]["seeds"]))
    unit = "seconds on a GPU" if plan["tier"] == "gpu" else "CPU-seconds"
    _line(console, chosen.paper.title, style="bold")
    _line(console, f"{plan['tier']}: about {plan['cpu_seconds']:,.0f} {unit}, seeds {seeds}")
    for claim in chosen.claims:
        console.print()
        _line(console, f"{claim.id}: {claim.statement}")
        for part in claim.parts:
            than = "0" if part.margin is None else f"a harm of {part.margin:g}"
            _line(console, f"{part.name}: {part.direction} than {than}, resampling {part.resampled}", indent=3)
    console.print()
    for arm, text in plan["arms"].items():
        _line(console, f"{arm}{' (control)' if arm in plan['controls'] else ''}: {text}")
    console.print()
    _line(console, f"rule {plan['rule_hash']}")


def show_run(console: Console, evidence: Mapping[str, Any], path: Path) -> None:
    """What a run found, claim by claim, and where that was written."""
    from tutelage.papers.board import rows_of

    _claims(console, rows_of(evidence))
    if evidence["tier"] == "smoke":
        console.print("a smoke run shows that everything works; its numbers mean nothing")
    console.print(f"evidence: {path}", markup=False, highlight=False, soft_wrap=True)


def show_board(console: Console, rows: Sequence[BoardRow]) -> None:
    """Claim, measurement and verdict of every paper."""
    if not rows:
        console.print("No evidence yet: `tutelage papers run SLUG --evidence evidence/SLUG.json` makes some.")
    for place, run in enumerate(dict.fromkeys((row.slug, row.tier) for row in rows)):
        own = [row for row in rows if (row.slug, row.tier) == run]
        if place:
            console.print()
        _line(console, own[0].title, style="bold")
        console.print(own[0].command, style="dim", markup=False, highlight=False, soft_wrap=True)
        _claims(console, own)


def _claims(console: Console, rows: Sequence[BoardRow]) -> None:
    for row in rows:
        verdict = "no verdict" if row.tier == "smoke" else row.verdict
        _line(console, verdict, style=_TONES.get(verdict, ""))
        _line(console, row.claim, indent=2)
        for measured in row.measured:
            _line(console, measured, indent=4, style="dim")


def _line(console: Console, text: str, indent: int = 0, style: str = "") -> None:
    shown = Text(one_line(text, _LONGEST), style=style)
    console.print(Padding(shown, (0, 0, 0, indent), expand=False) if indent else shown)
