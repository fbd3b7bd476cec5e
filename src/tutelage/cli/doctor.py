"""``tutelage doctor``: what is installed, what is missing, what is fast here."""

from __future__ import annotations

import json as json_text
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ["doctor"]

_MARKS = {"ok": "[green]ok[/]", "warn": "[yellow]look[/]", "missing": "[red]missing[/]"}


def doctor(json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False) -> None:
    """Look at this machine and say what to do; ends with 1 if something needed is missing."""
    console = Console(stderr=True)
    with console.status("loading torch") as status:
        from tutelage.jobs.doctor import examine

        checks = examine(progress=lambda what: status.update(f"looking at {what}"))
    if json:
        typer.echo(json_text.dumps([asdict(check) for check in checks], indent=2))
    else:
        table = Table("", "what", "found", "what to do", header_style="bold", box=None)
        for check in checks:
            table.add_row(_MARKS[check.status], check.name, escape(check.found), escape(check.advice))
        Console().print(table)
    if any(check.status == "missing" for check in checks):
        raise typer.Exit(1)
