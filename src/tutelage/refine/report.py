"""What refinement did to a data set: counts with reasons, cosines, texts side by side, cost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from tutelage.io import content_hash
from tutelage.refine.case import is_terse, question_of, words
from tutelage.refine.engine import RunResult
from tutelage.types import Refined, Row

__all__ = ["Example", "RefineReport", "report_on"]

_BINS = 20
_EXAMPLES = 12  # of each kind
_UNEVEN = 5  # rows with the same answer before a warning speaks of them


@dataclass(frozen=True)
class Example:
    """One row before and after. ``reason`` is why it fell back, or ``fused`` or ``rewrite``."""

    id: str
    question: str
    original: str
    refined: str
    tried: str
    similarity: float | None
    source: str
    reason: str


@dataclass(frozen=True)
class RefineReport:
    """``rows`` = ``kept`` + ``changed`` + ``dropped``; ``changed`` = ``fused`` + ``rewritten``.

    ``reasons`` counts why rows were kept or dropped. ``histogram`` holds cosines of each row's last rewrite in equal
    bins over [0, 1] (negative ones in the first): ``edges`` [21], ``passed`` and ``failed`` [20]. ``prompts`` says
    which prompt made the rewrites that passed. ``tokens_generated`` and ``seconds`` count the work on these rows,
    whichever run did it. ``mean_words`` are of original and refined answers. ``fallbacks``: refusals that were to be
    restated, and those of them that could not be. ``gap``: how far those refusals are from the model's own answers,
    ``before`` and ``after``, means by measure (:func:`tutelage.refine.distribution_gap`); empty where not measured.
    ``added``: further rows that were made, such as subtasks; ``refused`` counts why others were not.
    """

    rows: int
    kept: int
    changed: int
    dropped: int
    fused: int
    rewritten: int
    reasons: dict[str, int]
    prompts: dict[str, int]
    histogram: dict[str, list[float]]
    mean_words: dict[str, float]
    tokens_generated: int
    seconds: float
    examples: list[Example]
    warnings: list[str]
    settings: dict[str, Any] = field(default_factory=dict)
    fallbacks: tuple[int, int] = (0, 0)
    gap: dict[str, dict[str, float]] = field(default_factory=dict)
    added: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def fallback_rate(self) -> float | None:
        """Share of the refusals that could not be restated; None where none was tried (see ``fallbacks``)."""
        tried, failed = self.fallbacks
        return failed / tried if tried else None

    @property
    def gap_line(self) -> str | None:
        """The gap before and after as a sentence; None where it was not measured."""
        if not self.gap:
            return None
        old, new = (self.gap[when] for when in ("before", "after"))
        told = f"{old['nll']:.2f} to {new['nll']:.2f} nats a token"
        if "excess" in old and "excess" in new:
            told += f", {old['excess']:+.2f} to {new['excess']:+.2f} beside the model's own replies"
        return f"distribution gap of the refusals: {told}"

    @property
    def share_changed(self) -> float:
        """Changed rows over all rows; 0 for none."""
        return self.changed / self.rows if self.rows else 0.0

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)


def report_on(rows: Sequence[Row], result: RunResult, settings: Mapping[str, Any]) -> RefineReport:
    """Describe a run.

    Args:
        rows: what went in.
        result: what came out, in the same order.
        settings: to be shown with it (JSON values).

    Returns:
        The report. It is a function of rows, results and settings, but for ``seconds``: running again changes nothing.
    """
    refined = result.refined
    outcomes = Counter(r.outcome for r in refined)
    sources = Counter(r.trace.get("source") for r in refined if r.outcome == "changed")
    tried = [a for r in refined for a in r.trace.get("attempts", [])[-1:]]
    unique = {content_hash(row): r for row, r in zip(rows, refined, strict=True)}
    return RefineReport(
        rows=len(rows),
        kept=outcomes["kept"],
        changed=outcomes["changed"],
        dropped=outcomes["dropped"],
        fused=sources["fused"],
        rewritten=sources["rewrite"],
        reasons=dict(Counter(r.reason for r in refined if r.outcome != "changed").most_common()),
        prompts=dict(Counter(a["prompt"] for a in tried if a["ok"]).most_common()),
        histogram=_histogram(refined),
        mean_words=_mean_words(rows, refined),
        tokens_generated=sum(int(r.trace.get("tokens", 0)) for r in unique.values()),
        seconds=round(result.seconds, 3),
        examples=_examples(rows, refined),
        warnings=[*result.warnings, *_data_warnings(rows, refined)],
        settings=dict(settings),
        fallbacks=(len(told := _fell_back(refined)), sum(told)),
        added=sum(len(r.trace.get("added", ())) for r in refined),
        refused=dict(sum((Counter(r.trace.get("refused", {})) for r in refined), Counter[str]()).most_common()),
    )


def _fell_back(refined: Sequence[Refined]) -> list[bool]:
    return [bool(r.trace["fallback"]) for r in refined if "fallback" in r.trace]


def _histogram(refined: Sequence[Refined]) -> dict[str, list[float]]:
    edges = np.linspace(0.0, 1.0, _BINS + 1)
    bars: dict[str, list[float]] = {"edges": [round(float(edge), 2) for edge in edges]}
    for name, wanted in (("passed", True), ("failed", False)):
        found = [r.trace["sim"] for r in refined if r.trace.get("sim") is not None and r.trace.get("passed") is wanted]
        bars[name] = np.histogram(np.clip(found, 0.0, 1.0), edges)[0].tolist()
    return bars


def _mean_words(rows: Sequence[Row], refined: Sequence[Refined]) -> dict[str, float]:
    before = [len(words(row["completion"][-1]["content"])) for row in rows if row["completion"]]
    after = [
        len(words(r.row["completion"][-1]["content"])) for r in refined if r.row is not None and r.row["completion"]
    ]
    return {"original": _mean(before), "refined": _mean(after)}


def _mean(numbers: Sequence[int]) -> float:
    return round(sum(numbers) / len(numbers), 2) if numbers else 0.0


def _examples(rows: Sequence[Row], refined: Sequence[Refined]) -> list[Example]:
    """Some changed and some unchanged rows, chosen by the hash of their id, so that nobody picked them."""
    pairs = sorted(zip(rows, refined, strict=True), key=lambda pair: content_hash(["example", pair[0]["id"]]))
    chosen = []
    for changed in (True, False):
        chosen += [pair for pair in pairs if (pair[1].outcome == "changed") is changed][:_EXAMPLES]
    return [
        Example(
            id=row["id"],
            question=question_of(row) or "",
            original=row["completion"][-1]["content"] if row["completion"] else "",
            refined=r.row["completion"][-1]["content"] if r.row is not None and r.row["completion"] else "",
            tried=r.trace.get("answer_rewrite", ""),
            similarity=r.trace.get("sim"),
            source=r.trace.get("source", "orig"),
            reason=r.reason,
        )
        for row, r in chosen
    ]


def _data_warnings(rows: Sequence[Row], refined: Sequence[Refined]) -> list[str]:
    found = []
    changed = sum(r.outcome == "changed" for r in refined)
    if rows and changed < len(rows) / 2 and not any("added" in r.trace for r in refined):
        found.append(
            f"only {changed} of {len(rows)} answers were changed: this is mostly the original data; see the reasons"
        )
    told = _fell_back(refined)
    if any(told):
        found.append(
            f"{sum(told)} of {len(told)} refusals ({sum(told) / len(told):.0%}) could not be restated: where they were "
            "kept, they are as far from the model's own answers as before"
        )
    by_answer: dict[str, list[bool]] = defaultdict(list)
    for row, r in zip(rows, refined, strict=True):
        answer = row["completion"][-1]["content"] if row["completion"] else ""
        if answer.strip() and is_terse(answer, 8):
            by_answer[answer.strip()].append(r.outcome == "changed")
    never = sorted(a for a, done in by_answer.items() if len(done) >= _UNEVEN and not any(done))
    if never and changed:
        names = ", ".join(repr(a) for a in never[:5]) + (" ..." if len(never) > 5 else "")
        found.append(f"no answer {names} was ever changed while others were: the style now tells these answers apart")
    return found
