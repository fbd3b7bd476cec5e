"""Compatibility of versions: every number by plain loops over queries and galleries."""

import numpy as np
import pytest

from tutelage.compat import CompatibilityMatrix, compatibility_matrix
from tutelage.errors import NumericalError, RangeError, ShapeError


@pytest.fixture
def versions():
    rng = np.random.default_rng(0)
    asked, stored = rng.integers(0, 4, 23), np.concatenate([np.arange(4), rng.integers(0, 4, 27)])
    centres = rng.normal(size=(3, 4, 6)) + 2 * rng.normal(size=(1, 4, 6))
    queries = [centre[asked] + rng.normal(size=(23, 6)) for centre in centres]
    galleries = [centre[stored] + rng.normal(size=(31, 6)) for centre in centres]
    return queries, galleries, asked, stored


def cosine(a, b):
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))


def ranked(query, rows, labels):
    order = sorted(range(len(rows)), key=lambda m: -cosine(query, rows[m]))
    return [labels[m] for m in order]


def test_templates_by_loops(versions):
    queries, galleries, asked, stored = versions
    found = compatibility_matrix(queries, galleries, asked, stored)
    for new in range(3):
        for old in range(3):
            if new < old:
                assert np.isnan(found.items[new, old]).all()
                continue
            means = [galleries[old][stored == kind].mean(axis=0) for kind in range(4)]
            hits = [ranked(q, means, range(4))[0] == asked[n] for n, q in enumerate(queries[new])]
            assert found.items[new, old].tolist() == hits


@pytest.mark.parametrize("metric", ["top1", "recall@3", "map"])
def test_instances_by_loops(versions, metric):
    queries, galleries, asked, stored = versions
    found = compatibility_matrix(queries, galleries, asked, stored, gallery="instances", metric=metric)
    for n, query in enumerate(queries[2]):
        right = [label == asked[n] for label in ranked(query, galleries[1], stored)]
        if metric == "top1":
            expected = float(right[0])
        elif metric == "recall@3":
            expected = float(any(right[:3]))
        else:
            places = [k + 1 for k, hit in enumerate(right) if hit]
            expected = np.mean([(i + 1) / place for i, place in enumerate(places)])
        assert found.items[2, 1, n] == pytest.approx(expected, abs=1e-12)


def test_aggregates_are_those_of_the_definition():
    """C = [[.5], [.5, .75], [1, .5, 1]]: one of three updates beats the old model, one ties, one loses."""
    right = {(0, 0): 2, (1, 0): 2, (1, 1): 3, (2, 0): 4, (2, 1): 2, (2, 2): 4}
    items = np.full((3, 3, 4), np.nan)
    for (new, old), hits in right.items():
        items[new, old] = [1.0] * hits + [0.0] * (4 - hits)
    found = CompatibilityMatrix(items)
    assert found.average_compatibility() == pytest.approx(1 / 3)
    assert found.average_accuracy() == pytest.approx((0.5 + 0.5 + 0.75 + 1.0 + 0.5 + 1.0) / 6)
    assert found.accuracies().mean() == pytest.approx(found.average_accuracy())
    assert found.gains().mean() == pytest.approx(((0.5 - 0.5) + (1 - 0.5) + (0.5 - 0.75)) / 3)
    assert found.pairs() == ((1, 0), (2, 0), (2, 1))


def test_a_gain_has_an_interval_and_three_answers():
    items = np.full((2, 2, 200), np.nan)
    old = np.arange(200) % 2
    for fresh, expected in ((np.ones(200), True), (np.zeros(200), False), (1 - old, None)):
        items[0, 0], items[1, 0], items[1, 1] = old, fresh, 1
        found = CompatibilityMatrix(items).gain(1, 0)
        assert found.compatible is expected
        assert found.delta.value == pytest.approx(float(np.mean(fresh - old)))
    with pytest.raises(RangeError):
        CompatibilityMatrix(items).gain(0, 1)


def test_a_rotated_space_is_incompatible_and_the_same_space_is_not(versions):
    queries, galleries, asked, stored = versions
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    turned = compatibility_matrix([queries[0], queries[0] @ turn], [galleries[0], galleries[0] @ turn], asked, stored)
    assert np.array_equal(turned.items[0, 0], turned.items[1, 1])
    assert turned.means[1, 0] < turned.means[0, 0]
    scaled = compatibility_matrix([queries[0], 7 * queries[0]], [galleries[0]] * 2, asked, stored)
    assert np.array_equal(scaled.items[0, 0], scaled.items[1, 0])


@pytest.mark.parametrize("gallery", ["template", "instances"])
def test_collapsed_features_find_nothing(gallery):
    same = np.ones((6, 3))
    found = compatibility_matrix([same, same], [same, same], [0, 0, 0, 1, 1, 1], [0, 1, 0, 1, 0, 1], gallery=gallery)
    assert found.average_accuracy() == 0.0


def test_what_does_not_fit_is_refused(versions):
    queries, galleries, asked, stored = versions
    with pytest.raises(ShapeError, match="one space"):
        compatibility_matrix([queries[0], queries[1][:, :5]], galleries[:2], asked, stored)
    with pytest.raises(ShapeError):
        compatibility_matrix([queries[0], queries[1][:-1]], galleries[:2], asked, stored)
    with pytest.raises(RangeError):
        compatibility_matrix(queries[:1], galleries[:1], asked, stored)
    with pytest.raises(RangeError):
        compatibility_matrix(queries[:2], galleries[:1], asked, stored)
    for metric in ("top5", "recall@0", "recall@", ""):
        with pytest.raises(RangeError, match="metric"):
            compatibility_matrix(queries, galleries, asked, stored, metric=metric)
    with pytest.raises(RangeError):
        compatibility_matrix(queries, galleries, asked, stored, gallery="all")
    broken = [queries[0].copy(), queries[1]]
    broken[0][3, 1] = np.nan
    with pytest.raises(NumericalError):
        compatibility_matrix(broken, galleries[:2], asked, stored)
