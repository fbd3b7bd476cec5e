"""Rank correlations and rank tables: published rates, SciPy, and cases that can be reasoned out."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from tutelage.errors import DataError, NumericalError, ShapeError
from tutelage.stats import kendall_tau, rank_table, spearman

RATES = np.array(  # regex, pipeline and judge of twelve models, in percent
    [
        (94.4, 97.6, 89.9),
        (78.4, 94.7, 84.9),
        (66.5, 71.9, 81.0),
        (93.2, 96.0, 75.3),
        (91.6, 94.8, 74.8),
        (85.5, 91.2, 73.1),
        (97.5, 98.9, 68.3),
        (67.6, 75.1, 62.8),
        (37.5, 67.4, 60.9),
        (70.9, 80.2, 56.9),
        (55.1, 66.5, 56.3),
        (26.5, 37.1, 39.7),
    ]
).T


def test_published_rates_of_twelve_models():
    regex, pipeline, judge = RATES
    found = kendall_tau(pipeline, judge)
    assert (round(found.value, 3), round(found.p, 4), found.n, found.interval) == (0.545, 0.0138, 12, None)
    rho = spearman(pipeline, judge)
    assert (round(rho.value, 3), round(rho.p, 4)) == (0.671, 0.0168)
    assert round(kendall_tau(regex, pipeline).value, 3) == 0.939
    assert round(kendall_tau(regex, judge).value, 3) == 0.485


def test_values_equal_scipy_with_ties():
    rng = np.random.default_rng(0)
    for _ in range(20):
        x, y = rng.integers(5, size=(2, 9)).astype(float)
        assert kendall_tau(x, y).value == pytest.approx(scipy_stats.kendalltau(x, y).statistic, abs=1e-12)
        assert kendall_tau(x, y).p == pytest.approx(scipy_stats.kendalltau(x, y).pvalue, abs=1e-12)
        assert spearman(x, y).value == pytest.approx(scipy_stats.spearmanr(x, y).statistic, abs=1e-12)


def test_interval_over_items_equals_a_naive_bootstrap():
    rng = np.random.default_rng(1)
    skill = np.linspace(0.3, 0.7, 5)
    x = (rng.random((120, 5)) < skill).astype(float)
    y = np.where(rng.random((120, 5)) < 0.8, x, rng.random((120, 5)) < 0.5).astype(float)
    for ours, theirs in ((kendall_tau, scipy_stats.kendalltau), (spearman, scipy_stats.spearmanr)):
        found = ours(x, y, resamples=4000)
        drawn = []
        for _ in range(250):
            rows = rng.integers(120, size=120)
            drawn.append(theirs(np.round(x[rows].mean(0), 9), np.round(y[rows].mean(0), 9)).statistic)
        low, high = np.nanquantile(drawn, [0.025, 0.975])
        assert found.value == pytest.approx(theirs(x.mean(0), y.mean(0)).statistic, abs=1e-12)
        assert (found.interval.low, found.interval.high) == pytest.approx((low, high), abs=0.15)
        assert found.interval.n == 120


def test_an_ordering_that_no_item_disputes_is_certain():
    scores = np.tile([0.1, 0.5, 0.9], (40, 1))
    found = kendall_tau(scores, scores**2)
    assert (found.value, found.interval.low, found.interval.high) == (1.0, 1.0, 1.0)
    assert spearman(scores, -scores).interval.high == -1.0
    blocks = kendall_tau(scores, scores, cluster=["one"] * 40).interval
    assert (blocks.low, blocks.high, blocks.n_clusters) == (-1.0, 1.0, 1)


@pytest.mark.parametrize("function", [kendall_tau, spearman])
def test_what_cannot_be_ranked_is_refused(function):
    for x, y, error in (
        ([], [], DataError),
        ([1], [1], DataError),
        ([1, 1, 1], [1, 2, 3], DataError),
        ([1, 2], [1, 2, 3], ShapeError),
        (np.ones((2, 2, 2)), np.ones((2, 2, 2)), ShapeError),
        ([1, np.nan], [1, 2], NumericalError),
        (np.ones((4, 3)), np.ones((4, 3)), DataError),
    ):
        with pytest.raises(error):
            function(x, y)
    assert function([1, 2], [2, 1]).value == pytest.approx(-1)
    assert function([1, 2], [2, 1]).p == 1.0


def test_rank_table():
    rng = np.random.default_rng(2)
    skill = [0.5, 0.9, 0.52, 0.1]
    scores = (rng.random((400, 4)) < skill).astype(float)
    rows = rank_table(scores, names=["a", "b", "c", "d"])
    by_name = {row.name: row for row in rows}
    assert (rows[0].name, rows[-1].name) == ("b", "d")
    assert [row.rank for row in rows] == [1, 2, 3, 4]
    assert (by_name["b"].rank_low, by_name["b"].rank_high, by_name["b"].first) == (1, 1, 1.0)
    assert (by_name["a"].rank_low, by_name["a"].rank_high) == (2, 3)
    assert by_name["a"].tied == ("c",)
    assert by_name["c"].tied == ("a",)
    assert by_name["d"].tied == ()
    assert sum(row.first for row in rows) == pytest.approx(1)
    reverse = rank_table(scores, names=["a", "b", "c", "d"], higher_is_better=False)
    assert [row.name for row in reverse] == [row.name for row in rows][::-1]


def test_two_equal_systems_share_their_place():
    values = np.random.default_rng(3).normal(size=50)
    rows = rank_table(np.column_stack([values, values, values - 1]))
    assert [(row.rank, row.first) for row in rows] == [(1, 0.5), (1, 0.5), (3, 0.0)]
    assert rows[0].tied == ("1",)


def test_groups_make_ranks_less_certain():
    rng = np.random.default_rng(4)
    effect = np.repeat(rng.normal(size=(8, 2)), 25, axis=0)
    scores = effect + 0.1 * rng.normal(size=(200, 2)) + [0.3, 0.0]
    alone = rank_table(scores)
    grouped = rank_table(scores, cluster=np.repeat(np.arange(8), 25))
    assert abs(alone[0].first - 0.5) > abs(grouped[0].first - 0.5)
    assert grouped[0].tied
    single = rank_table(scores, cluster=["x"] * 200)
    assert (single[0].rank_low, single[0].rank_high) == (1, 2)


def test_a_table_that_makes_no_sense():
    for scores, more, error in (
        ([], {}, DataError),
        (np.zeros((0, 3)), {}, DataError),
        ([1, 2], {}, ShapeError),
        ([[1, 2]], {"names": ["a"]}, ShapeError),
        ([[1, 2]], {"names": ["a", "a"]}, DataError),
        ([[1, np.inf]], {}, NumericalError),
    ):
        with pytest.raises(error):
            rank_table(scores, **more)
    [only] = rank_table([[1.0], [0.0]])
    assert (only.rank, only.first, only.tied) == (1, 1.0, ())
