"""Schedules against closed forms, and what is refused."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.errors import ConfigError, RangeError
from tutelage.training.schedules import CONSTANT, MODERATE_DECAY, WSD, ScheduleSettings, schedule_multiplier


def table(settings, total):
    return [schedule_multiplier(step, total, settings) for step in range(total)]


def test_constant_rises_over_the_warm_up_and_stays():
    found = table(ScheduleSettings(decay="none", warmup_ratio=0.1), 100)
    assert found[:10] == [(s + 1) / 10 for s in range(10)]
    assert set(found[10:]) == {1.0}
    assert set(table(CONSTANT, 200)[10:]) == {1.0}


@pytest.mark.parametrize(
    ("decay", "fallen"),
    [("sqrt", math.sqrt), ("linear", float), ("cosine", lambda r: (1 - math.cos(math.pi * r)) / 2)],
)
def test_decays_follow_their_formulas(decay, fallen):
    total, begin, floor = 200, 150, 0.25
    settings = ScheduleSettings(decay, floor, decay_share=0.25, warmup_ratio=0.05)
    for step, found in enumerate(table(settings, total)):
        done = step + 1
        if done <= 10:
            expected = done / 10
        elif done <= begin:
            expected = 1.0
        else:
            r = (done - begin) / (total - begin)
            expected = 1.0 * (1 - fallen(r)) + floor * fallen(r)  # the paper's form, eta0 = 1
        assert found == pytest.approx(expected, abs=1e-12)


def test_a_floor_of_one_is_constant_and_a_cosine_over_the_whole_run_is_the_usual_one():
    assert table(ScheduleSettings("linear", 1.0, warmup_ratio=0.0), 30) == [1.0] * 30
    whole = table(ScheduleSettings("cosine", 0.1, decay_share=1.0, warmup_ratio=0.0), 40)
    assert whole == pytest.approx([0.1 + 0.9 * (1 + math.cos(math.pi * t / 40)) / 2 for t in range(1, 41)])


@given(
    st.sampled_from(["sqrt", "linear", "cosine"]),
    st.floats(0.001, 1.0),
    st.floats(0.05, 0.6),
    st.floats(0.0, 0.4),
    st.integers(1, 300),
)
def test_it_rises_then_falls_and_ends_at_the_floor(decay, floor, share, warmup, total):
    settings = ScheduleSettings(decay, floor, share, warmup)
    found = table(settings, total)
    top = found.index(max(found))
    assert found[: top + 1] == sorted(found[: top + 1])
    assert found[top:] == sorted(found[top:], reverse=True)
    assert found[-1] == pytest.approx(floor) or total == round(warmup * total)
    assert schedule_multiplier(total + 5, total, settings) == pytest.approx(found[-1])
    assert min(found) > 0


def test_moderate_and_standard_decay_end_where_the_paper_says():
    assert table(MODERATE_DECAY, 100)[-1] == pytest.approx(1 / 3)
    assert 3e-3 * table(WSD, 100)[-1] == pytest.approx(1e-5)


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"floor_ratio": 0.0}, "floor_ratio"),
        ({"floor_ratio": 1.5}, "floor_ratio"),
        ({"floor_ratio": math.nan}, "floor_ratio"),
        ({"decay": "exponential"}, "decay"),
        ({"warmup_ratio": 1.0}, "warmup_ratio"),
        ({"decay_share": 0.0}, "decay_share"),
        ({"decay_share": 0.8, "warmup_ratio": 0.3}, "overlap"),
    ],
)
def test_impossible_schedules_are_refused(wrong, where):
    with pytest.raises(ConfigError, match=where):
        ScheduleSettings(**wrong)


def test_impossible_steps_are_refused():
    with pytest.raises(RangeError):
        schedule_multiplier(-1, 10, CONSTANT)
    with pytest.raises(RangeError):
        schedule_multiplier(0, 0, CONSTANT)
