"""The sign-flip test against full enumeration, SciPy and its own limit."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from tutelage.errors import DataError, NumericalError, RangeError, ShapeError
from tutelage.stats import PairedCounts, mcnemar, sign_flip_test
from tutelage.stats import permutation as module


def enumerated(sums):
    totals = [
        abs(sum(s * x for s, x in zip(signs, sums, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(sums))
    ]
    return np.mean([t >= abs(sum(sums)) - 1e-12 for t in totals])


def test_exact_equals_every_flip():
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 8):
        x = rng.normal(size=n)
        found = sign_flip_test(np.zeros(n), x)
        assert (found.method, found.differing) == ("exact", n)
        assert found.p == pytest.approx(enumerated(x), abs=1e-12)
        assert found.delta == pytest.approx(x.mean())


def test_exact_equals_scipy():
    x = np.random.default_rng(1).normal(0.4, 1, size=11)
    theirs = scipy_stats.permutation_test(
        (x,), lambda v, axis: v.mean(axis=axis), permutation_type="samples", vectorized=True, n_resamples=np.inf
    )
    assert sign_flip_test(np.zeros(11), x).p == pytest.approx(theirs.pvalue, abs=1e-12)


def test_right_or_wrong_is_the_exact_mcnemar_test():
    a, b = np.repeat([1, 1, 0, 0], (30, 2, 9, 20)), np.repeat([1, 0, 1, 0], (30, 2, 9, 20))
    found = sign_flip_test(a, b)
    assert found.p == pytest.approx(mcnemar(PairedCounts(30, 2, 9, 20), method="exact"), abs=1e-12)
    assert found.differing == 11


def test_whole_clusters_flip():
    rng = np.random.default_rng(2)
    cluster = np.repeat(np.arange(6), 5)
    x = rng.normal(size=30) + rng.normal(size=6)[cluster]
    found = sign_flip_test(np.zeros(30), x, cluster=cluster)
    assert found.p == pytest.approx(enumerated(np.bincount(cluster, weights=x)), abs=1e-12)
    assert sign_flip_test([0, 0], [1, -1], cluster=["x", "x"]).p == 1.0


@pytest.mark.parametrize("values", ["many", "few"])
def test_random_flips_agree_with_all_of_them(values, monkeypatch):
    rng = np.random.default_rng(3)
    x = rng.normal(0.35, 1, size=14) if values == "many" else rng.choice([-1.0, 1.0, 2.0], size=14)
    exact = sign_flip_test(np.zeros(14), x).p
    monkeypatch.setattr(module, "_MOST_EXACT", 3)
    monkeypatch.setattr(module, "_FEW_SIZES", 1 if values == "many" else 64)
    random = sign_flip_test(np.zeros(14), x, resamples=40_000, seed=4)
    assert random.method == "monte carlo"
    assert random.p == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 40_000))
    assert random == sign_flip_test(np.zeros(14), x, resamples=40_000, seed=4)


def test_the_limit_agrees_with_random_flips(monkeypatch):
    x = np.random.default_rng(5).normal(0.02, 1, size=12_000)
    limit = sign_flip_test(np.zeros(12_000), x)
    monkeypatch.setattr(module, "MANY_CLUSTERS", 10**9)
    random = sign_flip_test(np.zeros(12_000), x, resamples=2_000)
    assert (limit.method, random.method) == ("normal", "monte carlo")
    assert limit.p == pytest.approx(random.p, abs=0.03)


def test_nothing_differs_and_refusals():
    same = sign_flip_test([0.1, 0.2], [0.1, 0.2])
    assert (same.p, same.differing, same.delta) == (1.0, 0, 0.0)
    for a, b, more, error in (
        ([], [], {}, DataError),
        ([1.0], [1.0, 2.0], {}, ShapeError),
        ([1.0], [math.nan], {}, NumericalError),
        ([1.0], [2.0], {"resamples": 5}, RangeError),
        ([1.0], [2.0], {"cluster": ["x", "y"]}, ShapeError),
    ):
        with pytest.raises(error):
            sign_flip_test(a, b, **more)
