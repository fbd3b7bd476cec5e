"""Padding, collation, and batches of similar length."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tutelage.data.batches import collate, length_batches, pad_left, pad_right
from tutelage.data.chat import Encoded
from tutelage.errors import RangeError

SEQUENCES = st.lists(st.lists(st.integers(0, 99), max_size=9), max_size=6)


@given(sequences=SEQUENCES, multiple=st.integers(1, 5))
def test_padding_keeps_every_token_in_order(sequences: list[list[int]], multiple: int) -> None:
    width = max(map(len, sequences), default=0)
    for padded, left in (
        (pad_left(sequences, 7, multiple_of=multiple), 1),
        (pad_right(sequences, 7, multiple_of=multiple), 0),
    ):
        assert padded.ids.shape == padded.attention_mask.shape == (len(sequences), -(-width // multiple) * multiple)
        assert padded.ids.dtype == torch.int64
        assert padded.attention_mask.dtype == torch.bool
        for sequence, ids, mask in zip(sequences, padded.ids, padded.attention_mask, strict=True):
            assert ids[mask].tolist() == sequence
            assert (ids[~mask] == 7).all()
            real = [False] * (len(ids) - len(sequence)) + [True] * len(sequence)
            assert mask.tolist() == (real if left else real[::-1])


def test_collate_learns_only_what_is_masked_in() -> None:
    batch = collate([Encoded((5, 6, 7), (False, True, True)), Encoded((0,), (True,))], pad_id=0)
    assert batch.labels.tolist() == [[-100, 6, 7], [0, -100, -100]]
    assert batch.attention_mask.tolist() == [[True] * 3, [True, False, False]]
    loss = torch.nn.functional.cross_entropy(torch.zeros(6, 9), batch.labels.flatten())
    assert loss.item() == pytest.approx(torch.tensor(9.0).log().item())


def test_empty_batch_has_no_rows() -> None:
    batch = collate([], pad_id=0)
    assert batch.ids.shape == batch.labels.shape == (0, 0)


@given(
    lengths=st.lists(st.integers(0, 50), max_size=30),
    size=st.integers(1, 6),
    limit=st.none() | st.integers(1, 120),
)
def test_length_batches_hold_each_once_within_limits(lengths: list[int], size: int, limit: int | None) -> None:
    batches = length_batches(lengths, size, max_tokens=limit)
    order = [index for batch in batches for index in batch]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[index] for index in order] == sorted(lengths, reverse=True)
    for batch in batches:
        assert 1 <= len(batch) <= size
        assert limit is None or len(batch) == 1 or len(batch) * lengths[batch[0]] <= limit


def test_limits_are_checked() -> None:
    with pytest.raises(RangeError):
        pad_left([[1]], 0, multiple_of=0)
    with pytest.raises(RangeError):
        length_batches([1], 0)
    with pytest.raises(RangeError):
        length_batches([1], 1, max_tokens=0)
