"""One file a paper: what it claims, how that is tested here, and the rule of the verdict; or the tool it became."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tutelage.papers.claim import Recipe, recipes
from tutelage.papers.tool_recipe import ToolRecipe, tool_recipes
from tutelage.registry import Registry

__all__ = ["load_recipe", "load_recipes", "load_tool_recipes"]


def load_recipes() -> Registry[Recipe]:
    """The registry with every recipe of this package in it, found by walking it: there is no list to edit."""
    _import_all()
    return recipes


def load_tool_recipes() -> Registry[ToolRecipe]:
    """The registry with every paper of this package that is a tool."""
    _import_all()
    return tool_recipes


def load_recipe(slug: str) -> Recipe | ToolRecipe:
    """One recipe or tool; the others are imported only if no module of this package bears its name.

    Raises:
        RegistryError: there is none; the hint names the nearest.
    """
    module = slug.replace("-", "_")
    if any(one.name == module for one in iter_modules(__path__)):
        import_module(f"{__name__}.{module}")
    else:
        _import_all()
    return tool_recipes.get(slug) if slug in tool_recipes else recipes.get(slug)


def _import_all() -> None:
    for module in iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
