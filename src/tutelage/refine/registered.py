"""The refiners by name."""

from __future__ import annotations

from tutelage.refine.engine import RowRefiner
from tutelage.registry import Registry

__all__ = ["refiners"]

refiners: Registry[type[RowRefiner]] = Registry("refiner")
