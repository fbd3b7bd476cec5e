"""DPO with a weighted reference against plain floats, and what gamma does to gradients."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.preference import dpo_gamma_loss

LOGS = st.floats(-200, 0)


def naive(w, l, ref_w, ref_l, beta, gamma):  # noqa: E741 - the paper's
    z = beta * ((w - l) - gamma * (ref_w - ref_l))
    return math.log1p(math.exp(-z)) if z > -700 else -z


@given(
    st.lists(st.tuples(LOGS, LOGS, LOGS, LOGS), min_size=1, max_size=6),
    st.sampled_from([0.01, 0.1, 1.0]),
    st.sampled_from([0.0, 0.25, 1.0, 2.0]),
)
def test_the_loss_in_plain_floats(rows, beta, gamma):
    columns = torch.tensor(rows, dtype=torch.float64).T
    found = dpo_gamma_loss(*columns, beta=beta, gamma=gamma)
    assert found.tolist() == pytest.approx([naive(*row, beta, gamma) for row in rows], rel=1e-9, abs=1e-12)


def test_the_gradient_in_closed_form_and_none_towards_the_reference():
    values = torch.tensor([[-3.0], [-5.0], [-4.0], [-2.0]], dtype=torch.float64)
    w, l, ref_w, ref_l = (one.clone().requires_grad_() for one in values)  # noqa: E741
    dpo_gamma_loss(w, l, ref_w.detach(), ref_l.detach(), beta=0.3, gamma=0.5).sum().backward()
    z = 0.3 * ((-3 + 5) - 0.5 * (-4 + 2))
    slope = -0.3 / (1 + math.exp(z))
    assert w.grad.item() == pytest.approx(slope)
    assert l.grad.item() == pytest.approx(-slope)
    assert ref_w.grad is None


def test_without_the_reference_a_low_loss_is_a_right_ranking():
    w, l = torch.tensor([-3.0, -7.0]), torch.tensor([-4.0, -6.0])  # noqa: E741
    loss = dpo_gamma_loss(w, l, torch.tensor([-90.0, -1.0]), torch.tensor([-1.0, -90.0]), gamma=0.0)
    assert (loss < math.log(2)).tolist() == (w > l).tolist()


def test_half_precision_is_summed_in_single_and_bad_input_is_refused():
    half = torch.tensor([-3.0], dtype=torch.bfloat16)
    assert dpo_gamma_loss(half, half, half, half).dtype == torch.float32
    one = torch.zeros(1)
    with pytest.raises(ShapeError, match=r"need \[B\]"):
        dpo_gamma_loss(one, torch.zeros(2), one, one)
    with pytest.raises(RangeError, match="beta"):
        dpo_gamma_loss(one, one, one, one, beta=0.0)
    with pytest.raises(RangeError, match="gamma"):
        dpo_gamma_loss(one, one, one, one, gamma=math.inf)
