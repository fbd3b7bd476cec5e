"""A million items in seconds, and the limits that make it possible held against the resamples they replace."""

import time

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import proportion_confint

from tutelage.stats import (
    align,
    compare,
    estimate,
    flip_report,
    mean_interval,
    non_inferior,
    paired_bootstrap,
    proportion_interval,
    share_interval,
)
from tutelage.stats import resampling as engine
from tutelage.types import Scores


def test_jeffreys_equals_statsmodels_inside_and_is_fixed_at_the_ends():
    for n in (1, 7, 40):
        for k in range(n + 1):
            ours = proportion_interval(k, n, method="jeffreys", level=0.9)
            low, high = proportion_confint(k, n, 0.1, method="jeffreys")
            assert ours.low == (0.0 if k == 0 else pytest.approx(low, abs=1e-12))
            assert ours.high == (1.0 if k == n else pytest.approx(high, abs=1e-12))


def test_totals_by_any_route_have_the_same_mean_and_spread(monkeypatch):
    rng = np.random.default_rng(0)
    table = np.column_stack([rng.integers(4, size=90), rng.normal(size=90), rng.random(90), np.ones(90)])
    exact = table.sum(axis=0), 90 * np.cov(table, rowvar=False, ddof=0)
    routes = {"drawn": (10_000, 64), "counted": (10_000, 1_000), "limit": (50, 64)}
    for many, few in routes.values():
        monkeypatch.setattr(engine, "MANY_CLUSTERS", many)
        monkeypatch.setattr(engine, "_FEW_KINDS", few)
        monkeypatch.setattr(engine, "_PROBE", 50)
        totals = engine.resampled_totals(table, 20_000, np.random.default_rng(1))
        spread = np.sqrt(np.diag(exact[1]))
        assert totals.mean(axis=0) == pytest.approx(exact[0], abs=4 * spread.max() / np.sqrt(20_000))
        assert np.cov(totals, rowvar=False) == pytest.approx(exact[1], abs=0.05 * spread.max() ** 2)
        assert (totals[:, 3] == 90).all() or many == 50
        assert totals[:, 3] == pytest.approx(90)


def test_totals_of_two_columns_are_those_of_the_indices_drawn():
    rng = np.random.default_rng(2)
    table = rng.normal(size=(150, 1))
    ordered = np.sort(table[:, 0])
    picked = np.random.default_rng(3).integers(150, size=(500, 150))
    drawn = engine.resampled_totals(table, 500, np.random.default_rng(3))
    np.testing.assert_allclose(drawn[:, 0], ordered[picked].sum(axis=1), atol=1e-12)
    shuffled = engine.resampled_totals(rng.permutation(table), 500, np.random.default_rng(3))
    assert (shuffled == drawn).all()


def test_the_interval_equals_scipys_on_the_same_resamples():
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=200), rng.normal(0.2, 1, size=200)
    order = np.argsort(b - a)  # the engine sorts, so that its draws do not depend on the order of the items
    theirs = scipy_stats.bootstrap(
        (a[order], b[order]),
        lambda x, y, axis: (y - x).mean(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=2_000,
        method="percentile",
        rng=np.random.default_rng(5),
    )
    ours = paired_bootstrap(a, b, method="percentile", resamples=2_000, seed=5)
    assert (ours.delta.low, ours.delta.high) == pytest.approx(tuple(theirs.confidence_interval), abs=1e-12)


@pytest.mark.parametrize("clustered", [False, True])
def test_t_is_what_the_bootstrap_has_become_at_the_threshold(clustered):
    """At 10,000 clusters: both ends within Monte-Carlo error, for skewed differences too."""
    rng = np.random.default_rng(6)
    n = 20_000 if clustered else 10_000
    cluster = np.repeat(np.arange(10_000), 2) if clustered else None
    x = rng.exponential(size=n) ** 2 * rng.choice([-1, 1], p=[0.3, 0.7], size=n)
    drawn = paired_bootstrap(np.zeros(n), x, cluster=cluster, resamples=4_000).delta
    t = mean_interval(x, cluster)
    half = (t.high - t.low) / 2
    assert (drawn.low, drawn.high) == pytest.approx((t.low, t.high), abs=0.12 * half)


def test_compare_names_the_test_it_used():
    rng = np.random.default_rng(7)
    ids = tuple(f"i{k}" for k in range(30_000))
    a, b = (Scores("m", ids, rng.normal(size=30_000)) for _ in range(2))
    found = compare(a, b)
    assert (found.test, found.delta.method) == ("paired t", "t")
    assert found.p == pytest.approx(scipy_stats.ttest_rel(b.values, a.values).pvalue, rel=1e-9)
    groups = tuple(f"g{k // 2}" for k in range(30_000))
    grouped = compare(*(Scores("m", ids, s.values, clusters=groups) for s in (a, b)))
    assert (grouped.test, grouped.delta.method) == ("clustered paired t", "clustered t")
    few = compare(*(Scores("m", ids[:100], s.values[:100]) for s in (a, b)))
    assert few.test == "paired bootstrap"
    limit = paired_bootstrap(a.values, b.values)
    assert limit.delta.method.endswith("normal draws")
    assert (limit.delta.low, limit.delta.high) == pytest.approx((found.delta.low, found.delta.high), rel=0.05, abs=1e-3)


def test_share_intervals_of_clusters():
    flags = np.repeat([True, False, True, True, False], 4)
    cluster = np.repeat(np.arange(5), 4)
    grouped = share_interval(flags, cluster)
    assert (grouped.method, grouped.n_clusters) == ("clustered wilson", 5)
    assert grouped.high - grouped.low > 0.75  # five independent values, by t with four degrees
    assert share_interval(flags).method == "wilson"
    assert share_interval([True] * 8, ["a"] * 8).low == 0.0
    assert share_interval([True] * 8, list("aabbccdd")).low == pytest.approx(proportion_interval(4, 4).low)


@pytest.mark.slow
def test_a_million_items_in_seconds():
    rng = np.random.default_rng(8)
    n = 1_000_000
    ids, order = tuple(f"item-{k}" for k in range(n)), rng.permutation(n)
    right = (rng.random(n) < 0.6).astype(float)
    moved = np.where(rng.random(n) < 0.1, 1 - right, right)
    start = time.process_time()
    old = Scores("m", ids, right)
    new = Scores("m", tuple(ids[k] for k in order), moved[order])
    pairs = align(old, new)
    assert (pairs.b == moved).all()
    assert estimate(old).value == pytest.approx(right.mean())
    assert compare(old, new).test == "mcnemar mid-p"
    assert flip_report(old, new).negative_rate.value == pytest.approx((right * (1 - moved)).mean())
    assert non_inferior(old, new, 0.03).verdict == "shown"
    graded = [Scores("m", ids, rng.normal(size=n)) for _ in range(2)]
    assert compare(*graded).test == "paired t"
    assert flip_report(*graded, dead_band=0.1).basis == "graded"
    assert time.process_time() - start < 60
