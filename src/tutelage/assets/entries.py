"""What the embedded kit holds: every asset with its pin, its licence and its role, read from ``catalogue.toml``."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal, cast

from tutelage.errors import AssetError

__all__ = ["TIERS", "Asset", "Distribution", "Kind", "Licence", "catalogue", "get", "resolve"]

Kind = Literal["model", "encoder", "text", "image", "eval", "safety", "judge"]
TIERS = ("small", "optional")


@dataclass(frozen=True)
class Licence:
    """Licence of the content of an asset (not of the package around it).

    ``checked`` is False where the terms are given as upstream is known to state them and were not re-read inside
    the archive. ``train_ok`` says whether the terms and the purpose allow training on the rows.
    """

    spdx: str
    url: str
    attribution: str
    share_alike: bool = False
    noncommercial: bool = False
    eval_only: bool = False
    checked: bool = False

    @property
    def train_ok(self) -> bool:
        """False for evaluation-only and for non-commercial content."""
        return not (self.eval_only or self.noncommercial)


@dataclass(frozen=True)
class Distribution:
    """One archive: ``channel`` names the client that brings it, ``sha256`` pins its bytes, ``bytes`` its size."""

    name: str
    version: str
    channel: Literal["pip", "apt"]
    archive: str
    sha256: str
    bytes: int
    licence_members: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asset:
    """One usable thing inside an archive.

    ``members`` maps a split to the archive members that hold it (one ending in ``/`` is a folder); ``reader`` names
    how rows are made, ``recipe`` how a model folder is; ``bytes`` is the size on disk once installed.
    """

    name: str
    kind: Kind
    distribution: Distribution
    tier: str
    members: Mapping[str, tuple[str, ...]]
    licence: Licence
    role: str
    bytes: int
    reader: str | None = None
    recipe: str | None = None
    default_splits: tuple[str, ...] = ()
    licence_members: tuple[str, ...] = field(default=())


def catalogue() -> list[Asset]:
    """All assets of the kit, in the order of the catalogue file.

    Example:
        >>> [asset.name for asset in catalogue()][:2]
        ['smollm2-135m-instruct', 'all-minilm-l6-v2']
    """
    return list(_builtin().values())


def get(name: str) -> Asset:
    """The asset called ``name``.

    Raises:
        AssetError: there is none of that name; the hint has the nearest.
    """
    try:
        return _builtin()[name]
    except KeyError:
        raise AssetError(f"there is no asset called {name!r}", hint=_suggest(name, _builtin())) from None


def resolve(names: str | Iterable[str]) -> list[Asset]:
    """The assets that ``names`` stand for, each once, in the order of the catalogue.

    Args:
        names: one name or several; each is an asset, a distribution (all that is taken from it), a tier
            (``small``, ``optional``) or ``all``.

    Raises:
        AssetError: a name stands for nothing; the hint has the nearest.
    """
    wanted: set[str] = set()
    everything = _builtin()
    for name in [names] if isinstance(names, str) else names:
        found = {a.name for a in everything.values() if name in ("all", a.name, a.tier, a.distribution.name)}
        if not found:
            known = {*everything, *TIERS, "all", *(a.distribution.name for a in everything.values())}
            raise AssetError(f"there is no asset or tier called {name!r}", hint=_suggest(name, known))
        wanted |= found
    return [asset for asset in everything.values() if asset.name in wanted]


def parse(text: str) -> dict[str, Asset]:
    """Read a catalogue.

    Args:
        text: TOML in the layout of ``catalogue.toml``.

    Raises:
        AssetError: an unknown key or a missing one, with the entry named.
    """
    raw = tomllib.loads(text)
    distributions = {
        name: _build(Distribution, {"name": name, **table}, f"distributions.{name}")
        for name, table in raw["distributions"].items()
    }
    assets: dict[str, Asset] = {}
    for name, table in raw["assets"].items():
        where = f"assets.{name}"
        values = dict(table)
        values["licence"] = _build(Licence, values["licence"], f"{where}.licence")
        values["distribution"] = distributions[values["distribution"]]
        values["members"] = {split: tuple(members) for split, members in values["members"].items()}
        assets[name] = _build(Asset, {"name": name, **values}, where)
    return assets


@cache
def _builtin() -> dict[str, Asset]:
    return parse(Path(__file__).with_name("catalogue.toml").read_text(encoding="utf-8"))


def _build(kind: type[Any], values: Mapping[str, Any], where: str) -> Any:
    """``kind(**values)`` with lists as tuples and unknown keys refused."""
    unknown = set(values) - {f.name for f in fields(kind)}
    if unknown:
        raise AssetError(f"unknown key {sorted(unknown)[0]!r} in the catalogue", where=where)
    try:
        return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in values.items()})
    except TypeError as error:
        raise AssetError(f"incomplete entry in the catalogue: {error}", where=where) from error


def _suggest(name: str, known: Iterable[str]) -> str:
    near = cast("Sequence[str]", difflib.get_close_matches(name, list(known), n=1, cutoff=0.5))
    listing = "`tutelage assets list` shows all"
    return f"did you mean {near[0]!r}? {listing}" if near else listing
