"""What ``tutelage measure --supervision`` prints."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        console.print(f"[dim]note[/] {escape(note)}", highlight=False)
    if done.rejected:
        first = done.rejected[0]
        console.print(
            f"[yellow]warning[/] lines set aside: {len(done.rejected)}; line {first.line}: {escape(first.detail)}",
            highlight=False,
        )
    if out is not None:
        console.print(f"every solution: {escape(str(out))}/supervision.jsonl", highlight=False, soft_wrap=True)


def _show(console: Console, quality: SupervisionQuality) -> None:
    table = Table("", "value", "95 % interval", "of", header_style="bold", box=None)
    for column in (1, 2):
        table.columns[column].justify = "right"
    known = quality.steps - quality.unknown_steps
    flawed = sum(quality.places.values())
    _add(table, "solutions that end wrong", quality.outcome, "solutions")
    _add(table, "wrong steps", quality.step, "steps")
    _add(table, "  mean over solutions", quality.step_macro, "solutions")
    _add(table, "wrong steps in a solution that ends wrong", quality.wrong_steps, "solutions", 2)
    _add(table, "first wrong step, share of the way", quality.first, "solutions")
    _add(table, "right steps after it (propagated)", quality.propagated, "solutions", 2)
    for name, group in list(quality.groups.items())[:_GROUPS]:
        _add(table, f"[dim]{escape(name)}: solutions that end wrong[/]", group.outcome, "solutions")
        _add(table, f"[dim]{escape(name)}: wrong steps[/]", group.step, "steps")
    console.print(table)
    unknown = f", {quality.unknown_steps} without a label" if quality.unknown_steps else ""
    console.print(f"{quality.solutions} solutions, {quality.steps} steps{unknown}", highlight=False)
    if quality.places:
        told = ", ".join(f"{place}: {count}" for place, count in list(quality.places.items())[:_GROUPS])
        console.print(f"first wrong step by place ({flawed} solutions): {told}", highlight=False)
    if known and quality.outcome is not None:
        console.print(
            f"{quality.lucky} end right in spite of a wrong step, {quality.unexplained} wrong without one",
            highlight=False,
        )


def _add(table: Table, name: str, found: Estimate | None, unit: str, places: int = _SHARE) -> None:
    if found is None:
        return
    most = 1.0 if places == _SHARE else float("inf")  # a t interval may leave the range of what it is of
    low, high = (
        f"{min(max(end, 0.0), most):.{places}f}" if abs(end) < float("inf") else "?" for end in (found.low, found.high)
    )
    row: tuple[Any, ...] = (name, f"{found.value:.{places}f}", f"{low} to {high}", f"{found.n} {unit}")
    table.add_row(*row)
