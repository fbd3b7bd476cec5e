"""Fidelity and smoothness against naive computations, with a value for every item."""

import math

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax
from scipy.stats import entropy

from tutelage.errors import ShapeError
from tutelage.measure.classifiers import accuracy, fidelity, smoothness

IDS = [f"i{n}" for n in range(6)]
LABELS = torch.tensor([0, 0, 1, 1, 2, 2])


def randn(seed):
    return torch.randn(6, 3, generator=torch.Generator().manual_seed(seed))


def test_fidelity_is_agreement_and_divergence_at_each_temperature():
    student, teacher = randn(0), randn(1)
    found = fidelity(student, teacher, IDS)
    s, t = student.double().numpy(), teacher.double().numpy()
    assert found["top1_agreement"].values.tolist() == (s.argmax(1) == t.argmax(1)).astype(float).tolist()
    for temperature in (1, 4):
        expected = rel_entr(softmax(t / temperature, axis=1), softmax(s / temperature, axis=1)).sum(1)
        assert found[f"kl_T{temperature}"].values == pytest.approx(expected)
        assert not found[f"kl_T{temperature}"].higher_is_better
    assert all(scores.ids == tuple(IDS) for scores in found.values())
    same = fidelity(student, student, IDS)
    assert same["top1_agreement"].values.mean() == 1
    assert same["kl_T1"].values == pytest.approx(np.zeros(6), abs=1e-9)


def test_smoothness_is_that_of_scipy_and_of_a_loop():
    logits, features = randn(2), randn(3)
    found = smoothness(logits, LABELS, IDS, features=features)
    p = softmax(logits.double().numpy(), axis=1)
    assert found["entropy"].values == pytest.approx(entropy(p, axis=1))
    assert found["confidence"].values == pytest.approx(p.max(1))
    assert found["logit_spread"].values == pytest.approx(logits.double().numpy().std(1, ddof=1))
    x = features.double().numpy()
    centres = [x[LABELS.numpy() == c].mean(0) for c in range(3)]
    middle = sum(centres) / 3
    between = sum(math.dist(c, middle) ** 2 for c in centres) / 3
    expected = [math.dist(x[i], centres[int(LABELS[i])]) ** 2 / between for i in range(6)]
    assert found["dispersion"].values == pytest.approx(expected)


def test_accuracy_is_per_item_and_misfits_are_refused():
    logits = torch.eye(3)[LABELS]
    assert accuracy(logits, LABELS.flip(0), IDS).values.tolist() == [0, 0, 1, 1, 0, 0]
    with pytest.raises(ShapeError):
        accuracy(logits, LABELS[:3], IDS)
    with pytest.raises(ShapeError):
        fidelity(logits, logits[:, :2], IDS)
    with pytest.raises(ShapeError, match="one class"):
        smoothness(logits, torch.zeros(6, dtype=torch.long), IDS)
