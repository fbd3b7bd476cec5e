"""The command line: one file a verb; each parses, calls one job, and prints.

Exit codes: 0 done, 1 a check failed, 2 bad input, 3 too little data to decide, 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from tutelage import __version__
from tutelage.cli import assets, compare, doctor, match, measure, papers, refine, resume, serve, tune, w2s
from tutelage.cli.failure import show

__all__ = ["app", "main"]

app = typer.Typer(
    name="tutelage",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Tune a model on your domain without making it forget, and see what was gained and lost.",
    epilog="Start with `tutelage tune --data FILE --out RUN`; `tutelage doctor` says what is missing.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tutelage {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options before the verb."""


app.command("tune")(tune.tune)
app.command("resume")(resume.resume)
app.command("refine")(refine.refine)
app.command("measure")(measure.measure)
app.command("compare")(compare.compare)
app.command("match")(match.match)
app.command("w2s")(w2s.w2s)
app.command("doctor")(doctor.doctor)
app.command("serve")(serve.serve)
app.add_typer(assets.app, name="assets")
app.add_typer(papers.app, name="papers")


def main() -> None:
    """Entry point; turns errors into a message and an exit code, never a traceback."""
    try:
        app()
    except (Exception, KeyboardInterrupt) as error:
        sys.exit(show(error))
