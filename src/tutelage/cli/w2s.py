"""``tutelage w2s``: a weak supervisor's labels, a strong student, and how much of the gap it recovers."""

from __future__ import annotations

import json as json_text
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from tutelage.jobs.w2s import W2sResult

__all__ = ["progress", "show", "w2s"]

DATA_HELP = "CSV, TSV, JSONL, JSON or Parquet: a text or columns of numbers, truth on some rows."


def w2s(
    data: Annotated[str | None, typer.Argument(metavar="DATA", help=DATA_HELP)] = None,
    out: Annotated[Path | None, typer.Option("--out", help="A new folder for the results.")] = None,
    text: Annotated[str | None, typer.Option(help="Column of the texts; default: text.")] = None,
    label: Annotated[str | None, typer.Option(help="Column of the truth, empty where unknown; default: label.")] = None,
    features: Annotated[str | None, typer.Option(help="Columns of numbers instead of texts: a,b,c.")] = None,
    weak_features: Annotated[str | None, typer.Option(help="Those of them that the weak teacher sees.")] = None,
    weak_labels: Annotated[
        str | None, typer.Option(help="File with id and weak_label, or a column of probabilities for each class.")
    ] = None,
    weak: Annotated[str | None, typer.Option(help="Teacher: bow (bag of words), minilm or another encoder.")] = None,
    student: Annotated[
        str | None, typer.Option(help="minilm, another encoder, or a language model (smollm2-135m-instruct).")
    ] = None,
    generative_finetuning: Annotated[
        bool | None,
        typer.Option("--generative-finetuning", help="Let a language model as student first learn to write the texts."),
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="That leads: accuracy, balanced_accuracy, macro_f1, weighted_f1 or roc_auc.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the split and of every model.")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML or YAML file with any of the settings.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="key=value, e.g. a_max=0.75.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Teach a strong student by weak labels; show weak, student and ceiling, and the share of the gap recovered."""
    from tutelage import config as configuration
    from tutelage.errors import ConfigError
    from tutelage.jobs.w2s_config import W2sConfig

    flags: dict[str, Any] = {
        "data": data,
        "text": text,
        "label": label,
        "features": features,
        "weak_features": weak_features,
    }
    flags |= {"weak_labels": weak_labels, "weak": weak, "student": student}
    flags |= {"generative_finetuning": generative_finetuning, "metric": metric}
    resolved = configuration.load(W2sConfig, config, set_ or [], {**flags, "seed": seed})
    settings = resolved.value
    if not settings.data or out is None:
        missing = "DATA" if not settings.data else "--out"
        raise ConfigError(f"{missing} is missing", hint="tutelage w2s DATA --out FOLDER; --help shows the rest")
    from tutelage.jobs.w2s import w2s as run_job  # loads torch: not before the settings are known to be right

    command = shlex.join(["tutelage", *sys.argv[1:]])
    show(run_job(settings, out, command=command, origins=resolved.origins, console=progress(json)), json)


def progress(as_json: bool) -> Console:
    """Where progress is told."""
    return Console(stderr=True, quiet=as_json)


def show(done: W2sResult, as_json: bool) -> None:
    """Print what was found, for people or as JSON."""
    if as_json:
        typer.echo(json_text.dumps(dict(done.summary), indent=2))
    else:
        _show(Console(), done.summary, done.folder)


def _show(console: Console, summary: Mapping[str, Any], out: Path) -> None:
    from tutelage.report.weak_to_strong import points, ratio

    arms = summary["arms"]
    gap = next(iter(arms.values()))["gap"]
    share = f"share of the gap of {100 * gap['value']:+.1f}"
    table = Table("system", "accuracy, %", "better than weak", share, box=None, header_style="bold")
    table.add_row("weak", points(summary["weak"]["accuracy"]), "", "")
    for arm, one in arms.items():
        cells = (points(one["accuracy"]), points(one["gain"], sign=True), ratio(one["recovered"]))
        table.add_row(arm, *map(escape, cells))  # "[no interval]" is no markup
    table.add_row("ceiling", points(summary["ceiling"]["accuracy"]), "", "")
    for column in table.columns:
        column.no_wrap = True
    console.print(f"teacher: {escape(summary['teacher'])}; student: {escape(summary['student'])}", highlight=False)
    if summary["metric"]["name"] != "accuracy":
        console.print(_leading(summary["metric"]))
    console.print(table)
    for arm, one in arms.items():
        found = one["agreement"]
        told = points(found["where_weak_is_right"]), points(found["where_weak_is_wrong"])
        console.print(
            escape(f"{arm} agrees with weak where it is right {told[0]}, where it is wrong {told[1]}"),
            highlight=False,
            soft_wrap=True,
        )
    none, tested = 100 * next(iter(arms.values()))["non_positive"], summary["rows"]["test"]
    console.print(
        escape(f"gap {points(gap, sign=True)}; {none:.1f} % of the resamples of {tested} test items leave none; ")
        + f"always the largest class: {100 * summary['largest_class']:.1f} %",
        highlight=False,
        soft_wrap=True,
    )
    for note in summary["notes"]:
        console.print(f"[dim]note[/] {escape(note)}", highlight=False)
    console.print(escape(str(out / "report.html")), highlight=False, soft_wrap=True)


def _leading(metric: Mapping[str, Any]) -> Table:
    """The table of a metric that is not accuracy."""
    from tutelage.report.weak_to_strong import points, ratio

    gap = next(iter(metric["arms"].values()))["gap"]
    name = metric["name"].replace("_", " ")
    share = f"share of the gap of {100 * gap['value']:+.1f}"
    table = Table("system", f"{name}, %", "better than weak", share, box=None, header_style="bold")
    table.add_row("weak", f"{100 * metric['weak']:.1f}", "", "")
    for arm, one in metric["arms"].items():
        cells = (f"{100 * one['value']:.1f}", points(one["gain"], sign=True), ratio(one["recovered"]))
        table.add_row(arm, *map(escape, cells))
    table.add_row("ceiling", f"{100 * metric['ceiling']:.1f}", "", "")
    for column in table.columns:
        column.no_wrap = True
    return table
