"""Where installed assets lie and whether what lies there is whole.

Layout: ``HOME/assets/NAME/`` holds ``asset.json`` (which pin it was made from), ``manifest.json`` (size and SHA-256 of
every file), ``licences/``, and either a model folder in the Hub's layout or ``data/SPLIT/FILE``.
"""

from __future__ import annotations

import json
from pathlib import Path

from tutelage.assets.entries import Asset, get
from tutelage.errors import AssetError, AssetMissing, CheckpointError, TutelageError
from tutelage.io.atomic import verify_folder
from tutelage.io.paths import contained, home

__all__ = ["RECIPES", "assets_home", "files", "is_installed", "missing", "origin", "path", "problem"]

# Raise a number when the making of a folder changes: installed folders of the old number are then made again.
RECIPES = {"gguf-float32": 1, "folder": 1, "members": 1}
ORIGIN = "asset.json"


def assets_home() -> Path:
    """The folder of all installed assets; it need not exist."""
    return home() / "assets"


def origin(asset: Asset) -> dict[str, str]:
    """What an installed folder must have been made from; written as ``asset.json``."""
    recipe = asset.recipe or "members"
    return {
        "name": asset.name,
        "distribution": asset.distribution.name,
        "version": asset.distribution.version,
        "sha256": asset.distribution.sha256,
        "recipe": f"{recipe}/{RECIPES[recipe]}",
        "licence": asset.licence.spdx,
        "attribution": asset.licence.attribution,
    }


def path(name: str, *, verify: bool = False) -> Path:
    """Folder of an installed asset, checked.

    The quick check reads the marker and the size of every file (milliseconds).

    Args:
        name: name of an asset.
        verify: also hash every file.

    Raises:
        AssetMissing: it is not installed; the hint is the command that brings it.
        AssetError: there is no such asset, or what lies there is damaged.

    Example:
        >>> path("all-minilm-l6-v2") / "model.safetensors"  # doctest: +SKIP
    """
    asset = get(name)
    folder = assets_home() / asset.name
    found = problem(asset, verify=verify)
    if found is None:
        return folder
    if not folder.is_dir():
        raise missing(asset)
    raise AssetError(
        f"the installed asset {name!r} cannot be used: {found}",
        where=str(folder),
        hint=f"run `tutelage assets install {name}` to make it again",
    )


def is_installed(name: str, *, verify: bool = False) -> bool:
    """Whether :func:`path` would succeed.

    Raises:
        AssetError: there is no such asset.
    """
    return problem(get(name), verify=verify) is None


def files(asset: Asset) -> dict[str, tuple[Path, ...]]:
    """The files of an installed text asset, by the keys of its ``members``.

    Raises:
        AssetMissing, AssetError: as :func:`path`.
    """
    folder = path(asset.name)
    return {
        split: tuple(contained(folder, place(split, member)) for member in members)
        for split, members in asset.members.items()
    }


def place(split: str, member: str) -> str:
    """Where a member of a text asset lies below the asset's folder."""
    return f"data/{split}/{member.rsplit('/', 1)[-1]}"


def missing(asset: Asset) -> AssetMissing:
    """The error for an asset that is not installed."""
    return AssetMissing(
        f"the asset {asset.name!r} is not installed ({asset.role})",
        hint=f"tutelage assets install {asset.name}",
    )


def problem(asset: Asset, *, verify: bool = False) -> str | None:
    """What is wrong with the installed folder of ``asset``, or None.

    Args:
        asset: which one.
        verify: also hash every file.
    """
    folder = assets_home() / asset.name
    if not folder.is_dir():
        return "it is not installed"
    try:
        made_from = json.loads((folder / ORIGIN).read_bytes())
        if not isinstance(made_from, dict) or any(
            made_from.get(key) != origin(asset)[key] for key in ("sha256", "recipe")
        ):
            return "it was made from another version of the archive or by another recipe"
        for name, entry in json.loads((folder / "manifest.json").read_bytes())["files"].items():
            size = contained(folder, name).stat().st_size
            if size != entry["bytes"]:
                return f"{name} has {size} bytes instead of {entry['bytes']}"
        if verify:
            verify_folder(folder)
    except CheckpointError as error:
        return f"{error.where}: {error.what}"
    except FileNotFoundError as error:
        return f"{error.filename} is missing"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, TutelageError) as error:
        return f"its marker cannot be read ({error})"
    return None
