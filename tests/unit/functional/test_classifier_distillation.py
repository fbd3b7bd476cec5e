"""Standardised logits, mixtures, feature distances and the losses made of them, against naive computations."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.features import feature_distance
from tutelage.functional.mixing import MixupSettings, draw_mixture
from tutelage.functional.standardised import standardised_logits
from tutelage.objectives.classifiers import FeatureDistillation, LogitDistillation, StandardisedDistillation


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def softmax(row):
    top = max(row)
    found = [math.exp(x - top) for x in row]
    return [x / sum(found) for x in found]


def kl(q, p):
    return sum(a * math.log(a / b) for a, b in zip(q, p, strict=True))


LABELS = torch.tensor([0, 2, 1, 2])


@pytest.mark.parametrize(("temperature", "weight"), [(1.0, 0.3), (4.0, 0.7)])
def test_logit_distillation_is_the_naive_sum(temperature, weight):
    student, teacher = randn(4, 3), randn(4, 3, seed=1)
    expected = []
    for v, u, y in zip(student.tolist(), teacher.tolist(), LABELS.tolist(), strict=True):
        q, p = (softmax([x / temperature for x in row]) for row in (u, v))
        expected.append(weight * temperature**2 * kl(q, p) - (1 - weight) * math.log(softmax(v)[y]))
    found = LogitDistillation(temperature, weight)(student, teacher, LABELS)
    assert found.per_token.tolist() == pytest.approx(expected)
    assert float(found.total) == pytest.approx(np.mean(expected))


def test_standardised_distillation_is_the_official_formula():
    student, teacher = randn(4, 3).requires_grad_(), randn(4, 3, seed=1)
    targets = torch.softmax(randn(4, 3, seed=2), 1)
    s, t = student / student.std(-1, keepdim=True), teacher / teacher.std(-1, keepdim=True)
    hard = (-s.log_softmax(-1) * targets).sum() / len(s)
    soft = nn.KLDivLoss(reduction="batchmean")(s.log_softmax(1), t.softmax(1))
    expected = 0.1 * hard + 0.9 * soft
    found = StandardisedDistillation()(student, teacher, targets).total
    assert found.item() == pytest.approx(expected.item())
    (slope,) = torch.autograd.grad(found, student)
    (oracle,) = torch.autograd.grad(expected, student)
    torch.testing.assert_close(slope, oracle)


def test_the_scale_of_the_logits_does_not_matter_and_equal_logits_are_no_nan():
    logits = randn(5, 4)
    torch.testing.assert_close(standardised_logits(logits), standardised_logits(37 * logits))
    torch.testing.assert_close(standardised_logits(logits).std(-1), torch.ones(5, dtype=torch.float64))
    flat = torch.ones(2, 3, requires_grad=True)
    loss = StandardisedDistillation()(flat, flat, torch.tensor([0, 1])).total
    loss.backward()
    assert torch.isfinite(loss)
    assert torch.isfinite(flat.grad).all()
    assert (flat / flat.std(-1, keepdim=True)).softmax(-1).isnan().all()  # the official code, without a floor
    with pytest.raises(ShapeError):
        standardised_logits(torch.ones(3, 1))


@given(st.integers(1, 80), st.floats(0, 1), st.integers(0, 5))
def test_exactly_the_share_asked_for_is_blended(rows, fraction, seed):
    mixture = draw_mixture(rows, MixupSettings(mix_fraction=fraction), seed=seed)
    assert mixture.unmixed == pytest.approx((rows - round(fraction * rows)) / rows)
    for side in (mixture.first, mixture.second):
        assert sorted(side.tolist()) == list(range(rows))


def test_the_release_leaves_fewer_alone_than_it_was_asked_to():
    settings = MixupSettings(mix_fraction=0.1, compat="release")
    shares = [draw_mixture(64, settings, seed=0, step=step).unmixed for step in range(300)]
    assert np.mean(shares) == pytest.approx(1 - (1 - 1 / 64) ** 57, abs=0.01)  # 59 %, where 90 % was asked for
    exact = MixupSettings(mix_fraction=0.1)
    assert {draw_mixture(64, exact, seed=0, step=step).unmixed for step in range(20)} == {58 / 64}


def test_a_mixture_blends_inputs_and_targets_alike():
    images, targets = randn(6, 1, 4, 4), torch.eye(6, dtype=torch.float64)
    mixture = draw_mixture(6, MixupSettings(), seed=3, step=1)
    for row in range(6):
        share, a, b = (float(x[row]) for x in (mixture.share, mixture.first, mixture.second))
        expected = share * images[int(a)] + (1 - share) * images[int(b)]
        torch.testing.assert_close(mixture(images)[row], expected)
    assert torch.allclose(mixture(targets).sum(1), torch.ones(6, dtype=torch.float64))
    torch.testing.assert_close(mixture(targets) @ images.flatten(1), mixture(images).flatten(1))
    again = draw_mixture(6, MixupSettings(), seed=3, step=1)
    assert torch.equal(again.share, mixture.share)
    assert not torch.equal(draw_mixture(6, MixupSettings(), seed=3, step=2).share, mixture.share)
    with pytest.raises(ShapeError):
        mixture(images[:4])


def test_beta_one_is_uniform():
    shares = draw_mixture(20_000, MixupSettings(), seed=0).share
    assert float(shares.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(shares.var()) == pytest.approx(1 / 12, abs=0.003)


def test_feature_distance_is_the_naive_loop():
    student, teacher = randn(3, 2, 4, 4), randn(3, 2, 2, 2, seed=1)
    found = feature_distance(student, teacher, beta=0.7, spread=2.0).tolist()
    for n in range(3):
        total, own, other = 0.0, [0.0, 0.0], [0.0, 0.0]
        for c in range(2):
            for h in range(2):
                for w in range(2):
                    s = sum(float(student[n, c, 2 * h + i, 2 * w + j]) for i in (0, 1) for j in (0, 1)) / 4
                    t = float(teacher[n, c, h, w])
                    total += (s - t) ** 2 / 4
                    own[c] += s / 4
                    other[c] += t / 4
        cosine = sum(a * b for a, b in zip(own, other, strict=True)) / math.hypot(*own) / math.hypot(*other)
        assert found[n] == pytest.approx(total / 8 + 0.7 * (1 - cosine))
    with pytest.raises(ShapeError):
        feature_distance(student, teacher, pool=False)
    with pytest.raises(ShapeError, match="project"):
        feature_distance(student[:, :1], teacher)


def test_feature_distillation_projects_and_means_over_layers():
    torch.manual_seed(0)
    loss = FeatureDistillation({"map": (2, 5), "vector": (3, 4)}, beta=0.5, weight=0.4).double()
    student = {"map": randn(4, 2, 3, 3), "vector": randn(4, 3)}
    teacher = {"map": randn(4, 5, 3, 3, seed=1), "vector": randn(4, 4, seed=1)}
    logits = randn(4, 3, seed=2)
    conv = nn.functional.conv2d(student["map"], loss.projections["map"].weight[:, :, None, None])
    distances = feature_distance(conv, teacher["map"])
    distances = distances + feature_distance(student["vector"] @ loss.projections["vector"].weight.T, teacher["vector"])
    hard = nn.functional.cross_entropy(logits, LABELS)
    expected = 0.4 * distances.mean() / 2 + 0.6 * hard
    assert float(loss(student, teacher, logits, LABELS).total) == pytest.approx(float(expected))
    assert sum(p.numel() for p in loss.parameters()) == 2 * 5 + 3 * 4
    with pytest.raises(ShapeError, match="vector"):
        loss({"map": student["map"]}, teacher, logits, LABELS)


def test_the_teacher_gets_no_gradient():
    student, teacher = randn(4, 3).requires_grad_(), randn(4, 3, seed=1).requires_grad_()
    for loss in (LogitDistillation(), StandardisedDistillation()):
        loss(student, teacher, LABELS).total.backward()
    feature_distance(student, teacher).sum().backward()
    assert teacher.grad is None
    assert student.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: MixupSettings(beta=0.0),
        lambda: MixupSettings(mix_fraction=1.1),
        lambda: MixupSettings(compat="paper"),
        lambda: LogitDistillation(temperature=0.0),
        lambda: LogitDistillation(weight=1.5),
        lambda: StandardisedDistillation(gamma=-0.1),
        lambda: FeatureDistillation({}),
        lambda: FeatureDistillation({"a": (1, 2)}, spreads={"b": 1.0}),
        lambda: draw_mixture(0, MixupSettings(), seed=0),
        lambda: feature_distance(torch.ones(1, 1), torch.ones(1, 1), beta=-1.0),
        lambda: standardised_logits(torch.ones(1, 2), floor=0.0),
    ],
)
def test_what_is_out_of_range_is_refused(wrong):
    with pytest.raises(RangeError):
        wrong()
