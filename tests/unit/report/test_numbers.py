from __future__ import annotations

import math

import pytest

from tutelage.report import numbers
from tutelage.types import Estimate


def estimate(value: float, low: float, high: float) -> Estimate:
    return Estimate(value, low, high, 0.95, "t", 9, 8, seed=3)


def test_negative_zero_has_no_sign() -> None:
    assert numbers.number(-0.04) == numbers.number(0.04) == "0.0"
    assert numbers.number(0.04, sign=True) == "0.0"
    assert numbers.number(-0.05001) == "−0.1"


def test_what_is_not_known_is_said() -> None:
    for value in (None, math.nan, math.inf):
        for show in (numbers.number, numbers.count, numbers.duration, numbers.memory, numbers.p_value):
            assert show(value) == "not measured"
    assert numbers.level(None) == numbers.change(None) == numbers.interval(None) == "not measured"
    assert numbers.level(estimate(math.nan, 0, 1)) == "not measured"


def test_a_number_never_stands_without_its_interval() -> None:
    assert numbers.level(estimate(0.5, -math.inf, math.inf)) == "0.5 [interval unknown]"
    assert numbers.change(estimate(12.34, -0.04, 1234.5)) == "+12.3 [0.0, 1,234.5]"


def test_scaling_by_a_negative_number_swaps_the_ends() -> None:
    found = numbers.scaled(estimate(0.02, -0.01, 0.05), -100)
    assert found is not None
    assert (found.low, found.value, found.high) == pytest.approx((-5.0, -2.0, 1.0))
    assert (found.n, found.n_clusters, found.seed) == (9, 8, 3)


def test_scaling_keeps_an_unknown_interval_unknown() -> None:
    found = numbers.scaled(estimate(0.02, math.nan, 0.05), 100)
    assert found is not None
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (9.96, "10.0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (3599.6, "1 h 0 min"), (7200, "2 h 0 min")],
)
def test_durations_carry_over(seconds: float, text: str) -> None:
    assert numbers.duration(seconds) == text


@pytest.mark.parametrize(
    ("p", "text"), [(0.0, "< 0.001"), (0.001, "0.001"), (0.0999, "0.100"), (0.1, "0.10"), (1.0, "1.00")]
)
def test_p_values(p: float, text: str) -> None:
    assert numbers.p_value(p) == text
