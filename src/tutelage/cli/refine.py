"""``tutelage refine``: a data set in the model's own words, without training."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

if TYPE_CHECKING:
    from tutelage.jobs.refine import RefinedData
    from tutelage.refine import PreferenceSet

__all__ = ["refine"]

DATA_HELP = "JSONL, JSON, CSV, Parquet, a saved datasets folder, or an embedded task."


def refine(
    out: Annotated[Path, typer.Option("--out", help="Folder for the refined data; an interrupted run is continued.")],
    data: Annotated[str | None, typer.Option(help=DATA_HELP)] = None,
    model: Annotated[str | None, typer.Option(help="The model to be tuned: it rewrites the answers.")] = None,
    method: Annotated[
        str | None, typer.Option(help="raft, sdft_data (rewriting only), dgr (refusals), or subtasks.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML or YAML file with any of the settings.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value, e.g. refine.tau=0.7.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON and nothing else.")] = False,
    preferences: Annotated[
        bool, typer.Option("--preferences", help="Make preference pairs: sample answers, rank them by constraints.")
    ] = False,
    constraint: Annotated[
        list[str] | None,
        typer.Option(help='Of all prompts, e.g. json or {name = "words", most = 50}; means --preferences.'),
    ] = None,
    dry_run: Annotated[bool, typer.Option(help="Show the resolved configuration and stop.")] = False,
) -> None:
    """Rewrite a data set's answers in the model's own words, and keep only faithful ones."""
    from tutelage import config as configuration  # these load torch: not needed for --help
    from tutelage.jobs.interrupt import stop_requests
    from tutelage.jobs.refine import RefineConfig, prefer_dataset, refine_dataset

    set_ = [*(set_ or []), *([f"preferences.constraints={_toml_list(constraint)}"] if constraint else [])]
    flags = {"model": model, "data.source": data, "refine.method": method, "seed": seed}
    resolved = configuration.load(RefineConfig, config, overrides=set_, flags=flags)
    if dry_run:
        typer.echo(configuration.dump_toml(resolved.value))
        return
    if preferences or constraint:
        _show_preferences(prefer_dataset(resolved.value, out), out, json)
        return
    console = Console(stderr=True, quiet=json)
    with stop_requests(console.print) as should_stop:
        done = refine_dataset(resolved.value, out, console=console, should_stop=should_stop)
    if json:
        typer.echo(json_module.dumps(done.report.to_dict(), indent=2))
    else:
        _show(Console(), done)


def _toml_list(given: list[str]) -> str:
    """Names in quotes, tables as they are."""
    return f"[{', '.join(one if one.lstrip().startswith('{') else json_module.dumps(one) for one in given)}]"


def _show_preferences(found: PreferenceSet, out: Path, json: bool) -> None:
    if json:
        typer.echo(json_module.dumps(found.provenance, indent=2))
        return
    console, told = Console(), found.provenance
    console.print(f"{len(found.pairs)} pairs from {told['prompts']} prompts; {len(found.dropped)} ties left out")
    for name, values in zip(found.table.names, found.table.values.T, strict=True):
        met = values[values == values]
        console.print(f"  {met.mean():6.1%}  of answers meet {escape(name)}", highlight=False)
    if told["set_aside"]:
        console.print(f"[yellow]warning[/] {told['set_aside']} lines set aside: see {out / 'rejected.jsonl'}")
    console.print(str(out / "pairs.jsonl"), highlight=False, soft_wrap=True)


def _show(console: Console, done: RefinedData) -> None:
    report = done.report
    console.print(
        f"{report.changed} of {report.rows} answers changed ({report.fused} fused, {report.rewritten} rewritten), "
        f"{report.kept} kept, {report.dropped} dropped; {report.tokens_generated} tokens in {report.seconds:.0f} s"
    )
    if report.settings["method"] == "subtasks":
        refused = ", ".join(f"{count} {reason}" for reason, count in report.refused.items())
        told = f"; refused: {escape(refused)}" if refused else ""
        console.print(f"{report.added} subtasks added{told}", highlight=False)
    if report.gap_line:
        console.print(report.gap_line, highlight=False)
    for reason, count in report.reasons.items():
        console.print(f"  {count:5d}  {escape(reason)}", highlight=False)
    for warning in report.warnings:
        console.print(f"[yellow]warning[/] {escape(warning)}")
    console.print(str(done.folder / "train.jsonl"), highlight=False, soft_wrap=True)
