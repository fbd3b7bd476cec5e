"""The contrast against plain averages."""

import numpy as np
import pytest

from tutelage.errors import DataError
from tutelage.measure.generalization import both_orders, generalization_contrast
from tutelage.types import Scores


def scores(values, clusters=None, prefix=""):
    values = np.asarray(values, dtype=float)
    return Scores("lean", tuple(f"{prefix}{i}" for i in range(len(values))), values, clusters)


def made(seed=0, sizes=(7, 12)):
    draw = np.random.default_rng(seed)
    return {x: {y: scores(draw.normal(size=n)) for y, n in zip("AB", sizes, strict=True)} for x in "AB"}


def test_the_total_is_the_sum_of_both_brackets_whatever_their_sizes():
    table = made()
    means = {x: {y: one.values.mean() for y, one in row.items()} for x, row in table.items()}
    found = generalization_contrast(table, resamples=500)
    assert found.of["A"].value == pytest.approx(means["A"]["A"] - means["B"]["A"])
    assert found.of["B"].value == pytest.approx(means["B"]["B"] - means["A"]["B"])
    assert found.total.value == pytest.approx(found.of["A"].value + found.of["B"].value)
    assert found.total.low < found.total.value < found.total.high


def test_swapping_the_readings_turns_the_sign():
    table = made()
    swapped = {"A": table["B"], "B": table["A"]}
    first, second = (generalization_contrast(one, resamples=500).total for one in (table, swapped))
    assert first.value == pytest.approx(-second.value)


def test_a_common_preference_for_one_evaluation_cancels():
    same = scores(np.arange(8.0))
    found = generalization_contrast({"A": {"A": same, "B": same}, "B": {"A": same, "B": same}}, resamples=200)
    assert (found.total.value, found.total.low, found.total.high) == (0, 0, 0)


def test_clusters_widen_the_interval():
    draw = np.random.default_rng(0)
    shifts = np.repeat(draw.normal(size=5), 20)
    clusters = tuple(np.repeat(list("vwxyz"), 20))
    zero = np.zeros(100)

    def table(owners):
        return {
            "A": {"A": scores(shifts, owners), "B": scores(zero, owners)},
            "B": {"A": scores(zero, owners), "B": scores(shifts, owners)},
        }

    wide, narrow = (generalization_contrast(table(owners), resamples=2000).total for owners in (clusters, None))
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_what_is_not_two_readings_of_the_same_items_is_refused():
    table = made()
    with pytest.raises(DataError, match="two readings"):
        generalization_contrast({"A": table["A"]})
    with pytest.raises(DataError, match="two readings"):
        generalization_contrast({"A": {"A": table["A"]["A"]}, "B": table["B"]})
    other = {**table, "B": {**table["B"], "A": scores(np.zeros(7), prefix="x")}}
    with pytest.raises(DataError, match="same items"):
        generalization_contrast(other)


def test_both_orders_are_averaged():
    assert both_orders("lean", scores([1, 3]), scores([3, 5])).values.tolist() == [2, 4]
    with pytest.raises(DataError):
        both_orders("lean", scores([1]), scores([1, 2]))
