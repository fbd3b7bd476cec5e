"""A key-value cache whose rows can be copied, dropped and reordered without touching the others."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from transformers import Cache
from transformers.cache_utils import DynamicLayer

__all__ = ["RowCache"]


class _RowLayer(DynamicLayer):
    """Keys and values of one layer in a buffer that grows by half; ``keys`` and ``values`` view what is used."""

    keys: Tensor
    values: Tensor

    def __init__(self, capacity: int = 64, **_: Any) -> None:
        super().__init__()
        self.capacity = capacity
        self.length = 0
        self.rows = 0
        self.buffers: tuple[Tensor, Tensor] | None = None

    def _allocate(self, rows: int, keys: Tensor, values: Tensor) -> None:
        """New buffers for ``rows``; shapes other than rows and capacity as in ``keys`` and ``values`` [B, H, T, D]."""
        self.rows = rows
        self.dtype, self.device = keys.dtype, keys.device
        self.buffers = (
            keys.new_empty(rows, keys.shape[1], self.capacity, keys.shape[3]),
            values.new_empty(rows, values.shape[1], self.capacity, values.shape[3]),
        )
        self.is_initialized = True
        self._set_views()

    def _set_views(self) -> None:
        assert self.buffers is not None
        keys, values = self.buffers
        self.keys, self.values = keys[: self.rows, :, : self.length], values[: self.rows, :, : self.length]

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        end = self.length + key_states.shape[-2]
        if self.buffers is None:
            self.capacity = max(self.capacity, end)
            self._allocate(key_states.shape[0], key_states, value_states)
        elif end > self.capacity:
            keys, values = self.keys, self.values
            self.capacity = max(end, self.capacity * 3 // 2)
            self._allocate(self.rows, keys, values)
            self.keys.copy_(keys)
            self.values.copy_(values)
        assert self.buffers is not None
        keys, values = self.buffers
        keys[: self.rows, :, self.length : end] = key_states
        values[: self.rows, :, self.length : end] = value_states
        self.length = end
        self._set_views()
        return self.keys, self.values

    def get_seq_length(self) -> int:
        return self.length

    def fill_from(self, other: _RowLayer, rows: Tensor) -> None:
        """Become a copy of rows of another layer."""
        self.length = other.length
        self._allocate(len(rows), other.keys, other.values)
        self.keys.copy_(other.keys[rows])
        self.values.copy_(other.values[rows])

    def move(self, source: int, target: int) -> None:
        """Copy one row over another."""
        self.keys[target].copy_(self.keys[source])
        self.values[target].copy_(self.values[source])

    def keep_first(self, rows: int) -> None:
        """Forget all rows but the first ``rows``."""
        self.rows = rows
        self._set_views()


class RowCache(Cache):
    """Cache of full-attention layers for a batch that shrinks while it is decoded.

    Appending copies nothing that is already there, and dropping a row copies at most one other row into its place.

    Args:
        capacity: tokens for which room is made at first; the buffers grow when needed.
    """

    layers: list[_RowLayer]  # type: ignore[assignment] # the base class allows every kind of layer

    def __init__(self, capacity: int = 64) -> None:
        super().__init__(layer_class_to_replicate=_RowLayer)
        self.capacity = capacity

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Append [B, H, T, D] keys and values to a layer; returns all of its keys and values."""
        while len(self.layers) <= layer_idx:
            self.layers.append(_RowLayer(self.capacity))
        return self.layers[layer_idx].update(key_states, value_states)

    def taken(self, rows: Tensor, extra: int = 0) -> RowCache:
        """A copy whose row i is row ``rows[i]`` of this cache, with room for ``extra`` more tokens at least."""
        copy = RowCache(self.layers[0].length + extra)
        for layer in self.layers:
            mine = _RowLayer(copy.capacity)
            mine.fill_from(layer, rows)
            copy.layers.append(mine)
        return copy

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
