"""Who chooses whose examples, what filtering does to wrong labels, and what is said when it cannot be balanced."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.small_loss import small_loss_mask
from tutelage.training.co_teaching import CoTeacher, CoTeachingSettings


def pair(seed=0):
    torch.manual_seed(seed)
    return nn.Linear(3, 2), nn.Linear(2, 2)


def data(count=32, seed=0):
    draw = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 2, (count,), generator=draw)
    return torch.randn(count, 3, generator=draw) + y[:, None], torch.randn(count, 2, generator=draw) - y[:, None], y


@pytest.mark.parametrize("exchange", [True, False])
def test_one_step_is_the_gradient_of_the_losses_that_the_chooser_kept(exchange):
    a, b, y = data()
    first, second = pair()
    settings = CoTeachingSettings(
        exchange=exchange, noise_rate=0.4, ramp=1.0, epochs=2, batch_size=32, learning_rate=0.01, seed=3
    )
    before = []
    teacher = CoTeacher(first, second, settings)
    teacher.each_step = lambda one, two, rows: before.append(
        (one, two, rows, copy.deepcopy(first.state_dict()), copy.deepcopy(second.state_dict()))
    )
    teacher.fit(a, b, y)
    loss_a, loss_b, rows, state_a, _ = before[1]  # the second epoch keeps 60 % of each class
    chooser = loss_b if exchange else loss_a
    mask = small_loss_mask(chooser, 0.6, y[rows]).float()
    model = nn.Linear(3, 2)
    model.load_state_dict(state_a)
    loss = cross_entropy(model(a[rows]), y[rows], reduction="none")
    torch.testing.assert_close(loss.detach(), loss_a)
    wanted = torch.autograd.grad((loss * mask).sum() / mask.sum(), model.weight)[0]
    again = copy.deepcopy(model)
    assert teacher.history[1].kept[0] == pytest.approx(float(mask.mean()))
    moved = first.weight.detach() - again.weight.detach()
    # Adam's second step goes against the running mean of both gradients: where this gradient is large, its sign rules
    large = wanted.abs() > 0.9 * wanted.abs().max()
    assert (moved[large].sign() == -wanted[large].sign()).all()


def test_labels_are_not_touched_and_runs_repeat():
    a, b, y = data()
    kept = y.clone()
    states = []
    for _ in range(2):
        teacher = CoTeacher(*pair(), CoTeachingSettings(epochs=3, batch_size=8))
        teacher.fit(a, b, y)
        states.append([*teacher.model_a.parameters(), *teacher.model_b.parameters()])
    assert torch.equal(y, kept)
    assert all(torch.equal(one, two) for one, two in zip(*states, strict=True))


def test_without_a_policy_each_model_is_trained_as_if_alone():
    a, b, y = data()
    settings = CoTeachingSettings("none", epochs=3, batch_size=8)
    together = CoTeacher(*pair(), settings)
    together.fit(a, b, y)
    first, _ = pair()
    alone = CoTeacher(first, nn.Linear(2, 2), settings)
    alone.fit(a, b + 5, y)
    assert torch.equal(together.model_a.weight, alone.model_a.weight)
    assert together.history[-1].kept == (1.0, 1.0)


def test_filtering_keeps_wrong_labels_out_of_the_fit():
    a, b, y = data(400, seed=1)
    noisy = y.clone()
    noisy[::3] = 1 - noisy[::3]
    kept = {"wrong": 0.0, "right": 0.0}

    def look(one, two, rows):
        mask = small_loss_mask(two, 0.67, noisy[rows])
        wrong = noisy[rows] != y[rows]
        kept["wrong"] += float(mask[wrong].float().sum())
        kept["right"] += float(mask[~wrong].float().sum())

    settings = CoTeachingSettings(noise_rate=0.33, ramp=3.0, epochs=15, batch_size=50, learning_rate=0.02)
    CoTeacher(*pair(), settings, each_step=look).fit(a, b, noisy)
    assert kept["wrong"] / kept["right"] < 0.6 * (134 / 266)


def test_weights_count_and_zero_is_absent():
    a, b, y = data()
    weight = (torch.arange(len(y)) % 2).float()
    settings = CoTeachingSettings("none", epochs=2, batch_size=len(y))
    one, two = CoTeacher(*pair(), settings), CoTeacher(*pair(), settings)
    one.fit(a, b, y, weight)
    changed = a.clone()
    changed[::2] = 99.0
    two.fit(changed, b, y, weight)
    torch.testing.assert_close(one.model_a.weight, two.model_a.weight)


def test_probabilities_are_the_mean_of_both_and_disagreement_is_logged():
    a, b, y = data()
    teacher = CoTeacher(*pair(), CoTeachingSettings(epochs=2, batch_size=8))
    history = teacher.fit(a, b, y)
    both = teacher.predict_proba(a, b)
    torch.testing.assert_close(both, (teacher.predict_proba(a, b, "a") + teacher.predict_proba(a, b, "b")) / 2)
    assert all(0 <= one.disagreement <= 1 for one in history)
    same = nn.Linear(3, 2)
    twins = CoTeacher(same, copy.deepcopy(same), CoTeachingSettings("none", epochs=1, batch_size=8))
    assert twins.fit(a, a, y)[0].disagreement == 0.0


def test_a_batch_of_one_class_is_said_and_bad_input_refused():
    a, b, y = data()
    with pytest.warns(UserWarning, match="one class"):
        CoTeacher(*pair(), CoTeachingSettings(epochs=1)).fit(a, b, torch.zeros_like(y))
    with pytest.raises(ShapeError, match="32 and 31"):
        CoTeacher(*pair()).fit(a, b[:31], y)
    for bad in ({"epochs": 0}, {"noise_rate": 1.0}, {"ramp": 0.5}, {"batch_size": 1}, {"policy": "filtr"}):
        with pytest.raises(RangeError):
            CoTeachingSettings(**bad)
    teacher = CoTeacher(*pair(), CoTeachingSettings(epochs=1))
    for classes, weights, said in (
        (y.float(), None, "int64"),
        (y - 1, None, "int64"),
        (y, -torch.ones(32), "negative"),
    ):
        with pytest.raises(RangeError, match=said):
            teacher.fit(a, b, classes, weights)
    with pytest.raises(RangeError, match="no model 'c'"):
        teacher.predict_proba(a, b, "c")
