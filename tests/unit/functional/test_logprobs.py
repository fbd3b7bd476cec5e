import math

import pytest
import torch

from tutelage.errors import NumericalError, RangeError, ShapeError
from tutelage.functional.fused import Projected
from tutelage.functional.logprobs import projected_cross_entropy, projected_logprobs, token_logprobs


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(7, 4, generator=generator, dtype=torch.float64).requires_grad_()
    head = torch.randn(11, 4, generator=generator, dtype=torch.float64).requires_grad_()
    ids = torch.tensor([0, 10, 3, -100, 3, 5, 1])
    weights = torch.tensor([0.5, 1.0, 2.0, 0.0, 0.25, 1.0, 1.0], dtype=torch.float64)
    return hidden, head, ids, weights


def by_hand(hidden, head, ids):
    rows = []
    for h, i in zip(hidden.tolist(), ids.tolist(), strict=True):
        z = [math.fsum(a * b for a, b in zip(h, row, strict=True)) for row in head.tolist()]
        rows.append(0.0 if i < 0 else z[i] - math.log(math.fsum(math.exp(x) for x in z)))
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_all_ways_agree_with_the_sum_by_hand(problem, chunk):
    hidden, head, ids, weights = problem
    mask = weights > 0
    expected = by_hand(hidden, head, ids)
    side = Projected(hidden, head)
    torch.testing.assert_close(token_logprobs(hidden @ head.T, ids, mask=mask).detach(), expected)
    torch.testing.assert_close(projected_logprobs(side, ids, mask=mask, chunk=chunk).detach(), expected)
    loss, logprobs = projected_cross_entropy(side, ids, weights, chunk=chunk)
    torch.testing.assert_close(logprobs, expected)
    torch.testing.assert_close(loss.detach(), -(expected * weights).sum())


def test_cross_entropy_equals_torch_with_gradients(problem):
    hidden, head, ids, weights = problem
    mean = (weights > 0).double() / 6
    loss, _ = projected_cross_entropy(Projected(hidden, head), ids, mean, chunk=2)
    expected = torch.nn.functional.cross_entropy(hidden @ head.T, ids, ignore_index=-100)
    torch.testing.assert_close(loss, expected)
    for a, b in zip(*(torch.autograd.grad(x, (hidden, head)) for x in (loss, expected)), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("trained", [True, False])
def test_a_loss_that_is_not_a_plain_sum(problem, trained):
    hidden, head, ids, weights = problem
    head.requires_grad_(trained)
    parts = (hidden, head) if trained else (hidden,)
    mask = weights > 0
    got = projected_logprobs(Projected(hidden, head), ids, mask=mask, chunk=2)
    expected = token_logprobs(hidden @ head.T, ids, mask=mask)
    for a, b in zip(*(torch.autograd.grad((x**2).sum(), parts) for x in (got, expected)), strict=True):
        torch.testing.assert_close(a, b)


def test_gradcheck_from_logits():
    logits = torch.randn(2, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    ids = torch.tensor([[0, 4, 2], [1, 1, -1]])
    mask = ids >= 0
    assert torch.autograd.gradcheck(lambda x: token_logprobs(x, ids, mask=mask), logits)


def test_scale_is_an_inverse_temperature(problem):
    hidden, head, ids, weights = problem
    got = projected_logprobs(Projected(hidden, head, scale=0.5), ids, mask=weights > 0)
    torch.testing.assert_close(got, token_logprobs(hidden @ head.T / 2, ids, mask=weights > 0))


def test_bias_and_half_precision(problem):
    hidden, head, ids, weights = problem
    bias = torch.linspace(-1, 1, 11, dtype=torch.float64).requires_grad_()
    loss, _ = projected_cross_entropy(Projected(hidden, head, bias), ids, weights)
    expected = -(token_logprobs(hidden @ head.T + bias, ids, mask=weights > 0) * weights).sum()
    torch.testing.assert_close(*(torch.autograd.grad(x, bias)[0] for x in (loss, expected)))
    half = token_logprobs((hidden @ head.T).bfloat16(), ids, mask=weights > 0)
    assert half.dtype == torch.float32


def test_nothing_to_score_is_zero_with_a_gradient_path(problem):
    hidden, head, ids, _ = problem
    loss, logprobs = projected_cross_entropy(Projected(hidden, head), ids, torch.zeros(7))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(logprobs, torch.zeros(7, dtype=torch.float64))
    assert torch.equal(hidden.grad, torch.zeros_like(hidden))
    assert projected_logprobs(Projected(hidden[:0], head), ids[:0]).shape == (0,)


def test_bad_input_is_named(problem):
    hidden, head, ids, weights = problem
    side = Projected(hidden, head)
    with pytest.raises(RangeError, match="position 3: token id -100 is outside the vocabulary of 11"):
        projected_logprobs(side, ids)
    with pytest.raises(RangeError, match="token id 11"):
        token_logprobs(torch.zeros(1, 11), torch.tensor([11]))
    with pytest.raises(ShapeError, match=r"\(2, 3, 5\).*\(2, 4\)"):
        token_logprobs(torch.zeros(2, 3, 5), torch.zeros(2, 4, dtype=torch.long))
    with pytest.raises(ShapeError, match=r"ids \(3,\)"):
        projected_logprobs(side, ids[:3])
    with pytest.raises(ShapeError, match=r"weights are \(2,\)"):
        projected_cross_entropy(side, ids, weights[:2])
    with pytest.raises(NumericalError, match="position 1: the value is NaN"):
        token_logprobs(torch.tensor([[0.0, 0.0], [math.nan, 0.0]]), torch.tensor([0, 1]))
    with pytest.raises(NumericalError, match="infinite"):
        token_logprobs(torch.tensor([[0.0, -math.inf]]), torch.tensor([1]))
