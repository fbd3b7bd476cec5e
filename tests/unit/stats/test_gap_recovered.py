"""The recovered gap against a plain loop, its interval against a known truth, and where there is none."""

import math

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score

from tutelage.errors import DataError, NumericalError, ShapeError
from tutelage.stats import paired_bootstrap, performance_gap_recovered


def drawn(n, seed, accuracies=(0.6, 0.7, 0.85)):
    """Right or wrong of weak, student, ceiling; the same hard items for all."""
    ease = np.random.default_rng(seed).random(n)
    noise = np.random.default_rng(seed + 1).normal(0, 0.15, (3, n))
    places = [np.quantile(ease, a) for a in accuracies]
    return [(ease + noise[k] < place).astype(float) for k, place in enumerate(places)]


def test_value_and_interval_are_those_of_a_plain_loop():
    weak, student, ceiling = drawn(200, 0)
    found = performance_gap_recovered(weak, student, ceiling, resamples=4_000, seed=1)
    assert found.recovered.value == pytest.approx((student.mean() - weak.mean()) / (ceiling.mean() - weak.mean()))
    rng, ratios = np.random.default_rng(7), []
    for _ in range(4_000):
        rows = rng.integers(200, size=200)
        w, s, c = (one[rows].mean() for one in (weak, student, ceiling))
        ratios.append((s - w) / (c - w))
    low, high = np.quantile(ratios, [0.0245, 0.9755])
    assert found.recovered.low == pytest.approx(low, abs=0.03)
    assert found.recovered.high == pytest.approx(high, abs=0.03)
    assert found.non_positive == 0.0
    assert found.defined


def test_gap_and_gain_have_the_intervals_of_the_paired_bootstrap():
    weak, student, ceiling = drawn(150, 3)
    found = performance_gap_recovered(weak, student, ceiling, resamples=8_000)
    for mine, other in ((found.gap, ceiling), (found.gain, student)):
        expected = paired_bootstrap(weak, other, resamples=8_000, seed=5).delta
        assert mine.value == pytest.approx(expected.value)
        assert (mine.low, mine.high) == pytest.approx((expected.low, expected.high), abs=0.01)


def test_any_metric_is_resampled_with_the_items():
    weak, student, ceiling = drawn(120, 4)
    truth = (np.arange(120) % 4 == 0).astype(float)
    rows = [np.column_stack([truth, np.where(right, truth, 1 - truth)]) for right in (weak, student, ceiling)]

    def balanced(table):
        return float(balanced_accuracy_score(table[:, 0], table[:, 1]))

    found = performance_gap_recovered(*rows, metric=balanced, resamples=300)
    w, s, c = (balanced(one) for one in rows)
    assert found.recovered.value == pytest.approx((s - w) / (c - w))
    same = performance_gap_recovered(*rows, metric=lambda t: float((t[:, 0] == t[:, 1]).mean()), resamples=3_000)
    plain = performance_gap_recovered(weak, student, ceiling, resamples=3_000)
    assert same.recovered.value == pytest.approx(plain.recovered.value)
    assert same.recovered.low == pytest.approx(plain.recovered.low, abs=0.06)


def test_a_metric_to_be_lowered_is_turned_round():
    weak, student, ceiling = drawn(100, 5)
    up = performance_gap_recovered(weak, student, ceiling)
    down = performance_gap_recovered(1 - weak, 1 - student, 1 - ceiling, higher_is_better=False)
    assert down.recovered.value == pytest.approx(up.recovered.value)
    assert down.gap.value == pytest.approx(up.gap.value)
    assert down.gap.value > 0


def test_a_copy_of_the_teacher_on_few_items_may_still_differ_on_others():
    weak, _, ceiling = drawn(100, 8)
    found = performance_gap_recovered(weak, weak, ceiling, resamples=500)
    assert found.gain.value == found.recovered.value == 0.0
    half = 1.959964**2 / (100 + 1.959964**2)  # Wilson's upper end of 0 of 100
    assert (found.gain.low, found.gain.high) == pytest.approx((-half, half), abs=1e-6)
    assert found.recovered.high == pytest.approx(half / found.gap.value, abs=1e-6)
    whole = performance_gap_recovered(np.zeros(30), np.ones(30), np.ones(30), resamples=500)
    assert (whole.gap.value, whole.gap.high) == (1.0, 1.0)
    assert whole.gap.low == whole.recovered.low == pytest.approx(1 - 1.959964**2 / (30 + 1.959964**2), abs=1e-6)


def test_clusters_are_drawn_whole():
    weak, student, ceiling = drawn(60, 6)
    many = [np.tile(one, 10) for one in (weak, student, ceiling)]
    once = performance_gap_recovered(weak, student, ceiling, resamples=4_000)
    clustered = performance_gap_recovered(*many, cluster=list(range(60)) * 10, resamples=4_000)
    naive = performance_gap_recovered(*many, resamples=4_000)
    width = clustered.recovered.high - clustered.recovered.low
    assert width == pytest.approx(once.recovered.high - once.recovered.low, rel=0.1)
    assert width > 2 * (naive.recovered.high - naive.recovered.low)


def test_no_gap_is_said_and_a_small_one_has_no_ends():
    weak, student, ceiling = drawn(100, 7)
    none = performance_gap_recovered(ceiling, student, weak)
    assert none.recovered is None
    assert not none.defined
    assert none.gap.value < 0
    small = performance_gap_recovered(weak, student, np.where(np.arange(100) == np.flatnonzero(weak == 0)[0], 1, weak))
    assert small.defined
    assert small.non_positive == pytest.approx(math.exp(-1), abs=0.05)  # the one item that makes the gap is not drawn
    assert (small.recovered.low, small.recovered.high) == (-math.inf, math.inf)


@pytest.mark.slow
def test_the_interval_holds_the_truth_as_often_as_it_says():
    weak, student, ceiling = drawn(200_000, 8)
    truth = (student.mean() - weak.mean()) / (ceiling.mean() - weak.mean())
    rng, inside = np.random.default_rng(0), 0
    for run in range(300):
        rows = rng.integers(200_000, size=150)
        found = performance_gap_recovered(weak[rows], student[rows], ceiling[rows], resamples=1_000, seed=run)
        inside += found.recovered.low <= truth <= found.recovered.high
    assert 0.92 <= inside / 300 <= 0.98


def test_bad_input_is_refused():
    with pytest.raises(ShapeError, match="align"):
        performance_gap_recovered([1.0, 0.0], [1.0, 0.0], [1.0])
    with pytest.raises(DataError):
        performance_gap_recovered([], [], [])
    with pytest.raises(NumericalError):
        performance_gap_recovered([math.nan], [1.0], [1.0])
    with pytest.raises(DataError, match="not finite"):
        performance_gap_recovered([1.0], [1.0], [1.0], metric=lambda rows: math.nan)


def test_a_copy_of_the_ceiling_on_every_item_is_no_certainty_either():
    weak, _, ceiling = drawn(100, 8)
    found = performance_gap_recovered(weak, ceiling, ceiling, resamples=500)
    half = 1.959964**2 / (100 + 1.959964**2) / found.gap.value
    assert (found.recovered.value, found.recovered.low) == pytest.approx((1.0, 1 - half), abs=1e-6)
    assert found.recovered.high == pytest.approx(1 + half, abs=1e-6)


@pytest.mark.parametrize("copied", ["weak", "ceiling"])
def test_what_other_items_would_do_to_another_metric_is_not_known(copied):
    weak, _, ceiling = drawn(100, 8)
    rows = {name: np.column_stack([one, one]) for name, one in (("weak", weak), ("ceiling", ceiling))}
    found = performance_gap_recovered(
        rows["weak"], rows[copied], rows["ceiling"], metric=lambda table: float(np.median(table) + table.mean())
    )
    assert found.recovered.value == (copied == "ceiling")
    assert (found.recovered.low, found.recovered.high) == (-math.inf, math.inf)
    assert math.isfinite(found.gap.low)
    assert math.isinf(found.gain.low) == (copied == "weak")
