from dataclasses import replace

import pytest
import torch

from tutelage.errors import NumericalError, RangeError, ShapeError
from tutelage.functional.divergence import DivergenceSettings, token_divergence
from tutelage.functional.projection import Projected, projected_divergence
from tutelage.functional.reduction import sequence_mean_weights

N, V, D = 13, 37, 5
SETTINGS = [
    DivergenceSettings(),
    DivergenceSettings(direction="reverse", temperature=1.5),
    DivergenceSettings(direction=0.3, temperature=2.0, temperature_squared=False),
    DivergenceSettings("teacher", 6, temperature=1.5),
    DivergenceSettings("teacher", 6, tail="bucket", statistics=False),
    DivergenceSettings("union", 6, "reverse", statistics=False),
    DivergenceSettings("student", 6, 0.5, "bucket"),
]


@pytest.fixture
def sides():
    generator = torch.Generator().manual_seed(0)

    def tensor(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    student = Projected(tensor(N, D), tensor(V, D), tensor(V), scale=0.7)
    teacher = Projected(tensor(N, 4), tensor(V, 4))
    weights = tensor(N).abs()
    weights[2] = weights[9] = 0.0
    return student, teacher, weights


def trained(student):
    for part in (student.hidden, student.weight, student.bias):
        part.requires_grad_()
    return (student.hidden, student.weight, student.bias)


def plain(student, teacher, weights, settings):
    v = student.scale * (student.hidden @ student.weight.T + (0 if student.bias is None else student.bias))
    u = teacher.hidden @ teacher.weight.T
    values = token_divergence(v, u, settings).values
    return (values * weights).sum(), values


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_equals_the_loss_of_the_logits_with_all_gradients(sides, settings, chunk):
    student, teacher, weights = sides
    parts = trained(student)
    got = projected_divergence(student, teacher, weights, settings, chunk=chunk)
    expected, values = plain(student, teacher, weights, settings)
    torch.testing.assert_close(got.loss, expected)
    torch.testing.assert_close(got.values, (values * (weights > 0)).detach())
    for mine, theirs in zip(*(torch.autograd.grad(x, parts) for x in (got.loss, expected)), strict=True):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("settings", SETTINGS)
def test_frozen_head_gives_the_same_hidden_gradient(sides, settings):
    student, teacher, weights = sides
    hidden = student.hidden.requires_grad_()
    got, expected = (
        projected_divergence(student, teacher, weights, settings).loss,
        plain(student, teacher, weights, settings)[0],
    )
    torch.testing.assert_close(*(torch.autograd.grad(x, hidden)[0] for x in (got, expected)))


@pytest.mark.parametrize("settings", SETTINGS)
def test_gradcheck(sides, settings):
    student, teacher, weights = sides
    weights.requires_grad_()

    def loss(hidden, head, bias, weight):
        side = Projected(hidden, head, bias, student.scale)
        return projected_divergence(side, teacher, weight, settings, chunk=5).loss

    weights.data[weights.data == 0] = 0.5  # a skipped position has no value to differentiate
    assert torch.autograd.gradcheck(loss, (*trained(student), weights), fast_mode=True)


def test_scaled_loss_and_second_backward_pass(sides):
    student, teacher, weights = sides
    parts = trained(student)
    loss = 3.0 * projected_divergence(student, teacher, weights).loss
    first = torch.autograd.grad(loss, parts, retain_graph=True)
    second = torch.autograd.grad(loss, parts)
    expected = torch.autograd.grad(3.0 * plain(student, teacher, weights, None)[0], parts)
    for a, b, c in zip(first, second, expected, strict=True):
        torch.testing.assert_close(a, c)
        torch.testing.assert_close(b, c)


@pytest.mark.parametrize("settings", SETTINGS)
def test_parts_of_a_batch_add_up(sides, settings):
    student, teacher, weights = sides
    parts = trained(student)
    whole = projected_divergence(student, teacher, weights, settings)
    pieces = [
        projected_divergence(
            Projected(student.hidden[cut], student.weight, student.bias, student.scale),
            Projected(teacher.hidden[cut], teacher.weight),
            weights[cut],
            settings,
        ).loss
        for cut in (slice(0, 4), slice(4, 5), slice(5, N))
    ]
    torch.testing.assert_close(sum(pieces), whole.loss)
    for a, b in zip(*(torch.autograd.grad(x, parts) for x in (sum(pieces), whole.loss)), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("head_trained", [True, False])
def test_models_that_cap_their_logits(sides, settings, head_trained):
    student, teacher, weights = sides
    capped, target = replace(student, softcap=2.0, scale=1.7), replace(teacher, softcap=3.0)
    parts = trained(capped) if head_trained else (capped.hidden.requires_grad_(),)
    v = 2.0 * torch.tanh(1.7 * (capped.hidden @ capped.weight.T + capped.bias) / 2.0)
    u = 3.0 * torch.tanh(target.hidden @ target.weight.T / 3.0)
    expected = (token_divergence(v, u, settings).values * weights).sum()
    got = projected_divergence(capped, target, weights, settings, chunk=4).loss
    torch.testing.assert_close(got, expected)
    for a, b in zip(*(torch.autograd.grad(x, parts) for x in (got, expected)), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("positions", [0, 3])
def test_nothing_to_compare_is_zero_with_a_gradient_path(settings, positions):
    hidden, head = torch.randn(positions, 2, requires_grad=True), torch.randn(9, 2, requires_grad=True)
    side = Projected(hidden, head)
    got = projected_divergence(side, Projected(torch.randn(positions, 2), head), torch.zeros(positions), settings)
    got.loss.backward()
    assert got.loss.item() == 0.0
    assert torch.equal(hidden.grad, torch.zeros(positions, 2))
    assert torch.equal(head.grad, torch.zeros(9, 2))


def test_same_weights_on_both_sides_are_zero_everywhere(sides):
    student, _, weights = sides
    student.hidden.requires_grad_()
    got = projected_divergence(student, student, weights)
    got.loss.backward()
    assert got.loss.item() == 0.0
    assert float(student.hidden.grad.abs().max()) < 1e-15


def test_mask_hides_garbage(sides):
    student, teacher, weights = sides
    student.hidden[2] = torch.nan
    assert bool(torch.isfinite(projected_divergence(student, teacher, weights).loss))
    student.hidden[3] = torch.nan
    with pytest.raises(NumericalError, match="position 3: the value is NaN at 1 of 13"):
        projected_divergence(student, teacher, weights)


def test_no_gradient_is_made_where_none_is_recorded(sides):
    student, teacher, weights = sides
    trained(student)
    with torch.no_grad():
        got = projected_divergence(student, teacher, weights)
    assert not got.loss.requires_grad
    torch.testing.assert_close(got.loss, plain(student, teacher, weights, None)[0].detach())


def test_vocabularies_that_differ(sides):
    student, teacher, weights = sides
    parts = trained(student)
    short = Projected(teacher.hidden, teacher.weight[:30])
    with pytest.raises(ShapeError, match="student has 37 vocabulary entries, the teacher 30"):
        projected_divergence(student, short, weights)
    got = projected_divergence(student, short, weights, common_prefix=True).loss
    cut = Projected(student.hidden, student.weight[:30], student.bias[:30], student.scale)
    expected = plain(cut, short, weights, None)[0]
    for a, b in zip(*(torch.autograd.grad(x, parts) for x in (got, expected)), strict=True):
        torch.testing.assert_close(a, b)


def test_tokens_ruled_out_by_the_bias(sides):
    student, teacher, weights = sides
    wall = torch.zeros(V, dtype=torch.float64)
    wall[[1, 8]] = -torch.inf
    closed = Projected(student.hidden.requires_grad_(), student.weight, wall)
    target = Projected(teacher.hidden, teacher.weight, wall)
    got = projected_divergence(closed, target, weights).loss
    is_open = torch.isfinite(wall)
    v, u = closed.hidden @ closed.weight[is_open].T, target.hidden @ target.weight[is_open].T
    expected = (token_divergence(v, u).values * weights).sum()
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(*(torch.autograd.grad(x, closed.hidden)[0] for x in (got, expected)))


def test_bfloat16_head(sides):
    student, teacher, weights = sides
    half = Projected(student.hidden.bfloat16().requires_grad_(), student.weight.bfloat16().requires_grad_())
    target = Projected(teacher.hidden.bfloat16(), teacher.weight.bfloat16())
    for settings in (SETTINGS[0], SETTINGS[3]):
        got = projected_divergence(half, target, weights, settings)
        values = token_divergence(
            half.hidden @ half.weight.T, target.hidden @ target.weight.T, settings, mask=weights > 0
        ).values
        expected = (values * weights).sum().detach()
        assert got.loss.dtype == torch.float32
        assert float(got.loss.detach()) == pytest.approx(float(expected), rel=1e-5)
        slopes = torch.autograd.grad(got.loss, (half.hidden, half.weight))
        assert [x.dtype for x in slopes] == [torch.bfloat16, torch.bfloat16]


def test_autocast_does_not_reach_the_loss(sides):
    student, teacher, weights = sides
    single = [Projected(x.hidden.float(), x.weight.float()) for x in (student, teacher)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = projected_divergence(*single, weights).loss
    assert torch.equal(inside, projected_divergence(*single, weights).loss)


def test_sequence_mean_is_mean_of_means(sides):
    student, teacher, _ = sides
    mask = torch.tensor([[1] * 4, [1, 1, 0, 0], [0] * 4])
    values = projected_divergence(
        Projected(student.hidden[:12], student.weight), Projected(teacher.hidden[:12], teacher.weight), torch.ones(12)
    ).values
    got = projected_divergence(
        Projected(student.hidden[:12], student.weight),
        Projected(teacher.hidden[:12], teacher.weight),
        sequence_mean_weights(mask).reshape(-1),
    ).loss
    torch.testing.assert_close(got, (values[:4].mean() + values[4:6].mean()) / 2)


def test_shapes_are_checked(sides):
    student, teacher, weights = sides
    with pytest.raises(ShapeError, match=r"\(3, 4\).*\(9, 5\)"):
        Projected(torch.zeros(3, 4), torch.zeros(9, 5))
    with pytest.raises(ShapeError, match=r"bias is \(3,\)"):
        Projected(torch.zeros(3, 4), torch.zeros(9, 4), torch.zeros(3))
    with pytest.raises(ShapeError, match=r"\(13, 5\).*\(2, 4\)"):
        projected_divergence(student, Projected(teacher.hidden[:2], teacher.weight), weights)
    with pytest.raises(ShapeError, match=r"weights are \(4,\)"):
        projected_divergence(student, teacher, torch.ones(4))
    for chunk in (0, -1):
        with pytest.raises(RangeError, match=f"chunk is {chunk}"):
            projected_divergence(student, teacher, weights, chunk=chunk)
    with pytest.raises(RangeError, match="softcap is 0"):
        replace(student, softcap=0.0)
    with pytest.warns(UserWarning, match="k = 99"):
        projected_divergence(student, teacher, weights, DivergenceSettings("teacher", 99))
