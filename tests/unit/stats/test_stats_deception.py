import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.errors import NumericalError, RangeError, ShapeError
from tutelage.stats import deception_score, knowledge_regions
from tutelage.stats.intervals import share_interval

ITEMS = st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=40)


def columns(items):
    right, other, strong, weak = zip(*items, strict=True)
    return [float(x) for x in right], [float(x) for x in other], strong, weak


@given(ITEMS, st.sampled_from([0.5, 0.75]))
@settings(max_examples=60, deadline=None)
def test_counts_equal_those_of_a_loop(items, tau):
    report = deception_score(*columns(items), tau=tau, resamples=100)
    reference = [one for one in items if one[0]]
    paid = [one for one in reference if not one[1]]

    def inside(one):
        return one[2] >= tau and not one[3] >= tau

    assert report.tax_items == len(paid)
    if not paid:
        assert (report.score, report.chance, report.excess, report.p) == (None, None, None, None)
        return
    score, chance = (sum(map(inside, rows)) / len(rows) for rows in (paid, reference))
    assert report.score.value == pytest.approx(score)
    assert report.chance == pytest.approx(chance)
    assert report.excess.value == pytest.approx(score - chance)
    assert report.tax.value == pytest.approx(len(paid) / len(reference))
    assert report.score.low <= score <= report.score.high
    cell = [one for one in reference if inside(one)]
    expected = sum(not one[1] for one in cell) / len(cell) if cell else None
    assert report.tax_by_region["known_unknown"] == pytest.approx(expected)


def test_p_is_the_share_of_all_ways_to_place_the_errors():
    inside = [True, True, True, False, False, False, False, False]
    strong = [0.9 if one else 0.1 for one in inside]
    weak = [0.1] * 8
    wrong = (0, 1, 5)
    student = [float(k not in wrong) for k in range(8)]
    ways = list(itertools.combinations(range(8), 3))
    as_many = sum(sum(inside[k] for k in way) >= 2 for way in ways)
    report = deception_score([1] * 8, student, strong, weak)
    assert report.p == pytest.approx(as_many / len(ways))


def test_errors_spread_at_random_have_no_excess_though_the_score_is_high():
    rng = np.random.default_rng(0)
    n = 20_000
    strong = np.full(n, 0.9)
    weak = np.where(rng.random(n) < 0.8, 0.1, 0.9)
    report = deception_score(np.ones(n), rng.random(n) > 0.2, strong, weak, resamples=500)
    assert report.score.value > 0.75
    assert report.excess.low < 0 < report.excess.high or abs(report.excess.value) < 0.01
    assert report.p > 0.001
    assert report.enough


def test_every_item_is_in_one_region():
    regions = knowledge_regions([0.75, 0.74, 0.8, 0.1], [0.1, 0.9, 0.75, 0.2])
    assert np.array(list(regions.values())).sum(0).tolist() == [1, 1, 1, 1]
    assert [name for name, flags in regions.items() if flags[0]] == ["known_unknown"]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (([1, 1], [1, 0], [0.5, 1.2], [0.5, 0.5]), RangeError),
        (([1, 2], [1, 0], [0.5, 0.5], [0.5, 0.5]), RangeError),
        (([1], [1, 0], [0.5, 0.5], [0.5, 0.5]), ShapeError),
        (([1, 1], [1, 0], [0.5, 0.5], [0.5]), ShapeError),
    ],
)
def test_what_does_not_fit_is_refused(arguments, error):
    with pytest.raises(error):
        deception_score(*arguments)


def test_three_of_three_errors_in_the_region_are_no_certainty():
    strong, weak = np.full(200, 0.9), np.repeat([0.1, 0.9], 100)  # half lies in the region
    for hits in (0, 1):
        right = np.ones(200)
        right[[0, 1, 2] if hits else [-1, -2, -3]] = 0
        found = deception_score(np.ones(200), right, strong, weak, margin=np.ones(200), resamples=1000)
        wilson = share_interval([hits] * 3)
        assert (found.score.low, found.score.high) == pytest.approx((wilson.low, wilson.high))
        assert found.excess.low < 0 < found.excess.high  # 1 of 8 by chance
        assert found.excess_at_margin.low < 0 < found.excess_at_margin.high
    spread = deception_score(np.ones(200), np.r_[0, np.ones(198), 0], strong, weak, resamples=1000)
    assert "wilson" not in spread.score.method


def test_clusters_widen_the_interval():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(12), 25)
    inside = (groups % 3 == 0).astype(float)
    wrong = rng.random(300) < np.where(groups < 4, 0.7, 0.1)
    arguments = np.ones(300), (~wrong).astype(float), np.full(300, 0.9), 0.9 - 0.8 * inside
    plain, clustered = (deception_score(*arguments, cluster=c, resamples=1000) for c in (None, groups))
    assert clustered.score.value == plain.score.value
    assert clustered.score.high - clustered.score.low > plain.score.high - plain.score.low


@given(ITEMS, st.integers(1, 5), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_chance_at_like_margins_equals_that_of_a_loop(items, bins, seed):
    right, other, strong, weak = columns(items)
    margins = np.random.default_rng(seed).normal(0, 2, len(items)).round(1)
    plain = deception_score(right, other, strong, weak, resamples=100)
    report = deception_score(right, other, strong, weak, margin=margins, bins=bins, resamples=100)
    assert (plain.chance_at_margin, plain.excess_at_margin) == (None, None)
    assert (report.score, report.chance, report.excess, report.p) == (plain.score, plain.chance, plain.excess, plain.p)
    known = [n for n in range(len(items)) if right[n]]
    if not any(not other[n] for n in known):
        assert report.excess_at_margin is None
        return
    edges = [float(np.quantile([abs(margins[n]) for n in known], k / bins)) for k in range(1, bins)]
    by_bin = {}
    for n in known:
        by_bin.setdefault(sum(abs(margins[n]) > edge for edge in edges), []).append(n)
    expected = paid = 0.0
    for rows in by_bin.values():
        wrong = sum(not other[n] for n in rows)
        paid += wrong
        expected += wrong * sum(strong[n] >= 0.75 and not weak[n] >= 0.75 for n in rows) / len(rows)
    assert report.chance_at_margin == pytest.approx(expected / paid)
    assert report.excess_at_margin.value == pytest.approx(plain.score.value - expected / paid)


def test_one_bin_is_plain_chance():
    rng = np.random.default_rng(2)
    arguments = np.ones(200), (rng.random(200) > 0.3).astype(float), rng.random(200), rng.random(200)
    report = deception_score(*arguments, margin=rng.random(200), bins=1, resamples=100)
    assert report.chance_at_margin == pytest.approx(report.chance)
    equal = deception_score(*arguments, margin=np.ones(200), resamples=100)
    assert equal.chance_at_margin == pytest.approx(report.chance)


@pytest.mark.parametrize("about_the_region", [False, True])
def test_errors_that_follow_the_margin_alone_have_an_excess_that_like_margins_explain(about_the_region):
    rng = np.random.default_rng(3)
    n = 40_000
    margin = np.abs(rng.normal(0, 2, n))
    unsure = rng.random(n) < 1 / (1 + margin)  # a supervisor is unsure where its student's margin is small
    wrong = rng.random(n) < np.exp(-margin) * np.where(unsure & about_the_region, 1.0, 0.5)
    report = deception_score(
        np.ones(n), (~wrong).astype(float), np.full(n, 0.9), np.where(unsure, 0.1, 0.9), margin=margin, bins=50,
        resamples=200,
    )  # fmt: skip
    assert report.excess.value > 0.1
    if about_the_region:
        assert report.excess_at_margin.low > 0.05
    else:
        assert abs(report.excess_at_margin.value) < 0.02


def test_margins_that_do_not_fit_are_refused():
    items = [1, 1], [1, 0], [0.5, 0.5], [0.5, 0.5]
    with pytest.raises(ShapeError):
        deception_score(*items, margin=[1.0])
    with pytest.raises(RangeError):
        deception_score(*items, margin=[1.0, 2.0], bins=0)
    with pytest.raises(NumericalError):
        deception_score(*items, margin=[1.0, float("nan")])
