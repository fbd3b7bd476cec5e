"""Rankings query by query against scikit-learn and plain loops."""

import numpy as np
import pytest
from sklearn.metrics import ndcg_score, roc_auc_score

from tutelage.errors import RangeError, ShapeError
from tutelage.measure.rankings import group_auc, ndcg_at, recall_at, reciprocal_rank


def test_each_query_agrees_with_scikit_learn_and_loops():
    rng = np.random.default_rng(0)
    query = np.repeat([f"q{n}" for n in range(12)], 9)
    scores, gains = rng.normal(size=108), rng.integers(0, 3, 108).astype(float)
    gains[query == "q3"] = 0
    gains[query == "q4"] = 1
    ndcg = dict(zip(*(lambda s: (s.ids, s.values))(ndcg_at(5, scores, gains, query)), strict=True))
    auc = dict(zip(*(lambda s: (s.ids, s.values))(group_auc(scores, gains, query)), strict=True))
    recall = dict(zip(*(lambda s: (s.ids, s.values))(recall_at(3, scores, gains, query)), strict=True))
    first = dict(zip(*(lambda s: (s.ids, s.values))(reciprocal_rank(scores, gains, query)), strict=True))
    assert "q3" not in ndcg
    assert not {"q3", "q4"} & set(auc)
    for one in ndcg:
        own = query == one
        assert ndcg[one] == pytest.approx(ndcg_score([gains[own]], [scores[own]], k=5))
        order = [gain > 0 for _, gain in sorted(zip(-scores[own], gains[own], strict=True))]
        assert recall[one] == pytest.approx(sum(order[:3]) / sum(order))
        assert first[one] == pytest.approx(1 / (1 + order.index(True)))
        if one in auc:
            assert auc[one] == pytest.approx(roc_auc_score(gains[own] > 0, scores[own]))


def test_ties_and_bad_input():
    assert group_auc([1, 1], [1, 0], ["q", "q"]).values.tolist() == [0.5]
    with pytest.raises(RangeError):
        ndcg_at(0, [1.0], [1.0], ["q"])
    with pytest.raises(RangeError):
        ndcg_at(1, [1.0], [-1.0], ["q"])
    with pytest.raises(ShapeError):
        recall_at(1, [1.0], [1.0, 2.0], ["q"])
