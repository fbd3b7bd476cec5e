"""Audit and direction report against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from tutelage.errors import DataError, ShapeError
from tutelage.measure.graded import audit_labels, direction_report
from tutelage.stats import krippendorff_alpha, proportion_interval
from tutelage.verify.graded import FORMALITY


class Given:
    """Rates by the last word of a text; ``shift`` moves a rating down."""

    scale = FORMALITY

    def __init__(self, shift=0, name="given"):
        self.shift, self.name = shift, name

    def rate(self, texts):
        return [FORMALITY.levels[max(0, FORMALITY.rank(text.split()[-1]) - self.shift)] for text in texts]


def made(n=60, seed=0):
    draw = np.random.default_rng(seed)
    return [[FORMALITY.levels[i] for i in draw.integers(0, 3, n)] for _ in range(2)]


def test_the_rate_of_pseudo_formal_labels_is_one_value_an_item():
    absolute, labels = made()
    texts = [f"text {i} {level}" for i, level in enumerate(absolute)]
    found = audit_labels(texts, labels, [Given()])
    wrong = [a != "formal" for a, b in zip(absolute, labels, strict=True) if b == "formal"]
    assert found.pseudo.values.tolist() == wrong
    assert found.pseudo_formal_rate == proportion_interval(sum(wrong), len(wrong))
    assert sum(found.table.values()) == 60
    assert found.alpha is None
    assert found.absolute == tuple(absolute)


def test_several_raters_give_a_median_and_their_agreement():
    absolute, labels = made(seed=1)
    texts = [f"x {level}" for level in absolute]
    raters = [Given(), Given(name="again"), Given(1, "strict")]
    found = audit_labels(texts, labels, raters)
    assert found.absolute == tuple(absolute)
    table = np.array([FORMALITY.ranks(rater.rate(texts)) for rater in raters], dtype=float).T
    assert found.alpha.value == pytest.approx(krippendorff_alpha(table, level="ordinal").value)
    assert audit_labels(texts, labels, [Given(), Given(1)]).absolute == tuple(Given(1).rate(texts))  # the lower middle


def test_a_report_is_that_of_scikit_learn():
    rated, targets = made(80, seed=2)
    outputs = [f"out {level}" for level in rated]
    sources = [text.upper() if i % 4 == 0 else "other" for i, text in enumerate(outputs)]
    found = direction_report(sources, outputs, targets, Given())
    wanted, got = FORMALITY.ranks(targets), FORMALITY.ranks(rated)
    each = f1_score(wanted, got, average=None, labels=[0, 1, 2])
    assert [found.f1[level] for level in FORMALITY.levels] == pytest.approx(each)
    assert found.macro_f1 == pytest.approx(each.mean())
    assert found.kappa.kappa.value == pytest.approx(cohen_kappa_score(wanted, got, weights="quadratic"))
    assert found.hits.values.tolist() == [a == b for a, b in zip(wanted, got, strict=True)]
    assert found.adjacent.values.tolist() == [abs(a - b) == 1 for a, b in zip(wanted, got, strict=True)]
    assert found.copies.values.mean() == 0.25
    assert found.similarity is None


def test_one_target_alone_has_precision_one():
    outputs = ["a formal", "b casual", "c formal", "d informal"]
    found = direction_report(["x"] * 4, outputs, ["formal"] * 4, Given())
    assert found.f1["formal"] == pytest.approx(2 * 0.5 / 1.5)
    assert found.macro_f1 == found.f1["formal"]


def test_what_cannot_be_rated_is_refused():
    with pytest.raises(ShapeError, match="1 texts"):
        audit_labels(["a casual"], [], [Given()])
    with pytest.raises(DataError, match="falsely"):
        audit_labels(["a casual"], ["casual"], [Given()])
    with pytest.raises(DataError, match="raters"):
        audit_labels(["a casual"], ["formal"], [])
    with pytest.raises(DataError, match="no outputs"):
        direction_report([], [], [], Given())
