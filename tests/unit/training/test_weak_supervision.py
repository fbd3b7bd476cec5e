"""The protocol with models whose answers are known: who learns what from whom, and what is measured."""

from typing import ClassVar

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tutelage.errors import DataError, NumericalError, RangeError, ShapeError
from tutelage.stats import performance_gap_recovered
from tutelage.training.probes import ProbeSettings, TorchProbe
from tutelage.training.weak_to_strong import (
    Items,
    WeakToStrongSettings,
    bootstrapped,
    ceiling_of,
    taught,
    weak_to_strong,
)

CLASSES = 3


def items(n, seed, prefix="i", labels=True):
    draw = np.random.default_rng(seed)
    truth = draw.integers(CLASSES, size=n)
    inputs = np.column_stack([np.eye(CLASSES)[truth] + draw.normal(0, 0.7, (n, CLASSES)), np.arange(n)])
    return Items(tuple(f"{prefix}{k}" for k in range(n)), inputs, truth if labels else None)


class Recorder:
    """Remembers what it was taught; answers by the features it may see, blurred."""

    made: ClassVar[list] = []

    def __init__(self, blur, seed):
        self.blur, self.seed = blur, seed
        Recorder.made.append(self)

    def fit(self, inputs, probs):
        self.inputs, self.probs = inputs, probs

    def predict_proba(self, inputs):
        scores = inputs[:, :CLASSES] + np.random.default_rng(0).normal(0, self.blur, (len(inputs), CLASSES))
        raised = np.exp(3 * scores)
        return raised / raised.sum(1, keepdims=True)


@pytest.fixture(autouse=True)
def recorded():
    Recorder.made = []


def blurred(blur):
    return lambda seed: Recorder(blur, seed)


def test_each_model_learns_from_its_own_items_and_labels():
    train, test = items(40, 0), items(30, 1, "t")
    report = weak_to_strong(train, test, weak=blurred(2.0), student=blurred(0.5), ceiling=blurred(0.0))
    weak, student, ceiling = Recorder.made
    assert len(weak.inputs) == 20
    assert not set(weak.inputs[:, -1]) & set(student.inputs[:, -1])
    assert set(weak.inputs[:, -1]) | set(student.inputs[:, -1]) == set(range(40))
    assert np.array_equal(weak.probs, np.eye(CLASSES)[train.labels[weak.inputs[:, -1].astype(int)]])
    assert np.allclose(student.probs, weak.predict_proba(student.inputs))
    assert np.array_equal(ceiling.inputs, student.inputs)
    assert np.array_equal(ceiling.probs, np.eye(CLASSES)[train.labels[ceiling.inputs[:, -1].astype(int)]])
    assert student.seed == ceiling.seed != weak.seed
    assert np.allclose(report.weak, weak.predict_proba(test.inputs))
    assert report.accuracy("ceiling").values.mean() > report.accuracy("weak").values.mean()


def test_hard_labels_and_a_ceiling_on_the_weak_half():
    train, test = items(40, 0), items(30, 1, "t")
    how = WeakToStrongSettings(labels="hard", ceiling_on="weak_split", split=0.25, seed=3)
    report = weak_to_strong(train, test, weak=blurred(2.0), student=blurred(0.5), settings=how)
    weak, student, ceiling = Recorder.made
    assert (len(weak.inputs), len(student.inputs)) == (10, 30)
    assert np.array_equal(student.probs, np.eye(CLASSES)[weak.predict_proba(student.inputs).argmax(1)])
    assert np.array_equal(ceiling.inputs, weak.inputs)
    assert np.allclose(report.pool_labels, weak.predict_proba(student.inputs))  # what was said, before hardening
    assert report.label_accuracy().values.mean() == pytest.approx(
        (report.pool_labels.argmax(1) == report.pool_truth).mean()
    )


def test_unlabelled_items_go_to_the_student_alone():
    extra = items(15, 5, "u", labels=False)
    report = weak_to_strong(items(40, 0), items(30, 1, "t"), weak=blurred(2.0), student=blurred(0.5), unlabelled=extra)
    _, student, ceiling = Recorder.made
    assert (len(student.inputs), len(ceiling.inputs)) == (35, 20)
    assert report.label_accuracy() is None
    assert report.pool_ids[-15:] == extra.ids


def test_the_summary_is_of_the_items():
    report = weak_to_strong(
        items(60, 0), items(200, 1, "t"), weak=blurred(2.0), student=blurred(0.8), ceiling=blurred(0.0)
    )
    w, s, c = (report.accuracy(name).values for name in ("weak", "student", "ceiling"))
    assert report.recovered().recovered.value == pytest.approx((s.mean() - w.mean()) / (c.mean() - w.mean()))
    assert report.recovered(seed=2) == performance_gap_recovered(w, s, c, seed=2)
    brier = report.recovered(
        lambda rows: float(np.square(rows[:, 2:] - np.eye(CLASSES)[rows[:, 0].astype(int)]).sum(1).mean()),
        higher_is_better=False,
        resamples=100,
    )
    assert brier.gap.value > 0
    found = report.agreement()
    same = report.student.argmax(1) == report.weak.argmax(1)
    assert found.overall.value == pytest.approx(same.mean())
    assert found.where_right.value == pytest.approx(same[w == 1].mean())
    assert found.where_wrong.value == pytest.approx(same[w == 0].mean())
    assert found.where_right.value > found.where_wrong.value
    assert report.curve() is None


def test_a_supervisor_that_is_always_right_leaves_nothing_to_ask_about_its_errors():
    test = items(20, 1, "t")
    truth = np.eye(CLASSES)[test.labels]
    pool = items(20, 2, "p")
    report = taught(pool, np.eye(CLASSES)[pool.labels], truth, test, student=blurred(0.1), truth=pool)
    assert report.agreement().where_wrong is None
    assert not report.recovered().defined


def test_a_ceiling_that_was_trained_before_is_the_one_that_would_be():
    pool, test = items(30, 2, "p"), items(20, 1, "t")
    probs = np.full((30, CLASSES), 1 / CLASSES)

    def probe(seed):
        return TorchProbe(ProbeSettings(epochs=2), seed=seed)

    alone = taught(pool, probs, probs[:20], test, student=probe, truth=pool)
    top = ceiling_of(probe, pool, test, CLASSES, seed=WeakToStrongSettings().seed)
    Recorder.made.clear()
    shared = taught(pool, probs, probs[:20], test, student=blurred(1.0), truth=pool, ceiling_on_test=top)
    assert np.array_equal(shared.ceiling, alone.ceiling)
    assert len(Recorder.made) == 1  # the student; no other ceiling


@pytest.mark.parametrize("fresh", [False, True])
def test_in_a_chain_each_model_labels_for_the_next(fresh):
    train, test = items(60, 0), items(30, 1, "t")
    how = WeakToStrongSettings(fresh_split=fresh)
    reports = bootstrapped(train, test, [blurred(2.0), blurred(1.0), blurred(0.5)], settings=how)
    weak, middle, _, strong, _ = Recorder.made
    assert np.allclose(middle.probs, weak.predict_proba(middle.inputs))
    assert np.allclose(strong.probs, middle.predict_proba(strong.inputs))
    assert (not set(middle.inputs[:, -1]) & set(strong.inputs[:, -1])) == fresh
    assert len(middle.inputs) == (15 if fresh else 30)
    assert len(reports) == 2
    assert np.array_equal(reports[0].weak, reports[1].weak)
    assert reports[1].learner is strong


def test_ids_in_two_parts_are_refused_by_name():
    train, test = items(20, 0), items(10, 1, "t")
    with pytest.raises(DataError, match=r"train and in test"):
        weak_to_strong(train, items(10, 1), weak=blurred(1.0), student=blurred(1.0))
    with pytest.raises(DataError, match=r"'t0'"):
        weak_to_strong(train, test, weak=blurred(1.0), student=blurred(1.0), unlabelled=items(3, 2, "t", False))
    probs = np.full((20, CLASSES), 1 / CLASSES)
    with pytest.raises(DataError, match="ceiling's"):
        taught(train, probs, probs[:10], test, student=blurred(1.0), truth=test)
    with pytest.raises(DataError, match="stands twice"):
        Items(("a", "a"), np.zeros((2, 1)))


def test_probabilities_that_are_none_are_refused_with_the_item():
    train, test = items(20, 0), items(10, 1, "t")
    good = np.full((20, CLASSES), 1 / CLASSES)
    for value, error in ((0.9, RangeError), (np.nan, NumericalError)):
        bad = good.copy()
        bad[3, 0] = value
        with pytest.raises(error, match="'i3'"):
            taught(train, bad, good[:10], test, student=blurred(1.0), truth=train)
    with pytest.raises(ShapeError, match="2 classes"):
        taught(train, np.ones((20, 1)), np.ones((10, 1)), test, student=blurred(1.0), truth=train)
    with pytest.raises(ShapeError, match="gave"):
        weak_to_strong(
            train, test, weak=blurred(1.0), student=blurred(1.0), settings=WeakToStrongSettings(classes=CLASSES + 1)
        )


def test_settings_and_parts_that_cannot_work_are_refused():
    train, test = items(20, 0), items(10, 1, "t")
    for bad in ({"split": 1.0}, {"labels": "firm"}, {"ceiling_on": "test"}, {"classes": 1}):
        with pytest.raises(RangeError):
            WeakToStrongSettings(**bad)
    with pytest.raises(DataError, match="no labels"):
        weak_to_strong(items(20, 0, labels=False), test, weak=blurred(1.0), student=blurred(1.0))
    with pytest.raises(DataError, match="name 3"):
        weak_to_strong(train, test, weak=blurred(1.0), student=blurred(1.0), settings=WeakToStrongSettings(classes=2))
    with pytest.raises(RangeError, match="half empty"):
        weak_to_strong(items(1, 0), test, weak=blurred(1.0), student=blurred(1.0))
    with pytest.raises(RangeError, match="chain of 1"):
        bootstrapped(train, test, [blurred(1.0)])
    with pytest.raises(ShapeError, match="one of each"):
        Items(("a",), np.zeros((2, 1)))


def test_texts_are_items_too():
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.pipeline import make_pipeline

    from tutelage.training.probes import SklearnClassifier

    words = np.array(["red", "green", "blue"])
    labels = np.arange(90) % 3
    texts = [f"{words[k]} {words[(k + j) % 3] if j % 5 == 0 else 'grey'}" for j, k in enumerate(labels)]
    train = Items(tuple(map(str, range(60))), texts[:60], labels[:60])
    test = Items(tuple(map(str, range(60, 90))), texts[60:], labels[60:])

    def bag(seed):
        return SklearnClassifier(make_pipeline(CountVectorizer(), LogisticRegression()))

    report = weak_to_strong(train, test, weak=bag, student=bag)
    assert report.accuracy("student").values.mean() > 0.9
