"""``tutelage papers``: list the recipes, run one, show what the evidence says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Papers you can run: claims fixed before the run, evidence after it.")


@app.command("list")
def list_recipes() -> None:
    """Show the papers that have a recipe, and their claims."""
    from tutelage.papers.recipes import load_recipes

    for one in load_recipes().entries():
        typer.echo(f"{one.name}: {one.value.paper.title} ({one.paper})")
        for claim in one.value.claims:
            typer.echo(f"  {claim.id}: {claim.statement}")


@app.command("run")
def run(
    recipe: Annotated[str, typer.Argument(help="Name of the recipe, as `tutelage papers list` shows it.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the run.")],
    tier: Annotated[
        Literal["smoke", "cpu", "full"],
        typer.Option(help="smoke: seconds, no verdict; cpu: the verdict; full: more arms."),
    ] = ("cpu"),
    seeds: Annotated[int, typer.Option(min=2, help="How many seeds, from 0.")] = 5,
    resume: Annotated[bool, typer.Option("--resume", help="Continue what an earlier call began.")] = False,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads; models this small are fastest with one.")] = 1,
    evidence: Annotated[Path | None, typer.Option(help="Also write the evidence here, e.g. evidence/raft.json.")] = (
        None
    ),
) -> None:
    """Run a recipe: fix the rule, train and measure every arm, judge the claims."""
    from tutelage.errors import ConfigError
    from tutelage.models.loading import set_threads
    from tutelage.papers.evidence import write_evidence
    from tutelage.papers.recipes import load_recipes

    chosen = load_recipes().get(recipe)
    if (out / "rule.json").exists() and not resume:
        raise ConfigError("a run has been begun here", where=str(out), hint="add --resume, or give a new folder")
    set_threads(threads)
    found = chosen.run(chosen.tiers[tier](seeds), out)
    if evidence is not None:
        write_evidence(evidence, found)
    console = Console()
    for claim in found["claims"]:
        console.print(f"[bold]{claim['id']}[/] {claim['verdict']}: {claim['statement']}", highlight=False)
    if tier == "smoke":
        console.print("a smoke run shows that everything works; its verdicts mean nothing")
    console.print(f"evidence: {evidence or out / 'evidence.json'}", highlight=False)


@app.command("board")
def board(
    folder: Annotated[Path, typer.Argument(help="Folder with the evidence files.")] = Path("evidence"),
) -> None:
    """Print the table of claims, measurements and verdicts as Markdown."""
    from tutelage.papers import evidence

    typer.echo(evidence.board(folder), nl=False)
