"""Everything a report says, as frozen dataclasses: the page, the card and the terminal only show this.

Missing parts are None or empty and are shown as "not measured"; nothing is filled in. ``to_json`` gives
``report.json``, schema ``tutelage.report/1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from tutelage.errors import DataError
from tutelage.report.codec import decode, encode
from tutelage.report.headline import Headline, Movement, headline, movement
from tutelage.report.reading import HOW_TO_READ
from tutelage.report.training import Curve, CurvePoint
from tutelage.types import Comparison, Estimate

__all__ = [
    "SCHEMA",
    "ArmCost",
    "ArmResult",
    "AssetUse",
    "Cost",
    "Curve",
    "CurvePoint",
    "DataFacts",
    "Document",
    "FlipCount",
    "Headline",
    "Histogram",
    "Measure",
    "ModelFacts",
    "Note",
    "Phase",
    "Refinement",
    "RegressionCase",
    "RegressionSuite",
    "RunFacts",
    "Setting",
    "SideBySide",
    "from_json",
    "headline",
    "movement",
    "to_json",
]

SCHEMA = "tutelage.report/1"
Scalar = str | int | float | bool | None


@dataclass(frozen=True)
class ModelFacts:
    """The model before tuning. ``hub_id`` and ``licence`` (SPDX) are for the card, where known."""

    name: str
    revision: str | None = None
    weights_hash: str | None = None
    parameters: int | None = None
    trainable: int | None = None
    tuned: Literal["lora", "full"] = "lora"
    hub_id: str | None = None
    licence: str | None = None


@dataclass(frozen=True)
class RunFacts:
    """What is needed to do it again. ``seconds`` is wall time, ``environment`` holds plain facts of the machine."""

    id: str
    command: str
    created: str
    model: ModelFacts
    seed: int | None = None
    seconds: float | None = None
    threads: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    environment: dict[str, Scalar] = field(default_factory=dict)


@dataclass(frozen=True)
class Setting:
    """One resolved value of the configuration and where it came from (``default``, ``flag``, ``FILE:LINE``, ...)."""

    key: str
    value: str
    origin: str = "default"


@dataclass(frozen=True)
class FlipCount:
    """Items that were right before and are wrong now (``broken``), the reverse (``mended``), and the broken share."""

    broken: int
    mended: int
    n: int
    rate: Estimate | None = None


@dataclass(frozen=True)
class Measure:
    """One thing measured of one arm.

    ``unit`` ``"points"``: ``estimate`` and ``change`` are shares in [0, 1], shown times 100. Any other unit is shown
    as it is. ``change`` is against the base, on the same items; None for the base itself.
    """

    name: str
    title: str
    estimate: Estimate | None = None
    change: Comparison | None = None
    flips: FlipCount | None = None
    unit: str = "points"
    higher_is_better: bool = True

    @property
    def factor(self) -> float:
        """What values are multiplied by to be shown."""
        return 100.0 if self.unit == "points" else 1.0

    @property
    def moved(self) -> Movement:
        """How it moved against the base."""
        return movement(self.change, higher_is_better=self.higher_is_better)


@dataclass(frozen=True)
class ArmResult:
    """One model: the base, or what a method made of it. ``saved`` says where, relative to the run folder."""

    name: str
    domain: Measure
    general: Measure | None = None
    abilities: tuple[Measure, ...] = ()
    text_nll: Measure | None = None
    kl_to_base: Measure | None = None
    title: str = ""
    summary: str = ""
    saved: str | None = None

    @property
    def label(self) -> str:
        """The name to print: ``title``, or else the name in the field's way of writing it."""
        return self.title or ("Base" if self.name == "base" else self.name.upper())


@dataclass(frozen=True)
class Histogram:
    """Counts of rewrites that passed and failed the filter by cosine; ``edges`` [bins + 1], the others [bins]."""

    edges: tuple[float, ...]
    passed: tuple[int, ...]
    failed: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.edges) - 1 == len(self.passed) == len(self.failed):
            raise DataError("a histogram needs one count of each kind per bin", where="refinement.histogram")


@dataclass(frozen=True)
class SideBySide:
    """One row before and after refinement; ``tried`` is a rewrite that was not used."""

    id: str
    question: str
    original: str
    refined: str
    tried: str = ""
    similarity: float | None = None
    source: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Refinement:
    """What refinement changed: ``rows`` = ``kept`` + ``rewritten`` + ``fused`` + ``dropped``.

    ``kept`` rows fell back to the original answer, for ``reasons``. ``threshold`` is the least cosine that passes.
    """

    rows: int
    kept: int
    rewritten: int
    fused: int
    dropped: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    histogram: Histogram | None = None
    threshold: float | None = None
    mean_words: dict[str, float] = field(default_factory=dict)
    tokens_generated: int | None = None
    seconds: float | None = None
    examples: tuple[SideBySide, ...] = ()
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Refinement:
        """From the JSON report of the refine stage.

        Args:
            told: ``RefineReport.to_dict()``; keys it lacks stay empty.
        """
        bars, threshold = told.get("histogram"), told.get("settings", {}).get("tau")
        histogram = None
        if bars:
            passed, failed = (tuple(int(n) for n in bars[key]) for key in ("passed", "failed"))
            histogram = Histogram(tuple(float(edge) for edge in bars["edges"]), passed, failed)
        return cls(
            rows=told["rows"],
            kept=told["kept"],
            rewritten=told["rewritten"],
            fused=told["fused"],
            dropped=told.get("dropped", 0),
            reasons=dict(told.get("reasons", {})),
            histogram=histogram,
            threshold=None if threshold is None else float(threshold),
            mean_words={name: float(words) for name, words in told.get("mean_words", {}).items()},
            tokens_generated=told.get("tokens_generated"),
            seconds=told.get("seconds"),
            examples=tuple(SideBySide(**example) for example in told.get("examples", ())),
            warnings=tuple(told.get("warnings", ())),
        )


@dataclass(frozen=True)
class RegressionCase:
    """One item that got worse; the scores are the metric's, ``reference`` the gold answer if there is one."""

    id: str
    prompt: str
    before: str
    after: str
    score_before: float | None = None
    score_after: float | None = None
    reference: str | None = None


@dataclass(frozen=True)
class RegressionSuite:
    """The worst items of one suite for one arm; ``worse`` of ``items`` got worse, ``cases`` are the worst of them."""

    name: str
    title: str
    arm: str
    items: int
    worse: int
    cases: tuple[RegressionCase, ...] = ()


@dataclass(frozen=True)
class DataFacts:
    """The supervision. ``most_frequent_answer`` is the share of test rows with the commonest gold answer."""

    source: str
    rows_read: int
    train_rows: int
    test_rows: int
    rejected: dict[str, int] = field(default_factory=dict)
    test_from: str = ""
    format: str = ""
    source_hash: str | None = None
    overlap_exact: int | None = None
    overlap_near: int | None = None
    overlap_removed: int | None = None
    conflicts: int | None = None
    most_frequent_answer: float | None = None
    notes: tuple[str, ...] = ()
    assets: tuple[str, ...] = ()

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> DataFacts:
        """From the JSON facts of the data phase; a key that this class lacks is an error."""
        return decode(cls, facts, "data")


@dataclass(frozen=True)
class ArmCost:
    """What training one arm took, counted where it was spent."""

    arm: str
    steps: int | None = None
    tokens_generated: int | None = None
    tokens_scored: int | None = None
    tokens_trained: int | None = None
    seconds_generating: float | None = None
    seconds_training: float | None = None


@dataclass(frozen=True)
class Phase:
    """Wall seconds of one phase and the process's peak memory at its end, MiB."""

    name: str
    seconds: float | None = None
    peak_memory_mib: float | None = None


@dataclass(frozen=True)
class Cost:
    """What the run took."""

    arms: tuple[ArmCost, ...] = ()
    phases: tuple[Phase, ...] = ()
    peak_memory_mib: float | None = None


@dataclass(frozen=True)
class AssetUse:
    """One embedded asset that the run used, what for, and the licence of its content."""

    name: str
    use: str = ""
    kind: str = ""
    version: str = ""
    sha256: str = ""
    spdx: str = ""
    url: str = ""
    attribution: str = ""
    share_alike: bool = False
    noncommercial: bool = False
    eval_only: bool = False
    checked: bool = False

    @classmethod
    def of(cls, record: Mapping[str, Any], use: str = "") -> AssetUse:
        """From one record of ``assets.licence_report``."""
        known = {name: record[name] for name in cls.__dataclass_fields__ if name in record}
        return cls(**{**known, "use": use})


@dataclass(frozen=True)
class Note:
    """Something the reader should know; a warning may change what they do."""

    text: str
    level: Literal["warning", "note"] = "warning"


@dataclass(frozen=True)
class Document:
    """A whole report. ``arms`` begins with the base; ``headline.method`` names the arm that the run is about."""

    run: RunFacts
    headline: Headline
    arms: tuple[ArmResult, ...]
    curves: tuple[Curve, ...] = ()
    refinement: Refinement | None = None
    regressions: tuple[RegressionSuite, ...] = ()
    data: DataFacts | None = None
    cost: Cost | None = None
    assets: tuple[AssetUse, ...] = ()
    settings: tuple[Setting, ...] = ()
    notes: tuple[Note, ...] = ()
    how_to_read: tuple[tuple[str, str], ...] = HOW_TO_READ
    schema: str = SCHEMA

    def arm(self, name: str) -> ArmResult | None:
        """The arm of that name."""
        return next((arm for arm in self.arms if arm.name == name), None)

    @property
    def main(self) -> ArmResult | None:
        """The arm that the run is about."""
        return self.arm(self.headline.method)


def to_json(document: Document) -> dict[str, Any]:
    """The document as JSON values. NaN and infinity, which JSON lacks, become the strings "nan", "inf", "-inf"."""
    return {"schema": document.schema, **cast("dict[str, Any]", encode(document))}


def from_json(value: Mapping[str, Any]) -> Document:
    """The inverse of :func:`to_json`.

    Raises:
        DataError: another schema, or a value that does not fit it, with its path.
    """
    if value.get("schema") != SCHEMA:
        raise DataError(f"not a {SCHEMA} document but {value.get('schema')!r}", where="report.schema")
    return decode(Document, value)
