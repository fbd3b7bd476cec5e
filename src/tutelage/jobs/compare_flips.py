"""What broke and was mended, in the form that reports show."""

from __future__ import annotations

from tutelage.report.comparison import FlipFacts, Quadrant
from tutelage.stats import FlipReport
from tutelage.types import Estimate

__all__ = ["flip_facts"]

_CELLS = {"both_right": "both", "broken": "only_old", "mended": "only_new", "both_wrong": "neither"}


def flip_facts(report: FlipReport, self_rate: Estimate | None = None) -> FlipFacts:
    """The report's numbers without the ids.

    Args:
        report: of the old system against the new.
        self_rate: negative flips of the old system against itself, if it was run twice.
    """
    graded, cells = report.graded, report.quadrants or {}
    return FlipFacts(
        n=report.n,
        broken=len(report.negative),
        mended=len(report.positive),
        rate=report.negative_rate,
        positive_rate=report.positive_rate,
        kept=report.both_correct,
        choice_rate=report.negative_rate_choice,
        floor=report.floor,
        independent=report.independent,
        relative=report.relative,
        self_rate=self_rate,
        excess=None if self_rate is None else report.excess(self_rate),
        loss=None if graded is None else graded.regression,
        gain=None if graded is None else graded.gain,
        smooth=report.basis == "graded",
        quadrants={name: Quadrant(cells[cell].items, cells[cell].same) for name, cell in _CELLS.items()}
        if cells
        else {},
    )
