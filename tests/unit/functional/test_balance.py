import json
import math

import pytest

from tutelage.errors import CheckpointError, NumericalError, RangeError
from tutelage.functional.balance import EmaBalancer, bias_corrected, ema, loss_ratio

LOSSES = [(2.0, 0.5), (1.8, 0.2), (1.5, 0.1)]


def test_worked_numbers():
    balancer = EmaBalancer()
    # step 2: (.9 * .2 + .18) / (.9 * .05 + .02) = .36 / .065; step 3: (.9 * .36 + .15) / (.9 * .065 + .01)
    expected = [4.0, 0.36 / 0.065, 0.474 / 0.0685]
    assert [balancer.update(*x) for x in LOSSES] == pytest.approx(expected, rel=1e-6)
    assert [round(x, 2) for x in expected] == [4.0, 5.54, 6.92]


def test_first_step_is_the_raw_ratio():
    assert EmaBalancer(eps=0.0).update(3.0, 0.7) == pytest.approx(3.0 / 0.7, rel=1e-12)


def test_average_of_a_constant_is_the_constant():
    average = 0.0
    for step in range(1, 50):
        average = ema(average, 2.5, 0.9)
        assert bias_corrected(average, 0.9, step) == pytest.approx(2.5, rel=1e-12)


def test_vanishing_divergence_is_capped():
    assert EmaBalancer().update(2.0, 0.0) == 100.0
    assert EmaBalancer(lambda_max=7.0).update(2.0, 1e-9) == 7.0
    # the floor alone: .001 / (1e-4 + 1e-8)
    assert EmaBalancer().update(0.001, 0.0) == pytest.approx(0.001 / 1.0001e-4)
    assert loss_ratio(1.0, 0.5, eps=0.0, lambda_max=9.0, kl_floor=1.0) == 1.0


def test_zero_beta_forgets():
    balancer = EmaBalancer(beta=0.0, eps=0.0)
    balancer.update(9.0, 1.0)
    assert balancer.update(2.0, 1.0) == 2.0


def test_state_survives_json_to_the_last_bit():
    straight, stopped = EmaBalancer(), EmaBalancer()
    for x in LOSSES[:2]:
        straight.update(*x)
        stopped.update(*x)
    resumed = EmaBalancer()
    resumed.load_state_dict(json.loads(json.dumps(stopped.state_dict())))
    assert resumed.update(*LOSSES[2]) == straight.update(*LOSSES[2])
    assert resumed == straight


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_a_loss_that_is_not_a_number_leaves_the_averages(bad, side):
    balancer = EmaBalancer()
    balancer.update(2.0, 0.5)
    before = balancer.state_dict()
    pair = [1.0, 1.0]
    pair[side] = bad
    with pytest.raises(NumericalError, match="balance update 2"):
        balancer.update(*pair)
    pair[side] = -1.0
    with pytest.raises(RangeError, match=r"loss is -1\.0"):
        balancer.update(*pair)
    assert balancer.state_dict() == before


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"anchor_average": 1.0, "other_average": 1.0},
        {"anchor_average": 1.0, "other_average": 1.0, "steps": 1, "more": 2},
        {"anchor_average": math.nan, "other_average": 1.0, "steps": 1},
        {"anchor_average": 1.0, "other_average": -1.0, "steps": 1},
        {"anchor_average": 1.0, "other_average": 1.0, "steps": -1},
        {"anchor_average": 1.0, "other_average": 1.0, "steps": 1.5},
        {"anchor_average": 1.0, "other_average": 1.0, "steps": True},
        {"anchor_average": 1.0, "other_average": "x", "steps": 1},
        {"anchor_average": 1.0, "other_average": None, "steps": 1},
    ],
)
def test_foreign_state_is_refused_and_changes_nothing(state):
    balancer = EmaBalancer()
    balancer.update(2.0, 0.5)
    before = balancer.state_dict()
    with pytest.raises(CheckpointError):
        balancer.load_state_dict(state)
    assert balancer.state_dict() == before


@pytest.mark.parametrize(
    "wrong", [{"beta": 1.0}, {"beta": -0.1}, {"lambda_max": 0.0}, {"eps": -1.0}, {"kl_floor": 0.0, "eps": 0.0}]
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(RangeError):
        EmaBalancer(**wrong)


def test_no_steps_no_average():
    with pytest.raises(RangeError, match="steps is 0"):
        bias_corrected(0.0, 0.9, 0)
