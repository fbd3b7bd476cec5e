"""The stability gap by hand, by a loop, and what no curve may break."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.errors import DataError, NumericalError, ShapeError
from tutelage.stats import GapReport, stability_gap


@pytest.mark.parametrize(
    ("values", "times", "found"),
    [
        ([3.0], None, GapReport(0.0, 0.0, 0.0, 0.0)),
        ([1.0, 1.0, 2.0], None, GapReport(0.0, 0.0, 0.0, 0.0)),
        ([1.0, 0.0, 0.5, 1.0], None, GapReport(1.0, 1.0, 3.0, 1.5)),  # exactly back counts as back
        ([1.0, 0.5, 0.25], [0, 2, 6], GapReport(0.75, 6.0, None, 4.0)),  # 0.5*2 + 0.75*4, not back
        ([1.0, 0.5, 2.0, 0.5], [5, 6, 8, 9], GapReport(0.5, 6.0, 8.0, 0.5)),  # a second dip after it is not in it
        ([1.0, 0.5, 1.0, 0.0, 1.0], None, GapReport(1.0, 3.0, 4.0, 1.5)),  # the deepest dip ends it
    ],
)
def test_by_hand(values, times, found):
    assert stability_gap(values, times) == found


def naive(values):
    lowest = min(range(len(values)), key=lambda t: values[t])
    if values[lowest] >= values[0]:
        return 0.0, 0.0
    total = 0.0
    for t in range(1, len(values)):
        total += max(values[0] - values[t], 0.0)
        if t > lowest and values[t] >= values[0]:
            break
    return values[0] - values[lowest], total


curves = st.lists(st.floats(-10, 10).map(lambda x: round(x, 3)), min_size=1, max_size=12)


@given(curves, st.floats(-5, 5), st.floats(0.1, 4))
def test_against_a_loop_and_under_shift_and_scale(values, shift, scale):
    found = stability_gap(values)
    assert (found.depth, found.area) == pytest.approx(naive(values))
    times = [scale * t for t in range(len(values))]
    assert stability_gap(values, times).area == pytest.approx(scale * found.area)
    double = stability_gap([2 * v for v in values])
    assert (double.depth, double.area) == pytest.approx((2 * found.depth, 2 * found.area))
    assert double.recovery == found.recovery
    assert found.depth <= found.area + 1e-9
    assert stability_gap([v + round(shift) for v in values]).depth == pytest.approx(found.depth)


@pytest.mark.parametrize(
    ("values", "times", "error"),
    [
        ([], None, DataError),
        ([1.0, 2.0], [1, 1], DataError),
        ([1.0, 2.0], [0], ShapeError),
        ([[1.0]], None, ShapeError),
        ([1.0, float("nan")], None, NumericalError),
    ],
)
def test_what_is_no_curve_is_refused(values, times, error):
    with pytest.raises(error):
        stability_gap(values, times)
