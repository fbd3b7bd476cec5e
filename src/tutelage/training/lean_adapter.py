"""LoRA layers in three products instead of PEFT's general forward, for rollouts.

A decoded token passes every adapted layer with a handful of rows, where checks, casts and small additions cost more
than the low-rank products themselves. The weights are neither merged nor copied.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora.layer import Linear
from torch import Tensor, nn

__all__ = ["lean_adapters"]


class _Lean:
    """W x + scale * B (A x), without dropout and without gradient."""

    def __init__(self, layer: Any, name: str) -> None:
        self.base: nn.Linear = layer.base_layer
        self.down: Tensor = layer.lora_A[name].weight
        self.up: Tensor = layer.lora_B[name].weight
        self.scale: float = layer.scaling[name]

    def __call__(self, states: Tensor) -> Tensor:
        out: Tensor = self.base(states)
        low = states.reshape(-1, states.shape[-1]) @ self.down.t()
        out.view(-1, out.shape[-1]).addmm_(low, self.up.t(), alpha=self.scale)
        return out


def _plain(layer: Any) -> bool:
    """Whether the layer is LoRA as in its paper: one adapter, switched on, unmerged, of its base's own type."""
    if type(layer) is not Linear or layer.disable_adapters or layer.merged or "forward" in vars(layer):
        return False
    active = layer.active_adapters
    if len(active) != 1 or active[0] not in layer.lora_A or active[0] in layer.lora_variant:
        return False
    base, down, up = layer.base_layer, layer.lora_A[active[0]], layer.lora_B[active[0]]
    same = all(type(x) is nn.Linear and x.weight.dtype == base.weight.dtype for x in (base, down, up))
    return same and not layer.lora_bias[active[0]]


@contextmanager
def lean_adapters(model: nn.Module) -> Iterator[None]:
    """Within this context plain LoRA layers compute the same numbers (up to rounding) with less overhead.

    For evaluation without gradient: dropout is left out and the base layer's output is overwritten. Layers that are not
    plain LoRA keep PEFT's forward. Choosing depends on the layers only, so results can be repeated bit by bit.
    """
    layers: list[Any] = [module for module in model.modules() if _plain(module)]
    for layer in layers:
        layer.forward = _Lean(layer, layer.active_adapters[0])
    try:
        with torch.no_grad():
            yield
    finally:
        for layer in layers:
            del layer.forward
