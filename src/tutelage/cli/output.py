"""What ``tune`` and ``resume`` print at their end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer
from rich.console import Console

if TYPE_CHECKING:
    from tutelage.jobs.tune import TuneResult

__all__ = ["finish"]


def finish(work: Callable[[Console], TuneResult], as_json: bool) -> None:
    """Run ``work`` with progress on the terminal, then print the headline, or the report as JSON."""
    console = Console(stderr=as_json, quiet=as_json)
    result = work(console)
    if as_json:
        typer.echo(json.dumps(dict(result.report), indent=2))
        return
    from tutelage.report import terminal

    terminal.show(console, result.report, result.folder / "report.html")
