"""Small losses by a naive loop, weights that change gradients, and the schedule."""

import math

import pytest
import torch

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.small_loss import keep_share, peer_weights, small_loss_mask


def naive(loss, keep, y):
    kept = [False] * len(loss)
    for one in set(y):
        rows = sorted((i for i in range(len(y)) if y[i] == one), key=lambda i: (loss[i], i))
        for i in rows[: math.ceil(round(keep * len(rows), 9))]:
            kept[i] = True
    return kept


def test_the_smallest_losses_of_every_class_are_kept():
    draw = torch.Generator().manual_seed(0)
    for keep in (0.01, 0.3, 0.6, 1.0):
        loss = torch.randint(0, 6, (40,), generator=draw).float()
        y = torch.randint(0, 3, (40,), generator=draw)
        assert small_loss_mask(loss, keep, y).tolist() == naive(loss.tolist(), keep, y.tolist())
        assert small_loss_mask(loss, keep).tolist() == naive(loss.tolist(), keep, [0] * 40)


def test_without_classes_a_rare_hard_class_is_thrown_away():
    loss, y = torch.tensor([0.1] * 8 + [5.0, 6.0]), torch.tensor([0] * 8 + [1, 1])
    assert not small_loss_mask(loss, 0.5)[8:].any()
    assert small_loss_mask(loss, 0.5, y)[8:].tolist() == [True, False]


def test_weights_of_the_loss_change_the_gradient_where_weights_of_the_label_do_not():
    logit = torch.tensor([2.0, 2.0], requires_grad=True)
    y, peer = torch.tensor([0, 1]), torch.tensor([3.0, 3.0])
    weight = peer_weights(peer, y)
    assert weight.tolist() == pytest.approx([0.4, 1.0])
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, y.float(), reduction="none")
    plain = torch.autograd.grad(loss.sum(), logit, retain_graph=True)[0]
    weighed = torch.autograd.grad((weight * loss).sum(), logit)[0]
    assert weighed.tolist() == pytest.approx([0.4 * float(plain[0]), float(plain[1])])
    label = torch.nn.functional.binary_cross_entropy_with_logits(logit, weight * y.float(), reduction="none")
    assert torch.autograd.grad(label.sum(), logit)[0].tolist() == pytest.approx(plain.tolist())
    assert peer_weights(torch.tensor([99.0]), torch.tensor([0])).item() == 0.0


def test_bad_input_is_refused():
    for keep in (0.0, -1.0, 1.5):
        with pytest.raises(RangeError):
            small_loss_mask(torch.ones(3), keep)
    with pytest.raises(RangeError, match="NaN"):
        small_loss_mask(torch.tensor([float("nan")]), 0.5)
    with pytest.raises(ShapeError):
        small_loss_mask(torch.ones(3), 0.5, torch.ones(2))
    with pytest.raises(ShapeError):
        peer_weights(torch.ones(3), torch.ones(2))
    with pytest.raises(RangeError):
        keep_share(0, 1.0)


def test_at_least_one_example_is_kept_and_none_of_unknown_loss():
    assert small_loss_mask(torch.tensor([2.0, 1.0]), 1e-12).tolist() == [False, True]
    with pytest.raises(RangeError, match="NaN"):
        peer_weights(torch.tensor([1.0, math.nan]), torch.tensor([0, 1]))
    with pytest.raises(RangeError, match="epoch -1"):
        keep_share(-1, 0.2)
