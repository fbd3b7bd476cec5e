import numpy as np
import pytest
import torch

from tutelage.errors import DataError, RangeError, ShapeError
from tutelage.functional.shaped_rewards import outcome_rewards, shaped_rewards, whitened


def naive(scores, ends, length, scheme, upper, bonus, scale):
    """Step by step, as one would write it down."""
    found, worst, product = np.zeros(length), upper, 1.0
    for score, places in zip(scores, ends, strict=True):
        product *= score
        now = score if scheme == "min" else product
        earned = now - worst if now < worst else 0.0
        worst = min(worst, now)
        for place in places:
            found[place] += scale * (earned + bonus / len(scores)) / len(places)
    return found


@pytest.mark.parametrize("scheme", ["min", "prod"])
@pytest.mark.parametrize("width", [1, 2])
def test_rewards_are_those_of_a_naive_loop(scheme, width):
    draw = np.random.default_rng(0)
    for _ in range(50):
        steps = int(draw.integers(1, 8))
        scores = draw.random(steps)
        ends = [[int(e) for e in draw.integers(0, 20, width)] for _ in range(steps)]
        settings = {"upper": float(draw.uniform(0.1, 1)), "bonus": float(draw.random()), "scale": 1.5}
        found = shaped_rewards(torch.tensor(scores), ends, 20, scheme=scheme, **settings)
        assert found.dtype == torch.float64
        np.testing.assert_allclose(found, naive(scores, ends, 20, scheme, **settings), atol=1e-12)
        lowest = scores.min() if scheme == "min" else scores.prod()
        whole = 1.5 * (min(settings["upper"], lowest) - settings["upper"] + settings["bonus"])
        assert float(found.sum()) == pytest.approx(whole)  # what GRPO is given


def test_more_good_steps_earn_no_more_and_places_change_no_sum():
    short = shaped_rewards([0.9, 0.8], [0, 1], 10).sum()
    long = shaped_rewards([0.9] * 9, list(range(9)), 10).sum()
    assert float(short) == pytest.approx(float(long)) == pytest.approx(0.25)
    assert float(shaped_rewards([0.9, 0.1], [0, 9], 10).sum()) == pytest.approx(0.25 - 0.4)


def test_a_product_too_small_for_a_float_is_no_accident():
    found = shaped_rewards([1e-5] * 200, list(range(200)), 200, scheme="prod", bonus=0.0)
    assert torch.isfinite(found).all()
    assert float(found.sum()) == pytest.approx(-0.5)


@pytest.mark.parametrize(
    ("scores", "ends", "settings", "error"),
    [
        ([], [], {}, DataError),
        ([0.5], [0, 1], {}, ShapeError),
        ([0.5, 0.5], [[0, 1], [2]], {}, ShapeError),
        ([0.5], [[]], {}, ShapeError),
        ([0.5], [4], {}, RangeError),
        ([0.5], [-1], {}, RangeError),
        ([1.5], [0], {}, RangeError),
        ([float("nan")], [0], {}, RangeError),
        ([0.5], [0], {"upper": 0.0}, RangeError),
        ([0.5], [0], {"bonus": -1.0}, RangeError),
        ([0.5], [0], {"scale": 0.0}, RangeError),
        ([0.5], [0], {"scheme": "max"}, RangeError),
    ],
)
def test_bad_scores_are_refused(scores, ends, settings, error):
    with pytest.raises(error):
        shaped_rewards(scores, ends, 4, **settings)


def test_the_constant_of_unchecked_answers_must_not_be_standardised_with_true_rewards():
    outcomes = [True, True, True, False, None, None, None, None]
    rewards = outcome_rewards(outcomes)
    known = [one is not None for one in outcomes]
    together, apart = whitened(rewards, ["all"] * 8), whitened(rewards, known)
    assert (together[4:] < -0.5).all()  # the trap: what nobody checked is punished because the others did well
    assert (apart[4:] == 0).all()
    np.testing.assert_allclose(apart[:4].mean(), 0, atol=1e-6)
    np.testing.assert_allclose(apart[:4].std(correction=0), 1, atol=1e-5)
    assert (apart[:3] > 0).all()
    assert apart[3] < 0


def test_groups_are_standardised_one_by_one_as_numpy_does():
    draw = np.random.default_rng(1)
    rewards, groups = draw.normal(size=30), draw.integers(0, 4, 30)
    found = whitened(torch.tensor(rewards), groups.tolist(), epsilon=0.0)
    for group in range(4):
        part = rewards[groups == group]
        np.testing.assert_allclose(found[groups == group], (part - part.mean()) / part.std(), atol=1e-12)
    with pytest.raises(ShapeError, match="groups"):
        whitened(torch.zeros(3), ["a"])
