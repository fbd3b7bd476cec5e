"""Probes against scikit-learn's logistic regression, on hard and on soft labels, and the losses they accept."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from tutelage.errors import DataError, NumericalError, RangeError, ShapeError
from tutelage.functional.weak_to_strong import ConfidenceSettings, confidence, hardened
from tutelage.objectives.weak_to_strong import WeakLoss, WeakLossSettings
from tutelage.training.probes import FeatureClassifier, ProbeSettings, SklearnClassifier, TorchProbe


def blobs(n=200, classes=3, seed=0, spread=0.8):
    draw = np.random.default_rng(seed)
    truth = draw.integers(classes, size=n)
    return np.eye(classes)[truth] + draw.normal(0, spread, (n, classes)), truth


def soft_labels(x, seed=1):
    draw = np.random.default_rng(seed)
    raised = np.exp(1.5 * x + draw.normal(0, 0.3, x.shape))
    return raised / raised.sum(1, keepdims=True)


@pytest.mark.parametrize("hard", [True, False])
def test_a_linear_probe_finds_the_optimum_of_logistic_regression(hard):
    x, truth = blobs()
    probs = np.eye(3)[truth] if hard else soft_labels(x)
    settings = ProbeSettings(learning_rate=0.1, epochs=120, batch_size=200)
    mine = TorchProbe(settings).fit(x, probs).predict_proba(x)
    other = SklearnClassifier(LogisticRegression(C=np.inf, max_iter=2_000, tol=1e-10)).fit(x, probs).predict_proba(x)
    assert np.abs(mine - other).max() < 0.01


def test_every_loss_trains_any_student():
    x, _ = blobs(96)
    probs = soft_labels(x)
    found = {}
    for name in ("xent", "conf", "product", "window", "entropy"):
        for threshold in ("rate", "half", "buffer") if name == "conf" else ("rate",):
            loss = WeakLossSettings(name, ConfidenceSettings(threshold=threshold), beta=0.5)
            for hidden in ((), (8,)):
                settings = ProbeSettings(hidden, loss, learning_rate=0.03, epochs=4, batch_size=16)
                found[name, threshold, hidden] = TorchProbe(settings, seed=1).fit(x, probs).predict_proba(x)
    for values in found.values():
        assert np.allclose(values.sum(1), 1)
        assert (values.argmax(1) == probs.argmax(1)).mean() > 0.6
    plain = found["xent", "rate", ()]
    assert all(np.abs(plain - v).max() > 1e-4 for k, v in found.items() if k != ("xent", "rate", ()))
    assert found["conf", "rate", ()].max(1).mean() > plain.max(1).mean()  # it trusts itself


def test_the_same_seed_gives_the_same_bits_and_fit_begins_anew():
    x, _ = blobs(60)
    probs = soft_labels(x)
    settings = ProbeSettings((4,), epochs=3)
    one = TorchProbe(settings, seed=5)
    first = one.fit(x, probs).predict_proba(x)
    assert np.array_equal(one.fit(x, probs).predict_proba(x), first)
    assert not np.array_equal(TorchProbe(settings, seed=6).fit(x, probs).predict_proba(x), first)


def test_what_is_watched_ends_with_the_final_answers():
    x, _ = blobs(60)
    probe = TorchProbe(ProbeSettings(epochs=4))
    probe.watch = x[:10]
    probe.fit(x, soft_labels(x))
    assert len(probe.watched) == 4
    assert np.array_equal(probe.watched[-1], probe.predict_proba(x[:10]))


def test_the_buffer_counts_in_the_last_items_only():
    draw = torch.Generator().manual_seed(0)
    z, w = torch.randn(60, 2, generator=draw), torch.rand(60, 1, generator=draw)
    w = torch.cat([w, 1 - w], 1)
    how = ConfidenceSettings(threshold="buffer")
    loss = WeakLoss(WeakLossSettings("conf", how, remember=32))
    for start in range(0, 60, 4):
        found = loss(z[start : start + 4], w[start : start + 4], 1.0)
        before = (z[max(0, start - 32) : start], w[max(0, start - 32) : start])
        expected = confidence(z[start : start + 4], w[start : start + 4], 1.0, how, seen=before)
        assert torch.allclose(found.per_token, expected)
    assert not hardened(z[-4:], w[-4:]).equal(hardened(z[-4:], w[-4:], "buffer", seen=(z[-36:-4], w[-36:-4])))


def test_balanced_batches_shift_the_labels():
    z, w = torch.zeros(4, 2), torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.9, 0.1], [0.6, 0.4]])
    z[:, 0] = 1.0
    plain, balanced = (WeakLoss(WeakLossSettings(balance_batch=on))(z, w, 0.0).total for on in (False, True))
    assert balanced > plain


def test_classes_an_estimator_never_saw_have_probability_0():
    x, truth = blobs(80, classes=3)
    kept = truth < 2
    model = SklearnClassifier(LogisticRegression()).fit(x[kept], np.eye(3)[truth[kept]])
    found = model.predict_proba(x)
    assert (found[:, 2] == 0).all()
    assert np.allclose(found.sum(1), 1)
    sparse = SklearnClassifier(LogisticRegression()).fit(csr_matrix(x), soft_labels(x))
    dense = SklearnClassifier(LogisticRegression()).fit(x, soft_labels(x))
    assert np.allclose(sparse.predict_proba(csr_matrix(x)), dense.predict_proba(x), atol=1e-4)
    neighbours = SklearnClassifier(KNeighborsClassifier(3)).fit(x, soft_labels(x))  # takes no weights
    assert np.allclose(neighbours.predict_proba(x).sum(1), 1)


def test_features_are_computed_before_anything_is_learnt():
    x, truth = blobs(80)
    seen = FeatureClassifier(lambda rows: rows[:, :1], TorchProbe(ProbeSettings(epochs=2)))
    found = seen.fit(x, np.eye(3)[truth]).predict_proba(x)
    changed = x.copy()
    changed[:, 1:] = 0
    assert np.array_equal(found, seen.predict_proba(changed))


def test_bad_input_is_refused():
    x, truth = blobs(10)
    probs = np.eye(3)[truth]
    with pytest.raises(DataError, match="fit first"):
        TorchProbe().predict_proba(x)
    with pytest.raises(ShapeError, match="one row"):
        TorchProbe().fit(x[:5], probs)
    with pytest.raises(ShapeError, match="features"):
        TorchProbe().fit(x[:, 0], probs)
    with pytest.raises(NumericalError, match="row 2"):
        TorchProbe().fit(np.where(np.arange(10)[:, None] == 2, np.nan, x), probs)
    with pytest.raises(RangeError, match="row 0"):
        TorchProbe().fit(x, 2 * probs)
    with pytest.raises(DataError, match="of class 1"):
        SklearnClassifier(LogisticRegression()).fit(x, np.eye(3)[[1] * 10])
    for bad in ({"epochs": 0}, {"hidden": (0,)}, {"learning_rate": -1.0}, {"weight_decay": -1.0}):
        with pytest.raises(RangeError):
            ProbeSettings(**bad)
    with pytest.raises(RangeError, match="xent, conf"):
        WeakLossSettings("confidence")
