"""Final answers that are lists: right, right in another form, or wrong. Compared by rule, without asking a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from fractions import Fraction
from typing import Any

from tutelage.errors import RangeError
from tutelage.types import Chat, Verdict, Verifier
from tutelage.verify.answer_lists import last_list, read_list
from tutelage.verify.answers import normalised_answer
from tutelage.verify.numbers import numbers
from tutelage.verify.registry import constraints

__all__ = ["Grade", "final_answer", "grade_final"]

_NEAR_ZERO = Fraction(1, 10**9)
_LISTS = (list, tuple, set, frozenset)


class Grade(StrEnum):
    """``accepted`` holds for the first two: the values are right."""

    CORRECT = "CORRECT"
    BAD_FORMATTING = "BAD FORMATTING"
    INCORRECT = "INCORRECT"

    @property
    def accepted(self) -> bool:
        """Whether the grade counts as right."""
        return self is not Grade.INCORRECT


def grade_final(pred: Any, gold: Any, rel_tol: float = 0.1, *, ordered: bool = False) -> Grade:
    """Grade a final answer against the right one.

    CORRECT: the same form, numbers :math:`|p-g| \\le rel\\_tol\\,|g|`, texts equal apart from case, punctuation and a
    leading article. BAD FORMATTING: the same values, but a number inside a text ("42 km"), a list among other words,
    one value without its list, or other brackets. INCORRECT: anything else.

    The outer list may come in any order unless ``ordered``; a set, or ``{...}`` in a text, may do so anywhere; inner
    lists are records and keep their order. With items in any order the grade does not depend on which is tried first:
    a matching is looked for that pairs all of them.

    A tolerance of 10 % is the paper's; it takes 1990 for 2010. Give dates as texts, and counts a smaller tolerance.

    Args:
        pred: a value, or a text in which one is written as ``[1, "a"]``.
        gold: likewise.
        rel_tol: share of the right number; a right number of 0 allows 1e-9.
        ordered: whether the question asks for an order.

    Raises:
        RangeError: a tolerance that is negative or not finite.

    Source: the three grades and the 10 % of arXiv 2501.01290, where a language model gives them; the rules are ours.

    Example:
        >>> grade_final("[41.9, 'Rome']", ["Rome", 42]).value, grade_final("It is 42 km.", [42]).value
        ('CORRECT', 'BAD FORMATTING')
        >>> grade_final(["Rome", "Oslo"], ["Oslo", "Rome"], ordered=True).value
        'INCORRECT'
    """
    if not (math.isfinite(rel_tol) and rel_tol >= 0):
        raise RangeError(f"a tolerance of {rel_tol}", hint="0 or more, such as 0.1 for 10 %")
    wanted = gold if not isinstance(gold, str) else _read(gold)
    given = pred if not isinstance(pred, str) else _read(pred)
    tolerance = _as_written(rel_tol)
    if _same(given, wanted, tolerance, free=not ordered, loose=False):
        return Grade.CORRECT
    candidates = [given] if not isinstance(pred, str) else [given, last_list(pred)]
    if any(one is not None and _loosely(one, wanted, tolerance, ordered) for one in candidates):
        return Grade.BAD_FORMATTING
    return Grade.INCORRECT


@constraints.register("final-answer", paper="https://arxiv.org/abs/2501.01290")
def final_answer(rel_tol: float = 0.1, ordered: bool = False) -> Verifier:
    """A verifier of final answers that are lists: 1 when :func:`grade_final` accepts the text, whatever its form.

    The detail is the grade. Of a text the last 10,000 characters are read.

    Args:
        rel_tol: share of a right number.
        ordered: whether the order counts.

    Raises:
        RangeError: a tolerance that is negative or not finite.

    Example:
        >>> final_answer(0.01)([], "So it is [42, 'Rome'].", '["Rome", 42]')
        Verdict(score=1.0, detail='BAD FORMATTING', version=1)
    """
    grade_final([], [], rel_tol)

    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        """1 when the answer's values are those of the reference."""
        del prompt
        if reference is None:
            return Verdict(0.0, "there is no reference to compare with")
        grade = grade_final(text, reference, rel_tol, ordered=ordered)
        return Verdict(float(grade.accepted), grade.value)

    return judge


def _read(text: str) -> Any:
    found = read_list(text)
    return text.strip() if found is None else found


def _loosely(pred: Any, gold: Any, tolerance: Fraction, ordered: bool) -> bool:
    """The same values, brackets and types apart; records keep together only if the brackets do."""
    if _same(pred, gold, tolerance, free=not ordered, loose=True):
        return True
    left, right = _leaves(pred), _leaves(gold)
    nested = isinstance(gold, _LISTS) and any(isinstance(one, _LISTS) for one in gold)
    free = not nested and (not ordered or isinstance(gold, set | frozenset))
    return bool(right) and _same(left, right, tolerance, free=free, loose=True)


def _leaves(value: Any) -> list[Any]:
    return [leaf for one in value for leaf in _leaves(one)] if isinstance(value, _LISTS) else [value]


def _same(pred: Any, gold: Any, tolerance: Fraction, *, free: bool, loose: bool) -> bool:
    if not isinstance(gold, _LISTS):
        return not isinstance(pred, _LISTS) and _same_leaf(pred, gold, tolerance, loose)
    if not isinstance(pred, _LISTS) or len(pred) != len(gold):
        return False
    if free or isinstance(gold, set | frozenset):
        return _matching(list(pred), list(gold), tolerance, loose)
    return all(_same(p, g, tolerance, free=False, loose=loose) for p, g in zip(pred, gold, strict=True))


def _matching(pred: Sequence[Any], gold: Sequence[Any], tolerance: Fraction, loose: bool) -> bool:
    """Whether the items can be paired one to one (augmenting paths): a near number must not take another's place."""
    fits = [[j for j, p in enumerate(pred) if _same(p, g, tolerance, free=False, loose=loose)] for g in gold]
    owner: dict[int, int] = {}
    for start in range(len(gold)):
        came_from: dict[int, int] = {}
        queue, end = [start], None
        while queue and end is None:
            item = queue.pop()
            for place in fits[item]:
                if place in came_from:
                    continue
                came_from[place] = item
                if place not in owner:
                    end = place
                    break
                queue.append(owner[place])
        if end is None:
            return False
        while end is not None:
            item = came_from[end]
            before = next((place for place, one in owner.items() if one == item), None)
            owner[end], end = item, before
    return True


def _same_leaf(pred: Any, gold: Any, tolerance: Fraction, loose: bool) -> bool:
    if isinstance(pred, bool) or isinstance(gold, bool) or pred is None or gold is None:
        return (type(pred) is type(gold) and pred == gold) or (loose and _words(pred) == _words(gold))
    if _is_number(gold):
        value = _number(pred, loose)
        wanted = _number(gold, loose)
        return None not in (value, wanted) and _near(value, wanted, tolerance)  # type: ignore[arg-type]
    if _is_number(pred):
        return loose and (alone := _number(gold, loose)) is not None and _near(_number(pred, loose), alone, tolerance)
    return normalised_answer(str(pred)) == normalised_answer(str(gold))


def _words(value: Any) -> str:
    return normalised_answer(str(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Fraction) and not isinstance(value, bool)


def _number(value: Any, loose: bool) -> Fraction | None:
    """The exact value of a number, or with ``loose`` of the only number in a text."""
    if _is_number(value):
        return _as_written(value) if math.isfinite(value) else None
    found = numbers(str(value)) if loose else []
    return found[0] if len(found) == 1 else None


def _as_written(value: int | float | Fraction) -> Fraction:
    """0.1 is a tenth, not the float next to it: 46.2 is within 10 % of 42."""
    return Fraction(repr(float(value))) if isinstance(value, float) else Fraction(value)


def _near(value: Fraction | None, wanted: Fraction, tolerance: Fraction) -> bool:
    return value is not None and abs(value - wanted) <= max(tolerance * abs(wanted), _NEAR_ZERO if wanted == 0 else 0)
