"""Equivalence and non-inferiority: statsmodels, inverted intervals, and planning by simulation."""

import math

import numpy as np
import pytest
from statsmodels.stats.weightstats import ttost_paired

from tutelage.errors import DataError, RangeError, ShapeError
from tutelage.stats import PairedCounts, difference_of_shares, newcombe, non_inferior, tost
from tutelage.types import Scores


def scores(values, clusters=None, **more):
    ids = tuple(f"i{k}" for k in range(len(values)))
    return Scores("metric", ids, np.asarray(values, dtype=float), clusters and tuple(clusters), **more)


def of_counts(both, only_a, only_b, neither, **more):
    table = [both, only_a, only_b, neither]
    return scores(np.repeat([1, 1, 0, 0], table), **more), scores(np.repeat([1, 0, 1, 0], table), **more)


@pytest.mark.parametrize("shift", [0.0, 0.15, -0.3])
def test_tost_equals_statsmodels(shift):
    rng = np.random.default_rng(0)
    a = rng.normal(size=40)
    b = a + shift + 0.4 * rng.normal(size=40)
    p, (_, lower, _), (_, upper, _) = ttost_paired(b, a, -0.2, 0.2)
    found = tost(a, b, 0.2)
    assert (found.p, found.p_lower, found.p_upper) == pytest.approx((p, lower, upper), abs=1e-12)
    usual = tost(a, b, 0.2, level=0.9)
    assert (usual.verdict == "shown") == (p < 0.05)


def test_tost_over_clusters_is_tost_over_their_means():
    rng = np.random.default_rng(1)
    effect = rng.normal(scale=0.1, size=25)
    b = np.repeat(effect, 4)
    p = ttost_paired(effect, np.zeros(25), -0.1, 0.1)[0]
    found = tost(np.zeros(100), b, 0.1, cluster=np.repeat(np.arange(25), 4))
    assert found.p == pytest.approx(p, abs=1e-12)
    assert (found.test, found.delta.n_clusters) == ("clustered paired t", 25)


def test_three_verdicts():
    rng = np.random.default_rng(2)
    noise = rng.normal(scale=0.1, size=200)
    zero = np.zeros(200)
    assert tost(zero, noise, 0.1).verdict == "shown"
    assert tost(zero, noise + 0.5, 0.1).verdict == "refuted"
    assert tost(zero, noise - 0.5, 0.1).verdict == "refuted"
    assert tost(zero, 10 * noise, 0.1).verdict == "not shown"


@pytest.mark.parametrize("counts", [(60, 8, 5, 27), (40, 2, 12, 6), (300, 20, 9, 100), (10, 0, 0, 5)])
def test_the_p_value_is_where_newcombes_interval_touches_the_margin(counts):
    a, b = of_counts(*counts)
    table = PairedCounts(*counts)
    assert table.n == len(a.ids)
    for margin in (0.02, 0.1, 0.15):
        found = non_inferior(a, b, margin)
        assert found.delta == difference_of_shares(a.values, b.values)
        assert found.p == found.p_lower
        below = found.delta.value < -margin
        level = 1 - 2 * (1 - found.p if below else found.p)
        if found.p < 1e-9:
            continue  # the level is 1 to all digits
        touching = difference_of_shares(a.values, b.values, level=level)
        assert (touching.high if below else touching.low) == pytest.approx(-margin, abs=1e-6)
        assert (found.verdict == "shown") == (found.delta.low > -margin) == (found.p < 0.025)


def test_refuted_when_the_loss_is_beyond_the_margin():
    a, b = of_counts(100, 90, 5, 55)
    found = non_inferior(a, b, 0.1)
    assert (found.verdict, found.p > 0.975) == ("refuted", True)
    assert non_inferior(*of_counts(20, 6, 2, 12), 0.1).verdict == "not shown"


def test_lower_is_better_turns_it_round():
    a, b = of_counts(60, 8, 25, 27)
    assert non_inferior(a, b, 0.05).verdict == "shown"
    a, b = of_counts(60, 8, 45, 27, higher_is_better=False)
    worse = non_inferior(a, b, 0.05)
    assert (worse.verdict, worse.p) == ("refuted", worse.p_upper)
    back = non_inferior(b, a, 0.05)
    assert (back.verdict, back.p) == ("shown", pytest.approx(1 - worse.p, abs=0.05))
    rng = np.random.default_rng(3)
    slow, fast = rng.normal(5, 1, size=100), rng.normal(3, 1, size=100)
    assert non_inferior(scores(slow, higher_is_better=False), scores(fast, higher_is_better=False), 0.1).p < 1e-9
    assert non_inferior(scores(slow), scores(fast), 0.1).verdict == "refuted"


def test_other_scores_go_by_t():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=60), rng.normal(size=60)
    assert non_inferior(scores(x), scores(y), 0.5).p_lower == pytest.approx(tost(x, y, 0.5).p_lower, rel=1e-12)


def test_nothing_differs_is_no_certainty():
    """The interval keeps a width that shrinks with the number of items (or of clusters)."""
    two, hundred = (non_inferior(*of_counts(n, 0, 0, n), 0.03) for n in (1, 50))
    assert (two.verdict, hundred.verdict) == ("not shown", "not shown")
    assert hundred.delta.low == pytest.approx(-0.037, abs=5e-4)  # the rule of three, not Newcombe's 0.019
    assert non_inferior(*of_counts(500, 0, 0, 500), 0.05).verdict == "shown"
    groups = [f"g{k // 100}" for k in range(1000)]
    grouped = non_inferior(*of_counts(500, 0, 0, 500, clusters=groups), 0.05)
    assert (grouped.verdict, grouped.test) == ("not shown", "clustered newcombe, widened")
    assert non_inferior(scores([0.5, 0.7]), scores([0.5, 0.7]), 0.1).verdict == "not shown"
    assert non_inferior(scores([0.5] * 50), scores([0.5] * 50), 0.1).verdict == "shown"
    same = tost([0.3] * 4, [0.3] * 4, 0.1)
    assert same.p_lower == pytest.approx(same.p_upper)
    assert tost([0.0] * 40, [0.5] * 40, 0.1).verdict == "refuted"


def test_one_cluster_says_nothing():
    for found in (
        tost([0.1, 0.2], [0.1, 0.3], 0.1, cluster=["x", "x"]),
        tost([0.1], [0.1], 0.1),
        non_inferior(scores([1]), scores([1]), 0.1),
        non_inferior(*of_counts(2, 1, 1, 2, clusters="xxxxxx"), 0.1),
    ):
        assert (found.verdict, found.p) == ("not shown", 0.5) or found.delta.n == 1
        assert found.verdict == "not shown"
    assert tost([0.1], [0.1], 0.1).pairs_needed is None


def test_difference_of_shares_without_an_effect_of_clusters_is_newcombe_by_t():
    rng = np.random.default_rng(5)
    a, b = (rng.random((2, 2000)) < 0.6).astype(float)
    free, grouped = difference_of_shares(a, b, None), difference_of_shares(a, b, np.repeat(np.arange(400), 5))
    assert free == newcombe(PairedCounts.of(a, b))
    assert grouped.high - grouped.low == pytest.approx(free.high - free.low, rel=0.12)
    assert free.method == "newcombe"
    copied = difference_of_shares(np.repeat(a, 5), np.repeat(b, 5), np.repeat(np.arange(2000), 5))
    assert (copied.low, copied.high) == pytest.approx((free.low, free.high), abs=2e-4)


@pytest.mark.parametrize(("psi", "margin"), [(0.2, 0.05), (0.1, 0.03)])
def test_pairs_needed_show_it_four_times_out_of_five(psi, margin):
    rng = np.random.default_rng(6)
    seen = non_inferior(*of_counts(*(int(1000 * x) for x in (0.5, psi / 2, psi / 2, 0.5 - psi))), margin)
    n = seen.pairs_needed
    tables = rng.multinomial(n, [0.5, psi / 2, psi / 2, 0.5 - psi], size=400)
    shown = np.mean([newcombe(PairedCounts(*map(int, table))).low > -margin for table in tables])
    assert 0.72 < shown < 0.88


def test_pairs_needed_grow_with_clusters_and_with_two_margins():
    rng = np.random.default_rng(7)
    groups = np.repeat(np.arange(50), 10)
    effect = rng.normal(size=50)[groups] + rng.normal(size=500)
    alone, grouped = tost(np.zeros(500), effect, 0.2), tost(np.zeros(500), effect, 0.2, cluster=groups)
    assert grouped.pairs_needed > 3 * alone.pairs_needed
    one_sided = non_inferior(scores(np.zeros(500)), scores(effect), 0.2)
    assert alone.pairs_needed > one_sided.pairs_needed


def test_refusals():
    good = of_counts(5, 1, 1, 5)
    for margin in (0.0, -0.1, math.nan, math.inf):
        with pytest.raises(RangeError, match="margin"):
            tost([0, 1], [0, 1], margin)
        with pytest.raises(RangeError, match="margin"):
            non_inferior(*good, margin)
    with pytest.raises(RangeError, match=r"0\.02"):
        non_inferior(*good, 2.0)
    with pytest.raises(RangeError, match="level"):
        non_inferior(*good, 0.1, level=95)
    with pytest.raises(ShapeError):
        tost([0.0], [0.0, 1.0], 0.1)
    with pytest.raises(DataError):
        tost([], [], 0.1)


@pytest.mark.parametrize(("n", "loss"), [(50, 0.05), (100, 0.02), (100, 0.05), (300, 0.02)])
def test_a_rare_loss_is_seldom_called_none(n, loss):
    """By enumeration: b loses what a has right in ``loss`` of all items and wins nothing; a is right on half."""
    wrongly = {"newcombe": 0.0, "widened": 0.0}
    for lost in range(n + 1):
        chance = math.comb(n, lost) * loss**lost * (1 - loss) ** (n - lost)
        both = (n - lost) // 2
        counts = PairedCounts(both, lost, 0, n - lost - both)
        a, b = of_counts(both, lost, 0, n - lost - both)
        wrongly["newcombe"] += chance * (newcombe(counts).low > -loss)
        wrongly["widened"] += chance * (difference_of_shares(a.values, b.values).low > -loss)
    assert wrongly["newcombe"] > 0.035
    assert wrongly["widened"] < 0.03
