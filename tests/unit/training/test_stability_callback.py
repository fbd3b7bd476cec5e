"""Curves of a training: measured when they should be, and the same whether it was interrupted or not."""

import pytest
import torch
from transformers import TrainerControl, TrainerState

from tutelage.errors import RangeError
from tutelage.stats import stability_gap
from tutelage.training.stability import StabilityGapCallback


def trained(callback, model, steps, state=None, until=None):
    """What transformers' loop tells a callback; each step takes 1 from the weight, then gives 1 back."""
    state = state or TrainerState(max_steps=steps)
    control = TrainerControl()
    callback.on_train_begin(None, state, control, model=model)
    while state.global_step < (until or steps):
        state.global_step += 1
        with torch.no_grad():
            model.weight.add_(-1.0 if state.global_step <= 3 else 1.5)
        callback.on_step_end(None, state, control, model=model)
    return state


def weight(model):
    assert not model.training
    assert not torch.is_grad_enabled()
    return float(model.weight)


def fresh():
    model = torch.nn.Linear(1, 1, bias=False).train()
    torch.nn.init.constant_(model.weight, 5.0)
    return model


def test_measured_at_the_start_every_so_often_and_at_the_end():
    watch, model = StabilityGapCallback({"w": weight}, 2), fresh()
    trained(watch, model, 7)
    assert watch.curves == {"w": [(0, 5.0), (2, 3.0), (4, 3.5), (6, 6.5), (7, 8.0)]}
    assert watch.gaps() == {"w": stability_gap([5.0, 3.0, 3.5, 6.5, 8.0], [0, 2, 4, 6, 7])}
    assert model.training


def test_resumed_equals_uninterrupted(tmp_path):
    whole = StabilityGapCallback({"w": weight}, 2)
    trained(whole, fresh(), 7)
    first, model = StabilityGapCallback({"w": weight}, 2, tmp_path / "curves.json"), fresh()
    trained(first, model, 7, until=4)
    kept = model.weight.detach().clone()
    trained(StabilityGapCallback({"w": weight}, 2, tmp_path / "curves.json"), model, 7, TrainerState(global_step=4), 6)
    with torch.no_grad():
        model.weight.copy_(kept)  # killed after step 6, resumed from the checkpoint of step 4
    again = StabilityGapCallback({"w": weight}, 2, tmp_path / "curves.json")
    trained(again, model, 7, TrainerState(global_step=4, max_steps=7))
    assert again.curves == whole.curves
    anew = StabilityGapCallback({"w": weight}, 2, tmp_path / "curves.json")
    trained(anew, fresh(), 7)
    assert anew.curves == whole.curves  # a new training takes nothing from an old file


def test_nothing_to_measure_is_refused():
    for evals, every in (({}, 1), ({"w": weight}, 0)):
        with pytest.raises(RangeError):
            StabilityGapCallback(evals, every)
