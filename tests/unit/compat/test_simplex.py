"""The simplex, the classifier on it and the contrast, against closed forms and naive loops."""

import math

import pytest
import torch

from tutelage.compat import HOCLoss, SimplexClassifier
from tutelage.errors import RangeError, ShapeError
from tutelage.functional.contrastive import paired_contrast
from tutelage.functional.simplex import simplex_prototypes


@pytest.mark.parametrize("classes", [2, 3, 10, 257])
def test_gram_matrix_is_that_of_a_regular_simplex(classes):
    corners = simplex_prototypes(classes, dtype=torch.float64)
    assert corners.shape == (classes, classes - 1)
    expected = torch.full((classes, classes), -1 / (classes - 1), dtype=torch.float64).fill_diagonal_(1.0)
    assert torch.allclose(corners @ corners.T, expected, atol=1e-12)
    assert torch.allclose(corners.sum(dim=0), torch.zeros(classes - 1, dtype=torch.float64), atol=1e-12)


@pytest.mark.parametrize("classes", [1, 0, -3])
def test_a_simplex_needs_two_corners(classes):
    with pytest.raises(RangeError):
        simplex_prototypes(classes)


def test_classifier_learns_its_map_and_never_its_directions():
    torch.manual_seed(0)
    model = SimplexClassifier(6, 4)
    assert [name for name, _ in model.named_parameters()] == ["projection.weight"]
    hidden = torch.randn(5, 6)
    features, logits = model(hidden)
    assert torch.allclose(features, hidden @ model.projection.weight.T, atol=1e-6)
    assert torch.allclose(logits, features @ simplex_prototypes(4).T, atol=1e-6)
    assert list(SimplexClassifier(3, 4).parameters()) == []
    before = model.prototypes.clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 3, 0])).backward()
    optimizer.step()
    assert torch.equal(model.prototypes, before)
    assert "prototypes" in model.state_dict()


def naive(anchors, views, labels, scale, same_class):
    values = []
    for i in range(len(labels)):
        cosines = [float(anchors[i] @ views[j] / (anchors[i].norm() * views[j].norm())) for j in range(len(labels))]
        scores = [scale * cosine for cosine in cosines]
        terms = [math.exp(s) for j, s in enumerate(scores) if labels[j] != labels[i]]
        if same_class == "zero":
            terms += [1.0 for j in range(len(labels)) if labels[j] == labels[i]]
        values.append(math.log(sum(terms)) - scores[i] if terms and len(set(labels)) > 1 else 0.0)
    return values


@pytest.mark.parametrize("same_class", ["exclude", "zero"])
def test_contrast_equals_the_naive_loop(same_class):
    torch.manual_seed(1)
    anchors, views = torch.randn(7, 4, dtype=torch.float64), torch.randn(7, 4, dtype=torch.float64)
    labels = [0, 1, 2, 0, 1, 1, 3]
    found = paired_contrast(anchors, views, torch.tensor(labels), scale=10.0, same_class=same_class)
    expected = torch.tensor(naive(anchors, views, labels, 10.0, same_class), dtype=torch.float64)
    assert torch.allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("same_class", ["exclude", "zero"])
def test_gradient_is_that_of_finite_differences(same_class):
    torch.manual_seed(2)
    anchors = torch.randn(5, 3, dtype=torch.float64)
    views = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 0, 2, 1])
    assert torch.autograd.gradcheck(
        lambda v: paired_contrast(anchors, v, labels, scale=10.0, same_class=same_class), (views,)
    )


def test_a_batch_of_one_class_has_no_contrast_and_a_finite_gradient():
    views = torch.randn(3, 4, requires_grad=True)
    found = paired_contrast(torch.randn(3, 4), views, torch.zeros(3, dtype=torch.long))
    found.sum().backward()
    assert found.tolist() == [0.0, 0.0, 0.0]
    assert torch.equal(views.grad, torch.zeros(3, 4))


def test_half_precision_is_summed_in_single():
    torch.manual_seed(3)
    anchors, views, labels = torch.randn(6, 8), torch.randn(6, 8), torch.arange(6)
    half = paired_contrast(anchors.half(), views.half(), labels)
    assert half.dtype == torch.float32
    assert torch.allclose(half, paired_contrast(anchors, views, labels), atol=0.05)


def test_hoc_is_the_weighted_sum_and_keeps_the_previous_model_out_of_the_gradient():
    torch.manual_seed(4)
    features, previous = torch.randn(5, 3, requires_grad=True), torch.randn(5, 3, requires_grad=True)
    logits, labels = features @ simplex_prototypes(4).T, torch.tensor([0, 1, 2, 3, 0])
    loss = HOCLoss(weight=0.1)
    value = loss(features, logits, labels, previous)
    supervised = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    contrast = paired_contrast(previous, features, labels)
    assert torch.allclose(value, 0.1 * supervised + 0.9 * contrast, atol=1e-6)
    value.sum().backward()
    assert previous.grad is None
    assert features.grad.abs().sum() > 0
    assert torch.equal(loss(features, logits, labels), supervised)


def test_wrong_shapes_and_settings_are_refused():
    rows, labels = torch.randn(3, 4), torch.arange(3)
    with pytest.raises(ShapeError):
        paired_contrast(rows, rows[:2], labels)
    with pytest.raises(ShapeError):
        paired_contrast(rows, rows, labels[:2])
    for scale in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(RangeError):
            paired_contrast(rows, rows, labels, scale=scale)
    with pytest.raises(RangeError):
        paired_contrast(rows, rows, labels, same_class="maybe")
