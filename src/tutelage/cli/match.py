"""``tutelage match``: resumes ranked for job ads, with reasons that can be followed into the texts."""

from __future__ import annotations

import json as json_text
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from tutelage.jobs.match import MatchResult
    from tutelage.jobs.match_verify import Verified

__all__ = ["match"]

TEXTS_HELP = "A folder of .txt and .md files, or a JSONL or CSV file with id, text and perhaps skills."
_SHOWN = 5  # resumes of a job
_REASONS = 10  # why records cannot be recomputed


def match(
    jobs: Annotated[Path, typer.Argument(metavar="JOBS", help=f"Job ads. {TEXTS_HELP}")],
    resumes: Annotated[Path, typer.Argument(metavar="RESUMES", help="Resumes; the same kinds.")],
    out: Annotated[Path | None, typer.Option(help="Folder for report.html, the matches and the log.")] = None,
    skills: Annotated[str | None, typer.Option(help="sample, esco, or a table: JSONL, ESCO, O*NET.")] = None,
    encoder: Annotated[str | None, typer.Option(help="auto (MiniLM where installed), none, or an encoder.")] = None,
    top: Annotated[int | None, typer.Option(help="How many of an ad count as selected.")] = None,
    groups: Annotated[Path | None, typer.Option(help="CSV or JSONL with id and group; nothing is inferred.")] = None,
    qualified: Annotated[Path | None, typer.Option(help="CSV or JSONL with job, resume and qualified (0, 1).")] = None,
    verify: Annotated[Path | None, typer.Option(help="A decisions.jsonl: check it and recompute its scores.")] = None,
    head: Annotated[str | None, typer.Option(help="With --verify: the last record's hash as you kept it.")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML or YAML file with any of the settings.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value, e.g. score.decay=0.6.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Rank resumes for job ads by skills and text, say why, and log every decision."""
    from tutelage import config as configuration
    from tutelage.errors import ConfigError
    from tutelage.jobs.match import match as run_job
    from tutelage.jobs.match_config import MatchConfig
    from tutelage.jobs.match_verify import verify_decisions
    from tutelage.report.matching import to_json

    if (out is None) == (verify is None):
        raise ConfigError("give one of --out and --verify", hint="tutelage match JOBS RESUMES --out FOLDER")
    flags = {"skills": skills, "encoder": encoder, "score.top": top}
    if head is not None and verify is None:
        raise ConfigError("--head is read with --verify only", hint="--verify matches/decisions.jsonl --head HASH")
    unread = [*(flags.values() if verify is not None else ()), groups, qualified, config, *(set_ or [])]
    if verify is not None and any(one is not None for one in unread):
        raise ConfigError(
            "--verify takes its settings from the log", hint="leave out all options but --head and --json"
        )
    console = Console(stderr=True, quiet=json)
    if verify is not None:
        found = verify_decisions(verify, jobs, resumes, head=head)
        if json:
            typer.echo(json_text.dumps(found.record(), indent=2))
        else:
            _show_verified(Console(), found)
        if not found.passed:
            raise typer.Exit(1)
        return
    assert out is not None
    settings = configuration.load(MatchConfig, config, set_ or [], flags).value
    command = shlex.join(["tutelage", *sys.argv[1:]])
    done = run_job(jobs, resumes, out, settings, groups=groups, qualified=qualified, command=command, console=console)
    if json:
        typer.echo(json_text.dumps(to_json(done.report), indent=2))
    else:
        _show(Console(), done)
    if not done.passed:
        raise typer.Exit(1)


def _show(console: Console, done: MatchResult) -> None:
    report = done.report
    for ranking in report.rankings:
        table = Table("", "resume", "score", "matched", "in part", "missing", box=None, header_style="bold")
        table.title, table.title_justify = escape(ranking.id), "left"
        for one in ranking.resumes[:_SHOWN]:
            counts = [str(len(one.match.of(state))) for state in ("matched", "partial", "missing")]
            table.add_row(str(one.match.rank), escape(one.match.resume), f"{one.match.score:.3f}", *counts)
        console.print(table)
        if not ranking.required:
            console.print("[dim]no skill of the table was found in this ad: scores are of the texts alone[/]")
    checks = report.checks
    tried = f"{checks.deletion_passed} of {checks.deletion_tried}" if checks.deletion_tried else "none to try"
    console.print(
        f"reasons add up to {checks.additivity:.0e}; deletion test {tried}; "
        f"names exchanged: at most {checks.swap_largest:.4f}",
        highlight=False,
    )
    if report.fairness is not None:
        for name, count in report.fairness.refused.items():
            console.print(f"[yellow]refused[/] group {escape(name)}: {count} persons", highlight=False)
        for gap in report.fairness.gaps:
            ratio = gap.selection_ratio
            told = "-" if ratio is None else f"{ratio.value:.2f} [{ratio.low:.2f}, {ratio.high:.2f}]"
            line = escape(f"{gap.name} against {report.fairness.reference}: selection ratio {told}")
            console.print(f"{line}, four-fifths rule {gap.four_fifths}", highlight=False)
    for note in report.notes:
        console.print(f"[dim]note[/] {escape(note)}", highlight=False)
    console.print(f"[dim]limits[/] {report.limits[0]}", highlight=False)
    console.print(escape(str(done.folder / "report.html")), highlight=False, soft_wrap=True)


def _show_verified(console: Console, found: Verified) -> None:
    for fault in found.faults:
        console.print(f"[red]line {fault.line}[/] {escape(fault.what)}", highlight=False)
    for one in found.differing:
        console.print(f"[red]another score[/] {escape(one)}", highlight=False)
    for why, count in sorted(found.because.items(), key=lambda one: -one[1])[:_REASONS]:
        console.print(f"[yellow]not recomputed[/] {count} {'record' if count == 1 else 'records'}: {escape(why)}")
    chain = "whole" if not found.faults else "BROKEN"
    console.print(
        f"{found.records} records, chain {chain}; {found.same} scores recomputed bit for bit, "
        f"{len(found.differing)} differ, {found.other} cannot be recomputed here",
        highlight=False,
    )
    if not found.same:
        console.print("[red]nothing was recomputed[/], so nothing is verified but the chain", highlight=False)
