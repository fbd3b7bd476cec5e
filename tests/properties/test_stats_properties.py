"""What holds for every input; and, marked slow, how often the intervals are right."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats as scipy_stats

from tutelage.stats import (
    PairedCounts,
    holm,
    mcnemar,
    mean_interval,
    minimum_detectable_effect,
    newcombe,
    paired_bootstrap,
    proportion_interval,
)

counts = st.integers(0, 60)
tables = st.builds(PairedCounts, counts, counts, counts, counts).filter(lambda t: t.n > 0)
values = hnp.arrays(float, st.integers(2, 30), elements=st.floats(-100, 100, width=32))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 300), st.data())
def test_a_proportion_lies_in_its_interval_and_the_interval_in_0_1(n, data):
    k = data.draw(st.integers(0, n))
    for method in ("wilson", "clopper-pearson"):
        found = proportion_interval(k, n, method=method)
        assert 0 <= found.low <= found.value <= found.high <= 1
        mirrored = proportion_interval(n - k, n, method=method)
        assert mirrored.low == pytest.approx(1 - found.high, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(tables)
def test_paired_tables(table):
    swapped = PairedCounts(table.both, table.only_b, table.only_a, table.neither)
    found, mirrored = newcombe(table), newcombe(swapped)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert (found.low, found.high) == pytest.approx((-mirrored.high, -mirrored.low), abs=1e-12)
    assert 0 < mcnemar(table) <= mcnemar(table, method="exact") <= 1
    assert mcnemar(table) == mcnemar(swapped)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_and_keeps_the_order(p):
    adjusted = holm(p)
    assert (adjusted >= np.array(p)).all()
    assert (adjusted <= 1).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()


@settings(max_examples=40, deadline=None)
@given(values, st.floats(-50, 50))
def test_a_mean_interval_moves_with_the_values(x, shift):
    found, moved = mean_interval(x), mean_interval(x + shift)
    assert found.low <= found.value <= found.high
    assert moved.low == pytest.approx(found.low + shift, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(values, st.integers(0, 2**31), st.data())
def test_a_bootstrap_mirrors_and_repeats(x, seed, data):
    cluster = data.draw(hnp.arrays(int, x.size, elements=st.integers(0, 4)))
    zero = np.zeros(x.size)
    first = paired_bootstrap(zero, x, cluster=cluster, seed=seed, resamples=200)
    assert first == paired_bootstrap(zero, x, cluster=cluster, seed=seed, resamples=200)
    assert first.delta.value == pytest.approx(x.mean(), abs=1e-9)
    assert 0 < first.p <= 1
    if first.delta.n_clusters > 1:
        lowest = min(x[cluster == c].mean() for c in set(cluster))
        highest = max(x[cluster == c].mean() for c in set(cluster))
        assert lowest - 1e-9 <= first.delta.low <= first.delta.high <= highest + 1e-9


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 2000), st.floats(0, 1), st.floats(0, 1))
def test_more_pairs_or_less_discordance_detect_less(n, x, y):
    low, high = sorted((x, y))
    assert (
        minimum_detectable_effect(n, discordant_share=low) <= minimum_detectable_effect(n, discordant_share=high) + 1e-9
    )
    more = minimum_detectable_effect(2 * n, discordant_share=high)
    assert more <= minimum_detectable_effect(n, discordant_share=high)


def rejection_rate(n, share, delta, method):
    """Chance that McNemar's test rejects at 0.05, by enumeration of all tables."""
    ahead, behind = (share + delta) / 2, (share - delta) / 2
    total = 0.0
    for discordant in range(n + 1):
        weight = scipy_stats.binom.pmf(discordant, n, share)
        if weight < 1e-12:
            continue
        k = np.arange(discordant + 1)
        chance = scipy_stats.binom.pmf(k, discordant, ahead / (ahead + behind))
        rejected = [mcnemar(PairedCounts(0, int(i), int(discordant - i), 0), method=method) <= 0.05 for i in k]
        total += weight * chance[rejected].sum()
    return total


@pytest.mark.parametrize(("delta", "exact", "midp"), [(0.0, 0.022, 0.041)])
def test_operating_point_of_mcnemar_for_50_pairs(delta, exact, midp):
    assert round(rejection_rate(50, 0.2, delta, "exact"), 3) == exact
    assert round(rejection_rate(50, 0.2, delta, "midp"), 3) == midp


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "delta", "exact", "midp"),
    [(100, 0.0, 0.029, 0.046), (200, 0.0, 0.035, 0.048), (100, 0.05, 0.143, 0.188), (100, 0.1, 0.544, 0.618)],
)
def test_operating_points_of_mcnemar(n, delta, exact, midp):
    assert round(rejection_rate(n, 0.2, delta, "exact"), 3) == exact
    assert round(rejection_rate(n, 0.2, delta, "midp"), 3) == midp


@pytest.mark.slow
def test_the_detectable_effect_is_found_with_its_power():
    for n, share in ((100, 0.2), (200, 0.1)):
        effect = minimum_detectable_effect(n, discordant_share=share)
        assert 0.74 < rejection_rate(n, share, effect, "midp") < 0.86


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 50, 200])
def test_coverage_of_wilson(n):
    """Exact, by enumeration; the coverage jumps with p, so it is the mean over p that is nominal."""
    k = np.arange(n + 1)
    intervals = [proportion_interval(int(i), n) for i in k]
    covered = []
    for p in np.linspace(0.02, 0.98, 97):
        inside = [found.low <= p <= found.high for found in intervals]
        covered.append(scipy_stats.binom.pmf(k, n, p)[inside].sum())
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)
    assert min(covered) > 0.85


@pytest.mark.slow
def test_coverage_of_clustered_intervals():
    """2,000 simulations: 25 clusters of 4 for t, and the few clusters that the percentile bootstrap fails on."""
    rng = np.random.default_rng(0)
    runs = 2000
    hits = {"t": 0, "expanded": 0, "percentile": 0}
    for run in range(runs):
        cluster = np.repeat(np.arange(25), 4)
        x = rng.normal(size=25)[cluster] + rng.normal(size=100)
        found = mean_interval(x, cluster)
        hits["t"] += found.low <= 0 <= found.high
        few = np.repeat(np.arange(6), 10)
        y = rng.normal(size=6)[few] + rng.normal(size=60)
        for method in ("expanded", "percentile"):
            boot = paired_bootstrap(np.zeros(60), y, cluster=few, method=method, resamples=1000, seed=run)
            hits[method] += boot.delta.low <= 0 <= boot.delta.high
    assert hits["t"] / runs == pytest.approx(0.95, abs=0.015)
    assert hits["expanded"] / runs > 0.92
    assert hits["percentile"] / runs < 0.88


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 100])
def test_coverage_of_newcombe(n):
    rng = np.random.default_rng(1)
    chances = np.array([0.5, 0.1, 0.2, 0.2])
    drawn = rng.multinomial(n, chances, size=2000)
    hits = 0
    for both, only_a, only_b, neither in drawn:
        found = newcombe(PairedCounts(int(both), int(only_a), int(only_b), int(neither)))
        hits += found.low <= 0.1 <= found.high
    assert 0.935 < hits / 2000 < 0.985


def test_standard_error_of_the_bootstrap():
    x = np.random.default_rng(2).normal(size=400)
    found = paired_bootstrap(np.zeros(400), x, resamples=10_000)
    assert found.standard_error == pytest.approx(x.std(ddof=1) / math.sqrt(400), rel=0.03)
