"""Draw the next token of each row from its logits and one uniform number."""

from __future__ import annotations

import torch
from torch import Tensor

from tutelage.errors import NumericalError, RangeError
from tutelage.types import Sampling

__all__ = ["check_sampling", "draw_tokens", "uniform_stream"]


def check_sampling(sampling: Sampling) -> None:
    """Raise RangeError unless every number of ``sampling`` lies in the range its meaning allows."""
    problems = (
        (sampling.max_new_tokens < 1, f"max_new_tokens is {sampling.max_new_tokens}, it must be at least 1"),
        (not 0 <= sampling.temperature < float("inf"), f"temperature is {sampling.temperature}, it must be 0 or more"),
        (not 0 < sampling.top_p <= 1, f"top_p is {sampling.top_p}, it must lie in (0, 1]"),
        (sampling.top_k < 0, f"top_k is {sampling.top_k}, it must be 0 (off) or more"),
        (any(not text for text in sampling.stop), "a stop string is empty"),
    )
    for wrong, what in problems:
        if wrong:
            raise RangeError(
                what, where="sampling", hint="temperature 0 is greedy; top_p 1 and top_k 0 truncate nothing"
            )


def uniform_stream(seed: int, count: int) -> Tensor:
    """The first ``count`` numbers of the stream ``seed``: [count] float64 in [0, 1), the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, generator=generator, dtype=torch.float64)


def draw_tokens(logits: Tensor, sampling: Sampling, uniforms: Tensor) -> Tensor:
    """One token for each row: greedy, or by inverting the cumulative distribution at ``uniforms``.

    With w = exp((logits - max) / temperature), truncated first to the ``top_k`` largest and then to the smallest set
    of largest ones that holds ``top_p`` of the mass, the token is the first whose cumulative weight exceeds u * sum(w).
    The token is thus a function of the row's logits and its one uniform number; no other row has a part in it.

    Args:
        logits: [B, V] float, on any device.
        sampling: temperature, top_k and top_p; the rest is not used here.
        uniforms: [B] float64 in [0, 1); not read when the temperature is 0.

    Returns:
        [B] int64 token ids.

    Raises:
        NumericalError: a row has a NaN or no finite maximum.

    Source: inverse transform sampling; truncation in the order of transformers (temperature, top-k, top-p).

    Example:
        >>> logits = torch.tensor([[0.0, 1.0, 0.0]])
        >>> int(draw_tokens(logits, Sampling(temperature=0.0), torch.zeros(1)))
        1
    """
    top, best = logits.max(dim=-1)
    if not bool(torch.isfinite(top).all()):
        raise NumericalError(
            "the model's logits are not finite", hint="load it in float32, or look for a broken update"
        )
    if sampling.temperature == 0:
        return best
    weights = (logits.float() - top.float()[:, None]).div_(sampling.temperature).exp_()
    if 0 < sampling.top_k < logits.shape[-1]:
        weights = _keep_top_k(weights, sampling.top_k)
    if sampling.top_p < 1:
        weights = _keep_top_p(weights, sampling.top_p)
    cumulative = weights.cumsum(-1, dtype=torch.float64)
    target = uniforms.to(cumulative)[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, target, right=True)[:, 0].clamp_(max=logits.shape[-1] - 1)


def _keep_top_k(weights: Tensor, k: int) -> Tensor:
    values, ids = weights.topk(k, dim=-1)
    return torch.zeros_like(weights).scatter_(-1, ids, values)


def _keep_top_p(weights: Tensor, p: float) -> Tensor:
    values, ids = weights.sort(dim=-1, descending=True, stable=True)
    before = values.cumsum(-1, dtype=torch.float64) - values
    values = values.masked_fill(before >= p * values.sum(-1, keepdim=True, dtype=torch.float64), 0)
    return torch.zeros_like(weights).scatter_(-1, ids, values)
