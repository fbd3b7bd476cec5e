"""What ``tutelage measure --supervision`` prints."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from tutelage.measure.supervision import SupervisionQuality
    from tutelage.types import Estimate

__all__ = ["measure_supervision"]

_GROUPS = 12  # that are shown
_SHARE = 3  # places of a share; counts have two


def measure_supervision(path: Path, against: Path | None, labels: str, out: Path | None, json: bool) -> None:
    """Measure a file of solutions and show the rates, or print them as JSON."""
    from tutelage.jobs.supervision import audit_supervision

    done = audit_supervision(path, against=against, labels=labels, out=out)  # type: ignore[arg-type]  # is checked there
    if json:
        typer.echo(json_text.dumps(dict(done.record), indent=2))
        return
    console = Console()
    _show(console, done.quality)
    for note in done.quality.notes:
        console.print(f"[dim]note[/] {escape(note)}", highlight=False, soft_wrap=True)
    if done.rejected:
        first = done.rejected[0]
        console.print(
            f"[yellow]warning[/] lines set aside: {len(done.rejected)}; line {first.line}: {escape(first.detail)}",
            highlight=False,
            soft_wrap=True,
        )
    if out is not None:
        console.print(f"every solution: {escape(str(out))}/supervision.jsonl", highlight=False, soft_wrap=True)


def _show(console: Console, quality: SupervisionQuality) -> None:
    table = Table("", "value", "95 % interval", "of", header_style="bold", box=None)
    for column in table.columns:
        column.no_wrap = True
    for place in (1, 2):
        table.columns[place].justify = "right"
    known = quality.steps - quality.unknown_steps
    flawed = sum(quality.places.values())
    _add(table, "solutions that end wrong", quality.outcome, "solution")
    _add(table, "wrong steps", quality.step, "step")
    _add(table, "  mean over solutions", quality.step_macro, "solution")
    _add(table, "wrong steps in a solution that ends wrong", quality.wrong_steps, "solution", 2)
    _add(table, "first wrong step, share of the way", quality.first, "solution")
    _add(table, "right steps after it (propagated)", quality.propagated, "solution", 2)
    for name, group in list(quality.groups.items())[:_GROUPS]:
        _add(table, f"[dim]{escape(name)}: solutions that end wrong[/]", group.outcome, "solution")
        _add(table, f"[dim]{escape(name)}: wrong steps[/]", group.step, "step")
    console.print(table)
    unknown = f", {quality.unknown_steps} without a label" if quality.unknown_steps else ""
    _say(console, f"{_count(quality.solutions, 'solution')}, {_count(quality.steps, 'step')}{unknown}")
    if quality.places:
        told = ", ".join(f"{place}: {count}" for place, count in list(quality.places.items())[:_GROUPS])
        more = ", ..." if len(quality.places) > _GROUPS else ""
        _say(console, f"first wrong step by place ({_count(flawed, 'solution')}): {told}{more}")
    if known and quality.outcome is not None and quality.lucky is not None:
        _say(console, f"{quality.lucky} end right in spite of a wrong step, {quality.unexplained} wrong without one")


def _say(console: Console, text: str) -> None:
    console.print(escape(text), highlight=False, soft_wrap=True)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _add(table: Table, name: str, found: Estimate | None, unit: str, places: int = _SHARE) -> None:
    if found is None:
        return
    value, low, high = (f"{one:.{places}f}" for one in (found.value, found.low, found.high))
    table.add_row(name, value, f"{low} to {high}", _count(found.n, unit))
