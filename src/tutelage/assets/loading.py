"""Typed rows of the text assets, each with a stable id; what cannot be used is set aside with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tutelage.assets.entries import Asset, get
from tutelage.assets.location import files
from tutelage.assets.readers import READERS
from tutelage.assets.readers.record import Files, SetAside, identify
from tutelage.errors import AssetError, DataError

__all__ = ["AssetRows", "load", "read", "rows"]


@dataclass(frozen=True)
class AssetRows:
    """The usable ``rows`` of an asset and what was ``set_aside`` with its place and the reason."""

    rows: list[dict[str, Any]]
    set_aside: tuple[SetAside, ...]


def rows(name: str, split: str | None = None) -> list[dict[str, Any]]:
    """The usable rows of a text asset; :func:`load` also tells what was set aside.

    Every row has ``id`` (first 16 hexadecimal digits of the SHA-1 of its normalised text, so it survives reordering
    and is unique within the asset) and ``split``. Multiple choice: ``question``, ``choices`` (list of str), ``answer``
    (index), perhaps ``passage``. See the readers for the other columns.

    Args:
        name: name of an asset.
        split: rows of this split only; None gives the usual splits, ``"all"`` every one.

    Raises:
        AssetMissing: the asset is not installed; the hint is the command.
        AssetError: there is no such asset, it has no rows, or no such split.
        DataError: a file of the asset cannot be read.

    Example:
        >>> rows("piqa")[0]["choices"]  # doctest: +SKIP
        ['replace drawer with bobby pin', 'finish, woodgrain with bobby pin']
    """
    return load(name, split).rows


def load(name: str, split: str | None = None) -> AssetRows:
    """As :func:`rows`, with what was set aside.

    Args:
        name: name of an asset.
        split: rows of this split only; None gives the usual splits, ``"all"`` every one.

    Raises:
        AssetMissing, AssetError, DataError: as :func:`rows`.
    """
    asset = get(name)
    if asset.reader is None:
        raise AssetError(
            f"the asset {name!r} is a {asset.kind} and has no rows", hint="use assets.path or assets.images"
        )
    everything = read(asset, files(asset))
    if split == "all" or (split is None and not asset.default_splits):
        return everything
    present = list(dict.fromkeys(row["split"] for row in everything.rows))
    wanted = asset.default_splits if split is None else (split,)
    if split is not None and split not in present:
        raise AssetError(f"the asset {name!r} has no split {split!r}", hint=f"it has: {', '.join(present)}, all")
    return AssetRows([row for row in everything.rows if row["split"] in wanted], everything.set_aside)


def read(asset: Asset, data: Files) -> AssetRows:
    """Rows of ``asset`` from the given files.

    Args:
        asset: names the reader.
        data: the files by the keys of ``asset.members``.

    Raises:
        DataError: a file is not what the reader expects; the asset is named.
    """
    reader = READERS[asset.reader or ""]
    kept: dict[str, dict[str, Any]] = {}
    aside: list[SetAside] = []
    try:
        for item in reader(data):
            if isinstance(item, SetAside):
                aside.append(item)
                continue
            key = identify(*item.key)
            if key in kept:
                aside.append(SetAside(item.where, "the same text as an earlier row"))
            else:
                kept[key] = {"id": key, "split": item.split, **item.columns}
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataError(
            f"the files are not as expected: {type(error).__name__}: {error}",
            where=f"asset {asset.name}",
            hint=f"run `tutelage doctor`, then `tutelage assets install {asset.name}`",
        ) from error
    return AssetRows(list(kept.values()), tuple(aside))
