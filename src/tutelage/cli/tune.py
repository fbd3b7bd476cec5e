"""``tutelage tune``: the main job."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from tutelage.cli.output import finish

__all__ = ["tune"]


def tune(
    out: Annotated[Path, typer.Option("--out", help="Folder of the run; new or empty.")],
    data: Annotated[
        str | None, typer.Option(help="JSONL, JSON, CSV, Parquet, a saved datasets folder, or an embedded task.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="A folder, a Hub id, or the name of an embedded model.")] = None,
    method: Annotated[str | None, typer.Option(help="raft, sft, sdft or opd.")] = None,
    compare_with: Annotated[
        list[str] | None, typer.Option(help="Train this method too, and report it beside; repeatable.")
    ] = None,
    objective: Annotated[
        str | None, typer.Option(help="sft, ranking (of given responses), forward-kl, reverse-kl or jsd.")
    ] = None,
    reweight: Annotated[
        list[str] | None, typer.Option(help="Weigh tokens: vcore, dft, iw-sft, random or prune; repeatable.")
    ] = None,
    curriculum: Annotated[
        str | None, typer.Option(help="Order of the rows by their quality: ascend, descend, fold or uniform.")
    ] = None,
    average: Annotated[str | None, typer.Option(help="Average the last checkpoints: ema, sma or wma.")] = None,
    test: Annotated[str | None, typer.Option(help="Test rows; default: held out from the data.")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML or YAML file with any of the settings.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="key=value, e.g. train.learning_rate=1e-4; repeatable.")
    ] = None,
    max_steps: Annotated[int | None, typer.Option(help="Optimizer steps; default: from train.epochs.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON and nothing else.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Show the resolved configuration and stop.")] = False,
) -> None:
    """Tune a model on a domain, and show what was gained and what was lost."""
    from tutelage import config as configuration  # the job loads torch: not needed for --help
    from tutelage.jobs.tune_config import TuneConfig
    from tutelage.jobs.tune_options import option_flags

    given = {
        "method": method,
        "compare_with": compare_with,
        "model.name": model,
        "data.train": data,
        "data.test": test,
        "train.max_steps": max_steps,
        "run.seed": seed,
        **option_flags(objective, reweight or [], curriculum, average),
    }
    flags = {key: value for key, value in given.items() if value is not None}
    resolved = configuration.load(TuneConfig, config, overrides=set_ or [], flags=flags)
    if dry_run:
        typer.echo(configuration.dump_toml(resolved.value))
        return
    from tutelage.jobs.tune import tune as run_job

    finish(
        lambda console: run_job(resolved, out, command=shlex.join(["tutelage", *sys.argv[1:]]), console=console), json
    )
