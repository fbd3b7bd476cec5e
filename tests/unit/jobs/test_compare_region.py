from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.jobs.gate_region import Region, failing, items_needed
from tutelage.stats import holm
from tutelage.stats.intervals import normal_quantile
from tutelage.stats.multiplicity import benjamini_hochberg
from tutelage.types import Estimate


def estimate(value, low, high, n=100):
    return Estimate(value, low, high, 0.95, "t", n, n)


@pytest.mark.parametrize(
    ("region", "interval", "decision"),
    [
        (Region(low=0), (0.1, 0.2), "pass"),
        (Region(low=0), (0.0, 0.2), "underpowered"),
        (Region(low=0), (-0.2, 0.0), "underpowered"),
        (Region(low=0), (-0.2, -0.1), "fail"),
        (Region(high=0), (-0.2, -0.1), "pass"),
        (Region(high=0), (0.1, 0.2), "fail"),
        (Region(-1, 1), (-0.5, 0.5), "pass"),
        (Region(-1, 1), (-1.5, 0.5), "underpowered"),
        (Region(-1, 1), (-2.0, 2.0), "underpowered"),
        (Region(-1, 1), (1.1, 2.0), "fail"),
        (Region(-1, 1), (-3.0, -1.1), "fail"),
        (Region(low=0), (-math.inf, math.inf), "underpowered"),
        (Region(-1, 1), (math.nan, math.nan), "underpowered"),
        (Region(high=0.03), (0.0, 0.0), "pass"),
    ],
)
def test_where_an_interval_lies(region, interval, decision):
    assert region.decide(estimate(sum(interval) / 2, *interval)) == decision


def test_no_number_helps_on_the_wrong_side_or_without_an_interval():
    assert items_needed(Region(low=0), estimate(-0.1, -0.3, 0.1)) is None
    assert items_needed(Region(low=0), estimate(0.0, -0.3, 0.3)) is None
    assert items_needed(Region(low=0), estimate(0.1, -math.inf, math.inf)) is None


def test_halving_the_distance_takes_four_times_the_items():
    far = items_needed(Region(low=-0.04), estimate(0.0, -0.05, 0.05))
    near = items_needed(Region(low=-0.02), estimate(0.0, -0.05, 0.05))
    assert far is not None
    assert near == pytest.approx(4 * far, rel=0.01)


def readings(values, errors):
    def reader(value, error):
        def read(level):
            half = normal_quantile((1 + level) / 2) * error
            return Estimate(value, value - half, value + half, level, "z", 100, 100)

        return read

    return [reader(v, e) for v, e in zip(values, errors, strict=True)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-6, 6), min_size=1, max_size=8), st.sampled_from(["holm", "bh", "none"]))
def test_steps_by_intervals_reject_what_adjusted_p_values_reject(values, method):
    """Oracle: two-sided p of each value against 0, adjusted; a part fails when it is below 0 and that below 5 %."""
    errors = [1.0] * len(values)
    found = failing([Region(low=0.0)] * len(values), readings(values, errors), 0.95, method)
    p = [math.erfc(abs(v) / math.sqrt(2)) if v < 0 else 1.0 for v in values]
    adjusted = {"holm": holm, "bh": benjamini_hochberg, "none": np.asarray}[method](p)
    if any(abs(a - 0.05) < 1e-9 for a in adjusted):
        return
    assert found == [bool(a < 0.05) for a in adjusted]
