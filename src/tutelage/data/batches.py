"""Sequences of unequal length as rectangles of token ids, and batches of rows of similar length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from tutelage.data.chat import Encoded
from tutelage.errors import RangeError

__all__ = ["IGNORE", "Batch", "Padded", "collate", "length_batches", "pad_left", "pad_right"]

IGNORE = -100  # the label that torch's cross-entropy passes over


@dataclass(frozen=True)
class Padded:
    """``ids`` [B, T] int64, and ``attention_mask`` [B, T] bool that is True on real tokens."""

    ids: torch.Tensor
    attention_mask: torch.Tensor


@dataclass(frozen=True)
class Batch:
    """Right-padded conversations.

    ``ids`` [B, T] int64, ``attention_mask`` [B, T] bool, ``labels_mask`` [B, T] bool: True on tokens to learn.
    """

    ids: torch.Tensor
    attention_mask: torch.Tensor
    labels_mask: torch.Tensor

    @property
    def labels(self) -> torch.Tensor:
        """[B, T] int64: the ids where they are to be learnt, elsewhere -100 (unshifted, as transformers expects)."""
        return self.ids.masked_fill(~self.labels_mask, IGNORE)


def pad_left(sequences: Sequence[Sequence[int]], pad_id: int, *, multiple_of: int = 1) -> Padded:
    """Sequences with padding in front: what generation needs.

    Args:
        sequences: B lists of ids; T is the longest length, rounded up.
        pad_id: fills the rest; hidden by the mask.
        multiple_of: T becomes a multiple of this.

    Returns:
        [B, T] ids and mask; [0, 0] for no sequences.

    Raises:
        RangeError: ``multiple_of`` below 1.

    Example:
        >>> pad_left([[5], [6, 7]], 0).ids.tolist()
        [[0, 5], [6, 7]]
    """
    return _pad(sequences, pad_id, multiple_of, left=True)


def pad_right(sequences: Sequence[Sequence[int]], pad_id: int, *, multiple_of: int = 1) -> Padded:
    """Sequences with padding behind: what training and scoring need. See :func:`pad_left`.

    Raises:
        RangeError: ``multiple_of`` below 1.

    Example:
        >>> pad_right([[5], [6, 7]], 0).attention_mask.tolist()
        [[True, False], [True, True]]
    """
    return _pad(sequences, pad_id, multiple_of, left=False)


def _pad(sequences: Sequence[Sequence[int]], pad_id: int, multiple_of: int, *, left: bool) -> Padded:
    if multiple_of < 1:
        raise RangeError(f"multiple_of must be at least 1, not {multiple_of}")
    longest = max((len(sequence) for sequence in sequences), default=0)
    width = -(-longest // multiple_of) * multiple_of
    ids = torch.full((len(sequences), width), pad_id, dtype=torch.int64)
    mask = torch.zeros((len(sequences), width), dtype=torch.bool)
    for row, sequence in enumerate(sequences):
        if not sequence:
            continue
        place = slice(width - len(sequence), width) if left else slice(0, len(sequence))
        ids[row, place] = torch.tensor(list(sequence), dtype=torch.int64)
        mask[row, place] = True
    return Padded(ids, mask)


def collate(encoded: Sequence[Encoded], pad_id: int, *, multiple_of: int = 1) -> Batch:
    """Encoded conversations as one right-padded batch; padding is never learnt.

    Args:
        encoded: B conversations.
        pad_id: fills the rest.
        multiple_of: T becomes a multiple of this.

    Returns:
        The batch, [B, T] throughout.

    Raises:
        RangeError: ``multiple_of`` below 1.

    Example:
        >>> collate([Encoded((7, 8), (False, True)), Encoded((9,), (True,))], 0).labels.tolist()
        [[-100, 8], [9, -100]]
    """
    padded = pad_right([example.ids for example in encoded], pad_id, multiple_of=multiple_of)
    learn = torch.zeros_like(padded.attention_mask)
    for row, example in enumerate(encoded):
        learn[row, : len(example.ids)] = torch.tensor(example.labels_mask, dtype=torch.bool)
    return Batch(padded.ids, padded.attention_mask, learn)


def length_batches(lengths: Sequence[int], size: int, *, max_tokens: int | None = None) -> list[list[int]]:
    """Indices grouped by similar length, longest first, so that little is padded and memory runs out early or never.

    Args:
        lengths: N token counts.
        size: sequences in a batch, at most.
        max_tokens: padded tokens (sequences times the longest) in a batch, at most; a sequence that is longer alone
            gets a batch of its own.

    Returns:
        Batches that hold each index once; equal lengths keep their order.

    Raises:
        RangeError: ``size`` or ``max_tokens`` below 1.

    Example:
        >>> length_batches([3, 9, 4], size=2)
        [[1, 2], [0]]
    """
    if size < 1 or (max_tokens is not None and max_tokens < 1):
        raise RangeError("size and max_tokens must be at least 1")
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda place: (-lengths[place], place)):
        current = batches[-1] if batches else None
        fits = current is not None and len(current) < size
        if current is not None and fits and max_tokens is not None:
            fits = (len(current) + 1) * lengths[current[0]] <= max_tokens
        if current is not None and fits:
            current.append(index)
        else:
            batches.append([index])
    return batches
