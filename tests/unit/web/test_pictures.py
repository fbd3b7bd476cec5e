"""Small pictures: what they show is where it belongs, whatever the numbers."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from html_page import read
from tutelage.web.pictures import Series, curve_panel, interval_strip, ticks

ANY = st.floats(allow_nan=True, allow_infinity=True)


def series(label, dash, points):
    steps, values = zip(*points, strict=True) if points else ((), ())
    return Series(label, 0, dash, np.array(steps, dtype=np.int64), np.array(values, dtype=np.float64))


def numbers(picture, name):
    return [float(value) for value in re.findall(rf' {name}="([^"]*)"', picture)]


def test_the_dot_lies_in_the_middle_of_its_line_and_zero_at_its_end():
    picture = interval_strip(0.5, 0.0, 1.0)
    (left, right), (zero, _) = (
        map(float, re.search(rf'class="{name}" x1="([\d.]+)" x2="([\d.]+)"', picture).groups())
        for name in ("whisker", "zero")
    )
    assert numbers(picture, "cx")[0] == pytest.approx((left + right) / 2, abs=0.1)
    assert zero == left < right
    assert "+0.500, interval 0.000 to 1.000" in picture


def test_the_margin_is_drawn_on_both_sides():
    assert interval_strip(0.1, 0.0, 0.2, 0.05).count('class="margin"') == 2
    assert 'class="margin"' not in interval_strip(0.1, 0.0, 0.2)


@given(ANY, ANY, ANY, st.none() | st.floats(0, 1e300))
@example(0.0, 0.0, 6.9e305, None)
@example(math.nan, math.nan, math.nan, None)
@example(5e-324, -5e-324, 0.0, 5e-324)
def test_any_interval_is_drawn_inside_its_box(value, low, high, margin):
    picture = interval_strip(value, low, high, margin)
    assert read(picture).errors == []
    for name in ("x1", "x2", "cx"):
        assert all(0 <= x <= 240 for x in numbers(picture, name))


@given(st.lists(st.tuples(st.integers(-(2**62), 2**62), ANY), max_size=30))
@example([(0, 0.0), (0, -1.5e308)])
@example([(0, 1.7e308), (1, -1.7e308), (2, math.inf)])
@example([(0, -1.6e308), (1, -1.6e308)])
def test_any_curve_is_drawn_inside_its_box(points):
    picture = curve_panel("<b>loss</b>", [series("<i>a</i>", 1, sorted(points, key=lambda p: p[0]))])
    if not any(math.isfinite(value) for _, value in points):
        assert picture == ""
        return
    assert read(picture).errors == []
    assert "<b>" not in picture
    for line in re.findall(r'points="([^"]*)"', picture):
        for x, y in (map(float, point.split(",")) for point in line.split()):
            assert 47.9 <= x <= 352.1
            assert 7.9 <= y <= 166.1


def test_higher_is_drawn_higher_and_gaps_stay_gaps():
    points = ((1, 0.0), (2, 1.0), (3, math.nan), (4, 0.5), (5, 0.25))
    picture = curve_panel("loss", [series("a", 0, points)])
    lines = [
        [tuple(map(float, p.split(","))) for p in line.split()] for line in re.findall(r'points="([^"]*)"', picture)
    ]
    assert [len(line) for line in lines] == [2, 2]
    (_, low), (_, high) = lines[0]
    assert high < low  # y grows downwards
    assert lines[1][0][1] == pytest.approx((low + high) / 2, abs=0.11)
    assert "1 not finite" in picture


def test_no_peak_is_lost_when_a_long_curve_is_thinned():
    points = tuple((n, 100.0 if n == 4_321 else 0.0) for n in range(10_000))
    picture = curve_panel("loss", [series("a", 0, points)])
    line = re.search(r'points="([^"]*)"', picture)[1].split()
    assert len(line) <= 260
    assert min(float(point.split(",")[1]) for point in line) == pytest.approx(8.0)


@given(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12))
def test_ticks_hold_what_they_are_for(a, b):
    low, high = sorted((a, b))
    found = ticks(low, high)
    room = 1e-9 * max(abs(low), abs(high), 1e-300)
    assert found == sorted(found)
    assert found[0] <= low + room
    assert found[-1] >= high - room
    assert 2 <= len(found) <= 8
