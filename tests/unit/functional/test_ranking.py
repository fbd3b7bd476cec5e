"""The listwise ranking loss against a naive loop."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.ranking import ranking_loss


def naive(logps, lens, scores, mask, margin, weight):
    total = []
    for row in range(len(logps)):
        kept = [i for i in range(len(logps[row])) if mask[row][i]]
        p = {i: logps[row][i] / lens[row][i] for i in kept}
        loss = 0.0
        for i in kept:
            for j in kept:
                if scores[row][i] < scores[row][j]:
                    loss += max(0.0, p[i] - p[j] + margin * (scores[row][j] - scores[row][i]))
        if kept:
            best = max(kept, key=lambda i: (scores[row][i], -i))
            loss -= weight * p[best]
        total.append(loss)
    return total


tables = st.integers(1, 3).flatmap(
    lambda b: st.integers(1, 5).flatmap(
        lambda m: st.tuples(
            *[
                st.lists(st.lists(cell, min_size=m, max_size=m), min_size=b, max_size=b)
                for cell in (
                    st.floats(-40, 0),
                    st.integers(1, 9),
                    st.sampled_from([0.0, 0.25, 0.5, 1.0]),
                    st.booleans(),
                )
            ]
        )
    )
)


@settings(max_examples=150, deadline=None)
@given(tables, st.sampled_from([0.0, 0.1, 2.0]), st.sampled_from([0.0, 1.0, 0.3]))
def test_it_is_the_naive_loop(made, margin, weight):
    logps, lens, scores, mask = made
    found = ranking_loss(
        torch.tensor(logps, dtype=torch.float64), torch.tensor(lens), torch.tensor(scores, dtype=torch.float64),
        torch.tensor(mask), margin, weight,
    )  # fmt: skip
    assert found.tolist() == pytest.approx(naive(logps, lens, scores, mask, margin, weight), abs=1e-9)


def test_gradients_are_those_of_finite_differences_and_none_reach_masked_answers():
    logps = torch.tensor([[-3.0, -2.0, -9.0], [-4.0, -1.0, -2.5]], dtype=torch.float64, requires_grad=True)
    lens, mask = torch.tensor([[2, 3, 4], [4, 1, 2]]), torch.tensor([[True, True, True], [True, True, False]])
    scores = torch.tensor([[0.0, 0.5, 1.0], [1.0, 0.2, 9.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda x: ranking_loss(x, lens, scores, mask, 0.1, 1.0), logps)
    ranking_loss(logps, lens, scores, mask).sum().backward()
    assert logps.grad[1, 2] == 0


def test_order_of_answers_and_padding_do_not_matter():
    draw = torch.Generator().manual_seed(0)
    logps, scores = -torch.rand(4, 5, generator=draw) * 9, torch.rand(4, 5, generator=draw)
    lens = torch.randint(1, 9, (4, 5), generator=draw)
    whole = ranking_loss(logps, lens, scores, margin=0.1)
    turn = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(ranking_loss(logps[:, turn], lens[:, turn], scores[:, turn], margin=0.1), whole)
    pad = torch.nn.functional.pad
    mask = pad(torch.ones(4, 5, dtype=torch.bool), (0, 2))
    padded = ranking_loss(pad(logps, (0, 2), value=math.nan), pad(lens, (0, 2)), pad(scores, (0, 2)), mask, 0.1)
    torch.testing.assert_close(padded, whole)


def test_what_cannot_be_ranked_is_refused():
    table = torch.zeros(1, 2)
    with pytest.raises(ShapeError, match=r"\(1, 3\)"):
        ranking_loss(table, torch.ones(1, 3), table)
    with pytest.raises(RangeError, match="no tokens"):
        ranking_loss(table, torch.tensor([[1, 0]]), table)
    with pytest.raises(RangeError, match="not be negative"):
        ranking_loss(table, torch.ones(1, 2), table, margin=-1.0)
