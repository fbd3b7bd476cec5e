"""Everything a comparison of two systems says, as frozen dataclasses: page, terminal, JUnit and JSON only show this.

``to_json`` gives ``comparison.json``, schema ``tutelage.comparison/1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from tutelage.errors import DataError
from tutelage.report.codec import decode, encode
from tutelage.report.document import RegressionSuite
from tutelage.report.headline import Movement, movement
from tutelage.types import Comparison, Estimate

__all__ = [
    "SCHEMA",
    "SHARES",
    "Answer",
    "Compared",
    "ComparisonDocument",
    "Decision",
    "FlipFacts",
    "PlanFacts",
    "Quadrant",
    "RulePart",
    "RuleResult",
    "System",
    "from_json",
    "to_json",
]

SCHEMA = "tutelage.comparison/1"
SHARES = ("points", "%")
"""Units of values in [0, 1], which are shown times 100."""
Decision = Literal["pass", "fail", "underpowered"]
Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class System:
    """One of the two: its name, where its results came from, and what is known of it."""

    name: str
    source: str = ""
    facts: dict[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What the report says first. ``decision`` is None when there was no gate to decide by."""

    decision: Decision | None
    sentence: str
    next_step: str


@dataclass(frozen=True)
class RulePart:
    """One metric (of one group) under one rule.

    ``value`` is what the rule reads: a difference (new minus old), a share or a level, in the metric's own unit;
    it must lie above ``low`` and below ``high`` as far as they are given. ``needed`` is about how many items it takes
    for the same finding to pass; None when no number would (the estimate itself is on the wrong side) or none is
    needed.
    """

    title: str
    decision: Decision
    value: Estimate
    sentence: str
    n: int
    unit: str = "points"
    low: float | None = None
    high: float | None = None
    needed: int | None = None

    @property
    def factor(self) -> float:
        """What values are multiplied by to be shown."""
        return 1.0 if self.unit not in SHARES else 100.0


@dataclass(frozen=True)
class RuleResult:
    """One rule: what it asks in words, what came of it, and every part it rests on, the decisive ones first.

    ``metrics`` are the names (``TASK/METRIC``) of all that it looks at.
    """

    name: str
    require: str
    statement: str
    decision: Decision
    sentence: str
    parts: tuple[RulePart, ...] = ()
    metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quadrant:
    """One cell of right/wrong before and after; ``same`` of its items have the same answer on both sides, if known."""

    items: int
    same: int | None = None


@dataclass(frozen=True)
class FlipFacts:
    """What the new system broke and mended.

    ``rate`` is the share of items right before and wrong now, ``positive_rate`` the reverse, ``kept`` the share of
    formerly right items that still are, ``choice_rate`` the share that is wrong now with another answer than before.
    ``floor`` is the least rate that the two accuracies allow, ``independent`` the rate of two unrelated systems of
    these accuracies, ``relative`` the rate over that; ``self_rate`` is the rate between two runs of the old system and
    ``excess`` the rate beyond that. ``smooth``: scores are graded, every change counts, and ``loss`` and ``gain`` are
    the mean sizes of changes for the worse and the better, in the metric's unit.
    """

    n: int
    broken: int
    mended: int
    rate: Estimate
    positive_rate: Estimate
    kept: Estimate | None = None
    choice_rate: Estimate | None = None
    floor: float | None = None
    independent: float | None = None
    relative: Estimate | None = None
    self_rate: Estimate | None = None
    excess: Estimate | None = None
    loss: Estimate | None = None
    gain: Estimate | None = None
    smooth: bool = False
    quadrants: dict[str, Quadrant] = field(default_factory=dict)


@dataclass(frozen=True)
class Compared:
    """One metric of one task, over all items or over those of one group.

    ``change`` is new minus old on the same items. ``unit`` ``"points"``: values are shares, shown times 100.
    ``left_out`` counts items that one side has no score for.
    """

    task: str
    metric: str
    n: int
    old: Estimate
    new: Estimate
    change: Comparison
    title: str = ""
    breakdown: str = ""
    group: str = ""
    unit: str = "points"
    higher_is_better: bool = True
    flips: FlipFacts | None = None
    left_out: int = 0

    @property
    def name(self) -> str:
        """``TASK/METRIC``."""
        return f"{self.task}/{self.metric}"

    @property
    def factor(self) -> float:
        """What values are multiplied by to be shown."""
        return 100.0 if self.unit in SHARES else 1.0

    @property
    def moved(self) -> Movement:
        """How the new system did against the old."""
        return movement(self.change, higher_is_better=self.higher_is_better)


@dataclass(frozen=True)
class PlanFacts:
    """What was fixed before the data were read; ``fingerprint`` is its hash."""

    fingerprint: str
    level: float
    correction: str
    seed: int
    resamples: int
    metrics: tuple[str, ...] = ()
    breakdowns: tuple[str, ...] = ()
    gate: str = ""
    smallest_effect: float | None = None


@dataclass(frozen=True)
class ComparisonDocument:
    """A whole comparison. ``cautions`` stand at its top: what a reader must know before the numbers."""

    old: System
    new: System
    answer: Answer
    plan: PlanFacts
    metrics: tuple[Compared, ...]
    groups: tuple[Compared, ...] = ()
    rules: tuple[RuleResult, ...] = ()
    regressions: tuple[RegressionSuite, ...] = ()
    cautions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    command: str = ""
    created: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    schema: str = SCHEMA


def to_json(document: ComparisonDocument) -> dict[str, Any]:
    """The document as JSON values. NaN and infinity, which JSON lacks, become the strings "nan", "inf", "-inf"."""
    return {"schema": document.schema, **cast("dict[str, Any]", encode(document))}


def from_json(value: Mapping[str, Any]) -> ComparisonDocument:
    """The inverse of :func:`to_json`.

    Raises:
        DataError: another schema, or a value that does not fit it, with its path.
    """
    if value.get("schema") != SCHEMA:
        raise DataError(f"not a {SCHEMA} document but {value.get('schema')!r}", where="comparison.schema")
    return decode(ComparisonDocument, value, "comparison")
