import itertools
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.data.cards import solve_numbers
from tutelage.errors import DataError
from tutelage.functional.numbers_game import numbers_reference
from tutelage.verify import CARD_SCORES, card_outcome, countdown, expression, get, parse_expression

trees = st.recursive(st.integers(0, 99), lambda inner: st.tuples(inner, st.sampled_from("+-*/"), inner), max_leaves=6)


def written(tree):
    return str(tree) if isinstance(tree, int) else f"({written(tree[0])} {tree[1]} {written(tree[2])})"


def value(tree):
    """Own recursion over the made-up tree, not over a parsed text."""
    if isinstance(tree, int):
        return Fraction(tree)
    left, right = value(tree[0]), value(tree[2])
    if left is None or right is None or (tree[1] == "/" and right == 0):
        return None
    return {"+": left + right, "-": left - right, "*": left * right, "/": left / (right or 1)}[tree[1]]


def leaves(tree):
    return [tree] if isinstance(tree, int) else [*leaves(tree[0]), *leaves(tree[2])]


@given(trees)
def test_value_and_numbers_are_those_of_the_tree_that_was_written(tree):
    found = parse_expression(written(tree))
    assert found.value == value(tree)
    assert list(found.numbers) == leaves(tree)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("2+3*4", 14), ("10-4-3", 3), ("24/4/2", 3), ("8 ÷ (3 − 8/3)", 24), ("(2+3)×4", 20), ("1/3+1/3+1/3", 1)],
)
def test_precedence_signs_and_fractions(text, expected):
    assert parse_expression(text).value == expected


@pytest.mark.parametrize(
    "text",
    ["", "()", "1+", "+1", "2**3", "7//2", "-3+5", "a+1", "1,2", "0x10", "1_000", "1.5+2", "012+1", "(1+2", "1 2",
     "__import__('os')", "True", "1" * 201, "(" * 90 + "1" + ")" * 90 + "+", "3;4", "3\n+4"],
)  # fmt: skip
def test_what_is_no_expression_is_none(text):
    assert parse_expression(text) is None
    assert expression([], text, None).score == 0.0


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_any_text_is_judged_without_an_error(text):
    assert countdown([], text, "1 2 = 3").score in (0.0, 1.0)
    assert card_outcome(text, [1, 2]) in CARD_SCORES


def test_deep_nesting_is_read_or_refused_but_never_raises():
    assert parse_expression("(" * 99 + "1" + ")" * 99) in (None, parse_expression("1"))


def test_countdown_needs_the_numbers_once_each_and_the_value():
    reference = numbers_reference([3, 5, 7], 22)
    verifier = get("countdown")
    assert verifier([], "3*5+7", reference).score == 1.0
    assert verifier([], "3*5+7 = 22", reference).score == 1.0
    assert [verifier([], t, reference).detail for t in ("3*5+6", "3*5", "7*5-3*3", "3+5+7", "22")] == [
        "wrong number", "wrong number", "wrong number", "no solution", "wrong number",
    ]  # fmt: skip
    assert verifier([], "7/0", numbers_reference([7, 0], 1)).score == 0.0


@pytest.mark.parametrize("reference", [None, "", "3 5", "3 5 = x", "= 4"])
def test_a_reference_that_says_nothing_is_an_error(reference):
    with pytest.raises(DataError, match="numbers and target"):
        countdown([], "1", reference)


@pytest.mark.parametrize(
    ("formula", "outcome", "score"),
    [
        ("(10+2)*2", "correct", 5),
        ("(10+2)*2=24", "correct", 5),
        ("2*(10+2", "partial", 1),
        ("10+2+2", "no solution", -1),
        ("(10+2)*3", "wrong number", -2),
        ("10+2", "wrong number", -2),
        ("(10+2)**2", "illegal formula", -3),
        ("", "illegal formula", -3),
    ],
)
def test_general_points_scores(formula, outcome, score):
    answer = f'{{"cards": ["10", "2", "2"], "number": [10, 2, 2], "formula": "{formula}"}}'
    assert card_outcome(answer, [10, 2, 2]) == outcome
    assert CARD_SCORES[outcome] == score


def test_a_formula_is_found_in_broken_json():
    assert card_outcome('I think {"cards": [, "formula": "10*2+4"', [10, 2, 4]) == "correct"


def naive_solvable(numbers, target):
    """Every order, every operator, every one of the five shapes of four leaves, in exact fractions."""

    def join(a, o, b):
        return (
            None
            if a is None or b is None or (o == "/" and b == 0)
            else (a + b if o == "+" else a - b if o == "-" else a * b if o == "*" else a / b)
        )

    for order in set(itertools.permutations(map(Fraction, numbers))):
        for p, q, r in itertools.product("+-*/", repeat=3):
            a, b, c, d = order
            if target in (
                join(join(join(a, p, b), q, c), r, d),
                join(join(a, p, join(b, q, c)), r, d),
                join(join(a, p, b), q, join(c, r, d)),
                join(a, p, join(join(b, q, c), r, d)),
                join(a, p, join(b, q, join(c, r, d))),
            ):
                return True
    return False


def test_the_solver_finds_a_formula_exactly_where_brute_force_does():
    draw = random.Random(3)
    hands = [[3, 3, 8, 8], [1, 1, 1, 1], [5, 5, 5, 1], [0, 0, 0, 0]]
    hands += [[draw.randint(1, 13) for _ in range(4)] for _ in range(25)]
    for hand in hands:
        formula = solve_numbers(hand)
        assert (formula is not None) == naive_solvable(hand, 24), hand
        if formula is not None:
            assert card_outcome(formula, hand) == "correct", formula
