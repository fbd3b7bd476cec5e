"""Traps in the papers of this family or in their released code, each shown, and that ours does not fall in.

Blends drawn with replacement: tests/unit/functional/test_classifier_distillation.py. Projections that are outside the
optimizer or the clip: tests/unit/training/test_coverage.py.
"""

import pytest
import torch

from tutelage.functional.balance import EmaBalancer
from tutelage.functional.divergence import DivergenceSettings, token_divergence
from tutelage.functional.token_weights import reliability_weights, vcore_weights

DRAW = torch.Generator().manual_seed(0)


def logits(*shape):
    return torch.randn(*shape, generator=DRAW, dtype=torch.float64)


def test_prune_a_divergence_taken_off_the_advantage_has_no_gradient_and_ours_has():
    """A number that does not depend on the sampled token leaves sum_a p(a) A grad log p(a) = A grad 1 = 0."""
    student, teacher = logits(1, 7).requires_grad_(), logits(1, 7)
    settings = DivergenceSettings(direction="reverse")
    value = token_divergence(student, teacher, settings).values
    logs = torch.log_softmax(student, -1)
    expected = -(logs.exp().detach() * value.detach() * logs).sum()
    (as_advantage,) = torch.autograd.grad(expected, student)
    assert as_advantage.abs().max() < 1e-12

    weight = reliability_weights(torch.full((1, 3), 0.4), torch.ones(1, 3))[0][0, 0].item()
    (ours,) = torch.autograd.grad(weight * value.sum(), student)
    p, q = logs.exp().detach(), torch.log_softmax(teacher, -1)
    by_hand = weight * p * (logs.detach() - q - value.detach())
    torch.testing.assert_close(ours, by_hand)
    assert ours.abs().max() > 0.01


@pytest.mark.parametrize("direction", ["forward", "reverse", 0.5])
def test_a_fresh_adapter_has_no_divergence_and_its_weight_stays_finite(direction):
    """LoRA starts as the model itself: L_SFT / (0 + eps) would be 2e8, times a gradient that is 0 as well."""
    student = logits(4, 11).requires_grad_()
    value = token_divergence(student, student.detach().clone(), DivergenceSettings(direction=direction)).values.mean()
    (gradient,) = torch.autograd.grad(value, student)
    assert value.item() == pytest.approx(0.0, abs=1e-12)
    assert gradient.abs().max() < 1e-12
    balancer = EmaBalancer()
    assert balancer.update(2.0, max(value.item(), 0.0)) == balancer.lambda_max
    assert balancer.update(2.0, 0.5) < 10.0  # and lets go as soon as there is something to weigh


def test_vcore_a_large_temperature_is_uniform_as_in_the_release_and_not_sharp_as_in_the_text():
    """The text writes exp(tau s), the release divides: only the second makes a large tau harmless."""
    utilities, mask = torch.tensor([[-1.0, 0.0, 2.0]]), torch.ones(1, 3)
    tau = 50.0
    as_written = torch.softmax(tau * utilities, -1)
    ours = vcore_weights(utilities, mask, kappa=tau)
    assert as_written[0, 2] > 0.999
    assert (ours - 1 / 3).abs().max() < 0.02
    assert ours[0].argsort().tolist() == [0, 1, 2]  # a token that helps more never weighs less
