"""The order of rows is a pure function of the seed."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.errors import ConfigError, DataError
from tutelage.training.plan import StepPlan


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 5), st.integers(0, 2**31))
def test_every_epoch_holds_each_row_once(rows, batch, epochs, seed):
    plan = StepPlan.of(rows, batch_size=batch, epochs=epochs, max_steps=0, seed=seed)
    stream = [row for step in range(len(plan)) for row in plan[step]]
    assert len(stream) >= rows * epochs > len(stream) - batch
    for epoch in range(epochs):
        assert Counter(stream[epoch * rows : (epoch + 1) * rows]) == Counter(range(rows))


@given(st.integers(1, 40), st.integers(1, 12), st.integers(2, 20), st.data())
def test_a_resumed_plan_goes_on_where_it_stopped(rows, batch, steps, data):
    whole = StepPlan(rows, batch, steps, seed=7)
    start = data.draw(st.integers(0, steps - 1))
    left = StepPlan(rows, batch, steps - start, seed=7, start=start)
    assert [left[i] for i in range(len(left))] == [whole[i] for i in range(start, steps)]


def test_epochs_differ_and_seeds_differ():
    plan = StepPlan(50, 50, 2, seed=1)
    assert plan[0] != plan[1]
    assert plan[0] != StepPlan(50, 50, 2, seed=2)[0]


def test_nothing_to_train_on_is_refused():
    with pytest.raises(DataError, match="nothing to train on"):
        StepPlan.of(0, batch_size=4, epochs=1, max_steps=0, seed=0)
    with pytest.raises(ConfigError, match="at least one step"):
        StepPlan(3, 2, 0, seed=0)


def test_fractional_epochs_round_up():
    assert len(StepPlan.of(10, batch_size=4, epochs=1.5, max_steps=0, seed=0)) == 4
    assert len(StepPlan.of(10, batch_size=4, epochs=1.5, max_steps=9, seed=0)) == 9
