"""Losses on weak labels against plain loops in float64, the quantile rule, and brute force over all assignments."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tutelage.errors import NumericalError, RangeError, ShapeError
from tutelage.functional.weak_labels import balanced_labels
from tutelage.functional.weak_to_strong import (
    ConfidenceSettings,
    confidence,
    entropy,
    hardened,
    own_share,
    product,
    window,
    xent,
)
from tutelage.objectives.weak_to_strong import WeakLoss, WeakLossSettings


def batch(seed, rows, classes, sharp=2.0):
    draw = np.random.default_rng(seed)
    logits = torch.tensor(draw.normal(0, sharp, (rows, classes)))
    weak = torch.tensor(draw.dirichlet([0.7] * classes, rows))
    return logits, weak


def softmax(row):
    top = max(row)
    raised = [math.exp(x - top) for x in row]
    return [x / sum(raised) for x in raised]


def crossed(p, q):
    return -sum(b * math.log(a) for a, b in zip(p, q, strict=True) if b > 0)


SIZES = st.tuples(st.integers(0, 10_000), st.integers(1, 9), st.integers(2, 5))


@given(SIZES, st.floats(0, 1), st.sampled_from(["linear", "legacy"]), st.sampled_from([0.5, 0.75]))
def test_every_loss_in_plain_floats(size, frac, warmup, most):
    z, w = batch(*size)
    how = ConfidenceSettings(a_max=most, warmup_frac=0.2, warmup=warmup)
    a = most * (min(1.0, frac / 0.2) if warmup == "linear" else (1.0 if frac > 0.2 else frac))
    h = hardened(z, w).tolist()
    expected = {name: [] for name in ("xent", "product", "conf", "window", "entropy")}
    for z_i, w_i, h_i in zip(z.tolist(), w.tolist(), h, strict=True):
        p = softmax(z_i)
        both = [x**0.5 * y**2 for x, y in zip(p, w_i, strict=True)]
        expected["xent"].append(crossed(p, w_i))
        expected["product"].append(crossed(p, [x / sum(both) for x in both]))
        expected["conf"].append(crossed(p, [(1 - a) * x + a * y for x, y in zip(w_i, h_i, strict=True)]))
        expected["window"].append(crossed(p, w_i) if max(p) < 0.65 else 0.0)
        expected["entropy"].append(crossed(p, [(1 - a) * x + a * y for x, y in zip(w_i, p, strict=True)]))
    found = {
        "xent": xent(z, w),
        "product": product(z, w, alpha=2.0, beta=0.5),
        "conf": confidence(z, w, frac, how),
        "window": window(z, w),
        "entropy": entropy(z, w, frac, how),
    }
    for name, values in found.items():
        assert values.tolist() == pytest.approx(expected[name], rel=1e-9, abs=1e-12), name


@given(st.integers(0, 10_000), st.integers(2, 40), st.sampled_from(["rate", "half"]))
def test_two_classes_follow_the_quantile_of_the_public_code(seed, rows, threshold):
    z, w = batch(seed, rows, 2)
    rate = float(w[:, 1].mean()) if threshold == "rate" else 0.5
    place = rate * (rows - 1)
    assume(threshold == "half" or abs(place - round(place)) > 1e-5)  # there the last bit decides
    p = z.softmax(1)[:, 0]
    at_least = p >= torch.quantile(p, rate) - 1e-15
    assert hardened(z, w, threshold)[:, 0].bool().tolist() == at_least.tolist()


def published_confidence(logits, labels, step_frac, most, warmup):
    """The public code's loss and its gradient by its formula alone, in plain floats: two classes, mean over the batch.

    The weight is the share of the steps done until the warm-up ends, then 1, times ``most``; the student's class is 0
    where its probability of class 0 is at least the quantile at the labels' mean of class 1, between the two nearest.
    """
    share = most * (1.0 if step_frac > warmup else step_frac)
    probs = [softmax(row) for row in logits]
    place = sum(label[1] for label in labels) / len(labels) * (len(labels) - 1)
    ranked = sorted(p[0] for p in probs)
    below = math.floor(place)
    above = min(below + 1, len(ranked) - 1)
    threshold = ranked[below] + (place - below) * (ranked[above] - ranked[below])
    loss, gradient = 0.0, []
    for p, label in zip(probs, labels, strict=True):
        own = (1.0, 0.0) if p[0] >= threshold else (0.0, 1.0)
        target = [(1 - share) * given + share * mine for given, mine in zip(label, own, strict=True)]
        loss += crossed(p, target) / len(labels)
        gradient.append([(mine - wanted) / len(labels) for mine, wanted in zip(p, target, strict=True)])
    return loss, gradient


@given(
    st.integers(0, 10_000),
    st.integers(2, 40),
    st.floats(0, 1),
    st.sampled_from([0.5, 0.75]),
    st.sampled_from([0.1, 0.2]),
)
def test_the_confidence_loss_is_the_public_code_s(seed, rows, frac, most, warmup):
    z, w = batch(seed, rows, 2)
    place = float(w[:, 1].mean()) * (rows - 1)
    assume(abs(place - round(place)) > 1e-5)  # there the last bit decides
    z.requires_grad_()
    loss = WeakLoss(WeakLossSettings("conf", ConfidenceSettings(most, warmup, "rate", "legacy")))(z, w, frac).total
    loss.backward()
    wanted, gradient = published_confidence(z.tolist(), w.tolist(), frac, most, warmup)
    assert loss.item() == pytest.approx(wanted, rel=1e-9)
    assert z.grad.numpy() == pytest.approx(np.array(gradient), abs=1e-10)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(3, 4), st.sampled_from(["rate", "half"]))
def test_more_classes_get_the_likeliest_assignment_of_all_with_these_counts(seed, rows, classes, threshold):
    z, w = batch(seed, rows, classes)
    found = hardened(z, w, threshold)
    counts = found.sum(0).tolist()
    rates = w.mean(0).tolist() if threshold == "rate" else [1 / classes] * classes
    above = [math.ceil(sum(rates[k:]) * (rows - 1) - 1e-6) for k in range(1, classes)]
    assert counts == [a - b for a, b in itertools.pairwise([rows, *above, 0])]
    logp = z.log_softmax(1).tolist()
    best = max(
        sum(logp[i][k] for i, k in enumerate(one))
        for one in itertools.product(range(classes), repeat=rows)
        if [one.count(k) for k in range(classes)] == counts
    )
    assert sum(logp[i][k] for i, k in enumerate(found.argmax(1).tolist())) == pytest.approx(best)


def test_two_classes_by_sorting_are_two_classes_by_assignment():
    z, w = batch(3, 15, 2)
    never = torch.full((15, 1), -60.0, dtype=torch.float64)  # a third class that nobody is given
    padded = hardened(torch.cat([z, never], 1), torch.cat([w, torch.zeros(15, 1, dtype=torch.float64)], 1))
    assert padded[:, :2].equal(hardened(z, w))


def test_items_seen_before_are_counted_in_and_not_returned():
    z, w = batch(1, 40, 2)
    whole = hardened(z, w)
    for start in (32, 34, 36):
        assert hardened(z[start:], w[start:], "buffer", seen=(z[:start], w[:start])).equal(whole[start:])
    assert not hardened(z[38:], w[38:], "buffer").equal(whole[38:])
    with pytest.raises(RangeError, match="seen before"):
        hardened(z, w, "rate", seen=(z, w))


def test_the_legacy_weight_jumps_and_the_linear_one_does_not():
    legacy, linear = (ConfidenceSettings(a_max=0.5, warmup_frac=0.1, warmup=kind) for kind in ("legacy", "linear"))
    assert [own_share(x, legacy) for x in (0.0, 0.1, 0.1001, 1.0)] == [0.0, 0.05, 0.5, 0.5]
    assert [own_share(x, linear) for x in (0.0, 0.05, 0.1, 1.0)] == [0.0, 0.25, 0.5, 0.5]
    assert own_share(0.0, ConfidenceSettings(warmup_frac=0.0)) == 0.5


def test_gradients_reach_the_student_only_through_its_log_probabilities():
    z, w = batch(2, 6, 3)
    z.requires_grad_(), w.requires_grad_()
    how = ConfidenceSettings()
    target = 0.5 * w.detach() + 0.5 * hardened(z, w)
    confidence(z, w, 1.0, how).sum().backward()
    assert torch.allclose(z.grad, z.detach().softmax(1) - target)
    assert w.grad is None
    z.grad = None
    entropy(z, w, 1.0, ConfidenceSettings(a_max=1.0)).sum().backward()
    assert float(z.grad.abs().sum()) > 0.1  # the entropy itself is lowered


def test_balanced_labels_have_mean_log_odds_of_zero():
    _, w = batch(4, 30, 2)
    found = balanced_labels(w)
    assert float((found[:, 0] / found[:, 1]).log().mean()) == pytest.approx(0.0, abs=1e-9)
    shift = (w[:, 0] / w[:, 1]).log() - (found[:, 0] / found[:, 1]).log()
    assert torch.allclose(shift, shift[0].expand(30))


def test_certain_labels_and_certain_students_give_no_nan():
    z = torch.tensor([[math.inf, 0.0], [0.0, 0.0]]).nan_to_num(posinf=1e4)
    w = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    for values in (xent(z, w), product(z, w), confidence(z, w, 1.0), window(z, w), entropy(z, w, 1.0)):
        assert bool(torch.isfinite(values).all())
    assert xent(z.bfloat16(), w.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize(
    ("logits", "weak", "error", "match"),
    [
        (torch.zeros(2, 2), torch.full((2, 2), 0.6), RangeError, "row 0"),
        (torch.zeros(2, 2), torch.tensor([[0.5, 0.5], [1.2, -0.2]]), RangeError, "row 1"),
        (torch.zeros(2, 2), torch.tensor([[0.5, 0.5], [math.nan, 1.0]]), NumericalError, "row 1"),
        (torch.full((1, 2), math.nan), torch.full((1, 2), 0.5), NumericalError, "logit"),
        (torch.zeros(2, 1), torch.ones(2, 1), ShapeError, "2 classes"),
        (torch.zeros(2, 3), torch.full((2, 2), 0.5), ShapeError, "both"),
        (torch.zeros(0, 2), torch.zeros(0, 2), ShapeError, "B > 0"),
    ],
)
def test_what_is_no_label_is_refused(logits, weak, error, match):
    for loss in (xent, product, window, lambda z, w: confidence(z, w, 0.5), lambda z, w: entropy(z, w, 0.5)):
        with pytest.raises(error, match=match):
            loss(logits, weak)


def test_settings_outside_their_range_are_refused():
    z, w = batch(0, 3, 2)
    for bad in ({"a_max": 1.1}, {"warmup_frac": -0.1}, {"threshold": "median"}, {"warmup": "cosine"}):
        with pytest.raises(RangeError):
            ConfidenceSettings(**bad)
    with pytest.raises(RangeError, match="step_frac"):
        confidence(z, w, 1.01)
    with pytest.raises(RangeError, match="radius"):
        window(z, w, radius=0.6)
    with pytest.raises(RangeError, match="alpha"):
        product(z, w, alpha=-1.0)
