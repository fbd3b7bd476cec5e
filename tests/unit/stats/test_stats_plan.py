"""A family declared before the run, and corrections for it."""

import hashlib
import json

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from tutelage.errors import DataError, NumericalError, RangeError, ShapeError
from tutelage.stats import ComparisonPlan, adjust, benjamini_hochberg, compare
from tutelage.types import Scores


def scores(values):
    return Scores("m", tuple(f"i{k}" for k in range(len(values))), np.asarray(values, dtype=float))


def family():
    old = scores([0] * 20)
    return {
        name: compare(old, scores([1] * k + [0] * (20 - k))) for name, k in (("sure", 20), ("weak", 6), ("none", 0))
    }


def test_benjamini_hochberg_equals_statsmodels_and_scipy():
    rng = np.random.default_rng(0)
    for m in (1, 2, 5, 40):
        p = np.round(rng.random(m) ** 3, 3)
        np.testing.assert_allclose(benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1], atol=1e-12)
        np.testing.assert_allclose(benjamini_hochberg(p), scipy_stats.false_discovery_control(p), atol=1e-12)
    assert benjamini_hochberg([]).size == 0
    for bad, error in (([[0.1]], ShapeError), ([np.nan], NumericalError), ([-0.1], RangeError), ([1.1], RangeError)):
        with pytest.raises(error):
            benjamini_hochberg(bad)


def test_adjust_by_each_method():
    found = list(family().values())
    p = [c.p for c in found]
    for method, name in (("holm", "holm"), ("bh", "fdr_bh")):
        assert [c.p_adjusted for c in adjust(found, method=method)] == pytest.approx(multipletests(p, method=name)[1])
    assert [c.p_adjusted for c in adjust(found, method="none")] == p
    assert [c.outcome for c in adjust(found, method="none")] == [c.outcome for c in found]
    many = [found[1], *[found[2]] * 5]
    assert [adjust(many, method=m)[0].outcome for m in ("none", "bh", "holm")] == [
        "B>A",
        "underpowered",
        "underpowered",
    ]
    with pytest.raises(RangeError, match="correction"):
        adjust(found, method="bonferroni")


def test_the_fingerprint_is_the_hash_of_canonical_json():
    plan = ComparisonPlan(("b", "a"), smallest_effect=0.02, rules=("no loss beyond 2 points",))
    written = {
        "correction": "holm",
        "level": 0.95,
        "metrics": ["a", "b"],
        "resamples": 10_000,
        "rules": ["no loss beyond 2 points"],
        "seed": 0,
        "smallest_effect": {"a": 0.02, "b": 0.02},
    }
    text = json.dumps(written, sort_keys=True, separators=(",", ":"))
    assert plan.fingerprint == hashlib.sha256(text.encode()).hexdigest()


def test_the_fingerprint_changes_with_everything_but_the_order_of_metrics():
    plan = ComparisonPlan(("b", "a"), smallest_effect=0.02)
    others = [
        ComparisonPlan(("a",), smallest_effect=0.02),
        ComparisonPlan(("b", "a")),
        ComparisonPlan(("b", "a"), smallest_effect={"a": 0.02}),
        ComparisonPlan(("b", "a"), smallest_effect=0.02, level=0.9),
        ComparisonPlan(("b", "a"), smallest_effect=0.02, correction="bh"),
        ComparisonPlan(("b", "a"), smallest_effect=0.02, resamples=1000),
        ComparisonPlan(("b", "a"), smallest_effect=0.02, seed=1),
        ComparisonPlan(("b", "a"), smallest_effect=0.02, rules=("x",)),
    ]
    assert len({plan.fingerprint, *(p.fingerprint for p in others)}) == 9
    same = ComparisonPlan(("a", "b"), smallest_effect={"b": 0.02, "a": 0.02})
    assert same.fingerprint == plan.fingerprint
    assert (same.effect("a"), ComparisonPlan(("a",)).effect("a")) == (0.02, None)


def test_only_the_planned_family_is_judged():
    found = family()
    plan = ComparisonPlan(tuple(found), correction="bh")
    assert list(plan.adjusted(found).values()) == adjust(list(found.values()), method="bh")
    with pytest.raises(DataError, match=r"missing \['none'\]"):
        plan.adjusted({name: one for name, one in found.items() if name != "none"})
    with pytest.raises(DataError, match=r"not planned \['more'\]"):
        plan.adjusted({**found, "more": found["sure"]})


def test_plans_that_make_no_sense():
    for arguments, error in (
        ({"metrics": ()}, DataError),
        ({"metrics": ("a", "a")}, DataError),
        ({"metrics": ("a",), "smallest_effect": {"b": 0.1}}, DataError),
        ({"metrics": ("a",), "smallest_effect": 0.0}, RangeError),
        ({"metrics": ("a",), "smallest_effect": float("inf")}, RangeError),
        ({"metrics": ("a",), "level": 1.0}, RangeError),
        ({"metrics": ("a",), "resamples": 5}, RangeError),
        ({"metrics": ("a",), "correction": "bonferroni"}, RangeError),
    ):
        with pytest.raises(error):
            ComparisonPlan(**arguments)
