"""What two runs differ by: the intervals of formulas, against SciPy and the comparison that decides."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from tutelage.stats import compare
from tutelage.store import Store
from tutelage.types import Scores
from tutelage.web.run_reading import Runs

IDS = tuple(f"i{n}" for n in range(80))
NOISE = np.random.default_rng(3)


def difference(folder, first, second, **facts):
    with Store(folder / "s.sqlite") as store:
        for name, values in (("a", first), ("b", second)):
            store.create_run(name, "tune", folder, {}, "c", "2031-01-01")
            store.add_scores(name, "raft", Scores("m", IDS, np.asarray(values, dtype=float), **facts))
            store.update_run(name, status="done")
        runs = Runs([store])
        [found] = runs.differences(runs.get("a"), runs.get("b"))
    return found


def test_scores_of_any_size_have_the_paired_t_interval(tmp_path):
    first = NOISE.normal(size=80)
    second = first + NOISE.normal(0.3, 1, size=80)
    found = difference(tmp_path, first, second)
    expected = scipy.stats.ttest_rel(second, first).confidence_interval()
    assert (found.delta.low, found.delta.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert found.delta.value == pytest.approx(np.mean(second - first))
    assert found.delta.method == "t"


def test_scores_in_clusters_have_the_interval_of_the_means_of_equal_clusters(tmp_path):
    labels = tuple(f"c{n // 8}" for n in range(80))
    first = NOISE.normal(size=80)
    second = first + np.repeat(NOISE.normal(0.2, 1, size=10), 8)
    found = difference(tmp_path, first, second, clusters=labels)
    means = (second - first).reshape(10, 8).mean(axis=1)
    expected = scipy.stats.ttest_1samp(means, 0).confidence_interval()
    assert (found.delta.low, found.delta.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_right_and_wrong_have_the_very_interval_of_the_comparison(tmp_path):
    first, second = (NOISE.random(80) < 0.4).astype(float), (NOISE.random(80) < 0.6).astype(float)
    found = difference(tmp_path, first, second)
    assert found.delta == compare(Scores("m", IDS, first), Scores("m", IDS, second)).delta


@pytest.mark.parametrize(
    ("shift", "higher", "outcome"),
    [
        (1, True, "better"),
        (1, False, "worse"),
        (-1, True, "worse"),
        (-1, False, "better"),
        (0, True, "cannot tell"),
    ],
)
def test_which_is_better_goes_by_the_direction_of_the_score(tmp_path, shift, higher, outcome):
    first = NOISE.normal(size=80)
    second = first + shift + np.tile([0.5, -0.5], 40)
    assert difference(tmp_path, first, second, higher_is_better=higher).outcome == outcome
