"""Averages of checkpoints against a weighted sum in float64, resumed against uninterrupted."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from tutelage.errors import CheckpointError, ConfigError, ModelError
from tutelage.io.tensors import load_tensors, save_tensors
from tutelage.training.averaging import AveragingSettings, CheckpointAverager, checkpoint_weights, load_average

KINDS = ("ema", "sma", "wma")


def history(total, shape=(3, 4)):
    draw = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=draw) for _ in range(total)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_average_is_the_weighted_sum_of_the_last_checkpoints(kind):
    settings = AveragingSettings(kind, n=5, alpha=0.3, every=3)
    states, averager = history(40), CheckpointAverager(settings)
    for step, state in enumerate(states, 1):
        assert averager.update(step, 40, [("w", state)]) == (step in (28, 31, 34, 37, 40))
    assert averager.complete
    weights = checkpoint_weights(settings)
    expected = sum(w * states[step - 1].double() for w, step in zip(weights, averager.taken, strict=True))
    torch.testing.assert_close(averager.averaged()["w"].double(), expected, rtol=0, atol=1e-6)


def test_weights_are_those_of_the_recursion_and_add_up_to_one():
    recursion = np.eye(6)[0]
    for i in range(1, 6):
        recursion = 0.2 * np.eye(6)[i] + 0.8 * recursion
    assert checkpoint_weights(AveragingSettings()) == pytest.approx(recursion)
    for kind in KINDS:
        for n in (1, 2, 7):
            found = checkpoint_weights(AveragingSettings(kind, n=n))
            assert found.sum() == pytest.approx(1)
            assert (found > 0).all()


def test_wma_stands_in_for_a_decay_of_the_steps_between_checkpoints():
    n = 6
    steps = np.random.default_rng(0).normal(size=(n, 2))  # steps[0] leads to the first checkpoint
    decayed = steps[0] + sum((1 - math.sqrt(i / n)) * steps[i] for i in range(1, n))
    averaged = checkpoint_weights(AveragingSettings("wma", n=n)) @ np.cumsum(steps, axis=0)
    assert averaged == pytest.approx(decayed)


def test_alpha_one_keeps_the_last():
    averager = CheckpointAverager(AveragingSettings(n=3, alpha=1.0, every=1))
    for step, state in enumerate(history(3), 1):
        averager.update(step, 3, [("w", state)])
    torch.testing.assert_close(averager.averaged()["w"], history(3)[-1])


def test_by_default_checkpoints_lie_evenly_in_the_last_tenth():
    settings = AveragingSettings(n=6)
    taken = [step for step in range(1, 601) if settings.takes(step, 600)]
    assert taken == [550, 560, 570, 580, 590, 600]
    assert [s for s in range(1, 21) if settings.takes(s, 20)] == [15, 16, 17, 18, 19, 20]


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 3)
        self.norm = nn.BatchNorm1d(3)
        self.head = nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight


def test_tied_weights_are_averaged_once_and_counters_are_the_newest():
    torch.manual_seed(0)
    model = Tied()
    averager = CheckpointAverager(AveragingSettings("sma", n=2, every=1))
    states = []
    for step in (1, 2):
        with torch.no_grad():
            model.embed.weight.normal_()
            model.norm.num_batches_tracked += 1
        states.append(model.embed.weight.detach().clone())
        averager.update(step, 2, model.state_dict().items())
    found = averager.averaged()
    assert "head.weight" not in averager.tensors()
    assert found["head.weight"] is found["embed.weight"]
    torch.testing.assert_close(found["embed.weight"], (states[0] + states[1]) / 2)
    assert found["norm.num_batches_tracked"] == 2
    load_average(model, found)
    assert torch.equal(model.head.weight, found["embed.weight"])
    assert model.head.weight is model.embed.weight


def test_half_precision_is_averaged_in_single():
    values = [torch.tensor([1.0], dtype=torch.bfloat16), torch.tensor([1.0078125], dtype=torch.bfloat16)]
    averager = CheckpointAverager(AveragingSettings("sma", n=2, every=1))
    for step, value in enumerate(values, 1):
        averager.update(step, 2, [("w", value)])
    assert averager.averaged()["w"].dtype == torch.float32
    assert averager.averaged()["w"].item() == pytest.approx(1.00390625, abs=1e-9)  # not a number of bfloat16


@pytest.mark.parametrize("kind", KINDS)
def test_resumed_is_bit_equal_to_uninterrupted(kind, tmp_path):
    settings, states = AveragingSettings(kind, n=4, every=2), history(20)
    whole, before, after = (CheckpointAverager(settings) for _ in range(3))
    for step, state in enumerate(states, 1):
        named = [("w", state), ("again", state)]
        whole.update(step, 20, named)
        if step == 17:
            save_tensors(tmp_path / "average.safetensors", before.tensors())
            saved = json.dumps(before.state_dict())
            after.load(load_tensors(tmp_path / "average.safetensors"), json.loads(saved))
        (before if step < 17 else after).update(step, 20, named)
    assert torch.equal(whole.averaged()["w"], after.averaged()["w"])
    assert whole.state_dict() == after.state_dict()


def test_the_average_neither_shares_memory_with_the_model_nor_changes_it():
    weight = torch.ones(3)
    averager = CheckpointAverager(AveragingSettings("sma", n=2, every=1))
    averager.update(1, 2, [("w", weight)])
    weight.fill_(5.0)
    averager.update(2, 2, [("w", weight)])
    assert torch.equal(weight, torch.full((3,), 5.0))
    found = averager.averaged()["w"]
    assert torch.equal(found, torch.full((3,), 3.0))
    found.zero_()
    assert torch.equal(averager.averaged()["w"], torch.full((3,), 3.0))


def test_what_is_refused():
    for wrong in ({"kind": "max"}, {"n": 0}, {"alpha": 0.0}, {"alpha": 1.1}, {"every": -1}):
        with pytest.raises(ConfigError):
            AveragingSettings(**wrong)
    with pytest.raises(ConfigError, match="do not fit"):
        CheckpointAverager(AveragingSettings(n=6, every=5)).update(1, 20, [])
    averager = CheckpointAverager(AveragingSettings(n=3, every=1))
    with pytest.raises(CheckpointError, match="no checkpoint"):
        averager.averaged()
    averager.update(8, 10, [("w", torch.ones(2))])
    with pytest.raises(CheckpointError, match="after step 8"):
        averager.update(8, 10, [("w", torch.ones(2))])
    with pytest.raises(CheckpointError, match="averaged before: v"):
        averager.update(9, 10, [("w", torch.ones(2)), ("v", torch.ones(2))])
    with pytest.raises(CheckpointError, match="made with"):
        CheckpointAverager(AveragingSettings("sma")).load(averager.tensors(), averager.state_dict())
    with pytest.raises(ModelError, match="does not"):
        load_average(nn.Linear(2, 2), {"weight": torch.ones(3)})
