"""``tutelage resume``: continue a run after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tutelage.cli.output import finish

__all__ = ["resume"]


def resume(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON and nothing else.")] = False,
) -> None:
    """Continue a run of tune or w2s that was interrupted or killed; on a CPU the numbers come out bit-equal."""
    from tutelage.jobs.run_folder import RunFolder

    if RunFolder.open(run).facts["job"] == "w2s":
        from tutelage.cli import w2s
        from tutelage.jobs.w2s import resume as resume_w2s

        w2s.show(resume_w2s(run, console=w2s.progress(json)), json)
        return
    from tutelage.jobs.tune import resume as run_job  # the job loads torch: not needed for --help

    finish(lambda console: run_job(run, console=console), json)
