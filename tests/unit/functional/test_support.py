import pytest
import torch

from tutelage.functional.outcomes import normalise_
from tutelage.functional.support import SparseRows, top_k


@pytest.mark.parametrize("width", [5, 4096, 4099, 5003, 8192])
@pytest.mark.parametrize("k", [1, 5, 100])
def test_two_level_selection_is_exact(width, k):
    logits = torch.randn(4, width, generator=torch.Generator().manual_seed(width + k))
    k = min(k, width)
    values, columns = top_k(logits, k)
    assert torch.equal(values.sort(descending=True).values, torch.topk(logits, k).values)
    assert torch.equal(logits.gather(1, columns), values)
    assert all(len(set(row)) == k for row in columns.tolist())


def test_selection_finds_the_last_uneven_columns():
    logits = torch.zeros(1, 4103)
    logits[0, 4100:] = torch.tensor([1.0, 2.0, 3.0])
    assert set(top_k(logits, 3)[1][0].tolist()) == {4100, 4101, 4102}


def test_selection_with_ties_names_distinct_columns():
    values, columns = top_k(torch.zeros(2, 6000), 50)
    assert values.eq(0).all()
    assert all(len(set(row)) == 50 for row in columns.tolist())
    assert int(columns.max()) < 6000


def test_sparse_rows_add_up_repeats():
    rows = SparseRows(torch.tensor([[1, 1, 0]]), torch.tensor([[1.0, 2.0, 4.0]]))
    assert rows.add_to_(torch.zeros(1, 3)).tolist() == [[4.0, 3.0, 0.0]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [1, 3, 17, 5000])
def test_in_place_softmax_equals_the_plain_one(dtype, width):
    x = torch.randn(6, width, dtype=dtype, generator=torch.Generator().manual_seed(0)) * 10
    expected, normaliser = torch.softmax(x, -1), torch.logsumexp(x, -1)
    scratch = x.clone()
    torch.testing.assert_close(normalise_(scratch), normaliser)
    torch.testing.assert_close(scratch, expected)


def test_a_row_without_any_outcome_has_no_mass():
    x = torch.full((2, 3), -torch.inf)
    x[1] = 0.0
    normaliser = normalise_(x)
    assert normaliser[0] == -torch.inf
    assert x.tolist()[0] == [0.0, 0.0, 0.0]
    assert normalise_(torch.zeros(2, 0)).tolist() == [-torch.inf, -torch.inf]
