"""How much a step along a gradient lowers the loss of each single token: exactly, or by a finite difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from tutelage.functional.fused import Projected
from tutelage.functional.logprobs import projected_cross_entropy
from tutelage.models.rollout import evaluating, plan_groups
from tutelage.training.forward import Backbone, TokenPair, student_outputs

__all__ = ["Estimator", "probe_gradient", "token_utilities", "trainable"]

Estimator = Literal["jvp", "fd"]
_ROWS = 256


def trainable(backbone: Backbone) -> dict[str, Tensor]:
    """Parameters that are trained, each once, by their names in the causal model."""
    return {name: p for name, p in backbone.causal.named_parameters() if p.requires_grad}


def probe_gradient(
    backbone: Backbone, pairs: Sequence[TokenPair], *, tokens_per_micro_batch: int, max_norm: float
) -> dict[str, Tensor]:
    r"""Gradient of the token-mean loss of ``pairs`` without dropout, clipped to ``max_norm`` (0: as it is).

    The parameters' ``.grad`` is used on the way and cleared. A parameter that the loss does not reach gets zeros.
    """
    parameters = trainable(backbone)
    total = sum(len(pair.completion) for pair in pairs)
    with evaluating(backbone.causal), torch.enable_grad():
        for group in plan_groups([len(p) for p in pairs], budget=tokens_per_micro_batch, rows=len(pairs)):
            chosen = [pairs[i] for i in group]
            targets = torch.tensor([t for p in chosen for t in p.completion], device=backbone.device)
            weights = torch.full((len(targets),), 1.0 / total, device=backbone.device)
            projected_cross_entropy(student_outputs(backbone, chosen), targets, weights)[0].backward()
    found = {n: p.grad.detach() if p.grad is not None else torch.zeros_like(p) for n, p in parameters.items()}
    for parameter in parameters.values():
        parameter.grad = None
    norm = float(torch.nn.utils.get_total_norm(list(found.values())))
    if max_norm and norm > max_norm:
        return {name: gradient * (max_norm / norm) for name, gradient in found.items()}
    return found


def token_utilities(
    backbone: Backbone,
    pairs: Sequence[TokenPair],
    direction: Mapping[str, Tensor],
    *,
    estimator: Estimator = "jvp",
    eps: float = 1e-4,
) -> tuple[Tensor, Tensor]:
    r"""Losses and utilities of the completion tokens of ``pairs``, without dropout.

    :math:`s_t = \langle g, \nabla_\theta l_t \rangle`, the rate at which a step along :math:`-g` lowers
    :math:`l_t = -\log p_\theta(y_t \mid \cdot)`. ``jvp`` is exact: one pass in forward mode, no step size, nothing to
    restore. ``fd`` is the central difference :math:`[l_t(\theta + \epsilon g) - l_t(\theta - \epsilon g)] / 2\epsilon`;
    the parameters are put back bit by bit.

    Args:
        backbone: model in float32; half precision rounds what a finite difference measures away.
        pairs: sequences.
        direction: g by parameter name (:func:`probe_gradient`).
        estimator: which.
        eps: of the finite difference.

    Returns:
        Losses [N] and utilities [N], detached, float32, the sequences one after the other.

    Source: VCORE (arXiv 2510.27462) section 4, whose release takes a one-sided difference; the exact form is our own.
    """
    losses = _Losses(backbone)
    with evaluating(backbone.causal), sdpa_kernel(SDPBackend.MATH):
        if estimator == "fd":
            return _by_difference(losses, pairs, direction, eps)
        names = {f"causal.{name}": name for name in direction}
        own = dict(losses.named_parameters())
        primals = {name: own[name].detach() for name in names}
        tangents = {name: direction[plain] for name, plain in names.items()}

        def at(parameters: dict[str, Tensor]) -> Tensor:
            return cast("Tensor", torch.func.functional_call(losses, parameters, (pairs,)))

        values, slopes = cast("tuple[Tensor, Tensor]", torch.func.jvp(at, (primals,), (tangents,)))
        return values.detach(), slopes.detach()


class _Losses(nn.Module):
    """Token losses as a function of the causal model's parameters."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.causal = backbone.causal
        self.held = [backbone]  # in a list: not a submodule

    def forward(self, pairs: Sequence[TokenPair]) -> Tensor:
        """-log p of every completion token [N]."""
        outputs = student_outputs(self.held[0], pairs)
        targets = torch.tensor([t for p in pairs for t in p.completion], device=outputs.hidden.device)
        found = [
            torch.nn.functional.cross_entropy(_plain_logits(outputs, rows), targets[rows], reduction="none")
            for rows in torch.arange(len(targets), device=targets.device).split(_ROWS)
        ]
        return torch.cat(found)


def _plain_logits(outputs: Projected, rows: Tensor) -> Tensor:
    """Logits without anything written in place, which forward mode could not follow."""
    logits = outputs.hidden[rows].float() @ outputs.weight.float().t()
    if outputs.bias is not None:
        logits = logits + outputs.bias
    logits = logits * outputs.scale
    return logits if outputs.softcap is None else torch.tanh(logits / outputs.softcap) * outputs.softcap


def _by_difference(
    losses: _Losses, pairs: Sequence[TokenPair], direction: Mapping[str, Tensor], eps: float
) -> tuple[Tensor, Tensor]:
    parameters = dict(losses.causal.named_parameters())
    kept = {name: parameters[name].detach().clone() for name in direction}
    here = losses(pairs)
    sides = []
    try:
        for sign in (1.0, -1.0):
            for name, gradient in direction.items():
                parameters[name].copy_(kept[name] + sign * eps * gradient)
            sides.append(losses(pairs))
    finally:
        for name, before in kept.items():
            parameters[name].copy_(before)
    return here, (sides[0] - sides[1]) / (2 * eps)
