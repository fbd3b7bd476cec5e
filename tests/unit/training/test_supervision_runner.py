"""The metric-agnostic runner: one protocol, any task; and what the public scripts of the paper get wrong, got right."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from tutelage.errors import ConfigError, DataError, RangeError
from tutelage.functional.weak_labels import confident_rows
from tutelage.stats import WRITER_METRICS
from tutelage.training.labelled_items import Items
from tutelage.training.probes import ProbeSettings, SklearnClassifier, TorchProbe
from tutelage.training.supervision import ProbeLabels, ProbeTask, supervised


def items(n, seed, prefix, flip=0.0):
    draw = np.random.default_rng(seed)
    truth = draw.integers(2, size=n)
    inputs = truth[:, None] * np.array([0.6, 1.2, 1.2]) + draw.normal(0, 1, (n, 3))
    return Items(tuple(f"{prefix}{i}" for i in range(n)), inputs, np.where(draw.random(n) < flip, 1 - truth, truth))


class FirstColumn(SklearnClassifier):
    def fit(self, inputs, probs):
        return super().fit(inputs[:, :1], probs)

    def predict_proba(self, inputs):
        return super().predict_proba(inputs[:, :1])


@pytest.fixture
def task():
    return ProbeTask(
        items(80, 0, "w"),
        items(400, 1, "s"),
        items(300, 2, "t"),
        lambda seed: FirstColumn(LogisticRegression()),
        lambda seed: TorchProbe(ProbeSettings(epochs=5), seed=seed),
    )


def test_three_systems_on_the_same_items_and_a_table_in_every_metric(task):
    found = supervised(task, {"hard": lambda t, labels, seed: t.student(labels.hardened(), seed)}, seed=3)
    assert set(found.arms) == {"weak", "hard", "ceiling"}
    assert all((rows[:, 0] == task.test.truth).all() for rows in found.arms.values())
    values = found.values()
    assert values["ceiling"]["balanced_accuracy"] > values["weak"]["balanced_accuracy"] + 0.05
    row = found.table("hard", resamples=100)["roc_auc"]
    assert (row.weak, row.ceiling) == (values["weak"]["roc_auc"], values["ceiling"]["roc_auc"])
    again = supervised(task, {"hard": lambda t, labels, seed: t.student(labels.hardened(), seed)}, seed=3)
    assert all((again.arms[arm] == found.arms[arm]).all() for arm in found.arms)
    with pytest.raises(ConfigError, match="no student 'soft'"):
        found.table("soft")
    with pytest.raises(ConfigError, match="called 'weak'"):
        supervised(task, {"weak": lambda t, labels, seed: None})


def test_nothing_that_is_learnt_depends_on_the_test_items(task):
    """The public scripts stop early and keep the best epoch by the very split that they report."""
    other = replace(task, test=items(300, 2, "t", flip=0.5))
    assert (other.test.truth != task.test.truth).any()
    one, two = supervised(task, seed=1), supervised(other, seed=1)
    for arm in one.arms:
        assert (one.arms[arm][:, 1:] == two.arms[arm][:, 1:]).all()


def test_students_and_ceiling_differ_by_their_labels_alone(task):
    same = supervised(task, {"truth": lambda t, labels, seed: t.student(t.truth(), seed)})
    assert (same.arms["truth"] == same.arms["ceiling"]).all()


def test_items_in_two_parts_are_refused(task):
    with pytest.raises(DataError, match="the test"):
        replace(task, test=task.pool)


def test_a_task_that_measures_arms_on_different_items_is_refused(task):
    @dataclass(frozen=True)
    class Careless(ProbeTask):
        def rows(self, model, seed=0):
            return super().rows(model)[: 300 if isinstance(model, TorchProbe) else 200]

    careless = Careless(**{name: getattr(task, name) for name in ProbeTask.__dataclass_fields__})
    with pytest.raises(DataError, match="same items"):
        supervised(careless)


@dataclass
class Writer:
    """Texts are numbers in [0, 1], their own toxicity; a model is a mean, and labels are what it writes."""

    seen: list = field(default_factory=list)
    metrics = WRITER_METRICS

    def weak(self, seed):
        return 0.6

    def labels(self, model, seed):
        return model + np.random.default_rng(seed).uniform(-0.1, 0.1, 50)

    def truth(self):
        return np.full(50, 0.2)

    def student(self, labels, seed):
        self.seen.append(seed)
        return labels.mean() - 0.1

    def rows(self, model, seed):
        return np.clip(model + np.random.default_rng(seed).uniform(-0.1, 0.1, (40, 25)), 0, 1)


def test_a_task_of_texts_goes_the_same_way():
    task = Writer()
    found = supervised(
        task, {"plain": lambda t, y, s: t.student(y, s), "clean": lambda t, y, s: t.student(y[y < 0.55], s)}
    )
    assert len(set(task.seen)) == 1  # all students and the ceiling share their stream
    table = found.table("plain", resamples=200)
    assert 0 < table["mean"].found.recovered.value < 1
    assert found.values()["clean"]["mean"] < found.values()["plain"]["mean"]
    assert not table["any"].higher_is_better


def test_the_surest_of_each_class_are_kept():
    draw = np.random.default_rng(0)
    first = np.concatenate([draw.uniform(0.5, 1, 60), draw.uniform(0, 0.5, 20)])
    probs = np.column_stack([first, 1 - first])[draw.permutation(80)]
    kept = confident_rows(torch.from_numpy(probs), 0.25).tolist()
    sure, side = probs.max(1), probs.argmax(1)
    for one, many in ((0, 15), (1, 5)):
        chosen = [i for i in kept if side[i] == one]
        assert len(chosen) == many
        left = [i for i in range(80) if side[i] == one and i not in chosen]
        assert min(sure[chosen]) >= max(sure[left])
    assert confident_rows(torch.from_numpy(probs), 1.0).tolist() == list(range(80))
    assert len(confident_rows(torch.from_numpy(probs), 0.001)) == 2
    for share in (0.0, 1.1):
        with pytest.raises(RangeError):
            confident_rows(torch.from_numpy(probs), share)
    labels = ProbeLabels(np.arange(80) + 100, probs)
    assert labels.confident(0.25).picked.tolist() == [100 + i for i in kept]
    mixed = labels.shuffled(3)
    assert (mixed.picked == labels.picked).all()
    assert sorted(mixed.probs[:, 0]) == sorted(probs[:, 0])
    assert (mixed.probs != probs).any()
    assert set(labels.hardened().probs.ravel()) == {0.0, 1.0}
