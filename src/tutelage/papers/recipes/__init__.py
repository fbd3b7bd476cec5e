"""One file a paper: what it claims, how that is tested here, and the rule of the verdict."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tutelage.papers.claim import Recipe, recipes
from tutelage.registry import Registry

__all__ = ["load_recipes"]


def load_recipes() -> Registry[Recipe]:
    """The registry with every recipe of this package in it, found by walking it: there is no list to edit."""
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return recipes
