"""Rates from imperfect judges, means over seeds and items, and the unpaired test: closed forms and simulation."""

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from tutelage.errors import DataError, NumericalError, RangeError, ShapeError
from tutelage.stats import mean_interval, ppi_mean, rogan_gladen, two_level_bootstrap, unpaired_z


def test_rogan_gladen_by_hand_and_with_a_perfect_judge():
    found = rogan_gladen(300, 1000, sensitivity=(90, 100), specificity=(95, 100))
    assert found.value == pytest.approx((0.3 + 0.95 - 1) / (0.9 + 0.95 - 1))
    assert found.low < found.value < found.high
    perfect = rogan_gladen(300, 1000, sensitivity=(10**9, 10**9), specificity=(10**9, 10**9))
    theirs = scipy_stats.norm.interval(0.95, (300 + 1.92) / 1003.84, math.sqrt(0.3008 * 0.6992 / 1003.84))
    assert (perfect.low, perfect.high) == pytest.approx(theirs, abs=2e-4)


def test_rogan_gladen_covers():
    rng = np.random.default_rng(0)
    hits, rate = 0, 0.2
    for _ in range(600):
        positive = rng.binomial(400, rate * 0.85 + (1 - rate) * 0.1)
        judge = {"sensitivity": (rng.binomial(60, 0.85), 60), "specificity": (rng.binomial(60, 0.9), 60)}
        found = rogan_gladen(int(positive), 400, **judge)
        hits += found.low <= rate <= found.high
    assert 0.92 < hits / 600 < 0.985


def test_rogan_gladen_at_the_ends():
    none = rogan_gladen(0, 50, sensitivity=(9, 10), specificity=(10, 10))
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high > 0.05
    assert rogan_gladen(50, 50, sensitivity=(8, 10), specificity=(9, 10)).value == 1.0
    unsure = rogan_gladen(1, 2, sensitivity=(1, 1), specificity=(1, 1))
    assert (unsure.value, unsure.low, unsure.high) == (0.5, 0.0, 1.0)
    good = {"sensitivity": (9, 10), "specificity": (9, 10)}
    for arguments, more, error in (
        ((1, 0), {}, DataError),
        ((3, 2), {}, RangeError),
        ((-1, 2), {}, RangeError),
        ((1, 2), {"sensitivity": (0, 0)}, DataError),
        ((1, 2), {"sensitivity": (1, 10)}, RangeError),
        ((1, 2), {"sensitivity": (5, 10), "specificity": (5, 10)}, RangeError),
        ((1, 2), {"level": 2}, RangeError),
    ):
        with pytest.raises(error):
            rogan_gladen(*arguments, **(good | more))


def test_prediction_powered_mean():
    rng = np.random.default_rng(1)
    hits, narrower = 0, 0
    for _ in range(400):
        truth = (rng.random(1000) < 0.4).astype(float)
        judged = np.where(rng.random(1000) < 0.9, truth, 1 - truth)
        found = ppi_mean(truth[:100], judged[:100], judged[100:])
        alone = mean_interval(truth[:100])
        hits += found.low <= 0.4 <= found.high
        narrower += found.high - found.low < alone.high - alone.low
    assert 0.92 < hits / 400 < 0.98
    assert narrower > 390
    useless = ppi_mean([1, 0, 1, 0], [1, 1, 1, 1], [1, 1, 1, 1, 1])
    assert useless.value == 0.5
    exact = ppi_mean([1.0, 2.0], [1.0, 2.0], [1.0, 3.0, 5.0])
    assert exact.high - exact.value == pytest.approx(scipy_stats.t.ppf(0.975, 2) * 2 / math.sqrt(3))


def test_prediction_powered_mean_at_the_edges():
    one = ppi_mean([1.0], [0.5], [0.5, 0.7])
    assert (one.value, one.low, one.high) == (pytest.approx(1.1), -math.inf, math.inf)
    same = ppi_mean([1.0, 1.0], [1.0, 1.0], [1.0, 1.0])
    assert (same.low, same.high) == (1.0, 1.0)
    for arguments, error in (
        (([], [], [1.0]), DataError),
        (([1.0], [1.0], []), DataError),
        (([1.0], [1.0, 2.0], [1.0]), ShapeError),
        (([1.0], [math.nan], [1.0]), NumericalError),
    ):
        with pytest.raises(error):
            ppi_mean(*arguments)


def two_way(rng, seeds, items, scale):
    between, item, rest = scale
    effects = between * rng.normal(size=(seeds, 1)) + item * rng.normal(size=(1, items))
    return effects + rest * rng.normal(size=(seeds, items))


def test_variance_components_of_a_known_table():
    found = two_level_bootstrap(two_way(np.random.default_rng(2), 60, 80, (0.5, 1.0, 0.3)))
    assert found.var_seed == pytest.approx(0.25, rel=0.35)
    assert found.var_item == pytest.approx(1.0, rel=0.35)
    assert found.var_rest == pytest.approx(0.09, rel=0.1)
    whole = found.var_seed / 60 + found.var_item / 80 + found.var_rest / 4800
    assert found.seed_share == pytest.approx(found.var_seed / 60 / whole)
    assert found.item_share == pytest.approx(found.var_item / 80 / whole)


@pytest.mark.parametrize(("scale", "axis"), [((1.0, 0.0, 0.01), 1), ((0.0, 1.0, 0.01), 0)])
def test_the_interval_follows_what_varies(scale, axis):
    """Only seeds (or only items) vary: the interval is that of their means."""
    table = two_way(np.random.default_rng(3), 40, 40, scale)
    found, means = two_level_bootstrap(table).mean, mean_interval(table.mean(axis=axis))
    assert (found.low, found.high) == pytest.approx((means.low, means.high), abs=0.06)


def test_very_many_items_are_drawn_from_their_limit(monkeypatch):
    from tutelage.stats import two_level as module

    table = two_way(np.random.default_rng(4), 5, 400, (0.05, 1.0, 0.3))
    drawn = two_level_bootstrap(table).mean
    monkeypatch.setattr(module, "MANY_CLUSTERS", 100)
    limit = two_level_bootstrap(table).mean
    assert (limit.low, limit.high) == pytest.approx((drawn.low, drawn.high), abs=0.02)
    assert limit.high - limit.low == pytest.approx(drawn.high - drawn.low, rel=0.06)


def test_two_levels_at_the_edges():
    for table in ([[1.0, 2.0]], [[1.0], [2.0]], [[1.0]]):
        found = two_level_bootstrap(table)
        assert (found.mean.low, found.mean.high, found.var_seed, found.seed_share) == (-math.inf, math.inf, None, None)
    equal = two_level_bootstrap([[1.0, 1.0], [1.0, 1.0]])
    assert (equal.mean.low, equal.mean.high, equal.var_rest, equal.seed_share) == (1.0, 1.0, 0.0, None)
    for table, error in (
        ([], ShapeError),
        (np.zeros((0, 3)), DataError),
        ([1.0], ShapeError),
        ([[math.nan]], NumericalError),
    ):
        with pytest.raises(error):
            two_level_bootstrap(table)
    small = [[0.0, 1.0], [1.0, 3.0]]
    assert two_level_bootstrap(small, seed=5) == two_level_bootstrap(small, seed=5)


def test_unpaired_z_by_its_formula():
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=30), rng.normal(0.4, 2, size=50)
    found = unpaired_z(a, b)
    z = (b.mean() - a.mean()) / math.hypot(scipy_stats.sem(a), scipy_stats.sem(b))
    assert found.z == pytest.approx(z, rel=1e-12)
    assert found.p == pytest.approx(2 * scipy_stats.norm.sf(abs(z)), rel=1e-12)
    assert (found.delta.low > 0 or found.delta.high < 0) == (found.p < 0.05)


def test_unpaired_z_at_the_edges():
    assert unpaired_z([1.0], [2.0, 3.0]).p == 1.0
    assert (unpaired_z([1.0, 1.0], [1.0, 1.0]).p, unpaired_z([1.0, 1.0], [2.0, 2.0]).p) == (1.0, 0.0)
    with pytest.raises(DataError):
        unpaired_z([], [1.0])
    with pytest.raises(NumericalError):
        unpaired_z([math.inf], [1.0])
