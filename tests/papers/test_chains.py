"""Chains: values by plain integers, mistakes of exact number and place, sub-tasks that are parts."""

import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.errors import RangeError
from tutelage.papers.lab import chains as module
from tutelage.papers.lab.chains import answer_of, chains, spoil, spoil_set, step_is_wrong, worked

SEEDS = st.integers(0, 50)
LENGTHS = st.lists(st.integers(1, 8), min_size=1, max_size=4)


def plain(chain):
    """The answer by integers without a clock, divided at the end."""
    value = chain.start
    for sign, number in chain.moves:
        value = value + number if sign == "+" else value - number if sign == "-" else value * number
    return value % chain.modulus


def wrong_places(chain, lines):
    before, found = chain.start, []
    for place, (move, line) in enumerate(zip(chain.moves, lines, strict=True)):
        if step_is_wrong(before, move, line, chain.modulus):
            found.append(place)
        before = int(line.rsplit(" ", 1)[1])
    return tuple(found)


@given(LENGTHS, SEEDS)
def test_chains_are_different_and_right(lengths, seed):
    found = chains(12, lengths, seed=seed)
    assert len({one.question for one in found}) == 12
    assert [len(one.moves) for one in found] == [lengths[i % len(lengths)] for i in range(12)]
    assert found == chains(12, lengths, seed=seed)
    for one in found:
        solved = worked(one)
        assert one.answer == plain(one) == answer_of(solved.steps)
        assert solved.right
        assert wrong_places(one, solved.steps) == ()
        assert solved.propagated == 0


@given(st.integers(1, 3), SEEDS)
def test_avoided_chains_are_not_drawn_and_repeats_only_where_asked(length, seed):
    held = chains(60, [length], seed=seed)
    others = chains(60, [length], seed=seed, avoid=held)
    assert not {one.question for one in held} & {one.question for one in others}
    assert len({one.question for one in others}) == 60
    many = chains(400, [1], seed=seed, repeats=True, avoid=held)
    assert len(many) == len({one.id for one in many}) == 400
    assert not {one.question for one in held} & {one.question for one in many}


@given(st.integers(1, 8), SEEDS, st.data())
def test_exactly_the_named_steps_are_wrong_and_so_is_the_answer(length, seed, data):
    chain = chains(1, [length], seed=seed)[0]
    places = data.draw(st.sets(st.integers(0, length - 1), min_size=1))
    found = spoil(chain, sorted(places), seed=seed)
    assert wrong_places(chain, found.steps) == found.wrong == tuple(sorted(places))
    assert [i for i, label in enumerate(found.labels) if label == 0] == sorted(places)
    assert answer_of(found.steps) != chain.answer
    assert not found.right
    assert 1 <= found.propagated <= length - min(places)


@given(st.integers(2, 8), SEEDS, st.data())
def test_a_sub_task_is_a_part_of_its_chain(length, seed, data):
    chain = chains(1, [length], seed=seed)[0]
    first = data.draw(st.integers(0, length - 1))
    part = chain.subtask(first, data.draw(st.integers(1, length - first)))
    end = first + len(part.moves)
    assert worked(part).steps == worked(chain).steps[first:end]
    assert part.answer == chain.values[end]


@given(st.floats(0, 1), st.floats(0, 1), SEEDS)
def test_rates_are_exact_or_refused(outcome_rate, step_rate, seed):
    given_ones = chains(20, [3, 4, 5], seed=seed)
    steps = sum(len(one.moves) for one in given_ones)
    try:
        found = spoil_set(given_ones, outcome_rate, step_rate, seed=seed)
    except RangeError:
        bad = round(20 * outcome_rate)
        assert round(steps * step_rate) < bad or round(steps * step_rate) > 3 * bad
        return
    assert sum(answer_of(one.steps) != one.chain.answer for one in found) == round(20 * outcome_rate)
    assert sum(len(wrong_places(one.chain, one.steps)) for one in found) == round(steps * step_rate)
    assert [one.chain for one in found] == given_ones


@pytest.mark.parametrize("rate", [0.15, 0.6])
def test_both_rates_of_the_study_can_be_had(rate):
    found = spoil_set(chains(200, [6, 7, 8], seed=0), 0.9, rate, seed=0)
    assert sum(not one.right for one in found) == 180
    assert sum(len(one.wrong) for one in found) == round(rate * sum(len(one.results) for one in found))


def test_the_smallest_sets_and_what_is_refused():
    with pytest.raises(RangeError, match="not 1000 different"):
        chains(1000, [1], seed=0, modulus=5)
    for bad in ([], [0]):
        with pytest.raises(RangeError):
            chains(1, bad, seed=0)
    chain = chains(1, [2], seed=0)[0]
    for places in ([], [2], [-1]):
        with pytest.raises(RangeError):
            spoil(chain, places, seed=0)
    for first, length in ((0, 3), (2, 1), (0, 0), (-1, 1)):
        with pytest.raises(RangeError):
            chain.subtask(first, length)
    with pytest.raises(RangeError, match="step rate from"):
        spoil_set([chain], 1.0, 0.0, seed=0)


def test_lines_are_read_strictly():
    assert not step_is_wrong(22, ("*", 2), " 22 * 2 = 21 ", 23)
    for line in ("22 * 2 = 44", "22 * 3 = 20", "21 * 2 = 19", "22 * 2 =", "", "x"):
        assert step_is_wrong(22, ("*", 2), line, 23), line
    assert answer_of([]) is None
    assert answer_of(["1 + 1"]) is None
    assert step_is_wrong(2, ("-", 4), "2 - 4 = -2")
    assert doctest.testmod(module).failed == 0
