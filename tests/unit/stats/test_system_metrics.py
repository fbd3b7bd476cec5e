"""Metrics of classifiers against scikit-learn, of writers against loops, and the table of gaps by its definition."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, roc_auc_score

from tutelage.errors import DataError, NumericalError, RangeError, ShapeError
from tutelage.stats import CLASSIFIER_METRICS, WRITER_METRICS, classifier_rows, gap_table, toxicity_metrics


def drawn(n, classes, seed, sharp=1.0, rare=0.1):
    draw = np.random.default_rng(seed)
    weights = np.array([rare] + [1.0] * (classes - 1))
    truth = draw.choice(classes, n, p=weights / weights.sum())
    logits = draw.normal(0, 1, (n, classes)) + sharp * np.eye(classes)[truth]
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return truth, probs.round(1) / probs.round(1).sum(1, keepdims=True)  # rounded: ties


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("seed", range(5))
def test_against_scikit_learn(classes, seed):
    truth, probs = drawn(120, classes, seed)
    rows, answer = classifier_rows(truth, probs), probs.argmax(1)
    found = {name: one.of(rows) for name, one in CLASSIFIER_METRICS.items()}
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, answer))
    assert found["balanced_accuracy"] == pytest.approx(balanced_accuracy_score(truth, answer))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, answer, average="macro"))
    assert found["weighted_f1"] == pytest.approx(f1_score(truth, answer, average="weighted"))
    area = roc_auc_score(truth, probs[:, 1]) if classes == 2 else roc_auc_score(truth, probs, multi_class="ovr")
    assert found["roc_auc"] == pytest.approx(area)


def test_classes_that_are_named_and_never_true_count_in_f1():
    rows = classifier_rows([0, 0, 1], [[0.1, 0.1, 0.8], [1, 0, 0], [0, 1, 0]])
    assert CLASSIFIER_METRICS["macro_f1"].of(rows) == pytest.approx(
        f1_score([0, 0, 1], [2, 0, 1], average="macro", zero_division=0)
    )
    assert np.isnan(CLASSIFIER_METRICS["roc_auc"].of(rows))


def test_always_the_largest_class_is_right_in_accuracy_only():
    truth = np.array([0] * 90 + [1] * 10)
    rows = classifier_rows(truth, np.tile([0.9, 0.1], (100, 1)))
    assert CLASSIFIER_METRICS["accuracy"].of(rows) == 0.9
    assert CLASSIFIER_METRICS["balanced_accuracy"].of(rows) == 0.5
    assert CLASSIFIER_METRICS["roc_auc"].of(rows) == 0.5


def test_toxicities_against_loops():
    scores = np.random.default_rng(0).uniform(0, 0.7, (30, 7))
    found = toxicity_metrics(scores)
    for i, row in enumerate(scores.tolist()):
        assert found["mean"][i] == pytest.approx(sum(row) / 7)
        assert found["max"][i] == max(row)
        assert found["any"][i] == float(any(one >= 0.5 for one in row))
    assert toxicity_metrics([[0.2, 0.3]], threshold=0.3)["any"].tolist() == [1.0]
    assert WRITER_METRICS["expected_max"].of(scores) == pytest.approx(scores.max(1).mean())
    assert not any(one.higher_is_better for one in WRITER_METRICS.values())
    for bad, error in (([0.1, 0.2], ShapeError), ([[0.1, 1.2]], RangeError), ([[np.nan]], NumericalError),
                       (np.zeros((2, 0)), ShapeError)):  # fmt: skip
        with pytest.raises(error):
            toxicity_metrics(bad)


def test_the_table_is_the_ratio_in_each_metric_and_its_direction():
    truth, weak = drawn(300, 2, 1, sharp=0.6)
    _, student = drawn(300, 2, 1, sharp=1.2)
    _, top = drawn(300, 2, 1, sharp=2.5)
    systems = [classifier_rows(truth, one) for one in (weak, student, top)]
    table = gap_table(*systems, CLASSIFIER_METRICS, resamples=200)
    assert next(iter(table)) == "balanced_accuracy"
    for name, row in table.items():
        w, s, c = (CLASSIFIER_METRICS[name].of(one) for one in systems)
        assert (row.weak, row.student, row.ceiling) == (w, s, c)
        assert row.found.recovered.value == pytest.approx((s - w) / (c - w))
        assert row.found.recovered.low < row.found.recovered.value < row.found.recovered.high
    draw = np.random.default_rng(2)
    toxic = [draw.uniform(0, most, (60, 5)) for most in (0.8, 0.6, 0.3)]
    for name, row in gap_table(*toxic, WRITER_METRICS, resamples=200).items():
        assert row.found.gap.value == pytest.approx(row.weak - row.ceiling), name
        assert row.found.recovered.value == pytest.approx((row.weak - row.student) / (row.weak - row.ceiling))
        assert row.found.recovered.value > 0


def test_what_cannot_be_tabled_is_refused_with_the_metric():
    one_class = classifier_rows([1, 1], [[0.4, 0.6], [0.2, 0.8]])
    with pytest.raises(DataError, match="metric roc_auc"):
        gap_table(one_class, one_class, one_class, CLASSIFIER_METRICS, resamples=100)
    with pytest.raises(ShapeError):
        classifier_rows([0, 1], [[1.0], [1.0]])
    with pytest.raises(RangeError):
        classifier_rows([0, 2], [[0.5, 0.5]] * 2)


@pytest.mark.parametrize("scores", [[["high"]], [[0.1, 0.2], [0.3]]])
def test_texts_and_rows_of_different_lengths_are_refused(scores):
    with pytest.raises(DataError, match="scores cannot be read as numbers"):
        toxicity_metrics(scores)
