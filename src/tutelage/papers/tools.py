"""What of a paper stands in this library, apart from its recipe: a table from slug to public objects.

A paper counts as implemented when one of its tools covers its method (``whole``). The rest is worth knowing but does
not make it so: of MUSCLE there are the measures of flips, not the training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

__all__ = ["TOOLS", "Tool", "tools"]


@dataclass(frozen=True)
class Tool:
    """A public object, as ``module:name``, what of the paper it covers, and the command that brings it to users."""

    target: str
    covers: str
    command: str = ""
    whole: bool = False

    def load(self) -> Any:
        """Import the object."""
        module, _, name = self.target.partition(":")
        return getattr(import_module(module), name)


TOOLS: Mapping[str, tuple[Tool, ...]] = {
    "raft": (
        Tool("tutelage.jobs.refine:refine_dataset", "the refinement of the data", "tutelage refine"),
        Tool("tutelage.jobs.tune:tune", "both stages, and what was gained and lost", "tutelage tune", whole=True),
    ),
    "muscle": (
        Tool("tutelage.stats:flip_report", "the measures of flips; not the training of an adapter", "tutelage compare"),
    ),
    "sft-grpo-overlap": (
        Tool("tutelage.data.leakage:overlap", "the audit of what two sets of prompts share; not the stages"),
    ),
}


def tools(slug: str) -> tuple[Tool, ...]:
    """What stands in this library of the paper ``slug``, whole or in part; empty when nothing does.

    Example:
        >>> [tool.target for tool in tools("muscle")]
        ['tutelage.stats:flip_report']
    """
    return TOOLS.get(slug, ())
