"""A key-value cache whose rows can be copied, dropped and reordered without touching the others."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer

__all__ = ["RowCache"]


class _RowLayer(DynamicLayer):
    """Keys and values of one layer in a buffer that grows by half; ``keys`` and ``values`` view what is used."""

    def __init__(self, capacity: int = 64, **_: Any) -> None:
        super().__init__()
        self.capacity = capacity
        self.length = 0
        self.rows = 0
        self.key_buffer: Tensor | None = None
        self.value_buffer: Tensor | None = None

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.dtype, self.device = key_states.dtype, key_states.device
        self.rows = key_states.shape[0]
        self.key_buffer = self._new(key_states)
        self.value_buffer = self._new(value_states)
        self.is_initialized = True
        self._set_views()

    def _new(self, like: Tensor) -> Tensor:
        return like.new_empty(self.rows, like.shape[1], self.capacity, like.shape[3])

    def _set_views(self) -> None:
        assert self.key_buffer is not None
        assert self.value_buffer is not None
        self.keys = self.key_buffer[: self.rows, :, : self.length]
        self.values = self.value_buffer[: self.rows, :, : self.length]

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        new = key_states.shape[-2]
        if not self.is_initialized:
            self.capacity = max(self.capacity, new)
            self.lazy_initialization(key_states, value_states)
        end = self.length + new
        if end > self.capacity:
            self._grow(end)
        assert self.key_buffer is not None
        assert self.value_buffer is not None
        self.key_buffer[: self.rows, :, self.length : end] = key_states
        self.value_buffer[: self.rows, :, self.length : end] = value_states
        self.length = end
        self._set_views()
        return self.keys, self.values

    def _grow(self, needed: int) -> None:
        keys, values = self.keys, self.values
        self.capacity = max(needed, self.capacity * 3 // 2)
        self.key_buffer, self.value_buffer = self._new(keys), self._new(values)
        self.key_buffer[:, :, : self.length] = keys
        self.value_buffer[:, :, : self.length] = values

    def get_seq_length(self) -> int:
        return self.length

    def take(self, rows: Tensor) -> None:
        """Make row i a copy of the former row ``rows[i]``."""
        keys, values = self.keys, self.values
        self.rows = len(rows)
        self.key_buffer, self.value_buffer = self._new(keys), self._new(values)
        self.key_buffer[:, :, : self.length] = keys.index_select(0, rows)
        self.value_buffer[:, :, : self.length] = values.index_select(0, rows)
        self._set_views()

    def move(self, source: int, target: int) -> None:
        """Copy one row over another."""
        self.keys[target].copy_(self.keys[source])
        self.values[target].copy_(self.values[source])

    def keep_first(self, rows: int) -> None:
        """Forget all rows but the first ``rows``."""
        self.rows = rows
        self._set_views()


class RowCache(Cache):  # type: ignore[misc] # transformers is untyped here
    """Cache of full-attention layers for a batch that shrinks while it is decoded.

    Appending copies nothing that is already there, and dropping a row copies at most one other row into its place.

    Args:
        capacity: tokens for which room is made at first; the buffers grow when needed.
    """

    def __init__(self, capacity: int = 64) -> None:
        super().__init__(layer_class_to_replicate=_RowLayer)
        self._capacity = capacity

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append [B, H, T, D] keys and values to a layer; returns all of its keys and values."""
        while len(self.layers) <= layer_idx:
            self.layers.append(_RowLayer(self._capacity))
        keys, values = self.layers[layer_idx].update(key_states, value_states)
        return keys, values

    def take(self, rows: Tensor) -> None:
        """Make row i a copy of the former row ``rows[i]``; rows may be repeated."""
        for layer in self.layers:
            layer.take(rows)

    def drop(self, rows: list[int]) -> list[int]:
        """Drop rows by moving the last ones into their places.

        Args:
            rows: distinct row numbers.

        Returns:
            For each row that is left, its former number.
        """
        order = list(range(self.layers[0].rows))
        for row in sorted(rows, reverse=True):
            last = len(order) - 1
            if row != last:
                for layer in self.layers:
                    layer.move(last, row)
                order[row] = order[last]
            order.pop()
        for layer in self.layers:
            layer.keep_first(len(order))
        return order
