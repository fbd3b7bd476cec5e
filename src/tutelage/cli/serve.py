"""``tutelage serve``: the page on this computer."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["serve"]


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8765,
    host: Annotated[str, typer.Option(help="Where to listen; only this computer can reach the default.")] = "127.0.0.1",
    library: Annotated[Path | None, typer.Option(help="The library of papers, a file; by default your own.")] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="Folder of evidence files; by default that of Tutelage.")
    ] = None,
    runs: Annotated[
        list[Path] | None, typer.Option(help="Also show the run, or the runs, in this folder; may be repeated.")
    ] = None,
    open_to_network: Annotated[
        bool, typer.Option("--open-to-network", help="Allow a --host that other computers reach; asks for a password.")
    ] = False,
) -> None:
    """Show papers, evidence and runs in the browser; nothing is changed, and no other computer is asked."""
    from tutelage.errors import ConfigError

    try:
        from tutelage.web import serving
    except ModuleNotFoundError as error:
        hint = "install it with `pip install 'tutelage[web]'`"
        raise ConfigError(f"the page needs the package {error.name}", hint=hint) from error
    serving.serve(
        host=host,
        port=port,
        library=library,
        evidence=evidence,
        runs=runs or [],
        open_to_network=open_to_network,
        say=typer.echo,
    )
