"""What a new system breaks and mends: counted by hand, by naive loops, and where nothing is defined."""

import math

import numpy as np
import pytest

from tutelage.errors import DataError, NumericalError, RangeError, ShapeError
from tutelage.stats import PairedCounts, Quadrant, flip_report, mcnemar, proportion_interval, self_flips
from tutelage.stats.intervals import clustered_variance
from tutelage.types import Estimate, Scores


def scores(values, ids=None, clusters=None, **more):
    ids = ids or [f"i{k}" for k in range(len(values))]
    return Scores("metric", tuple(ids), np.array(values, dtype=float), clusters and tuple(clusters), **more)


OLD = [1, 1, 1, 1, 0, 0, 0, 0, 0, 1]
NEW = [1, 1, 0, 0, 1, 0, 0, 0, 1, 1]


def test_every_number_by_hand():
    report = flip_report(scores(OLD), scores(NEW))
    assert (report.n, report.basis) == (10, "right or wrong")
    assert (report.negative, report.positive) == (("i2", "i3"), ("i4", "i8"))
    assert report.negative_rate == proportion_interval(2, 10)
    assert report.positive_rate == proportion_interval(2, 10)
    assert report.both_correct == proportion_interval(3, 5)
    assert report.quadrants == {
        "both": Quadrant(3, None),
        "only_old": Quadrant(2, None),
        "only_new": Quadrant(2, None),
        "neither": Quadrant(3, None),
    }
    assert (report.floor, report.independent) == (0.0, 0.25)
    assert report.relative.value == pytest.approx(0.8)
    assert report.mcnemar_p == mcnemar(PairedCounts(3, 2, 2, 3))
    assert report.graded is None
    assert set(report.undefined) == {"negative_rate_choice", "graded"}


def test_the_floor_is_what_the_accuracies_force():
    report = flip_report(scores([1] * 8 + [0] * 2), scores([1] * 5 + [0] * 5))
    assert report.floor == pytest.approx(0.3)
    assert report.negative_rate.value == pytest.approx(report.floor)
    assert report.relative.value == pytest.approx(0.3 / (0.8 * 0.5))


def test_answers_tell_wrong_in_the_same_way_from_wrong_in_another():
    old_answers = list("AABBCDCDAB")
    new_answers = list("AACDACCAEB")
    report = flip_report(scores(OLD), scores(NEW), choices=(old_answers, new_answers))
    wrong_and_moved = sum(
        not right and x != y for right, x, y in zip(NEW, old_answers, new_answers, strict=True)
    )  # i2, i3, i5, i7
    assert report.negative_rate_choice.value == pytest.approx(wrong_and_moved / 10) == pytest.approx(0.4)
    assert report.quadrants["both"] == Quadrant(3, 3)
    assert report.quadrants["neither"] == Quadrant(3, 1)
    assert "negative_rate_choice" not in report.undefined
    # The answers follow the ids of their own side, in whatever order they stand.
    ids, order = [f"i{k}" for k in range(10)], [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]
    shuffled = scores([NEW[k] for k in order], ids=[ids[k] for k in order])
    again = flip_report(scores(OLD), shuffled, choices=(old_answers, [new_answers[k] for k in order]))
    assert again == report
    with pytest.raises(ShapeError, match="10 items but 9 answers"):
        flip_report(scores(OLD), scores(NEW), choices=(old_answers, new_answers[:9]))


def test_lower_is_better_mirrors():
    report = flip_report(scores(OLD), scores(NEW))
    falling = flip_report(
        scores(1 - np.array(OLD), higher_is_better=False),
        scores(1 - np.array(NEW), higher_is_better=False),
        right_from=0.0,
    )
    assert (falling.negative, falling.positive) == (report.negative, report.positive)
    assert falling.relative == report.relative
    worse = flip_report(scores([0.1, 0.2], higher_is_better=False), scores([0.3, 0.1], higher_is_better=False))
    assert (worse.negative, worse.positive, worse.graded.regression.value) == (("i0",), ("i1",), pytest.approx(0.2))


def test_graded_scores_go_by_size():
    old = scores([0.5, 0.5, 0.7, 0.8, 0.2])
    new = scores([0.4, 0.9, 0.7, 0.7, 0.3])
    report = flip_report(old, new)
    assert (report.basis, report.negative, report.positive) == ("graded", ("i0", "i3"), ("i1", "i4"))
    assert report.graded.regression.value == pytest.approx(0.1)
    assert report.graded.gain.value == pytest.approx(0.25)
    assert report.mcnemar_p == mcnemar(PairedCounts(0, 2, 2, 0))
    for name in ("both_correct", "quadrants", "negative_rate_choice", "floor", "independent", "relative"):
        assert getattr(report, name) is None
        assert "threshold" in report.undefined[name]
    banded = flip_report(old, new, dead_band=0.1)  # 0.8 - 0.7 is not more than 0.1, whatever the last bits say
    assert (banded.negative, banded.positive, banded.graded.regression) == ((), ("i1",), None)
    judged = flip_report(old, new, right_from=0.5)
    assert (judged.basis, judged.negative, judged.positive) == ("right or wrong", ("i0",), ())
    assert judged.graded == report.graded


def test_undefined_is_none_with_a_reason():
    nothing_right = flip_report(scores([0, 0]), scores([0, 1]))
    assert (nothing_right.relative, nothing_right.both_correct) == (None, None)
    assert "nothing right" in nothing_right.undefined["relative"]
    assert "nothing right" in nothing_right.undefined["both_correct"]
    nothing_wrong = flip_report(scores([0, 1]), scores([1, 1]))
    assert nothing_wrong.relative is None
    assert "nothing wrong" in nothing_wrong.undefined["relative"]
    few = flip_report(scores([1, 0]), scores([0, 0])).relative
    assert (few.value, few.low, few.high) == (1 / 0.5 * 0.5, 0.0, math.inf)
    assert "too few" in few.method


def test_no_flip_seen_is_not_none_possible():
    report = flip_report(scores(OLD), scores(OLD))
    assert (report.negative, report.relative.value, report.relative.low) == ((), 0.0, 0.0)
    assert report.relative.high == pytest.approx(proportion_interval(0, 10).high / 0.25)
    assert report.mcnemar_p == 1.0


def test_relative_interval_equals_a_naive_bootstrap():
    rng = np.random.default_rng(0)
    old = (rng.random(200) < 0.7).astype(float)
    new = np.where(rng.random(200) < 0.2, 1 - old, old)
    drawn = []
    for _ in range(3000):
        rows = rng.integers(200, size=200)
        x, y = old[rows], new[rows]
        drawn.append((x * (1 - y)).mean() / (x.mean() * (1 - y.mean())))
    found = flip_report(scores(old), scores(new)).relative
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn, [0.025, 0.975])), abs=0.04)


def test_groups_widen_every_rate():
    rng = np.random.default_rng(1)
    groups = [f"g{k // 10}" for k in range(300)]
    breaks = np.repeat(rng.random(30) < 0.2, 10)
    old = (rng.random(300) < 0.8).astype(float)
    new = np.where(breaks, 0.0, old)
    alone = flip_report(scores(old), scores(new))
    grouped = flip_report(scores(old, clusters=groups), scores(new, clusters=groups))
    for name in ("negative_rate", "both_correct", "relative"):
        wide, narrow = getattr(grouped, name), getattr(alone, name)
        assert wide.value == narrow.value
        assert wide.high - wide.low > 1.5 * (narrow.high - narrow.low)
        assert wide.n_clusters == 30
    assert grouped.mcnemar_p is None
    assert "sign-flip" in grouped.undefined["mcnemar_p"]
    # The share of what was right that still is has the variance of a ratio of cluster sums.
    kept, codes = new[old == 1], np.repeat(np.arange(30), 10)[old == 1]
    spread = grouped.both_correct.high - grouped.both_correct.low
    assert spread == pytest.approx(2 * 2.045 * math.sqrt(clustered_variance(kept, codes)), rel=0.05)


def test_two_runs_of_one_system():
    found = self_flips(scores([1, 1, 0, 0, 1]), scores([0, 1, 1, 0, 1]))
    half = proportion_interval(2, 5)
    assert (found.value, found.low, found.high) == (half.value / 2, half.low / 2, half.high / 2)
    assert self_flips(scores([0.5, 0.6]), scores([0.5, 0.9])).value == 0.25
    assert self_flips(scores([0.5, 0.6]), scores([0.5, 0.9]), dead_band=0.5).value == 0.0


def test_excess_over_the_system_itself():
    report = flip_report(scores(OLD), scores(NEW))
    baseline = Estimate(0.05, 0.01, 0.15, 0.95, "half of wilson", 10, 10)
    found = report.excess(baseline)
    rate = report.negative_rate
    assert found.value == pytest.approx(rate.value - 0.05)
    assert found.low == pytest.approx(found.value - math.hypot(rate.value - rate.low, 0.1))
    assert found.high == pytest.approx(found.value + math.hypot(rate.high - rate.value, 0.04))
    with pytest.raises(RangeError, match="level"):
        report.excess(Estimate(0.05, 0.01, 0.15, 0.9, "wilson", 10, 10))


def test_refusals():
    ones = scores([1, 0])
    for call, error in (
        (lambda: flip_report(scores([]), scores([])), DataError),
        (lambda: flip_report(ones, scores([1], ids=["other"])), DataError),
        (lambda: flip_report(ones, scores([1, math.nan])), NumericalError),
        (lambda: flip_report(ones, ones, dead_band=-0.1), RangeError),
        (lambda: flip_report(ones, ones, dead_band=math.nan), RangeError),
        (lambda: flip_report(ones, ones, level=1.0), RangeError),
        (lambda: flip_report(ones, ones, resamples=3), RangeError),
    ):
        with pytest.raises(error):
            call()
