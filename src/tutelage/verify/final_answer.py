"""Final answers that are lists: right, right in another form, or wrong. Compared by rule, without asking a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any, Literal, get_args

from tutelage.errors import RangeError
from tutelage.types import Chat, Verdict, Verifier
from tutelage.verify.answer_lists import last_list, read_list
from tutelage.verify.answers import normalised_answer
from tutelage.verify.numbers import numbers
from tutelage.verify.registry import constraints

__all__ = ["Grade", "Notation", "final_answer", "grade_final"]

Notation = Literal["python", "toolcomp"]
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


@dataclass(frozen=True)
class _Rules:
    tolerance: Fraction
    ordered: bool
    everywhere: bool  # lists of every depth may come in any order, tuples keep theirs

    def free(self, gold: Any, *, outer: bool) -> bool:
        """Whether the items of a right list may come in any order."""
        if self.everywhere:
            return not isinstance(gold, tuple)
        return (outer and not self.ordered) or isinstance(gold, set | frozenset)


def grade_final(
    pred: Any, gold: Any, rel_tol: float = 0.1, *, ordered: bool = False, notation: Notation = "python"
) -> Grade:
    """Grade a final answer against the right one.

    CORRECT: the same form, numbers :math:`|p-g| \\le rel\\_tol\\,|g|`, texts equal apart from case, punctuation and a
    leading article. BAD FORMATTING: the same values, but a number inside a text ("42 km"), a list among other words,
    one value without its list, or other brackets. INCORRECT: anything else.

    The outer list may come in any order unless ``ordered``; a set, or ``{...}`` in a text, may do so anywhere; inner
    lists are records and keep their order. ``"toolcomp"`` is the paper's own notation, which has it the other way
    round: ``[...]`` may come in any order at every depth, and ``{...}`` (a tuple) is a list that was to be sorted. With
    items in any order the grade does not depend on which is tried first: a matching is looked for that pairs all.

    A tolerance of 10 % is the paper's; it takes 1990 for 2010. Give dates as texts, and counts a smaller tolerance.

    Args:
        pred: a value, or a text in which one is written as ``[1, "a"]``.
        gold: likewise.
        rel_tol: share of the right number; a right number of 0 allows 1e-9.
        ordered: whether the question asks for an order.
        notation: what brackets say.

    Raises:
        RangeError: a tolerance that is negative or not finite, an unknown notation, or ``ordered`` beside
            ``"toolcomp"``, where brackets say it.

    Source: the three grades and the 10 % of arXiv 2501.01290, where a language model gives them; the rules are ours.
        That model is also told to accept a list in the wrong order as badly formatted, and other names of one thing;
        here both are INCORRECT.

    Example:
        >>> grade_final("[41.9, 'Rome']", ["Rome", 42]).value, grade_final("It is 42 km.", [42]).value
        ('CORRECT', 'BAD FORMATTING')
        >>> grade_final(["Rome", "Oslo"], ["Oslo", "Rome"], ordered=True).value
        'INCORRECT'
        >>> grade_final("[[b, a], 42]", "[42, [a, b]]", notation="toolcomp").value
        'CORRECT'
    """
    if not (math.isfinite(rel_tol) and rel_tol >= 0):
        raise RangeError(f"a tolerance of {rel_tol}", hint="0 or more, such as 0.1 for 10 %")
    if notation not in get_args(Notation):
        raise RangeError(f"no notation is called {notation!r}", hint=f"one of {', '.join(get_args(Notation))}")
    everywhere = notation == "toolcomp"
    if everywhere and ordered:
        raise RangeError("ordered beside the notation toolcomp", hint="write what has an order as {...} or a tuple")
    rules = _Rules(_as_written(rel_tol), ordered, everywhere)
    given, wanted = _value(pred, everywhere), _value(gold, everywhere)
    if _same(given, wanted, rules, outer=True, loose=False):
        return Grade.CORRECT
    candidates = [given] if not isinstance(pred, str) else [given, last_list(pred, sets=not everywhere)]
    if any(one is not None and _loosely(one, wanted, rules) for one in candidates):
        return Grade.BAD_FORMATTING
    return Grade.INCORRECT


@constraints.register("final-answer", paper="https://arxiv.org/abs/2501.01290")
def final_answer(rel_tol: float = 0.1, ordered: bool = False, notation: Notation = "python") -> Verifier:
    """A verifier of final answers that are lists: 1 when :func:`grade_final` accepts the text, whatever its form.

    The detail is the grade. Of a text the last 10,000 characters are read.

    Args:
        rel_tol: share of a right number.
        ordered: whether the order counts.
        notation: what brackets say; see :func:`grade_final`.

    Raises:
        RangeError: as :func:`grade_final`.

    Example:
        >>> final_answer(0.01)([], "So it is [42, 'Rome'].", '["Rome", 42]')
        Verdict(score=1.0, detail='BAD FORMATTING', version=1)
    """
    grade_final([], [], rel_tol, ordered=ordered, notation=notation)

    def judge(prompt: Chat, text: str, reference: str | None) -> Verdict:
        """1 when the answer's values are those of the reference."""
        del prompt
        if reference is None:
            return Verdict(0.0, "there is no reference to compare with")
        grade = grade_final(text, reference, rel_tol, ordered=ordered, notation=notation)
        return Verdict(float(grade.accepted), grade.value)

    return judge


def _value(given: Any, everywhere: bool) -> Any:
    """A text as the value that it writes; arrays and their numbers as Python's own."""
    if isinstance(given, str):
        found = read_list(given, sets=not everywhere)
        return given.strip() if found is None else found
    if isinstance(given, _LISTS):
        kind = next(one for one in _LISTS if isinstance(given, one))
        return kind(item if isinstance(item, str) else _value(item, everywhere) for item in given)
    return given.tolist() if hasattr(given, "tolist") else given


def _loosely(pred: Any, gold: Any, rules: _Rules) -> bool:
    """The same values, brackets and types apart; records keep together only if the brackets do."""
    if _same(pred, gold, rules, outer=True, loose=True):
        return True
    left, right = _leaves(pred), _leaves(gold)
    if rules.everywhere:
        free = not _has_tuple(gold)
    else:
        nested = isinstance(gold, _LISTS) and any(isinstance(one, _LISTS) for one in gold)
        free = not nested and rules.free(gold, outer=True)
    if not right or len(left) != len(right):
        return False
    if free:
        return _matching(left, right, rules, loose=True)
    return all(_same_leaf(p, g, rules.tolerance, loose=True) for p, g in zip(left, right, strict=True))


def _leaves(value: Any) -> list[Any]:
    return [leaf for one in value for leaf in _leaves(one)] if isinstance(value, _LISTS) else [value]


def _has_tuple(value: Any) -> bool:
    return isinstance(value, tuple) or (isinstance(value, _LISTS) and any(map(_has_tuple, value)))


def _same(pred: Any, gold: Any, rules: _Rules, *, outer: bool, loose: bool) -> bool:
    if not isinstance(gold, _LISTS):
        return not isinstance(pred, _LISTS) and _same_leaf(pred, gold, rules.tolerance, loose)
    if not isinstance(pred, _LISTS) or len(pred) != len(gold):
        return False
    if rules.free(gold, outer=outer):
        return _matching(list(pred), list(gold), rules, loose)
    return all(_same(p, g, rules, outer=False, loose=loose) for p, g in zip(pred, gold, strict=True))


def _matching(pred: Sequence[Any], gold: Sequence[Any], rules: _Rules, loose: bool) -> bool:
    """Whether the items can be paired one to one (augmenting paths): a near number must not take another's place."""
    fits = [[j for j, p in enumerate(pred) if _same(p, g, rules, outer=False, loose=loose)] for g in gold]
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
