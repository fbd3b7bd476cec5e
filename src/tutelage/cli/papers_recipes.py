"""``tutelage papers run | board | validate``: run a paper's recipe, show and check what the evidence says."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console

if TYPE_CHECKING:
    from tutelage.papers.claim import Recipe
    from tutelage.papers.tool_recipe import ToolRecipe

__all__ = ["mount"]

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def mount(app: typer.Typer) -> None:
    """Add the commands to ``tutelage papers``."""
    app.command("run")(run)
    app.command("board")(board)
    app.command("validate")(validate)


def run(
    slug: Annotated[str, typer.Argument(help="The paper, as `tutelage papers list` names it.")],
    files: Annotated[list[Path] | None, typer.Argument(help="What a paper that is a tool works on.")] = None,
    tier: Annotated[
        Literal["smoke", "cpu", "full", "gpu"],
        typer.Option(help="smoke: seconds, no verdict; cpu: the verdict; full, gpu: more, where a recipe has them."),
    ] = "cpu",
    seeds: Annotated[
        int | None, typer.Option(min=2, help="How many seeds; the recipe's own number by default.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the run; runs/SLUG-TIER by default.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue what an earlier call began.")] = False,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads; models this small are fastest with one.")] = 1,
    evidence: Annotated[
        Path | None, typer.Option(help="Also write the evidence here, e.g. evidence/raft.json.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show claims, rules, arms and cost; run nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a paper: fix the rule, train and measure every arm, judge the claims. Or use the tool that it became."""
    from tutelage.errors import ConfigError
    from tutelage.papers.evidence import SEEDS_NEEDED
    from tutelage.papers.tool_recipe import ToolRecipe

    chosen = _recipe_of(slug)
    if isinstance(chosen, ToolRecipe):
        _use(chosen, files or [], as_json)
        return
    if files:
        raise ConfigError("this recipe reads no files", where=slug, hint="leave them out")
    config = chosen.config(tier, seeds)
    if tier != "smoke" and len(config.seeds) < SEEDS_NEEDED:
        raise ConfigError(
            f"{len(config.seeds)} seeds are too few for a verdict", hint=f"at least {SEEDS_NEEDED}, or --tier smoke"
        )
    if dry_run:
        _show_plan(chosen, tier, config, as_json)
        return
    place = out or Path("runs") / f"{slug}-{tier}"
    if (place / "rule.json").exists() and not resume:
        raise ConfigError("a run has been begun here", where=str(place), hint="add --resume, or give a new folder")
    _run(chosen, config, place, threads, evidence, as_json)


def _recipe_of(slug: str) -> Recipe | ToolRecipe:
    """The recipe or tool of a paper; of a paper that has none, that is what the error says."""
    from tutelage.errors import RegistryError, nearest
    from tutelage.papers import catalogue
    from tutelage.papers.recipes import load_recipe, load_recipes, load_tool_recipes

    try:
        return load_recipe(slug)
    except RegistryError:
        papers = {one.slug for one in catalogue.entries()}
        known = sorted({*load_recipes().names(), *load_tool_recipes().names()})
        hint = f"there are: {', '.join(known)}"
        if slug in papers:
            raise RegistryError("this paper has no recipe yet", where=slug, hint=hint) from None
        close = nearest(slug, sorted({*papers, *known}))
        hint = f"did you mean {close!r}?" if close else hint
        raise RegistryError(f"there is no paper {slug[:80]!r}", hint=hint) from None


def _use(tool: ToolRecipe, files: list[Path], as_json: bool) -> None:
    found = tool.run(files)
    typer.echo(json.dumps(dict(found.record), indent=2) if as_json else found.text)
    if not found.passed:
        raise typer.Exit(1)


def _show_plan(chosen: Recipe, tier: str, config: Any, as_json: bool) -> None:
    from tutelage.cli.papers_runs_text import show_plan
    from tutelage.papers.claim import rule_hash, rule_records

    seconds = next(value for name, value in chosen.plan.seconds.items() if name == tier)
    plan = {
        "slug": chosen.slug,
        "tier": tier,
        "rule_hash": rule_hash(chosen.claims, asdict(config)),
        "claims": rule_records(chosen.claims),
        "arms": dict(chosen.plan.arms),
        "controls": list(chosen.plan.controls),
        "cpu_seconds": seconds,
        "config": asdict(config),
    }
    if as_json:
        typer.echo(json.dumps(plan, indent=2))
        return
    show_plan(Console(), chosen, plan)


def _run(chosen: Recipe, config: Any, place: Path, threads: int, evidence: Path | None, as_json: bool) -> None:
    from tutelage.cli.papers_runs_text import show_run
    from tutelage.models.loading import set_threads
    from tutelage.papers.evidence import write_evidence

    if config.tier != "gpu":  # what the CPU's tiers measure is the same on every machine
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    set_threads(threads)
    try:
        found = chosen.run(config, place)
    except KeyboardInterrupt:
        typer.echo(f"interrupted; the same command with --resume goes on from what is in {place}", err=True)
        raise
    if evidence is not None:
        write_evidence(evidence, found)
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    show_run(Console(), found, evidence or place / "evidence.json")


def board(
    evidence: Annotated[
        Path | None, typer.Option(help="Folder with the evidence files; ./evidence, or that of this installation.")
    ] = None,
    write: Annotated[Path | None, typer.Option(help="Page to put the table in, e.g. docs/papers.md.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Exit 1 if the page (docs/papers.md, or --write) is stale; write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show claim, measurement and verdict of every paper, from the evidence files alone; as Markdown into a pipe."""
    from tutelage.cli.papers_runs_text import show_board
    from tutelage.papers import board as papers_board

    folder = evidence or _evidence_folder()
    rows = papers_board.board(folder) if evidence is not None or folder.is_dir() else ()
    page = write or Path("docs/papers.md")
    if check:
        stale = papers_board.is_stale(rows, page)
        typer.echo(
            f"{page}: {'stale, run `tutelage papers board --write ' + str(page) + '`' if stale else 'up to date'}"
        )
        if stale:
            raise typer.Exit(1)
    elif write is not None:
        typer.echo(f"{page}: {'written' if papers_board.write_board(rows, page) else 'nothing to change'}")
    elif as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    elif (console := Console()).is_terminal:
        show_board(console, rows)
    else:
        typer.echo(papers_board.render_markdown(rows), nl=False)


def _evidence_folder() -> Path:
    """Where evidence is looked for when no folder is named."""
    from tutelage.papers.catalogue import evidence_folder

    here = Path("evidence")
    return here if here.is_dir() else evidence_folder()


def validate(
    files: Annotated[
        list[Path] | None, typer.Argument(help="Evidence files; those that `board` shows by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check evidence files: form, hash of the rule, and that every verdict follows from its interval."""
    from tutelage.errors import DataError
    from tutelage.papers.evidence import evidence_files, read_evidence

    folder = _evidence_folder()
    chosen = files or (evidence_files(folder) if folder.is_dir() else ())
    if not chosen:
        raise DataError("there is no evidence here", where=str(folder), hint="name the files to check")
    found: dict[str, str | None] = {}
    for path in chosen:
        try:
            read_evidence(path)
            found[str(path)] = None
        except DataError as error:
            found[str(path)] = f"{error.where}: {error.what}"
    if as_json:
        typer.echo(
            json.dumps([{"file": name, "valid": why is None, "error": why} for name, why in found.items()], indent=2)
        )
    else:
        for name, why in found.items():
            typer.echo(f"{name}: valid" if why is None else f"invalid: {why}")
    if any(found.values()):
        raise typer.Exit(1)
