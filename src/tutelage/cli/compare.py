"""``tutelage compare``: may the new system replace the old one?"""

from __future__ import annotations

import json as json_module
import shlex
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

__all__ = ["compare"]

_EXIT = {"pass": 0, "fail": 1, "underpowered": 3, None: 0}
_SYSTEM = "A model (folder, Hub id, embedded name), a run folder, or a result file: ours, lm-eval, inspect, CSV."


def compare(
    old: Annotated[str, typer.Argument(metavar="OLD", help=f"What is in use now. {_SYSTEM}")],
    new: Annotated[str, typer.Argument(metavar="NEW", help="What may replace it; the same kinds.")],
    suite: Annotated[str | None, typer.Option(help="What models are measured on: a suite's name or file.")] = None,
    size: Annotated[
        Literal["smoke", "quick", "standard", "full"], typer.Option(help="Of a built-in suite, for models.")
    ] = "quick",
    gate: Annotated[Path | None, typer.Option(help="Rules that decide: TOML or YAML, see docs/compare.md.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for comparison.html, .json and .xml.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write the page here.")] = None,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here, for CI.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the whole comparison as JSON and nothing else.")] = False,
    level: Annotated[float | None, typer.Option(help="Confidence level of intervals, by default 0.95.")] = None,
    correction: Annotated[
        Literal["holm", "bh", "none"] | None,
        typer.Option(help="For many tests at once, by default holm."),
    ] = None,
    smallest_effect: Annotated[
        float | None, typer.Option(help="Change that would matter, in the metric's unit (0.02 = 2 points).")
    ] = None,
    metric: Annotated[list[str] | None, typer.Option(help="Only these, e.g. 'gsm8k/*'; may be repeated.")] = None,
    by: Annotated[list[str] | None, typer.Option(help="Only these breakdowns; may be repeated.")] = None,
    lower_is_better: Annotated[
        list[str] | None, typer.Option(metavar="METRIC", help="Less is better of it, where the files do not say so.")
    ] = None,
    self_baseline: Annotated[
        Path | None, typer.Option(help="Another run of OLD: how many answers flip when nothing has changed.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the bootstrap.")] = None,
) -> None:
    """Say whether NEW may replace OLD, item by item, with intervals and a gate.

    Exit codes: 0 the gate passes (or there is none), 1 it fails, 3 too little data to decide, 2 unusable input.
    """
    from tutelage.jobs.compare import CompareSettings, compare_results
    from tutelage.jobs.compare_files import write_reports
    from tutelage.jobs.compare_sources import Measurement, open_results, open_systems
    from tutelage.jobs.gate import load_gate
    from tutelage.jobs.interrupt import stop_requests

    flags = {"gate.level": level, "gate.correction": correction, "gate.seed": seed}
    rules = load_gate(gate, flags) if gate is not None else None
    settings = CompareSettings(
        level=0.95 if level is None else level,
        correction=correction or "holm",
        smallest_effect=smallest_effect,
        metrics=tuple(metric or ()),
        by=tuple(by or ()),
        seed=seed or 0,
    )
    breakdowns = [*settings.by, *(rule.by for rule in (rules.rules if rules else ()) if rule.by)]
    progress = Console(stderr=True, quiet=json)
    with stop_requests(progress.print) as should_stop:
        measurement = Measurement(suite, size, out, progress, should_stop)
        before, after = open_systems(old, new, measurement, by=breakdowns, lower_is_better=lower_is_better or ())
    again = None
    if self_baseline is not None:
        again = open_results(str(self_baseline), lower_is_better=lower_is_better or ())
    command = shlex.join(["tutelage", *sys.argv[1:]])
    document = compare_results(before, after, settings, rules, baseline=again, command=command)
    files = write_reports(document, folder=out, html=html, junit=junit)
    if json:
        from tutelage.report.comparison import to_json

        typer.echo(json_module.dumps(to_json(document), indent=2))
    else:
        from tutelage.report import comparison_text

        comparison_text.show(Console(), document, files)
    if code := _EXIT[document.answer.decision]:
        raise typer.Exit(code)
