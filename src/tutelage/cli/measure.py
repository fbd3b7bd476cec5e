"""``tutelage measure``: what a model does on a suite, item by item."""

from __future__ import annotations

import json as json_text
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

__all__ = ["measure"]

MODEL_HELP = "A folder (model, adapter or tune run), an embedded model, a Hub id, or openai:URL#NAME."
_LABELS = 12  # of a breakdown that are shown
_QUANTILES = ("0.05", "0.5", "0.95")  # of graded metrics; results.json has more


def measure(
    model: Annotated[str | None, typer.Argument(help=MODEL_HELP)] = None,
    suite: Annotated[
        str | None, typer.Option("--suite", help="A built-in suite, or a .toml, .jsonl or .csv file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for the results; an interrupted run is continued.")
    ] = None,
    size: Annotated[str | None, typer.Option(help="smoke, quick, standard or full; default: quick.")] = None,
    max_items: Annotated[int | None, typer.Option(help="Most items of each task.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of sampling, where a suite samples.")] = None,
    reference: Annotated[
        str | None, typer.Option("--reference", help="Of preference pairs: the model before preference training.")
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value, e.g. device=cuda; repeatable.")] = None,
    supervision: Annotated[
        Path | None,
        typer.Option("--supervision", help="Instead of a model: a file of solutions in steps; how wrong are they?"),
    ] = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="Of --supervision: labels of its steps, or right solutions.")
    ] = None,
    labels: Annotated[
        str, typer.Option("--labels", help="Of --supervision: file, first (up to the first error), or equations.")
    ] = "file",
    list_: Annotated[bool, typer.Option("--list", help="Show the built-in suites and stop.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Measure a model on a suite: one value an item, means with intervals, files for `tutelage compare`."""
    from tutelage.errors import ConfigError

    if list_:
        _list(size or "quick", json)
        return
    if supervision is not None:
        if model is not None or suite is not None:
            raise ConfigError(
                "--supervision measures a file, not a model",
                hint="tutelage measure --supervision FILE [--against FILE] [--out FOLDER]",
            )
        from tutelage.cli.measure_supervision import measure_supervision

        measure_supervision(supervision, against, labels, out, json)
        return
    if against is not None or labels != "file":
        raise ConfigError("--against and --labels belong to --supervision", hint="name its file")
    if model is None or suite is None or out is None:
        missing = "MODEL" if model is None else "--suite" if suite is None else "--out"
        raise ConfigError(
            f"{missing} is missing",
            hint="tutelage measure MODEL --suite NAME --out FOLDER; `tutelage measure --list` shows the suites",
        )
    from tutelage import config as configuration
    from tutelage.jobs.measure_config import MeasureConfig
    from tutelage.measure import open_suite

    flags = {"size": size, "max_items": max_items, "seed": seed, "reference": reference}
    config = configuration.load(MeasureConfig, None, set_ or [], flags).value
    chosen = open_suite(suite, config.size)
    from tutelage.jobs.interrupt import stop_requests
    from tutelage.jobs.measure import measure as run_job  # loads torch: not before the settings are known to be right

    console = Console(stderr=True, quiet=json)
    command = shlex.join(["tutelage", *sys.argv[1:]])
    with stop_requests(lambda text: console.print(f"[yellow]{text}[/]")) as should_stop:
        done = run_job(model, chosen, out, config=config, command=command, console=console, should_stop=should_stop)
    if json:
        typer.echo(json_text.dumps(dict(done.summary), indent=2))
        return
    _show(Console(), done.summary, out)


def _show(console: Console, summary: Mapping[str, Any], out: Path) -> None:
    table = Table("task", "metric", "value", "95 % interval", "n", "baseline", header_style="bold", box=None)
    for column in (2, 3, 4, 5):
        table.columns[column].justify = "right"
    for task, told in summary["tasks"].items():
        for place, (metric, facts) in enumerate(told["metrics"].items()):
            arrow = "" if facts["higher_is_better"] else " [dim](lower is better)[/]"
            baseline = "" if facts["baseline"] is None else f"{facts['baseline']:.3f}"
            first = escape(task) if not place else ""
            table.add_row(first, escape(metric) + arrow, *_cells(facts["estimate"]), baseline)
            for probability in _QUANTILES if facts["quantiles"] else ():
                name = f"[dim]  {100 * float(probability):g} % of the items[/]"
                table.add_row("", name, *_cells(facts["quantiles"][probability]), "")
            for name, labels in facts["groups"].items() if not place else ():
                for label, found in list(labels.items())[:_LABELS]:
                    table.add_row("", f"[dim]  {escape(name)}: {escape(label or '(none)')}[/]", *_cells(found), "")
    console.print(table)
    for task, why in summary["left_out"].items():
        console.print(f"[yellow]left out[/] {escape(task)}: {escape(why)}", highlight=False)
    for note in summary["notes"]:
        console.print(f"[dim]note[/] {escape(note)}", highlight=False)
    cost = summary["cost"]
    console.print(
        f"{cost['seconds']:.0f} s, {cost['asked']} questions asked, {cost['remembered']} known from before; "
        f"every item: {escape(str(out))}/TASK.jsonl",
        highlight=False,
        soft_wrap=True,
    )


def _cells(estimate: Mapping[str, Any] | None) -> tuple[str, str, str]:
    if estimate is None:
        return "-", "-", "0"
    low, high = ("?" if end is None else f"{end:.3f}" for end in (estimate["low"], estimate["high"]))
    return f"{estimate['value']:.3f}", f"{low} to {high}", str(estimate["n"])


def _list(size: str, as_json: bool) -> None:
    from tutelage import assets
    from tutelage.errors import AssetMissing
    from tutelage.measure.suites import suites

    records = []
    for entry in suites.entries():
        names = entry.meta["assets"]
        record: dict[str, Any] = {"suite": entry.name, "what": entry.summary, "assets": list(names)}
        record["licences"] = sorted({str(r["spdx"]) for r in assets.licence_report(names)})
        record["evaluation_only"] = [r["name"] for r in assets.licence_report(names) if not r["train_ok"]]
        try:
            made = entry.value(size)
            record |= {"items": made.items, "minutes": round(made.minutes(), 1), "version": made.version}
        except AssetMissing as error:
            record["missing"] = error.hint or str(error)
        records.append(record)
    if as_json:
        typer.echo(json_text.dumps(records, indent=2))
        return
    table = Table("suite", "items", "minutes", "what", "licences of the data", header_style="bold", box=None)
    for record in records:
        count = str(record.get("items", "-"))
        minutes = f"{record['minutes']:.1f}" if "minutes" in record else "-"
        what = escape(record["what"]) + (f" [red]{escape(record['missing'])}[/]" if "missing" in record else "")
        table.add_row(record["suite"], count, minutes, what, ", ".join(record["licences"]))
    console = Console()
    console.print(table)
    console.print(
        f"\nsize {size}; minutes: about, on two cores with the embedded 135M model, answers at their longest\n"
        "a suite of your own: --suite FILE.toml, see examples/suite.toml",
        highlight=False,
    )
