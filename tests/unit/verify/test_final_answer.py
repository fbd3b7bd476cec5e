"""Final answers: three grades, tolerance, order, matching against brute force, hostile texts."""

import itertools
import random
import time
from fractions import Fraction

import numpy as np
import pytest

from tutelage import verify
from tutelage.errors import RangeError
from tutelage.verify.answer_lists import last_list, read_list, written
from tutelage.verify.final_answer import Grade, grade_final

RIGHT, FORM, WRONG = Grade.CORRECT, Grade.BAD_FORMATTING, Grade.INCORRECT


@pytest.mark.parametrize(
    ("pred", "gold", "grade"),
    [
        ([42], [42], RIGHT),
        ([46.2], [42], RIGHT),  # exactly 10 % above
        ([46.3], [42], WRONG),
        ([-42], [42], WRONG),
        ([1e-10], [0], RIGHT),
        ([0.1], [0], WRONG),
        ([float("nan")], [42], WRONG),
        (["The Rome."], ["rome"], RIGHT),
        (["42"], [42], FORM),
        (["42 km"], [42], FORM),
        (["42 of 50"], [42], WRONG),
        ([42], ["42"], FORM),
        (42, [42], FORM),
        ("42", [42], FORM),
        ("[42]", [42], RIGHT),
        ("The answer is [42, 'Rome'].", ["Rome", 42], FORM),
        ("First [1], then [2].", [2], FORM),
        ("First [2], then [1].", [2], WRONG),
        ([[1, 2], [3, 4]], [[3, 4], [1, 2]], RIGHT),
        ([[2, 1], [3, 4]], [[1, 2], [3, 4]], WRONG),
        ([1, 2, 3, 4], [[1, 2], [3, 4]], FORM),
        ([2, 1, 3, 4], [[1, 2], [3, 4]], WRONG),
        ([[1, 2], [3, 4]], [1, 2, 3, 4], FORM),
        (["a", "b"], {"b", "a"}, RIGHT),
        (["a", "a"], ["a", "b"], WRONG),
        (["a"], ["a", "b"], WRONG),
        ([], [], RIGHT),
        ([], [1], WRONG),
        ([True], [True], RIGHT),
        ([1], [True], WRONG),
        (["true"], [True], FORM),
        ([None], [None], RIGHT),
        (["2024-03-05"], ["2024-03-05"], RIGHT),
        (["2024-03-06"], ["2024-03-05"], WRONG),
    ],
)
def test_grades(pred, gold, grade):
    assert grade_final(pred, gold) is grade


def test_order_counts_only_where_asked_for_and_never_in_a_set():
    assert grade_final([2, 1], [1, 2], ordered=True) is WRONG
    assert grade_final([2, 1], [1, 2]) is RIGHT
    assert grade_final([2, 1], {1, 2}, ordered=True) is RIGHT
    assert grade_final("x: [2, 1]", "{1, 2}", ordered=True) is FORM
    assert grade_final(["x", [2, 1]], ["x", {1, 2}], ordered=True) is RIGHT


TEAMS = ["Warriors", "Lakers"]


@pytest.mark.parametrize(
    ("pred", "gold", "grade"),
    [
        (["San Francisco", 74, TEAMS[::-1]], ["San Francisco", 78, TEAMS], RIGHT),
        ([TEAMS[::-1], 78, "San Francisco"], ["San Francisco", 78, TEAMS], RIGHT),
        ("[San Francisco, 78, {Lakers, Warriors}]", "[San Francisco, 78, {Warriors, Lakers}]", WRONG),
        ("[San Francisco, 78, {Warriors, Lakers}]", ["San Francisco", 78, tuple(TEAMS)], RIGHT),
        ("[San Francisco, 78, [Warriors, Lakers]]", ["San Francisco", 78, tuple(TEAMS)], RIGHT),
        ("San Francisco: [78, Lakers, Warriors]", [78, TEAMS], FORM),
        ("It is [78, Lakers, Warriors]", [78, tuple(TEAMS)], WRONG),
        ('```json\n{"final_answer": [78, ["Lakers", "Warriors"]]}\n```', [78, TEAMS], FORM),
        (["San Francisco", 60, TEAMS], ["San Francisco", 78, TEAMS], WRONG),
        ([[1, 2], [3, 4]], [[4, 3], [2, 1]], RIGHT),
    ],
)
def test_in_the_papers_notation_square_brackets_are_free_and_curly_ones_sorted(pred, gold, grade):
    assert grade_final(pred, gold, notation="toolcomp") is grade


def test_a_notation_that_is_none_or_says_the_order_twice_is_refused():
    with pytest.raises(RangeError, match="no notation is called 'json'"):
        grade_final([1], [1], notation="json")
    with pytest.raises(RangeError, match="ordered beside"):
        verify.get("final-answer", ordered=True, notation="toolcomp")
    assert verify.get("final-answer", notation="toolcomp")([], "[[b, a]]", "[[a, b]]").score == 1.0


def test_arrays_and_their_numbers_are_pythons_own():
    assert grade_final(np.array([42.0, 7.0]), [7, 42]) is RIGHT
    assert grade_final([np.int64(42), np.bool_(True)], [True, np.float32(42)]) is RIGHT


def test_near_numbers_are_matched_as_brute_force_does():
    draw = random.Random(0)
    seen = set()
    for _ in range(300):
        gold = [draw.randint(90, 115) for _ in range(4)]
        pred = [draw.randint(90, 115) for _ in range(4)]
        fits = any(
            all(abs(p - g) * 10 <= abs(g) for p, g in zip(order, gold, strict=True))
            for order in itertools.permutations(pred)
        )
        assert (grade_final(pred, gold) is RIGHT) is fits
        seen.add(fits)
    assert seen == {True, False}


@pytest.mark.parametrize("tolerance", [-0.1, float("nan"), float("inf")])
def test_a_tolerance_that_makes_no_sense(tolerance):
    with pytest.raises(RangeError):
        grade_final([1], [1], tolerance)
    with pytest.raises(RangeError):
        verify.get("final-answer", rel_tol=tolerance)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[]", []),
        ("['a', \"b\", c d]", ["a", "b", "c d"]),
        (r"['it\'s']", ["it's"]),
        ("(1, [2.5])", [1, [Fraction(5, 2)]]),
        ("[1e3, -2, true, None]", [1000, -2, True, None]),
        ("{1, 1, 2}", frozenset({1, 2})),
        ("[1,]", [1]),
        ("[1", None),
        ("[1] 2", None),
        ("[,]", None),
        ("['a]", None),
        ("[" * 40 + "]" * 40, None),
        ("__import__('os')", None),
    ],
)
def test_lists_are_read_by_a_grammar(text, value):
    assert read_list(text) == value


def test_written_and_read_are_inverse():
    value = ["a b", Fraction(1, 2), [Fraction(3), "2024-01-01"]]
    assert read_list(written(value)) == value


def test_the_verifier_accepts_the_first_two_grades():
    judge = verify.get("final-answer", rel_tol=0.01)
    said = [judge([], text, "[42, Rome]") for text in ("[42, Rome]", "It is [Rome, 42].", "[45, Rome]")]
    assert [(one.score, one.detail) for one in said] == [(1.0, RIGHT), (1.0, FORM), (0.0, WRONG)]
    assert judge([], "[1]", None).score == 0


@pytest.mark.parametrize("piece", ["[", "[[1,", "{'", "(1", "[1],", "1,", "[]"])
def test_hostile_texts_take_no_time(piece):
    text = piece * 40_000
    started = time.process_time()
    grade_final(text, [1])
    last_list(text)
    assert time.process_time() - started < 2
