"""Recipes without a verdict: surveys and frameworks that one uses rather than tests.

A paper whose content is a schema, a measure or a procedure has no claim to replicate. Its recipe is a tool: files in,
findings out, ``tutelage papers run SLUG FILE``; the catalogue says "implemented" of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.papers.claim import Paper
from tutelage.registry import Registry

__all__ = ["ToolRecipe", "ToolResult", "tool_recipe", "tool_recipes"]


@dataclass(frozen=True)
class ToolResult:
    """What a tool found: ``text`` for a reader, ``record`` for a program, ``passed`` False when a check failed."""

    text: str
    record: Mapping[str, Any]
    passed: bool = True


Work = Callable[[Sequence[Path]], ToolResult]


@dataclass(frozen=True)
class ToolRecipe:
    """What implements the paper ``slug``.

    Attributes:
        slug: of the paper in the catalogue.
        paper: what is implemented.
        inputs: what ``run`` reads, in a few words.
        library: the functions behind it, by their import paths.
        run: files in, result out; without files it works on an example of its own.
    """

    slug: str
    paper: Paper
    inputs: str
    library: tuple[str, ...]
    run: Work


tool_recipes: Registry[ToolRecipe] = Registry("tool")


def tool_recipe(slug: str, paper: Paper, *, inputs: str, library: Sequence[str]) -> Callable[[Work], Work]:
    """Decorator: register a function as the tool that implements ``slug`` and leave it untouched."""

    def decorate(run: Work) -> Work:
        link = f"https://arxiv.org/abs/{paper.arxiv}"
        tool_recipes.register(slug, paper=link)(ToolRecipe(slug, paper, inputs, tuple(library), run))
        return run

    return decorate
