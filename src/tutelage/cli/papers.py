"""``tutelage papers``: list the recipes, run one, show what the evidence says."""

from __future__ import annotations

import typer

from tutelage.cli import papers_recipes

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


papers_recipes.mount(app)
