import pytest
import torch

from tutelage.errors import RangeError, ShapeError
from tutelage.functional.reduction import sequence_mean_weights, token_mean_weights

MASK = torch.tensor([[1, 1, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]])


def test_the_two_means_by_hand():
    third, half = 1 / 3, 0.5
    expected = torch.tensor([[third * half] * 3 + [0.0], [0.0, half, 0.0, 0.0], [0.0] * 4])
    torch.testing.assert_close(sequence_mean_weights(MASK), expected)
    torch.testing.assert_close(token_mean_weights(MASK), MASK / 4)
    torch.testing.assert_close(sequence_mean_weights(MASK.bool()), expected)


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_parts_of_a_step_add_up_to_the_step(parts):
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(16, 6, generator=generator) < 0.6
    values = torch.randn(16, 6, generator=generator)
    sequences, tokens = int(mask.any(1).sum()), int(mask.sum())
    by_sequence = torch.stack([row[kept].mean() for row, kept in zip(values, mask, strict=True) if kept.any()]).mean()
    pieces = list(zip(values.chunk(parts), mask.chunk(parts), strict=True))
    got = sum((v * sequence_mean_weights(m, sequences=sequences)).sum() for v, m in pieces)
    torch.testing.assert_close(got, by_sequence)
    got = sum((v * token_mean_weights(m, tokens=tokens)).sum() for v, m in pieces)
    torch.testing.assert_close(got, values[mask].mean())


@pytest.mark.parametrize("weights", [sequence_mean_weights, token_mean_weights])
def test_nothing_counted_weighs_nothing(weights):
    assert torch.equal(weights(torch.zeros(2, 3)), torch.zeros(2, 3))
    assert weights(torch.zeros(0, 3)).shape == (0, 3)


def test_bad_input_is_named():
    with pytest.raises(ShapeError, match=r"mask is \(3,\)"):
        sequence_mean_weights(torch.ones(3))
    with pytest.raises(RangeError, match="sequences is 0"):
        sequence_mean_weights(MASK, sequences=0)
    with pytest.raises(RangeError, match="tokens is nan"):
        token_mean_weights(MASK, tokens=float("nan"))
