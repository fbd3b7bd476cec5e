"""The listwise objective against the loss on plain logits, and that cutting the batch changes nothing."""

import pytest
import torch

from tutelage.functional.fused import Projected
from tutelage.functional.ranking import ranking_loss
from tutelage.objectives.listwise import ConstraintRanking
from tutelage.objectives.objective import TokenBatch

LENGTHS, ROWS, SCORES = (3, 1, 2, 2, 4), (0, 0, 0, 1, 1), (0.5, 1.0, 0.0, 0.2, 0.9)


def made(seed=0):
    draw = torch.Generator().manual_seed(seed)
    hidden = torch.randn(sum(LENGTHS), 6, generator=draw, dtype=torch.float64).requires_grad_()
    head = torch.randn(11, 6, generator=draw, dtype=torch.float64).requires_grad_()
    return hidden, head, torch.randint(11, (sum(LENGTHS),), generator=draw)


def batch(targets, first=0, last=None):
    part = slice(first, last)
    return TokenBatch(targets, torch.ones(len(targets)), None, LENGTHS[part], ROWS[part], SCORES[part], rows_in_step=2)


def expected(hidden, head, targets):
    tokens = torch.log_softmax(hidden @ head.T, -1)[torch.arange(len(targets)), targets]
    sums = torch.stack([part.sum() for part in tokens.split(list(LENGTHS))])
    lens, scores = torch.tensor(LENGTHS), torch.tensor(SCORES)
    rows = [ranking_loss(sums[None, a:b], lens[None, a:b], scores[None, a:b], None, 0.1) for a, b in ((0, 3), (3, 5))]
    return torch.cat(rows).mean()


def test_it_is_the_mean_of_the_rows_losses_with_their_gradient():
    hidden, head, targets = made()
    loss = ConstraintRanking(margin=0.1, chunk=4)(Projected(hidden, head), batch(targets))
    loss.total.backward()
    found = hidden.grad.clone(), head.grad.clone()
    hidden.grad = head.grad = None
    wanted = expected(hidden, head, targets)
    wanted.backward()
    assert float(loss.total) == pytest.approx(float(wanted), rel=1e-6)
    torch.testing.assert_close(found[0], hidden.grad, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(found[1], head.grad, rtol=1e-5, atol=1e-7)
    assert 0.0 <= loss.stats["ordered"] <= 1.0


def test_micro_batches_of_whole_rows_add_up():
    hidden, head, targets = made(1)
    objective = ConstraintRanking(margin=0.1)
    whole = objective(Projected(hidden, head), batch(targets)).total
    cut = sum(LENGTHS[:3])
    first = objective(Projected(hidden[:cut], head), batch(targets[:cut], 0, 3)).total
    second = objective(Projected(hidden[cut:], head), batch(targets[cut:], 3)).total
    torch.testing.assert_close(first + second, whole)
