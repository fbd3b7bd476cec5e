import itertools

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.functional.balance import EmaBalancer
from tutelage.functional.divergence import DivergenceSettings, token_divergence
from tutelage.functional.projection import Projected, projected_divergence

SUPPORTS = st.sampled_from(["full", "teacher", "student", "union"])
TAILS = st.sampled_from(["drop", "bucket"])
DIRECTIONS = st.sampled_from(["forward", "reverse", 0.25, 0.5, 0.9])


@st.composite
def pairs(draw):
    """Logits of student and teacher [N, V] in float64, without ties, and a k below V."""
    vocabulary = draw(st.integers(2, 12))
    seed, scale = draw(st.integers(0, 2**31)), draw(st.sampled_from([0.1, 1.0, 10.0, 50.0]))
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (torch.randn(3, vocabulary, generator=generator, dtype=torch.float64) * scale for _ in range(2))
    return student, teacher, draw(st.integers(1, vocabulary))


def chosen(support, k, direction, tail, temperature=1.0):
    return DivergenceSettings(support, k, direction, tail, temperature)


@settings(max_examples=60, deadline=None)
@given(pairs(), SUPPORTS, DIRECTIONS, TAILS, st.sampled_from([0.5, 1.0, 1.5, 3.0]))
def test_never_negative_and_zero_for_equal_logits(pair, support, direction, tail, temperature):
    student, teacher, k = pair
    how = chosen(support, k, direction, tail, temperature)
    assert bool((token_divergence(student, teacher, how).values >= 0).all())
    assert float(token_divergence(teacher + 3.0, teacher, how).values.max()) < 1e-9


@settings(max_examples=40, deadline=None)
@given(pairs(), DIRECTIONS, TAILS)
def test_zero_only_if_equal_on_the_support(pair, direction, tail):
    _, teacher, k = pair
    k = max(2, k)
    how = chosen("teacher", k, direction, tail)
    best = torch.topk(teacher, min(k, teacher.shape[1])).indices
    off = teacher.scatter_add(1, best[:, :1], torch.full((3, 1), 0.7, dtype=torch.float64))
    moved = token_divergence(off, teacher, how).values
    gap = (torch.softmax(off, -1) - torch.softmax(teacher, -1)).abs().sum(-1)
    assert bool((moved[gap > 1e-3] > 0).all())


@settings(max_examples=60, deadline=None)
@given(pairs(), SUPPORTS, DIRECTIONS)
def test_bucket_never_exceeds_the_dense_value(pair, support, direction):
    student, teacher, k = pair
    dense = token_divergence(student, teacher, chosen("full", k, direction, "drop")).values
    bucket = token_divergence(student, teacher, chosen(support, k, direction, "bucket")).values
    assert bool((bucket <= dense * (1 + 1e-9) + 1e-10).all())


@settings(max_examples=60, deadline=None)
@given(pairs(), SUPPORTS, DIRECTIONS, TAILS, st.floats(-50, 50), st.randoms(use_true_random=False))
def test_constants_and_order_of_the_vocabulary_do_not_matter(pair, support, direction, tail, constant, shuffler):
    student, teacher, k = pair
    how = chosen(support, k, direction, tail)
    order = list(range(student.shape[1]))
    shuffler.shuffle(order)
    plain = token_divergence(student, teacher, how).values
    moved = token_divergence((student + constant)[:, order], (teacher - constant)[:, order], how).values
    torch.testing.assert_close(moved, plain, rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(pairs(), st.sampled_from(["teacher", "student", "union"]), DIRECTIONS)
def test_drop_has_no_gradient_off_the_support(pair, support, direction):
    student, teacher, k = pair
    student.requires_grad_()
    value = token_divergence(student, teacher, chosen(support, k, direction, "drop")).values.sum()
    (slope,) = torch.autograd.grad(value, student)
    inside = torch.zeros_like(slope, dtype=torch.bool)
    for name, side in (("teacher", teacher), ("student", student)):
        if support in (name, "union"):
            inside.scatter_(1, torch.topk(side, k).indices, True)
    assert bool((slope[~inside] == 0).all())
    torch.testing.assert_close(slope.sum(-1), torch.zeros(3, dtype=torch.float64), rtol=0, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(pairs(), DIRECTIONS)
def test_more_tokens_in_the_bucket_support_never_lower_the_value(pair, direction):
    student, teacher, _ = pair
    steps = [
        token_divergence(student, teacher, chosen("teacher", k, direction, "bucket")).values
        for k in range(1, student.shape[1] + 1)
    ]
    for small, large in itertools.pairwise(steps):
        assert bool((small <= large * (1 + 1e-9) + 1e-10).all())


@settings(max_examples=30, deadline=None)
@given(pairs(), SUPPORTS, DIRECTIONS, TAILS, st.integers(1, 9), st.integers(0, 4))
def test_chunks_padding_and_order_of_positions_do_not_matter(pair, support, direction, tail, chunk, padding):
    student, teacher, k = pair
    how = chosen(support, k, direction, tail)
    head = torch.eye(student.shape[1], dtype=torch.float64)
    weights = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
    plain = projected_divergence(Projected(student, head), Projected(teacher, head), weights, how).loss
    junk = torch.full((padding, student.shape[1]), torch.nan, dtype=torch.float64)
    turn = torch.tensor([2, 0, 1])
    wide = [Projected(torch.cat([junk, x[turn]]), head) for x in (student, teacher)]
    padded = torch.cat([weights.new_zeros(padding), weights[turn]])
    torch.testing.assert_close(projected_divergence(*wide, padded, how, chunk=chunk).loss, plain)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), min_size=1, max_size=20), st.floats(0, 0.999))
def test_balance_stays_between_zero_and_its_cap_and_resumes_exactly(losses, beta):
    straight, resumed = EmaBalancer(beta=beta), EmaBalancer(beta=beta)
    for pair in losses:
        again = EmaBalancer(beta=beta)
        again.load_state_dict(resumed.state_dict())
        resumed = again
        weight = straight.update(*pair)
        assert 0.0 <= weight <= 100.0
        assert resumed.update(*pair) == weight
