"""Means with intervals, overall and by group; what is missing is counted and never a zero."""

import json
import math

import numpy as np

from tutelage.measure.results import MetricFacts, TaskResults
from tutelage.measure.summary import summarise
from tutelage.stats import estimate, proportion_interval
from tutelage.types import Scores


def table(values, **more):
    ids = tuple(f"i{k}" for k in range(len(values)))
    facts = {"m": MetricFacts(unit="share", baseline=0.25)}
    return TaskResults("t", ids, {"m": np.array(values, dtype=float)}, facts, **more)


def test_the_mean_and_its_interval():
    told = summarise(table([1, 1, 0, 1]))["m"]
    expected = proportion_interval(3, 4)
    assert (told["estimate"]["value"], told["estimate"]["low"]) == (0.75, expected.low)
    assert (told["baseline"], told["missing"], told["unit"]) == (0.25, 0, "share")


def test_the_interval_of_a_share_stays_between_none_and_all():
    half = summarise(table([0.5, 1, 1, 0, 1]))["m"]["estimate"]
    assert (half["value"], half["high"]) == (0.7, 1.0)
    assert 0 < half["low"] < 0.7
    gap = summarise(table([-1, 1, 1, 0, 1, 1, 1]))["m"]["estimate"]
    assert (gap["low"] < 0, gap["high"]) == (True, 1.0)
    assert summarise(table([0.5]))["m"]["estimate"]["high"] == 1.0


def test_groups_and_clusters():
    labels = {"topic": tuple("aabb"), "same": tuple("xxxx")}
    told = summarise(table([1, 1, 0, 1], groups=labels, clusters=tuple("ppqr")))["m"]
    assert list(told["groups"]) == ["topic"]  # one label tells nothing
    assert [told["groups"]["topic"][g]["value"] for g in "ab"] == [1.0, 0.5]
    whole = estimate(Scores("t/m", tuple("wxyz"), np.array([1.0, 1, 0, 1]), tuple("ppqr")))
    assert (told["estimate"]["low"], told["estimate"]["n_clusters"]) == (whole.low, 3)


def test_a_missing_score_is_counted_and_left_out():
    told = summarise(table([1, math.nan, 0, math.nan], groups={"g": tuple("aabb")}))["m"]
    assert (told["estimate"]["value"], told["estimate"]["n"], told["missing"]) == (0.5, 2, 2)
    assert summarise(table([math.nan]))["m"]["estimate"] is None


def test_an_interval_without_ends_is_json():
    told = summarise(table([2.5]))
    assert (told["m"]["estimate"]["low"], told["m"]["estimate"]["high"]) == (None, None)
    json.dumps(told, allow_nan=False)


def test_too_many_labels_are_left_to_the_file():
    told = summarise(table([1.0] * 80, groups={"g": tuple(map(str, range(80)))}))
    assert told["m"]["groups"] == {}
