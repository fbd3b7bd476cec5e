"""Linear layers applied to a handful of rows, as in decoding: computed as W x^T on CPUs where that is faster.

MKL splits the product of a few rows with a tall weight matrix badly: the same numbers computed the other way round
take down to a third of the time (on one thread 2 to 5 rows, 2 to 16 for an output head; 2 to 16 on several). Which way
is taken depends on the numbers of rows and threads and the layer's shape only, never on a measurement, so that results
can be repeated bit by bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

__all__ = ["skinny_products"]

_TALL = 16  # times as many outputs as inputs: an output head


def _linear(layer: nn.Linear, most: int, states: Tensor) -> Tensor:
    rows = states.numel() // states.shape[-1]
    if not 2 <= rows <= most:
        return nn.functional.linear(states, layer.weight, layer.bias)
    product = torch.mm(layer.weight, states.reshape(rows, -1).t()).t().contiguous()
    if layer.bias is not None:
        product += layer.bias
    return product.view(*states.shape[:-1], -1)


@contextmanager
def skinny_products(model: nn.Module) -> Iterator[None]:
    """Within this context the model's linear layers choose the faster order; for forwards without gradient.

    Does nothing where the observation was not made: other devices, other types than float32, torch without MKL.
    """
    weight = next(model.parameters())
    here = weight.device.type == "cpu" and weight.dtype == torch.float32 and torch.backends.mkl.is_available()
    layers = [m for m in model.modules() if type(m) is nn.Linear and "forward" not in vars(m)] if here else []
    alone = torch.get_num_threads() == 1
    for layer in layers:
        most = 5 if alone and layer.out_features < _TALL * layer.in_features else 16
        layer.forward = partial(_linear, layer, most)  # type: ignore[method-assign]
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward
