"""How good is supervision: how often its solutions end wrong, how often its steps do, where, and what follows from it.

A step is wrong when it does not follow from what stands before it. Right work on a wrong number is no second mistake;
it is counted apart, as propagated. Two teachers with the same share of wrong answers can differ widely in this.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tutelage.data.steps import RIGHT, UNKNOWN, WRONG, StepRow, first_error
from tutelage.errors import DataError
from tutelage.io import content_hash
from tutelage.measure.results.table import MetricFacts, TaskResults
from tutelage.stats import outcome_error_rate, stepwise_error_rate
from tutelage.stats.intervals import mean_within
from tutelage.types import Estimate

__all__ = ["SupervisionQuality", "solution_errors", "supervision_quality"]

_ENOUGH = 5  # solutions with an error that is not in the last step, before a note speaks of their labels


@dataclass(frozen=True)
class SupervisionQuality:
    """Rates of error with intervals; None where nothing is known.

    ``outcome``: share of solutions that end wrong. ``step``, ``step_macro``: share of steps that are wrong, over all
    steps and as the mean over solutions. ``wrong_steps``: wrong steps in a solution that ends wrong. ``first``: place
    of the first wrong step as a share of the solution, in (0, 1], where there is one; ``places`` counts it by step,
    from 1. ``propagated``: right steps after the first wrong one, per solution with one. ``lucky``: solutions that end
    right in spite of a wrong step; ``unexplained``: those that end wrong without one. Both are 0 in labels without
    mistakes, but for errors that cancel out; None where no row says whether it ends right.
    """

    solutions: int
    steps: int
    unknown_steps: int
    outcome: Estimate | None
    step: Estimate | None
    step_macro: Estimate | None
    wrong_steps: Estimate | None
    first: Estimate | None
    places: Mapping[int, int]
    propagated: Estimate | None
    lucky: int | None
    unexplained: int | None
    groups: Mapping[str, SupervisionQuality]
    notes: tuple[str, ...] = ()


def supervision_quality(rows: Sequence[StepRow], *, level: float = 0.95, by_group: bool = True) -> SupervisionQuality:
    """Rates of error of a set of solutions whose steps are labelled; unknown labels are left out, not guessed.

    Where no row says whether it ends right, a solution counts as ending wrong when one of its steps is. The interval of
    steps takes those of one solution as dependent.

    Args:
        rows: solutions with local labels; see :mod:`tutelage.measure.step_labels` for others.
        level: confidence level.
        by_group: also for each ``domain``, where there are several.

    Raises:
        DataError: no rows.

    Source: arXiv 2410.20533 (outcome and step-wise error rate, micro); the rest is ours.

    Example:
        >>> from dataclasses import replace
        >>> row = StepRow("a", "5 + 3 - 2?", ("5 + 3 = 9", "9 - 2 = 7"), (0, 1), False)
        >>> found = supervision_quality([row, replace(row, id="b", labels=(1, 1), outcome=True)])
        >>> found.outcome.value, found.step.value, found.places, found.propagated.value
        (0.5, 0.25, {1: 1}, 1.0)
    """
    if not rows:
        raise DataError("there are no solutions")
    table = solution_errors(rows)
    known = [[label == WRONG for label in row.labels if label != UNKNOWN] for row in rows]
    known = [flags for flags in known if flags]
    wrong = table.values["outcome_wrong"]
    flawed = [row for row in rows if first_error(row.labels) is not None]
    carried = [count for row in flawed if (count := _propagated(row)) is not None]
    places = [int(first_error(row.labels) or 0) + 1 for row in flawed]
    reached = [place / len(row.steps) for place, row in zip(places, flawed, strict=True)]
    ended = [row.labels for row, bad in zip(rows, wrong, strict=True) if bad == 1]
    counts = [labels.count(WRONG) for labels in ended if UNKNOWN not in labels]
    groups = sorted({row.domain for row in rows})
    longest = max(len(row.steps) for row in rows)
    stated = any(row.outcome is not None for row in rows)
    clean = [all(label == RIGHT for label in row.labels) for row in rows]
    lucky = sum(bool(bad == 0 and WRONG in row.labels) for row, bad in zip(rows, wrong, strict=True))
    unexplained = sum(bool(bad == 1 and fine) for fine, bad in zip(clean, wrong, strict=True))
    return SupervisionQuality(
        solutions=len(rows),
        steps=sum(len(row.steps) for row in rows),
        unknown_steps=sum(row.labels.count(UNKNOWN) for row in rows),
        outcome=outcome_error_rate(wrong[~np.isnan(wrong)], level=level) if not np.isnan(wrong).all() else None,
        step=stepwise_error_rate(known, level=level) if known else None,
        step_macro=stepwise_error_rate(known, average="macro", level=level) if known else None,
        wrong_steps=mean_within(counts, 0, longest, level=level) if counts else None,
        first=mean_within(reached, 1 / longest, 1, level=level) if reached else None,
        places={place: places.count(place) for place in sorted(set(places))},
        propagated=mean_within(carried, 0, longest - 1, level=level) if carried else None,
        lucky=lucky if stated else None,
        unexplained=unexplained if stated else None,
        groups={
            name or "(none)": supervision_quality([r for r in rows if r.domain == name], level=level, by_group=False)
            for name in groups
        }
        if by_group and len(groups) > 1
        else {},
        notes=tuple(_notes(rows)),
    )


def solution_errors(rows: Sequence[StepRow], task: str = "supervision") -> TaskResults:
    """One line a solution: the table that ``tutelage compare`` reads, so that two teachers can be compared in pairs.

    ``outcome_wrong`` (1: it ends wrong), ``step_errors`` (share of its known steps that are wrong), ``wrong_steps``;
    NaN where unknown. Questions carry a fingerprint, so that only files about the same questions are paired.
    """
    stated = any(row.outcome is not None for row in rows)
    columns: dict[str, list[float]] = {name: [] for name in _FACTS}
    for row in rows:
        known = [label for label in row.labels if label != UNKNOWN]
        outcome = row.outcome
        if not stated and known and (WRONG in known or len(known) == len(row.labels)):
            outcome = WRONG not in known
        columns["outcome_wrong"].append(np.nan if outcome is None else float(not outcome))
        columns["step_errors"].append(known.count(WRONG) / len(known) if known else np.nan)
        columns["wrong_steps"].append(float(known.count(WRONG)) if known else np.nan)
    ids = tuple(row.id for row in rows)
    lost = {"outcome_wrong", "step_errors"}
    missing = {i: "not labelled" for k, i in enumerate(ids) if all(np.isnan(columns[name][k]) for name in lost)}
    return TaskResults(
        task,
        ids,
        {name: np.array(values) for name, values in columns.items()},
        _FACTS,
        prompts=tuple(row.question for row in rows),
        outputs=tuple("\n".join(row.steps) for row in rows),
        groups={"domain": tuple(row.domain for row in rows)} if len({row.domain for row in rows}) > 1 else {},
        asked=tuple(content_hash(row.question) for row in rows),
        missing=missing,
    )


_FACTS = {
    "outcome_wrong": MetricFacts(higher_is_better=False, unit="share of solutions"),
    "step_errors": MetricFacts(higher_is_better=False, unit="share of steps"),
    "wrong_steps": MetricFacts(higher_is_better=False, unit="steps"),
}


def _propagated(row: StepRow) -> int | None:
    """Right steps after the first wrong one; 0 without one; None where later steps have no labels."""
    place = first_error(row.labels)
    if place is None:
        return None if UNKNOWN in row.labels else 0
    return None if UNKNOWN in row.labels[place:] else row.labels[place:].count(RIGHT)


def _notes(rows: Sequence[StepRow]) -> list[str]:
    found = []
    stated = sum(row.outcome is not None for row in rows)
    if stated == 0:
        found.append("no row says whether it ends right: one with a wrong step counts as ending wrong")
    elif stated < len(rows):
        found.append(f"{len(rows) - stated} of {len(rows)} solutions have no outcome and are left out of its rate")
    tails = [row.labels[p + 1 :] for row in rows if (p := first_error(row.labels)) is not None]
    tails = [tail for tail in tails if tail and set(tail) != {UNKNOWN}]
    if len(tails) >= _ENOUGH and all(set(tail) <= {WRONG, UNKNOWN} for tail in tails):
        found.append(
            "after a first wrong step every step is labelled wrong: if these labels say what is right in the end, not "
            "what follows from the line before, the step error rate is too high: count up to the first error only"
        )
    if any(b != UNKNOWN and a == UNKNOWN for row in rows for a, b in pairwise(row.labels)):
        found.append("some steps have no label though later ones have: they are left out")
    return found
