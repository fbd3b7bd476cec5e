"""What the store hands out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

__all__ = ["STATUSES", "Artifact", "Curve", "Run", "Scalar", "ScoreSet", "Status"]

Status = Literal["running", "done", "failed", "interrupted"]
STATUSES: tuple[str, ...] = get_args(Status)


class Scalar(NamedTuple):
    """The value of a named quantity at a step; NaN and infinities are values like others."""

    step: int
    name: str
    value: float


class Curve(NamedTuple):
    """The values of a named quantity: steps [N] in order, and values [N]."""

    steps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """One run as the store knows it; times are ISO 8601 in UTC, ``ended`` is None while it runs."""

    id: str
    kind: str
    folder: str
    status: str
    config: Mapping[str, Any]
    command: str
    created: str
    ended: str | None
    summary: Mapping[str, Any]


@dataclass(frozen=True)
class ScoreSet:
    """Which per-item scores a run has: ``items`` of them for one arm and metric."""

    arm: str
    metric: str
    version: int
    items: int


@dataclass(frozen=True)
class Artifact:
    """A file of a run. Pages and other outsiders address it by ``id``, never by path."""

    id: int
    name: str
    path: str
    sha256: str
