"""Exact rates, nested sets, equal tokens."""

import pytest

from tutelage.data.supervision import TaskPair, inject_errors, mix, token_cost
from tutelage.errors import DataError, RangeError

WORDS = token_cost(lambda text: len(text.split()))


def pairs(count, words=4, name="h"):
    return [
        TaskPair(f"{name}{k}", f"question {k}", " ".join(["r"] * words), " ".join(["w"] * words)) for k in range(count)
    ]


@pytest.mark.parametrize(("rate", "wrong"), [(0, 0), (0.1, 4), (0.5, 20), (0.99, 40), (1, 40)])
def test_exactly_as_many_are_wrong_as_said_and_every_task_stays(rate, wrong):
    made = inject_errors(pairs(40), rate, seed=3)
    assert sum(not one.correct for one in made) == wrong
    assert [one.pair for one in made] == pairs(40)
    assert all(set(one.solution.split()) == ({"r"} if one.correct else {"w"}) for one in made)


def test_lower_rates_are_within_higher_ones_and_seeds_differ():
    def wrong(rate, seed=0):
        return {one.pair.id for one in inject_errors(pairs(50), rate, seed=seed) if not one.correct}

    assert wrong(0.2) < wrong(0.5) < wrong(0.9)
    assert wrong(0.5) == wrong(0.5)
    assert wrong(0.5) != wrong(0.5, seed=1)


@pytest.mark.parametrize("words", [1, 3, 7, 20])
def test_mixtures_of_different_rows_have_equal_tokens(words):
    hard = pairs(30, words=10)
    made = mix(hard, pairs(400, words, "s"), 0.9, 0.0, seed=1, cost=WORDS)
    assert made.tokens[0] == 300
    assert 300 - words < made.tokens[1] <= 300
    assert made.counts == (30, len(made.rows) - 30)
    assert made.tokens[1] == sum(WORDS(one) for one in made.rows if one.pair.id.startswith("s"))
    assert sum(not one.correct for one in made.rows if one.pair.id.startswith("h")) == 27
    assert all(one.correct for one in made.rows if one.pair.id.startswith("s"))


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3, 0.9, 1.0])
def test_what_is_added_has_its_own_rate_whatever_the_budget(rate):
    for budget in (10, 33, 97):
        made = mix(pairs(5), pairs(100, 1, "s"), 0.0, rate, seed=2, cost=WORDS, budget=budget)
        added = [one for one in made.rows if one.pair.id.startswith("s")]
        assert len(added) == budget
        assert abs(sum(not one.correct for one in added) - rate * budget) <= 1


def test_the_order_is_mixed_and_repeatable():
    made = mix(pairs(20), pairs(80, name="s"), 0.5, 0.5, seed=4, cost=WORDS)
    assert made == mix(pairs(20), pairs(80, name="s"), 0.5, 0.5, seed=4, cost=WORDS)
    assert made.rows != mix(pairs(20), pairs(80, name="s"), 0.5, 0.5, seed=5, cost=WORDS).rows
    assert {one.pair.id[0] for one in made.rows[:10]} == {"h", "s"}


def test_a_budget_that_is_just_met_needs_no_further_row():
    assert mix(pairs(4), pairs(4, name="s"), 0, 0, seed=0, cost=WORDS).tokens == (16, 16)
    with pytest.raises(DataError, match="12 tokens and 16"):
        mix(pairs(4), pairs(3, name="s"), 0, 0, seed=0, cost=WORDS)


def test_what_is_refused():
    with pytest.raises(RangeError):
        inject_errors(pairs(3), 1.2, seed=0)
    with pytest.raises(RangeError):
        mix(pairs(3), pairs(9), 0, -0.1, seed=0, cost=WORDS)
    with pytest.raises(DataError, match="twice"):
        inject_errors([*pairs(3), *pairs(1)], 0.1, seed=0)
    with pytest.raises(DataError, match="the same"):
        TaskPair("a", "q", "x", "x ")
    with pytest.raises(DataError, match="a question"):
        TaskPair("a", " ", "x", "y")


def test_a_budget_below_nothing_is_refused():
    with pytest.raises(RangeError, match="budget of -1"):
        mix(pairs(4), pairs(4), 0.5, 0.5, seed=0, cost=WORDS, budget=-1)
