"""Orders by quality: sorted, repeatable, resumable, and the same rows whoever asks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.errors import ConfigError, DataError, RangeError
from tutelage.training.curriculum import CurriculumSettings, QualityCurriculum, curriculum_order

SCORES = st.lists(st.integers(0, 5), min_size=1, max_size=40).map(lambda v: np.array(v, dtype=float))


@given(SCORES, st.integers(0, 3), st.integers(0, 9), st.sampled_from(["uniform", "ascend", "descend"]))
def test_every_order_is_a_permutation_and_sorted_ones_are_sorted(scores, epoch, seed, order):
    found = curriculum_order(scores, epoch, seed, CurriculumSettings(order))
    assert sorted(found.tolist()) == list(range(len(scores)))
    assert found.dtype == np.int64
    steps = np.diff(scores[found])
    assert order != "ascend" or (steps >= 0).all()
    assert order != "descend" or (steps <= 0).all()
    assert np.array_equal(found, curriculum_order(scores, epoch, seed, CurriculumSettings(order)))


def test_folds_are_ascents_over_the_whole_range():
    scores = np.random.default_rng(0).permutation(60).astype(float)
    found = scores[curriculum_order(scores, 0, 1, CurriculumSettings("fold", folds=3))].reshape(3, 20)
    assert np.array_equal(found, np.arange(60.0).reshape(20, 3).T)
    one = curriculum_order(scores, 0, 1, CurriculumSettings("fold", folds=1))
    assert np.array_equal(one, curriculum_order(scores, 0, 1, CurriculumSettings("ascend")))


def test_ties_are_broken_anew_in_each_epoch_and_by_the_seed():
    scores = np.repeat([0.0, 1.0], 50)
    orders = [curriculum_order(scores, e, s, CurriculumSettings("ascend")) for e, s in ((0, 0), (1, 0), (0, 1))]
    assert len({tuple(order) for order in orders}) == 3
    assert all(set(order[:50]) == set(range(50)) for order in orders)
    assert np.mean(orders[0][:50][:25]) == pytest.approx(24.5, abs=8)  # not the order of the file


def test_a_step_depends_on_nothing_but_its_number_and_shards_put_it_together():
    plan = QualityCurriculum(np.random.default_rng(1).normal(size=23), batch_size=6, seed=4)
    stream = np.concatenate([plan.epoch_order(epoch) for epoch in range(3)])
    for step in range(10):
        rows = plan.rows(step)
        assert rows == stream[step * 6 : step * 6 + 6].tolist()
        shards = [plan.rows(step, rank=rank, world=4) for rank in range(4)]
        together = [shards[i % 4][i // 4] for i in range(6)]
        assert together == rows


def test_what_is_refused():
    for wrong in ({"order": "best"}, {"folds": 0}, {"order": "ascend", "folds": 2}):
        with pytest.raises(ConfigError):
            CurriculumSettings(**wrong)
    with pytest.raises(DataError, match="row 1"):
        curriculum_order(np.array([0.0, np.nan]), 0, 0, CurriculumSettings())
    for shape in ((0,), (2, 2)):
        with pytest.raises(DataError):
            curriculum_order(np.zeros(shape), 0, 0, CurriculumSettings())
    with pytest.raises(ConfigError):
        QualityCurriculum(np.ones(3), batch_size=0)
    with pytest.raises(RangeError):
        QualityCurriculum(np.ones(3), batch_size=1).rows(0, rank=2, world=2)
