"""Labelled steps of easy problems only: nothing of a hard problem may reach the reward model that is to judge it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tutelage.data.splits import normalised
from tutelage.data.steps import StepRow
from tutelage.errors import DataError

__all__ = ["easy_steps"]


def easy_steps(
    rows: Sequence[StepRow], *, easy: Iterable[str], hard: Iterable[str]
) -> tuple[list[StepRow], list[StepRow]]:
    """Rows without those of hard problems, which must not be labelled by anybody in an easy-to-hard experiment.

    Labelled steps come from whole pools of problems, of which some are the hard ones that are to be solved without
    supervision, in training or in the test. Questions are compared by their normalised text (case, punctuation and
    white space do not count); a row of a problem in neither list is kept.

    Args:
        rows: labelled solutions.
        easy: questions that may be labelled.
        hard: all others of the pool, of its training and its test part.

    Returns:
        (kept, dropped), in order.

    Raises:
        DataError: a question stands in both lists.

    Source: arXiv 2403.09472, official code.

    Example:
        >>> one = StepRow("a", "1 + 1?", ("2",), (1,))
        >>> kept, dropped = easy_steps([one], easy=["2 + 2?"], hard=["1 + 1 ?"])
        >>> len(kept), [row.id for row in dropped]
        (0, ['a'])
    """
    known = {normalised(question): question for question in easy}
    forbidden = {normalised(question) for question in hard}
    both = sorted(known.keys() & forbidden)
    if both:
        raise DataError(f"{known[both[0]]!r} is easy and hard", hint="give each question to one list")
    kept = [row for row in rows if normalised(row.question) not in forbidden]
    return kept, [row for row in rows if normalised(row.question) in forbidden]
