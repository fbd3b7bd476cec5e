"""The linear fit beside statsmodels' closed forms, its intervals beside the truth, and what it refuses."""

import numpy as np
import pytest

from tutelage.errors import DataError, NumericalError, RangeError, ShapeError
from tutelage.stats import linear_fit
from tutelage.stats.resampling import tails


def cells(seeds=6, noise=0.05, shared=0.0, draw=0):
    rng = np.random.default_rng(draw)
    grid = [(o, s) for o in (0.0, 0.5, 0.9) for s in (0.1, 0.4, 0.6)]
    owner = np.repeat(np.arange(seeds), len(grid))
    x, z = np.tile(np.array(grid).T, seeds)
    y = 0.9 - 0.2 * x - 0.5 * z + noise * rng.normal(size=x.size) + shared * rng.normal(size=seeds)[owner]
    return y, {"oer": x, "ser": z}, owner


def test_coefficients_are_those_of_the_normal_equations():
    y, columns, owner = cells()
    found = linear_fit(y, columns, owner, resamples=200)
    design = np.column_stack([np.ones(y.size), columns["oer"], columns["ser"]])
    wanted = np.linalg.inv(design.T @ design) @ design.T @ y
    told = [found.intercept.value, found.slopes["oer"].value, found.slopes["ser"].value]
    assert told == pytest.approx(wanted)
    residuals = y - design @ wanted
    assert found.r2 == pytest.approx(1 - residuals.var() / y.var())
    assert found.slopes["ser"].n_clusters == 6


def test_resamples_are_fits_of_the_repeated_rows():
    y, columns, owner = cells(seeds=9)
    found = linear_fit(y, columns, owner, resamples=4_000, level=0.9)
    rng, slopes = np.random.default_rng(5), []
    for _ in range(4_000):
        picked = np.concatenate([np.flatnonzero(owner == k) for k in rng.integers(9, size=9)])
        design = np.column_stack([np.ones(picked.size), columns["oer"][picked], columns["ser"][picked]])
        slopes.append(np.linalg.lstsq(design, y[picked], rcond=None)[0][2])
    low, high = np.quantile(slopes, tails(9, 0.9))
    assert found.slopes["ser"].low == pytest.approx(low, abs=0.006)
    assert found.slopes["ser"].high == pytest.approx(high, abs=0.006)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    held = [linear_fit(*cells(seeds=8, shared=0.1, draw=k), resamples=400).slopes["ser"] for k in range(120)]
    share = np.mean([one.low <= -0.5 <= one.high for one in held])
    assert 0.88 <= share <= 1.0


def test_units_do_not_matter():
    y, columns, owner = cells()
    plain = linear_fit(y, columns, owner, resamples=300)
    scaled = linear_fit(y, {"oer": columns["oer"] * 1e8, "ser": columns["ser"]}, owner, resamples=300)
    assert scaled.slopes["oer"].low * 1e8 == pytest.approx(plain.slopes["oer"].low)
    assert scaled.slopes["ser"].high == pytest.approx(plain.slopes["ser"].high)


def test_one_cluster_has_no_interval():
    y, columns, _ = cells()
    found = linear_fit(y, columns, ["only"] * y.size, resamples=100)
    assert found.slopes["ser"].low == -np.inf


@pytest.mark.parametrize(
    ("outcome", "columns", "error"),
    [
        ([], {"x": []}, DataError),
        ([1.0, 2.0], {}, DataError),
        ([1.0, 2.0], {"x": [1.0]}, ShapeError),
        ([1.0, 2.0], {"x": [3.0, 3.0]}, NumericalError),
        ([1.0, 2.0, 4.0], {"x": [1.0, 2.0, 3.0], "z": [2.0, 4.0, 6.0]}, NumericalError),
        ([1.0, np.nan], {"x": [1.0, 2.0]}, NumericalError),
    ],
)
def test_what_is_refused(outcome, columns, error):
    with pytest.raises(error):
        linear_fit(outcome, columns, resamples=100)


def test_settings_are_checked():
    with pytest.raises(RangeError):
        linear_fit([1.0, 2.0], {"x": [1.0, 2.0]}, resamples=5)


def test_columns_far_from_zero_are_fitted_as_well():
    draw = np.random.default_rng(3)
    x = draw.random(40)
    y = 2.0 - 0.7 * x + 0.1 * draw.normal(size=40)
    near, far = (linear_fit(y, {"x": column}, resamples=500) for column in (x, x + 1e6))
    for name in ("value", "low", "high"):
        assert getattr(far.slopes["x"], name) == pytest.approx(getattr(near.slopes["x"], name), abs=1e-6)
    assert far.intercept.value == pytest.approx(near.intercept.value + 0.0 - 1e6 * near.slopes["x"].value, rel=1e-6)


def test_an_outcome_at_a_floor_bounds_no_slope():
    found = linear_fit([0.0] * 12, {"x": np.arange(12.0)}, list("abcd") * 3, resamples=200)
    assert (found.slopes["x"].value, found.r2) == (0.0, None)
    assert (found.slopes["x"].low, found.slopes["x"].high) == (-np.inf, np.inf)
