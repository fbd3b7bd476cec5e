from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.data import audit_overlap, plan_stages
from tutelage.errors import ConfigError, DataError, RangeError, ShapeError

POOL = [f"p{i}" for i in range(300)]
STRATA = [("easy", "middle", "hard")[i % 3] for i in range(300)]


@given(st.integers(1, 60), st.integers(1, 60), st.floats(0, 1), st.integers(0, 5))
def test_sizes_and_overlap_are_as_asked_whatever_the_overlap(n_sft, n_rl, overlap, seed):
    overlap = min(overlap, n_sft / n_rl)
    plan = plan_stages(POOL, n_sft, n_rl, overlap, seed=seed)
    assert len(set(plan.sft)) == len(plan.sft) == n_sft
    assert len(set(plan.rl)) == len(plan.rl) == n_rl
    shared = len(set(plan.sft) & set(plan.rl))
    assert shared == round(overlap * n_rl)
    assert plan.overlap == shared / n_rl
    assert plan.distinct == n_sft + n_rl - shared


def test_conditions_differ_in_overlap_alone():
    plans = [plan_stages(POOL, 90, 60, share, strata=STRATA, seed=7) for share in (0.0, 0.3, 1.0)]
    level = dict(zip(POOL, STRATA, strict=True))
    assert len({plan.sft for plan in plans}) == 1
    for plan in plans:
        assert Counter(level[one] for one in plan.sft) == {"easy": 30, "middle": 30, "hard": 30}
        assert Counter(level[one] for one in plan.rl) == {"easy": 20, "middle": 20, "hard": 20}
    assert [plan.overlap for plan in plans] == [0.0, 0.3, 1.0]
    shared = [set(plan.rl) & set(plan.sft) for plan in plans]
    assert shared[1] <= shared[2]
    assert set(plans[1].rl) - shared[1] <= set(plans[0].rl)
    assert plans[0] == plan_stages(POOL[::1], 90, 60, 0.0, strata=STRATA, seed=7)
    assert plans[0].sft != plan_stages(POOL, 90, 60, 0.0, strata=STRATA, seed=8).sft


def test_a_pool_that_is_too_small_says_how_many_are_missing():
    with pytest.raises(DataError, match=r"20 missing \(20 in stratum 'all'\)"):
        plan_stages(POOL[:100], 60, 60, 0.0)
    assert plan_stages(POOL[:100], 60, 60, 1 / 3).overlap == pytest.approx(1 / 3)
    with pytest.raises(DataError, match="50 missing"):  # full overlap with a first stage that is smaller
        plan_stages(POOL, 50, 100, 1.0)


@pytest.mark.parametrize("bad", [-0.1, 1.1, float("nan")])
def test_an_overlap_outside_its_range_is_refused(bad):
    with pytest.raises(RangeError):
        plan_stages(POOL, 5, 5, bad)


def test_doubled_ids_and_missing_strata_are_refused():
    with pytest.raises(DataError, match="twice"):
        plan_stages(["a", "a", "b"], 1, 1, 0)
    with pytest.raises(DataError, match="strata"):
        plan_stages(POOL, 5, 5, 0, strata=["x"])


def row(name, text):
    return {"id": name, "prompt": [{"role": "user", "content": text}], "completion": []}


LONG = "Please prove that the sum of two even integers is even, using the definition of an even integer only."
A = [row("a1", LONG), row("a2", "What colour is the sky at night?"), row("a3", "Name a prime.")]
B = [
    row("b1", LONG.upper() + "!!"),
    row("b2", LONG.replace("only", "alone")),
    row("b3", "At night, which colour has the sky?"),
    row("b4", "How heavy is a litre of milk?"),
]


def vectors(texts):
    axis = ["sum of two", "colour", "prime", "milk"]
    return np.array([[float(word in text.lower()) for word in axis] for text in texts])


def test_each_method_finds_what_it_is_for():
    audit = audit_overlap(A, B, ("exact", "minhash", "embed"), embed=vectors)
    assert audit.of("exact").pairs == (("b1", "a1", 1.0),)
    assert [pair[:2] for pair in audit.of("minhash").pairs] == [("b1", "a1"), ("b2", "a1")]
    assert [pair[:2] for pair in audit.of("embed").pairs] == [("b1", "a1"), ("b2", "a1"), ("b3", "a2")]
    assert [one.share for one in audit.found] == [0.25, 0.5, 0.75]
    assert (audit.n_a, audit.n_b) == (3, 4)


def test_a_planned_overlap_is_what_the_audit_finds():
    rows = {one: row(one, f"Question number {i}: what is {i * i + 7}?") for i, one in enumerate(POOL)}
    plan = plan_stages(POOL, 100, 50, 0.3, seed=1)
    audit = audit_overlap([rows[i] for i in plan.sft], [rows[i] for i in plan.rl], ("exact",))
    assert audit.of("exact").share == plan.overlap == 0.3


def test_impossible_audits_are_refused():
    with pytest.raises(ConfigError, match="encoder"):
        audit_overlap(A, B, ("embed",))
    with pytest.raises(ConfigError):
        audit_overlap(A, B, ("magic",))
    with pytest.raises(ConfigError, match="did not use"):
        audit_overlap(A, B, ("exact",)).of("embed")
    with pytest.raises(DataError):
        audit_overlap([], B)
    with pytest.raises(RangeError):
        audit_overlap(A, B, ("embed",), embed=vectors, cosine=0)
    with pytest.raises(ShapeError):
        audit_overlap(A, B, ("embed",), embed=lambda texts: np.zeros(3))
