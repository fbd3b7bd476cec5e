"""``tutelage assets``: list, install, licences."""

from __future__ import annotations

import json as json_text
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from tutelage.assets import Asset

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="Real models and data for runs and tests: pinned, hashed, licensed, offline."
)

Names = Annotated[list[str] | None, typer.Argument(help="Assets, packages or tiers (small, optional, all).")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")]


def _megabytes(count: int) -> str:
    return f"{count / 1e6:.1f}" if count >= 100_000 else "<0.1"


@app.command("list")
def list_assets(names: Names = None, json: AsJson = False) -> None:
    """Show what there is, what is installed, and how large it is."""
    from tutelage import assets

    chosen = assets.resolve(names or "all")
    state = {asset.name: _state(asset) for asset in chosen}
    if json:
        typer.echo(json_text.dumps([_record(asset, state[asset.name]) for asset in chosen], indent=2))
        return
    table = Table("asset", "kind", "tier", "state", "MB", "licence", "role", header_style="bold", box=None)
    table.columns[4].justify = "right"
    marks = {"installed": "[green]installed[/]", "damaged": "[red]damaged[/]", "absent": "[dim]absent[/]"}
    for asset in chosen:
        size, licence = _megabytes(asset.bytes), asset.licence
        terms = licence.spdx if licence.train_ok else f"{licence.spdx} [yellow](no training)[/]"
        table.add_row(asset.name, asset.kind, asset.tier, marks[state[asset.name]], size, terms, asset.role)
    console = Console()
    console.print(table)
    if "absent" in state.values() or "damaged" in state.values():
        console.print(
            "\ninstall with `tutelage assets install NAME ...`, or `small` for the default kit", highlight=False
        )


@app.command("install")
def install(names: Names = None, json: AsJson = False) -> None:
    """Fetch, check and unpack assets (default: the small kit); later use needs no network."""
    from tutelage import assets

    console = Console(stderr=True)
    wanted = names or ["small"]
    done = assets.install(wanted, console=console, verify=True)
    if json:
        typer.echo(json_text.dumps({"made": list(done.made), "present": list(done.present)}, indent=2))
        return
    made = f"installed {len(done.made)}" if done.made else "nothing to install"
    Console().print(f"{made}; {len(done.present)} there already, every file checked", highlight=False)


@app.command("licences")
def licences(names: Names = None, json: AsJson = False) -> None:
    """Show the terms of the contents, who is to be credited, and what must not be trained on."""
    from tutelage import assets

    records = assets.licence_report(asset.name for asset in assets.resolve(names or "all"))
    if json:
        typer.echo(json_text.dumps(records, indent=2))
        return
    table = Table("asset", "licence", "training", "share alike", "read here", "credit", header_style="bold", box=None)
    for record in records:
        training = "yes" if record["train_ok"] else "[yellow]no[/]"
        flags = ["yes" if record[key] else "" for key in ("share_alike", "checked")]
        table.add_row(str(record["name"]), str(record["spdx"]), training, *flags, str(record["attribution"]))
    console = Console()
    console.print(table)
    console.print(
        "\n'read here': the terms were read inside the archive or on its card; otherwise as known from upstream"
    )


def _state(asset: Asset) -> str:
    from tutelage import assets

    found = assets.problem(asset)
    return "installed" if found is None else "absent" if found == "it is not installed" else "damaged"


def _record(asset: Asset, state: str) -> dict[str, object]:
    pin = asset.distribution
    return {
        "name": asset.name,
        "kind": asset.kind,
        "tier": asset.tier,
        "state": state,
        "bytes": asset.bytes,
        "download_bytes": pin.bytes,
        "distribution": pin.name,
        "version": pin.version,
        "sha256": pin.sha256,
        "licence": asset.licence.spdx,
        "train_ok": asset.licence.train_ok,
        "role": asset.role,
    }
