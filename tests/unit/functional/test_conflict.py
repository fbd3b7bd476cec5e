"""The loss under a conflict against a plain loop in float64, its gradient against a closed form."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tutelage.errors import NumericalError, RangeError, ShapeError
from tutelage.functional.conflict import conflict_loss


def crossed(margin, target):
    p = 1 / (1 + math.exp(-margin))
    return -(target * math.log(p) + (1 - target) * math.log(1 - p))


def drawn(seed, rows):
    draw = np.random.default_rng(seed)
    return draw.normal(0, 3, rows), draw.random(rows), draw.integers(0, 2, rows)


@given(st.integers(0, 10_000), st.integers(1, 9), st.floats(0, 2))
def test_both_modes_in_plain_floats(seed, rows, alpha):
    margin, weak, truth = drawn(seed, rows)
    base, paid = [], []
    for d, w, y in zip(margin, weak, truth, strict=True):
        base.append(crossed(d, w))
        wrong = (d > 0) != (y == 1)
        paid.append(base[-1] + (alpha * crossed(d, 1 - y) if wrong else 0.0))
    given_to = [torch.tensor(one) for one in (margin, weak, truth)]
    np.testing.assert_allclose(conflict_loss(*given_to), base, rtol=1e-9)
    np.testing.assert_allclose(conflict_loss(*given_to, mode="explicit", alpha=alpha), paid, rtol=1e-9)


def test_the_gradient_pushes_wrong_margins_further_and_leaves_right_ones_to_the_labels():
    margin, weak, truth = (torch.tensor(one) for one in drawn(1, 40))
    margin = margin.requires_grad_()
    conflict_loss(margin, weak, truth, mode="explicit", alpha=0.7).sum().backward()
    with torch.no_grad():
        p, wrong = margin.sigmoid(), (margin > 0) != (truth == 1)
        torch.testing.assert_close(margin.grad, p - weak + 0.7 * wrong * (p - (1 - truth)))
    assert wrong.any()
    assert (~wrong).any()


def test_an_undecided_margin_is_not_wrong_and_large_ones_do_not_overflow():
    found = conflict_loss(torch.zeros(2), torch.ones(2), torch.tensor([0.0, 1.0]), mode="explicit")
    torch.testing.assert_close(found, torch.full((2,), math.log(2)))
    found = conflict_loss(torch.tensor([1e4, -1e4]), torch.tensor([0.0, 1.0]), torch.zeros(2), mode="explicit")
    torch.testing.assert_close(found, torch.full((2,), 1e4))


def test_half_precision_is_computed_in_single_and_weak_labels_get_no_gradient():
    weak = torch.tensor([0.25], requires_grad=True)
    found = conflict_loss(torch.ones(1, dtype=torch.bfloat16, requires_grad=True), weak)
    assert found.dtype == torch.float32
    found.sum().backward()
    assert weak.grad is None


@pytest.mark.parametrize(
    ("error", "args", "how", "says"),
    [
        (RangeError, ([1.0], [1.0]), {"mode": "explicit"}, "without the truth"),
        (RangeError, ([1.0], [1.0]), {"mode": "implicit"}, "mixed in"),
        (RangeError, ([1.0], [1.0]), {"alpha": -1.0}, "alpha"),
        (RangeError, ([1.0, 1.0], [1.0, 1.5]), {}, "row 1"),
        (RangeError, ([1.0, 1.0], [1.0, float("nan")]), {}, "row 1"),
        (RangeError, ([1.0], [1.0], [0.5]), {"mode": "explicit"}, "neither 0 nor 1"),
        (NumericalError, ([1.0, float("nan")], [1.0, 1.0]), {}, "row 1"),
        (ShapeError, ([1.0, 2.0], [1.0]), {}, "both"),
        (ShapeError, ([], []), {}, "both"),
        (ShapeError, ([[1.0]], [[1.0]]), {}, "both"),
        (ShapeError, ([1.0], [1.0], [1.0, 0.0]), {"mode": "explicit"}, "truth"),
    ],
)
def test_bad_input_is_refused(error, args, how, says):
    with pytest.raises(error, match=says):
        conflict_loss(*(torch.tensor(one) for one in args), **how)
