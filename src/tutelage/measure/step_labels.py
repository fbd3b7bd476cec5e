"""Where labels of steps come from when a file has none: a check, a reward model, or a second file."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from tutelage.data.splits import normalised
from tutelage.data.steps import RIGHT, UNKNOWN, WRONG, StepRow, first_error
from tutelage.errors import DataError, NumericalError
from tutelage.verify.arithmetic import parse_expression
from tutelage.verify.numbers import numbers

__all__ = [
    "StepCheck",
    "equation_holds",
    "known_until_first_error",
    "labelled_by_check",
    "labelled_by_reference",
    "labelled_by_scores",
]

StepCheck = Callable[[str, Sequence[str], str], bool | None]
_LONGEST = 1000  # characters of a step that are searched for equations
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_BEFORE = re.compile(r"(?:^|[\s=:;~>$€£\"'`])$")
_TAKES = re.compile(
    r"\b(?:[a-z]|of|times|plus|minus|over|by|per|power|root|sqrt|sin|cos|tan|log|ln|exp|abs|min|max)\s*$", re.IGNORECASE
)
_EQUATION = re.compile(r"([\d+\-*/() ×·÷−–\[\]]*[\d)\]])\s*=\s*(-?\d+(?:\.\d+)?)(?![\d.]*\s*[+\-*/=×÷])")


def labelled_by_check(rows: Sequence[StepRow], check: StepCheck) -> list[StepRow]:
    """The rows with labels by ``check(question, steps before, step)``: True, False, or None where it cannot tell."""
    values = {True: RIGHT, False: WRONG, None: UNKNOWN}
    return [
        replace(row, labels=tuple(values[check(row.question, row.steps[:i], s)] for i, s in enumerate(row.steps)))
        for row in rows
    ]


def known_until_first_error(row: StepRow) -> StepRow:
    """The row with unknown labels after its first wrong step: for labels that mark all that comes after it as wrong.

    Example:
        >>> known_until_first_error(StepRow("a", "?", ("s", "t", "u"), (1, 0, 0))).labels
        (1, 0, -1)
    """
    place = first_error(row.labels)
    if place is None:
        return row
    return replace(row, labels=(*row.labels[: place + 1], *(UNKNOWN,) * (len(row.labels) - place - 1)))


def labelled_by_scores(
    rows: Sequence[StepRow], scores: Sequence[Sequence[float]], threshold: float = 0.5
) -> list[StepRow]:
    """The rows with labels from a process reward model: a step is wrong when its score lies below the threshold.

    A reward model makes mistakes of its own; measure them with :func:`tutelage.stats.label_noise_probe` first.

    Args:
        rows: solutions.
        scores: of each one's steps; see :class:`tutelage.models.reward.RewardModel`.
        threshold: of a right step.

    Raises:
        DataError: another number of scores than of steps, or of lists than of rows.
        NumericalError: NaN or infinity.
    """
    if len(rows) != len(scores):
        raise DataError(f"scores of {len(scores)} solutions for {len(rows)}", hint="give a list for each")
    found = []
    for row, one in zip(rows, scores, strict=True):
        if len(one) != len(row.steps):
            raise DataError(
                f"{len(one)} scores for {len(row.steps)} steps",
                where=f"row {row.id!r}",
                hint="only a process reward model (PRM) scores every step",
            )
        if not all(map(math.isfinite, one)):
            raise NumericalError("a score of a step is not finite", where=f"row {row.id!r}", hint="score it anew")
        found.append(replace(row, labels=tuple(RIGHT if score >= threshold else WRONG for score in one)))
    return found


def labelled_by_reference(rows: Sequence[StepRow], references: Sequence[StepRow]) -> list[StepRow]:
    """The rows with labels from a second file: annotations of the same steps, or other solutions of the same questions.

    Where the reference has the same steps, its labels and outcome are taken. Else it is a right solution: steps are
    right as long as both say the same, the first that differs is wrong, and what follows is unknown; a solution ends
    right when its last number (else its last line) is the reference's. So a solution that takes another way counts as
    wrong where it leaves the reference's: steps that are merely written differently need labels, not a reference.

    Raises:
        DataError: a row has no reference, one to another question, or one that is itself wrong.
    """
    known = {one.id: one for one in references}
    found = []
    for row in rows:
        other = known.get(row.id)
        if other is None:
            raise DataError(
                "the reference has no row with this id", where=f"row {row.id!r}", hint="ids pair the two files"
            )
        if normalised(row.question) != normalised(other.question):
            raise DataError(
                "the reference answers another question", where=f"row {row.id!r}", hint="ids pair the two files"
            )
        found.append(_by(row, other))
    return found


def _by(row: StepRow, other: StepRow) -> StepRow:
    same = [normalised(a) == normalised(b) for a, b in zip(row.steps, other.steps, strict=False)]
    if all(same) and len(row.steps) == len(other.steps) and set(other.labels) != {UNKNOWN}:
        return replace(row, labels=other.labels, outcome=other.outcome if row.outcome is None else row.outcome)
    if WRONG in other.labels or other.outcome is False:
        raise DataError(
            "the reference has other steps and is itself wrong", where=f"row {row.id!r}", hint="give right solutions"
        )
    agree = next((k for k, one in enumerate(same) if not one), len(same))
    labels = [RIGHT] * agree + [WRONG] * (agree < len(row.steps))
    outcome = row.outcome
    if outcome is None:
        outcome = _answer(row.steps[-1]) == _answer(other.steps[-1])
    return replace(row, labels=tuple(labels + [UNKNOWN] * (len(row.steps) - len(labels))), outcome=outcome)


def equation_holds(question: str, before: Sequence[str], step: str) -> bool | None:
    """Whether the equations of whole numbers in a step hold; None where it has none. For :func:`labelled_by_check`.

    A result with decimals may be rounded to them. Where the left side begins with something else than a number, as in
    ``x + 3 - 1 = 10``, ``f(2) + 1 = 7`` or ``half of 10 + 2 = 7``, nothing is said. Whether the numbers are those that
    the step before made is not looked at.

    Example:
        >>> [equation_holds("", (), s) for s in ("5 + 3 = 8", "so 2 * (3 + 1) = 9", "7 / 3 = 2.33", "x + 3 - 1 = 10")]
        [True, False, True, None]
    """
    del question, before
    found = []
    text = _THOUSANDS.sub("", step[:_LONGEST])
    for match in _EQUATION.finditer(text):
        left = parse_expression(match.group(1))
        if left is not None and len(left.numbers) > 1 and _stands_alone(text, match):
            found.append(left.value is not None and _rounds_to(left.value, match.group(2)))
    return all(found) if found else None


def _stands_alone(text: str, match: re.Match[str]) -> bool:
    """Whether the left side is all of it: what stands before it is no operand, function or unfinished phrase."""
    side = match.group(1).lstrip()
    ahead = text[: match.end(1) - len(side)]
    return side[0] not in "+-*/×·÷−–" and bool(_BEFORE.search(ahead)) and not _TAKES.search(ahead)


def _rounds_to(value: Fraction, told: str) -> bool:
    places = len(told.partition(".")[2])
    return abs(value - Fraction(told)) <= (Fraction(1, 2 * 10**places) if places else 0)


def _answer(line: str) -> Any:
    found = numbers(line)
    return found[-1] if found else normalised(line)
