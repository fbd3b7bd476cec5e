"""Groups against each other: rates by hand, intervals against a naive bootstrap, and what is refused."""

import doctest
import math
from dataclasses import replace

import numpy as np
import pytest

from tutelage.errors import DataError, RangeError, ShapeError
from tutelage.stats import exposure, fairness_report, independent, proportion_interval
from tutelage.stats.independent import difference_bounds, ratio_bounds


def people(groups, rates, count, seed=0):
    """Rows of two jobs for each of `count` persons a group."""
    rng = np.random.default_rng(seed)
    rows = [
        (group, f"{group}{n}", float(rng.random() < rate), float(rng.random() < 0.5), rng.random())
        for group, rate in zip(groups, rates, strict=True)
        for n in range(count)
        for _ in range(2)
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def test_rates_and_gaps_are_those_of_a_naive_loop():
    groups, person, selected, fit, seen = people("ab", (0.6, 0.4), 50)
    found = fairness_report(groups, selected, seen, person=person, qualified=fit, reference="a", resamples=200)

    def mean(values, *wanted):
        rows = [v for v, g, q in zip(values, groups, fit, strict=True) if (g, q)[: len(wanted)] == wanted]
        return math.fsum(rows) / len(rows)

    gap = found.gaps[0]
    assert gap.selection_ratio.value == pytest.approx(mean(selected, "b") / mean(selected, "a"))
    assert gap.exposure_ratio.value == pytest.approx(mean(seen, "b") / mean(seen, "a"))
    true, false = (mean(selected, "b", one) - mean(selected, "a", one) for one in (1.0, 0.0))
    assert gap.equal_opportunity.value == pytest.approx(true)
    assert gap.equalised_odds.value == pytest.approx(max(abs(true), abs(false)))
    assert [(one.name, one.persons, one.rows) for one in found.groups] == [("a", 50, 100), ("b", 50, 100)]
    assert found.groups[0].selected.n_clusters == 50


def test_the_interval_is_that_of_a_naive_bootstrap_over_persons():
    groups, person, selected, _, seen = people("ab", (0.7, 0.5), 60, seed=1)
    found = fairness_report(groups, selected, seen, person=person, reference="a", resamples=4000).gaps[0]
    rng = np.random.default_rng(9)
    table = np.array(selected).reshape(120, 2).sum(axis=1)
    ratios = []
    for _ in range(4000):
        drawn = rng.integers(120, size=120)
        first, second = table[drawn[drawn < 60]], table[drawn[drawn >= 60]]
        ratios.append(second.mean() / first.mean())
    low, high = np.quantile(ratios, [0.025, 0.975])
    assert found.selection_ratio.low == pytest.approx(low, abs=0.03)
    assert found.selection_ratio.high == pytest.approx(high, abs=0.04)


def test_four_fifths_is_decided_only_by_the_whole_interval():
    verdicts = {}
    for name, rates in {"kept": (0.5, 0.5), "broken": (0.9, 0.3), "not decided": (0.5, 0.4)}.items():
        count = 60 if name == "not decided" else 600
        groups, person, selected, _, seen = people("ab", rates, count)
        verdicts[name] = fairness_report(groups, selected, seen, person=person, reference="a", resamples=500).gaps[0]
    assert {name: one.four_fifths for name, one in verdicts.items()} == {name: name for name in verdicts}


def test_rows_that_nobody_judged_count_for_rates_and_not_for_odds():
    groups, person, selected, fit, seen = people("ab", (0.6, 0.4), 90)
    known = [one if n % 3 else math.nan for n, one in enumerate(fit)]
    some = fairness_report(groups, selected, seen, person=person, qualified=known, reference="a", resamples=200)
    whole = fairness_report(groups, selected, seen, person=person, reference="a", resamples=200)
    assert [one.selected for one in some.groups] == [one.selected for one in whole.groups]
    rates = {
        group: np.mean([s for s, g, k in zip(selected, groups, known, strict=True) if (g, k) == (group, 1.0)])
        for group in "ab"
    }
    assert some.gaps[0].equal_opportunity.value == pytest.approx(rates["b"] - rates["a"])
    with pytest.raises(RangeError, match="0, 1 and NaN"):
        fairness_report(groups, selected, seen, qualified=[0.5] * len(groups))


def test_nobody_of_thirty_is_no_proof_that_nobody_ever_would_be():
    groups = ["a"] * 30 + ["b"] * 30
    found = fairness_report(groups, [0] * 30 + [1] * 5 + [0] * 25, [1.0] * 60, qualified=[1] * 60, resamples=200)
    nobody, gap = found.groups[0].selected, found.gaps[0]
    assert (nobody.value, nobody.low) == (0.0, 0.0)
    assert nobody.high == pytest.approx(0.1135, abs=1e-4)  # Wilson's 0 of 30; resamples would say 0
    assert gap.selection_ratio.low == 0.0
    assert gap.selection_ratio.high == pytest.approx(0.822, abs=1e-3)
    assert gap.four_fifths == "not decided"  # Fisher's exact p is 0.052
    assert gap.equal_opportunity.high > -0.02
    everybody = fairness_report(groups, [1] * 60, [1.0] * 60, resamples=200).gaps[0].selection_ratio
    assert everybody.low == pytest.approx(1 / everybody.high)
    assert 0.85 < everybody.low < 0.9


@pytest.mark.parametrize("seed", range(5))
def test_ends_of_a_ratio_are_where_the_difference_may_be_nothing(seed):
    rng = np.random.default_rng(seed)
    n, m = (int(one) for one in rng.integers(5, 80, 2))
    first = proportion_interval(int(rng.integers(0, n + 1)), n)
    second = proportion_interval(int(rng.integers(1, m + 1)), m)
    low, high = ratio_bounds(first, second)

    def scaled(r):
        return replace(second, value=r * second.value, low=r * second.low, high=r * second.high)

    assert difference_bounds(first, scaled(low))[0] == pytest.approx(0, abs=1e-9)
    assert difference_bounds(first, scaled(high))[1] == pytest.approx(0, abs=1e-9)
    assert low <= first.value / second.value <= high


def test_examples_of_the_module():
    assert doctest.testmod(independent).attempted == 4
    assert doctest.testmod(independent).failed == 0


def test_a_ratio_to_what_may_be_nothing_has_no_upper_end():
    some, perhaps = proportion_interval(3, 9), replace(proportion_interval(1, 9), low=0.0)
    assert ratio_bounds(some, perhaps)[1] == math.inf


def test_a_small_group_is_refused_and_not_estimated():
    groups, person, selected, fit, seen = people("ab", (0.5, 0.5), 29)
    found = fairness_report(groups, selected, seen, person=person, qualified=fit)
    assert found.refused == {"a": 29, "b": 29}
    assert not found.groups
    assert not found.gaps
    with pytest.raises(DataError, match="no group of at least"):
        fairness_report(groups, selected, seen, person=person, reference="a")
    groups, person, selected, fit, seen = people("ab", (0.5, 0.5), 30)
    few = [float(row < 20) for row in range(len(groups))]
    found = fairness_report(groups, selected, seen, person=person, qualified=few)
    assert found.gaps[0].equal_opportunity is None


def test_many_rows_of_few_persons_do_not_make_a_group_large():
    with pytest.raises(DataError):
        fairness_report(["a"] * 90, [1, 0, 0] * 30, [1.0] * 90, person=["x", "y", "z"] * 30, reference="a")
    assert fairness_report(["a"] * 90, [1, 0, 0] * 30, [1.0] * 90, person=["x", "y", "z"] * 30).refused == {"a": 3}


def test_bad_input_is_refused():
    with pytest.raises(DataError, match="groups 'a' and 'b'"):
        fairness_report(["a", "b"], [1, 0], [1.0, 0.5], person=["x", "x"])
    with pytest.raises(RangeError, match="0 and 1"):
        fairness_report(["a", "b"], [1, 0.5], [1.0, 0.5])
    with pytest.raises(ShapeError):
        fairness_report(["a"], [1, 0], [1.0, 0.5])
    with pytest.raises(RangeError):
        exposure([0])


def test_exposure_is_the_discount_of_ndcg():
    assert exposure([1, 2, 7]) == pytest.approx([1.0, 1 / math.log2(3), 1 / 3])
