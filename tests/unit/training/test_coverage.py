"""The projections that a clip or an optimizer forgot are an error, not a silent loss of quality."""

import pytest
import torch
from torch import nn

from tutelage.errors import ConfigError
from tutelage.objectives.classifiers import FeatureDistillation
from tutelage.training.coverage import check_covered


@pytest.fixture
def modules():
    return {"student": nn.Linear(3, 2), "distillation": FeatureDistillation({"hidden": (3, 4)})}


def parameters(modules, *names):
    return [parameter for name in names for parameter in modules[name].parameters()]


def test_everything_under_both_is_fine_and_frozen_parameters_do_not_count(modules):
    everything = parameters(modules, "student", "distillation")
    optimizer = torch.optim.SGD(everything, lr=0.1)
    check_covered(modules, optimizer, everything)
    check_covered(modules, optimizer, None)
    modules["teacher"] = nn.Linear(2, 2).requires_grad_(False)
    check_covered(modules, optimizer, everything)


def test_projections_outside_the_clip_are_refused(modules):
    """The fault of the released code: the clip took the student's parameters only."""
    optimizer = torch.optim.SGD(parameters(modules, "student", "distillation"), lr=0.1)
    with pytest.raises(ConfigError, match="clip") as caught:
        check_covered(modules, optimizer, parameters(modules, "student"))
    assert caught.value.where == "distillation.projections.hidden.weight"


def test_projections_outside_the_optimizer_are_refused(modules):
    optimizer = torch.optim.SGD(parameters(modules, "student"), lr=0.1)
    with pytest.raises(ConfigError, match="optimizer"):
        check_covered(modules, optimizer, None)


def test_a_clip_over_more_than_what_is_updated_is_refused(modules):
    optimizer = torch.optim.SGD(parameters(modules, "student"), lr=0.1)
    with pytest.raises(ConfigError, match="1 tensors"):
        check_covered({"student": modules["student"]}, optimizer, parameters(modules, "student", "distillation"))
