"""Worked numbers: published tables, SciPy and statsmodels, and naive loops."""

import doctest
import importlib
import math
import pkgutil

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

import tutelage.stats
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

TABLES = {
    "sycophancy": ((1095, 883, 2, 54), 3.04e-261, 1.52e-261),
    "consistency": ((179, 267, 52, 152), 5.56e-36, 3.32e-36),
    "metadata": ((773, 151, 297, 310), 4.80e-12, 3.60e-12),
    "grader": ((1968, 313, 230, 318), 4.23e-4, 3.64e-4),
    "unethical": ((2424, 432, 141, 235), 2.64e-35, 1.75e-35),
    "all": ((6439, 2046, 722, 1069), 2.6e-145, 1.8e-145),
}


@pytest.mark.parametrize("name", TABLES)
def test_mcnemar_gives_the_published_values(name):
    counts, exact, midp = TABLES[name]
    table = PairedCounts(*counts)
    figures = 0.02 if name == "all" else 0.003
    assert mcnemar(table, method="exact") == pytest.approx(exact, rel=figures)
    assert mcnemar(table) == pytest.approx(midp, rel=figures + 0.01)
    square = [[counts[0], counts[1]], [counts[2], counts[3]]]
    assert mcnemar(table, method="exact") == pytest.approx(statsmodels_mcnemar(square, exact=True).pvalue, rel=1e-8)


def test_mcnemar_without_or_with_balanced_discordance():
    assert mcnemar(PairedCounts(5, 0, 0, 5)) == 1.0
    assert mcnemar(PairedCounts(5, 0, 0, 5), method="exact") == 1.0
    assert mcnemar(PairedCounts(0, 1, 1, 0)) == pytest.approx(0.75)  # 1 - pmf(1; 2, 1/2) / 2
    assert mcnemar(PairedCounts(0, 1, 1, 0), method="exact") == 1.0


@pytest.mark.parametrize(("k", "n", "low", "high"), [(8485, 10276, 0.8183, 0.8329), (7161, 10276, 0.6879, 0.7057)])
def test_wilson_gives_the_published_values(k, n, low, high):
    found = proportion_interval(k, n)
    assert (round(found.low, 4), round(found.high, 4)) == (low, high)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"), [(10, 15, 0.384, 0.882), (3, 15, 0.043, 0.481), (33, 57, 0.441, 0.709)]
)
def test_clopper_pearson_gives_the_published_values(k, n, low, high):
    found = proportion_interval(k, n, method="clopper-pearson")
    assert (round(found.low, 3), round(found.high, 3)) == (low, high)


@pytest.mark.parametrize("method", ["wilson", "clopper-pearson"])
def test_proportion_intervals_equal_scipy(method):
    for n in (1, 2, 7, 40):
        for k in range(n + 1):
            ours = proportion_interval(k, n, method=method, level=0.9)
            theirs = scipy_stats.binomtest(k, n).proportion_ci(0.9, "wilson" if method == "wilson" else "exact")
            assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_newcombe_gives_the_reference_value_and_mirrors():
    forth, back = newcombe(PairedCounts(6439, 722, 2046, 1069)), newcombe(PairedCounts(6439, 2046, 722, 1069))
    assert (round(forth.low, 4), round(forth.high, 4)) == (0.1191, 0.1386)
    assert (forth.low, forth.high) == pytest.approx((-back.high, -back.low), abs=1e-15)


def test_newcombe_gives_newcombes_own_example():
    """Newcombe 1998, table II, method 10: 36, 12, 2, 0 of 50 gives 0.2000 [0.0569, 0.3404]."""
    found = newcombe(PairedCounts(36, 2, 12, 0))
    assert (found.value, round(found.low, 4), round(found.high, 4)) == (0.2, 0.0569, 0.3404)


@pytest.mark.parametrize(
    ("n", "share", "effect"),
    [(100, 0.1, 0.088), (100, 0.2, 0.124), (500, 0.1, 0.040), (500, 0.2, 0.056), (1000, 0.2, 0.040)],
)
def test_minimum_detectable_effect_of_proportions(n, share, effect):
    assert round(minimum_detectable_effect(n, discordant_share=share), 3) == effect


def test_minimum_detectable_effect_of_means_has_the_power_it_promises():
    effect = minimum_detectable_effect(30, deviation=2.0)
    shift = effect / (2.0 / math.sqrt(30))
    critical = scipy_stats.t.ppf(0.975, 29)
    power = scipy_stats.nct.sf(critical, 29, shift)
    assert power == pytest.approx(0.8, abs=0.01)


def test_minimum_detectable_effect_at_the_edges():
    assert minimum_detectable_effect(0, discordant_share=0.1) == math.inf
    assert minimum_detectable_effect(1, deviation=1.0) == math.inf
    assert minimum_detectable_effect(50, deviation=0.0) == 0.0
    # No discordant item seen: the effect still needs as many as it is large, about 7.85 / n.
    assert minimum_detectable_effect(100, discordant_share=0.0) == pytest.approx(0.0754, abs=0.002)
    assert minimum_detectable_effect(100, discordant_share=0.01) == pytest.approx(0.0767, abs=1e-4)


def test_holm_equals_statsmodels():
    rng = np.random.default_rng(0)
    for m in (1, 2, 5, 40):
        p = np.round(rng.random(m) ** 3, 3)  # rounding makes ties
        np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], atol=1e-12)
    assert holm([]).size == 0


def test_mean_interval_equals_scipy():
    x = np.random.default_rng(1).normal(size=13)
    theirs = scipy_stats.ttest_1samp(x, 0).confidence_interval(0.95)
    ours = mean_interval(x)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)
    assert (ours.method, ours.n_clusters) == ("t", 13)


def test_clustered_mean_interval_equals_statsmodels():
    rng = np.random.default_rng(2)
    cluster = rng.integers(12, size=90)
    x = rng.normal(size=90) + rng.normal(size=12)[cluster]
    fit = OLS(x, np.ones(90)).fit(cov_type="cluster", cov_kwds={"groups": cluster, "use_correction": True}, use_t=True)
    # statsmodels' small-sample factor is C/(C-1) * (n-1)/(n-k) with k = 1, which is C/(C-1).
    low, high = fit.conf_int()[0]
    ours = mean_interval(x, [f"c{c}" for c in cluster])
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-10)
    assert ours.n_clusters == 12


def test_percentile_bootstrap_equals_scipy_within_monte_carlo_error():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=80), rng.normal(0.3, 1.5, size=80)
    ours = paired_bootstrap(a, b, method="percentile", resamples=20_000, seed=4)
    theirs = scipy_stats.bootstrap(
        (b - a,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(5)
    )
    assert ours.standard_error == pytest.approx(theirs.standard_error, rel=0.03)
    assert ours.delta.low == pytest.approx(theirs.confidence_interval.low, abs=0.015)
    assert ours.delta.high == pytest.approx(theirs.confidence_interval.high, abs=0.015)
    assert ours.standard_error == pytest.approx((b - a).std(ddof=1) / math.sqrt(80), rel=0.03)


def naive_bootstrap(differences, cluster, strata, resamples, rng):
    """Draw clusters inside each stratum, concatenate their items, average; then average over strata."""
    drawn = []
    for _ in range(resamples):
        means = []
        for s in sorted(set(strata)):
            items = [i for i in range(len(differences)) if strata[i] == s]
            labels = sorted({cluster[i] for i in items})
            picked = rng.choice(len(labels), size=len(labels))
            values = [differences[i] for k in picked for i in items if cluster[i] == labels[k]]
            means.append(sum(values) / len(values))
        drawn.append(sum(means) / len(means))
    return np.array(drawn)


@pytest.mark.parametrize("binary", [True, False])
def test_stratified_clustered_bootstrap_equals_a_naive_loop(binary):
    rng = np.random.default_rng(6)
    cluster = np.repeat(np.arange(20), 3)
    strata = np.where(cluster < 13, "x", "y")
    differences = rng.integers(-1, 2, size=60).astype(float) if binary else rng.normal(size=60) + cluster / 20
    ours = paired_bootstrap(
        np.zeros(60), differences, cluster=cluster, strata=strata, method="percentile", resamples=8000
    )
    drawn = naive_bootstrap(differences, cluster, strata, 800, rng)
    expected = np.mean([differences[strata == s].mean() for s in ("x", "y")])
    assert ours.delta.value == pytest.approx(expected, abs=1e-12)
    assert ours.standard_error == pytest.approx(drawn.std(ddof=1), rel=0.1)
    spread = drawn.std() * 0.3
    assert ours.delta.low == pytest.approx(np.quantile(drawn, 0.025), abs=spread)
    assert ours.delta.high == pytest.approx(np.quantile(drawn, 0.975), abs=spread)


def test_clusters_across_strata_are_drawn_once_for_all_of_them():
    """Two strata, opposite in every seed: drawn together the composite never moves, drawn apart it would."""
    effect = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    b = np.concatenate([effect, -effect])
    seeds, strata = np.tile(np.arange(5), 2), np.repeat(["x", "y"], 5)
    assert paired_bootstrap(np.zeros(10), b, cluster=seeds, strata=strata).standard_error == pytest.approx(0, abs=1e-12)
    assert paired_bootstrap(np.zeros(10), b, strata=strata).standard_error > 0.3


@pytest.mark.parametrize("module", [m.name for m in pkgutil.iter_modules(tutelage.stats.__path__)])
def test_examples_run(module):
    failed, _ = doctest.testmod(importlib.import_module(f"tutelage.stats.{module}"))
    assert failed == 0
