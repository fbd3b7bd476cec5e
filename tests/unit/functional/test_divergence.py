import math
import warnings

import numpy as np
import pytest
import torch
from scipy.special import log_softmax, rel_entr, softmax

from tutelage.errors import NumericalError, RangeError, ShapeError
from tutelage.functional.divergence import DivergenceSettings, token_divergence

SUPPORTS = ("full", "teacher", "student", "union")
TAILS = ("drop", "bucket")
DIRECTIONS = ("forward", "reverse", 0.5, 0.1)


def logits(*shape, seed=0, scale=3.0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype) * scale


@pytest.mark.parametrize("support", SUPPORTS)
@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_matches_the_plain_formula(support, tail, direction, naive_divergence):
    student, teacher = logits(4, 23), logits(4, 23, seed=1)
    settings = DivergenceSettings(support, 5, direction, tail, temperature=1.5)
    got = token_divergence(student, teacher, settings).values
    for row, (s, t) in enumerate(zip(student.tolist(), teacher.tolist(), strict=True)):
        expected = naive_divergence(s, t, support=support, k=5, beta=settings.beta, tail=tail, temperature=1.5)
        assert float(got[row]) == pytest.approx(1.5**2 * expected, rel=1e-11)


@pytest.mark.parametrize("support", SUPPORTS)
@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_gradient_equals_finite_differences(support, tail, direction):
    student, teacher = logits(2, 9).requires_grad_(), logits(2, 9, seed=1)
    settings = DivergenceSettings(support, 3, direction, tail, temperature=1.3)
    assert torch.autograd.gradcheck(lambda x: token_divergence(x, teacher, settings).values, student)


def test_closed_form_of_two_outcomes():
    # q = (3/4, 1/4), p = (1/2, 1/2): KL(q||p) = ln 2 - H(q), KL(p||q) = ln(2/sqrt 3)
    teacher, student = torch.tensor([[math.log(3.0), 0.0]]), torch.zeros(1, 2)
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    forward = token_divergence(student, teacher, DivergenceSettings()).values
    reverse = token_divergence(student, teacher, DivergenceSettings(direction="reverse")).values
    assert float(forward) == pytest.approx(math.log(2) - entropy, abs=1e-7)
    assert float(reverse) == pytest.approx(math.log(2 / math.sqrt(3)), abs=1e-7)


def test_ends_of_beta_are_the_two_divergences():
    student, teacher = logits(3, 50), logits(3, 50, seed=1)
    p, q = softmax(student.numpy(), -1), softmax(teacher.numpy(), -1)
    for direction, expected in ((0.0, rel_entr(q, p)), (1.0, rel_entr(p, q))):
        got = token_divergence(student, teacher, DivergenceSettings(direction=direction)).values
        np.testing.assert_allclose(got.numpy(), expected.sum(-1), rtol=1e-10)


def test_half_beta_is_symmetric_and_below_log_two():
    student, teacher = logits(5, 40, scale=20.0), logits(5, 40, seed=1, scale=20.0)
    settings = DivergenceSettings(direction=0.5)
    one, other = (token_divergence(a, b, settings).values for a, b in ((student, teacher), (teacher, student)))
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    assert bool((one <= math.log(2) + 1e-12).all())


@pytest.mark.parametrize("support", SUPPORTS[1:])
@pytest.mark.parametrize("tail", TAILS)
def test_keeping_every_token_is_the_dense_divergence(support, tail):
    student, teacher = logits(3, 11, dtype=torch.float32), logits(3, 11, seed=1, dtype=torch.float32)
    dense = token_divergence(student, teacher).values
    assert torch.equal(token_divergence(student, teacher, DivergenceSettings(support, 11, tail=tail)).values, dense)


@pytest.mark.parametrize("tail", TAILS)
def test_a_union_that_covers_everything_is_the_dense_divergence(tail):
    teacher = torch.arange(6.0, dtype=torch.float64)[None]
    student = teacher.flip(-1).clone().requires_grad_()
    dense = token_divergence(student, teacher)
    cut = token_divergence(student, teacher, DivergenceSettings("union", 3, tail=tail))
    torch.testing.assert_close(cut.values, dense.values)
    torch.testing.assert_close(*(torch.autograd.grad(x.values.sum(), student)[0] for x in (cut, dense)))
    assert cut.statistics.means() == pytest.approx({"teacher_mass": 1.0, "student_mass": 1.0, "overlap": 0.0})


def test_one_kept_token():
    student, teacher = logits(2, 7), logits(2, 7, seed=1)
    assert token_divergence(student, teacher, DivergenceSettings("teacher", 1)).values.tolist() == [0.0, 0.0]
    p, q = softmax(student.numpy(), -1), softmax(teacher.numpy(), -1)
    for row, best in enumerate(q.argmax(-1)):
        a, b = q[row, best], p[row, best]
        expected = a * math.log(a / b) + (1 - a) * math.log((1 - a) / (1 - b))
        got = token_divergence(student, teacher, DivergenceSettings("teacher", 1, tail="bucket")).values[row]
        assert float(got) == pytest.approx(expected, rel=1e-10)


def test_too_many_kept_tokens_clamp_with_one_warning():
    student, teacher = logits(4, 6), logits(4, 6, seed=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        got = token_divergence(student, teacher, DivergenceSettings("teacher", 7))
    assert [str(x.message) for x in caught] == ["k = 7 exceeds the vocabulary of 6: all tokens are compared"]
    assert torch.equal(got.values, token_divergence(student, teacher).values)


def test_statistics_measure_the_support():
    student, teacher = logits(3, 30), logits(3, 30, seed=1)
    got = token_divergence(student, teacher, DivergenceSettings("teacher", 4, temperature=2.0)).statistics
    p, q = softmax(student.numpy() / 2, -1), softmax(teacher.numpy() / 2, -1)
    best_q, best_p = np.argsort(-q)[:, :4], np.argsort(-p)[:, :4]
    np.testing.assert_allclose(got.teacher_mass, np.take_along_axis(q, best_q, -1).sum(-1), rtol=1e-10)
    np.testing.assert_allclose(got.student_mass, np.take_along_axis(p, best_q, -1).sum(-1), rtol=1e-10)
    shared = [len(set(a) & set(b)) / 4 for a, b in zip(best_q, best_p, strict=True)]
    assert got.overlap.tolist() == shared
    assert token_divergence(student, teacher, DivergenceSettings("teacher", 4, statistics=False)).statistics is None


def test_temperature_factor_is_optional():
    student, teacher = logits(2, 8), logits(2, 8, seed=1)
    plain = DivergenceSettings(temperature=3.0, temperature_squared=False)
    value = token_divergence(student, teacher, plain).values
    torch.testing.assert_close(
        token_divergence(student, teacher, DivergenceSettings(temperature=3.0)).values, 9 * value
    )
    torch.testing.assert_close(token_divergence(student / 3, teacher / 3).values, value)


@pytest.mark.parametrize("support", SUPPORTS)
def test_masked_positions_are_not_looked_at(support):
    student, teacher = logits(2, 3, 8).requires_grad_(), logits(2, 3, 8, seed=1)
    mask = torch.tensor([[1, 1, 0], [1, 0, 0]])
    dirty = torch.where(mask[..., None] > 0, student, torch.nan)
    settings = DivergenceSettings(support, 3)
    got = token_divergence(dirty, teacher, settings, mask=mask)
    clean = token_divergence(student, teacher, settings).values
    torch.testing.assert_close(got.values, clean * mask)
    (slope,) = torch.autograd.grad(got.values.sum(), dirty)
    assert bool((slope[mask == 0] == 0).all())
    assert bool((slope[mask > 0].abs().sum(-1) > 0).all())
    assert got.statistics.overlap.isnan().sum() == 3


@pytest.mark.parametrize("support", SUPPORTS)
@pytest.mark.parametrize("shape", [(2, 3, 8), (0, 8), (8,)])
def test_nothing_to_compare_is_zero_with_a_gradient_path(support, shape):
    student = torch.zeros(shape, requires_grad=True)
    mask = torch.zeros(shape[:-1], dtype=torch.bool)
    loss = token_divergence(student, torch.ones(shape), DivergenceSettings(support, 3), mask=mask).values.sum()
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(student.grad, torch.zeros(shape))


def test_tokens_that_both_sides_rule_out_change_nothing():
    student, teacher = logits(2, 6).requires_grad_(), logits(2, 6, seed=1)
    wall = torch.full((2, 2), -torch.inf, dtype=torch.float64)
    for support in SUPPORTS:
        for direction in DIRECTIONS:
            settings = DivergenceSettings(support, 3, direction)
            wide = torch.cat([student, wall], -1)
            got = token_divergence(wide, torch.cat([teacher, wall], -1), settings).values
            expected = token_divergence(student, teacher, settings).values
            torch.testing.assert_close(got, expected)
            torch.testing.assert_close(*(torch.autograd.grad(x.sum(), student)[0] for x in (got, expected)))


def test_an_infinite_divergence_is_an_error_that_names_the_position():
    student, teacher = torch.zeros(2, 2, 4), torch.zeros(2, 2, 4)
    student[1, 0, 2] = -torch.inf
    with pytest.raises(NumericalError, match=r"position \(1, 0\): the value is infinite at 1 of 4") as caught:
        token_divergence(student, teacher)
    assert caught.value.hint
    # the other way round it is finite: ln(4/3)
    assert float(token_divergence(teacher, student).values[1, 0]) == pytest.approx(math.log(4 / 3), abs=1e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("support", SUPPORTS)
@pytest.mark.parametrize("side", ["student", "teacher"])
def test_nan_and_infinity_are_refused(bad, support, side):
    sides = {"student": torch.zeros(3, 5), "teacher": torch.arange(5.0).repeat(3, 1)}
    sides[side][2, 1] = bad
    with pytest.raises(NumericalError, match="position 2"):
        token_divergence(sides["student"], sides["teacher"], DivergenceSettings(support, 2))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_float32(dtype):
    student, teacher = (logits(3, 300, seed=s, dtype=torch.float32).to(dtype) for s in (0, 1))
    student.requires_grad_()
    got = token_divergence(student, teacher).values
    log_p, log_q = (log_softmax(x.detach().double().numpy(), -1) for x in (student, teacher))
    np.testing.assert_allclose(got.detach(), (np.exp(log_q) * (log_q - log_p)).sum(-1), rtol=1e-5)
    assert got.dtype == torch.float32
    got.sum().backward()
    assert student.grad.dtype == dtype


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_extreme_logits_stay_finite(direction):
    student, teacher = torch.tensor([[1e4, -1e4, 0.0]]), torch.tensor([[-1e4, 1e4, 0.0]])
    student.requires_grad_()
    got = token_divergence(student, teacher, DivergenceSettings(direction=direction)).values
    got.sum().backward()
    assert bool(torch.isfinite(student.grad).all())
    if isinstance(direction, str):
        assert float(got.detach()) == pytest.approx(2e4, rel=1e-6)
    else:  # disjoint: the entropy of the mixing coin
        coin = -(direction * math.log(direction) + (1 - direction) * math.log(1 - direction))
        assert float(got.detach()) == pytest.approx(coin, rel=1e-6)


def test_shapes_are_checked():
    with pytest.raises(ShapeError, match=r"\(2, 3, 4\).*\(2, 5, 4\)"):
        token_divergence(torch.zeros(2, 3, 4), torch.zeros(2, 5, 4))
    with pytest.raises(ShapeError, match="student has 4 vocabulary entries, the teacher 6") as caught:
        token_divergence(torch.zeros(2, 4), torch.zeros(2, 6))
    assert "first 4 tokens" in caught.value.hint
    with pytest.raises(ShapeError, match=r"mask is \(3,\)"):
        token_divergence(torch.zeros(2, 4), torch.zeros(2, 4), mask=torch.ones(3))


@pytest.mark.parametrize(
    "wrong",
    [
        {"k": 0},
        {"temperature": 0.0},
        {"temperature": -1.0},
        {"temperature": math.nan},
        {"temperature": math.inf},
        {"direction": 1.1},
        {"direction": -0.1},
        {"direction": math.nan},
        {"direction": "backward"},
        {"support": "both"},
        {"tail": "cut"},
    ],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(RangeError, match=next(iter(wrong))):
        DivergenceSettings(**wrong)


def test_the_backward_pass_can_be_taken_twice():
    student, teacher = logits(2, 5).requires_grad_(), logits(2, 5, seed=1)
    loss = token_divergence(student, teacher).values.sum()
    (first,) = torch.autograd.grad(loss, student, retain_graph=True)
    (second,) = torch.autograd.grad(loss, student)
    assert torch.equal(first, second)


@pytest.mark.slow
@pytest.mark.parametrize("beta", [0.0, 0.25, 0.5, 1.0])
def test_equals_trl(beta):
    gkd = pytest.importorskip("trl.experimental.gkd.gkd_trainer")
    student, teacher = (logits(64, 5000, seed=s, dtype=torch.float32) for s in (0, 1))
    student.requires_grad_()
    theirs = gkd.GKDTrainer.generalized_jsd_loss(student, teacher, beta=beta, temperature=1.5)
    settings = DivergenceSettings(direction=beta, temperature=1.5, temperature_squared=False)
    ours = token_divergence(student, teacher, settings).values.mean()
    assert abs(float(ours.detach() - theirs.detach())) <= 1e-6
    slopes = [torch.autograd.grad(x, student)[0] for x in (ours, theirs)]
    torch.testing.assert_close(*slopes, rtol=1e-4, atol=1e-9)
