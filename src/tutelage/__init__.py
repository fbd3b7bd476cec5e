"""Tutelage: measure and close the gap between the supervision a model gets and the model its owner wants.

Public names are resolved on first use, so that ``import tutelage`` and ``tutelage --help`` load no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Completion": "tutelage.types",
    "Estimate": "tutelage.types",
    "Row": "tutelage.types",
    "Sampling": "tutelage.types",
    "Scores": "tutelage.types",
    "TutelageError": "tutelage.errors",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module 'tutelage' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


if TYPE_CHECKING:
    from tutelage.errors import TutelageError as TutelageError
    from tutelage.types import Completion as Completion
    from tutelage.types import Estimate as Estimate
    from tutelage.types import Row as Row
    from tutelage.types import Sampling as Sampling
    from tutelage.types import Scores as Scores
