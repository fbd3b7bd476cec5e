"""Missing scores: refused, left out, taken for the worst, or bounded; and items out of order."""

import math

import numpy as np
import pytest

from tutelage.errors import DataError, NumericalError, RangeError
from tutelage.stats import UnmatchedWarning, align, compare, estimate, flip_report, missing_bounds
from tutelage.types import Scores

NAN = math.nan


def scores(values, ids=None, **more):
    ids = ids or [f"i{k}" for k in range(len(values))]
    return Scores("metric", tuple(ids), np.array(values, dtype=float), **more)


def test_worst_is_the_bad_end_of_the_scale():
    one, two = scores([1, NAN, 0, 1]), scores([1, 1, NAN, 0])
    pairs = align(one, two, missing="worst")
    assert (pairs.a.tolist(), pairs.b.tolist()) == ([1, 0, 0, 1], [1, 1, 0, 0])
    assert (pairs.filled, pairs.dropped) == (("i1", "i2"), ())
    graded = align(scores([3.0, NAN]), scores([2.0, 4.0]), missing="worst", scale=(1, 5))
    assert graded.a.tolist() == [3.0, 1.0]
    falling = align(
        scores([3.0, NAN], higher_is_better=False),
        scores([2.0, 4.0], higher_is_better=False),
        missing="worst",
        scale=(0, 9),
    )
    assert falling.a.tolist() == [3.0, 9.0]
    everything = align(scores([NAN, NAN]), scores([1, 0]), missing="worst")
    assert everything.a.tolist() == [0, 0]


def test_a_scale_is_needed_and_must_hold_the_scores():
    one, two = scores([0.5, NAN]), scores([0.1, 0.2])
    for scale in (None, (0.2, 1.0), (1.0, 0.0), (0.0, math.inf), (NAN, 1.0)):
        with pytest.raises(RangeError):
            align(one, two, missing="worst", scale=scale)
    with pytest.raises(RangeError, match="worst"):
        align(scores([NAN]), scores([NAN]), missing="worst")
    with pytest.raises(RangeError, match="policy"):
        align(one, two, missing="zero")
    with pytest.raises(NumericalError):
        align(scores([math.inf]), scores([1.0]), missing="worst", scale=(0, 1))


def test_aligned_scores_go_on_into_other_functions():
    one = scores([1, NAN, 0, 1], clusters=("x", "x", "y", "y"))
    two = scores([1, 1, 0, 0], clusters=("x", "x", "y", "y"))
    old, new = align(one, two, missing="drop").scores(one)
    assert (old.ids, old.clusters, new.values.tolist()) == (("i0", "i2", "i3"), ("x", "y", "y"), [1, 0, 0])
    assert flip_report(old, new).negative == ("i3",)


def test_order_and_gaps_in_the_ids():
    rng = np.random.default_rng(0)
    ids = [f"q{k}" for k in range(200)]
    order = rng.permutation(200)[:180]
    one, values = scores(rng.random(200), ids=ids), rng.random(200)
    with pytest.warns(UnmatchedWarning, match="20 of 200 and 0 of 180"):
        pairs = align(one, scores(values[order], ids=[ids[k] for k in order]))
    assert set(pairs.only_a) == set(ids) - {ids[k] for k in order}
    assert list(pairs.ids) == [i for i in ids if i not in pairs.only_a]
    assert pairs.b.tolist() == [values[ids.index(i)] for i in pairs.ids]


def test_bounds_hold_whatever_is_missing():
    rng = np.random.default_rng(1)
    truth_a, truth_b = (rng.random((2, 60)) < 0.6).astype(float)
    seen_a, seen_b = truth_a.copy(), truth_b.copy()
    seen_a[rng.choice(60, 6, replace=False)] = NAN
    seen_b[rng.choice(60, 9, replace=False)] = NAN
    one = missing_bounds(scores(seen_a))
    assert (one.missing, one.n) == (6, 60)
    assert one.low.value == pytest.approx(np.nansum(seen_a) / 60)
    assert one.high.value == pytest.approx((np.nansum(seen_a) + 6) / 60)
    assert one.low == estimate(scores(np.nan_to_num(seen_a, nan=0.0)))
    both = missing_bounds(scores(seen_a), scores(seen_b))
    assert both.missing == int((np.isnan(seen_a) | np.isnan(seen_b)).sum())
    assert both.low == compare(scores(np.nan_to_num(seen_a, nan=1.0)), scores(np.nan_to_num(seen_b, nan=0.0))).delta
    assert both.low.value <= truth_b.mean() - truth_a.mean() <= both.high.value


def test_bounds_at_the_edges():
    complete = missing_bounds(scores([1, 0, 1]))
    assert (complete.low, complete.missing) == (complete.high, 0)
    pair = missing_bounds(scores([0.2, 0.4]), scores([0.3, 0.1]))
    assert (pair.low, pair.missing) == (pair.high, 0)
    assert missing_bounds(scores([NAN, NAN]), scale=(0, 1)).high.value == 1.0
    graded = missing_bounds(scores([2.0, NAN]), scores([NAN, 3.0]), scale=(1, 5))
    assert (graded.low.value, graded.high.value) == ((-1 - 2) / 2, (3 + 2) / 2)
    for call, error in (
        (lambda: missing_bounds(scores([NAN, NAN])), RangeError),
        (lambda: missing_bounds(scores([0.5, NAN])), RangeError),
        (lambda: missing_bounds(scores([])), DataError),
        (lambda: missing_bounds(scores([1.0]), scores([1.0], ids=["other"])), DataError),
        (lambda: missing_bounds(scores([math.inf])), NumericalError),
    ):
        with pytest.raises(error):
            call()


def test_a_duplicate_is_named_without_a_second_look_at_every_pair():
    ids = tuple(f"i{k}" for k in range(100_000))
    with pytest.raises(DataError, match="'i99999'"):
        Scores("m", (*ids, "i99999"), np.zeros(100_001))
