"""Weights of single tokens in a supervised or distillation loss: pure functions of what is known about each token.

Every function takes tables [B, T] with a mask and gives a table of the same shape that is 0 where the mask is. Weights
are detached: they say how much a token counts, they are not learnt from.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from tutelage.errors import RangeError, ShapeError

__all__ = [
    "Control",
    "control_factor",
    "dft_weights",
    "importance_weights",
    "random_weights",
    "reliability_weights",
    "vcore_weights",
]

Control = Literal["loss_ratio", "variance", "none"]
_BISECTIONS = 60


def vcore_weights(
    utilities: Tensor, mask: Tensor, *, kappa: float | None = None, kl_budget: float | None = None
) -> Tensor:
    r"""Token distribution of each example that lowers the loss most within a distance of uniform.

    :math:`q_{it} = \exp(s_{it}/\kappa) / \sum_j \exp(s_{ij}/\kappa)` over the n_i masked-in tokens of example i: the
    maximiser of :math:`\sum_t q_t s_t` under :math:`KL(q \| u) \le \delta`. Give the temperature ``kappa`` itself, or
    the budget :math:`\delta`, from which the sharpest q is found by bisection, example by example.

    Args:
        utilities: [B, T] float, how much one gradient step lowers each token's loss (or the loss difference).
        mask: [B, T] bool or 0/1, tokens that count.
        kappa: above 0; large is uniform, small is sharp.
        kl_budget: at least 0, in nats; when even the sharpest q (uniform over the best tokens) is within it, that is
            taken.

    Returns:
        [B, T] float32 (float64): rows sum to 1. A row without tokens is 0; one with a non-finite utility is uniform.

    Raises:
        ShapeError: shapes differ.
        RangeError: not exactly one of ``kappa`` and ``kl_budget``, or one out of range.

    Source: VCORE (arXiv 2510.27462) section 4. The released code divides by a temperature where the text multiplies
        by tau; ``kappa`` = 1 / tau for utilities, and tau * eps in their units for loss differences. The bisection is
        our own: the text starts from the budget, the code never uses it.

    Example:
        >>> vcore_weights(torch.tensor([[0.0, 1.0]]), torch.ones(1, 2), kappa=1.0)
        tensor([[0.2689, 0.7311]])
    """
    _check(utilities, mask)
    if (kappa is None) == (kl_budget is None):
        raise RangeError("give either kappa or kl_budget", hint="kappa is a temperature, kl_budget a distance in nats")
    if kappa is not None and not kappa > 0:
        raise RangeError(f"kappa is {kappa}", hint="a number above 0")
    if kl_budget is not None and not kl_budget >= 0:
        raise RangeError(f"kl_budget is {kl_budget}", hint="0 or a number of nats above it")
    kept = mask != 0
    broken = ((~torch.isfinite(utilities)) & kept).any(1, keepdim=True)
    values = torch.where(kept & ~broken, utilities.detach(), torch.zeros_like(utilities))
    values = values.to(torch.float64 if values.dtype == torch.float64 else torch.float32)
    if kappa is not None:
        return _softmax(values / kappa, kept)
    return _within(values.double(), kept, float(kl_budget or 0.0)).to(values.dtype)


def _softmax(scores: Tensor, kept: Tensor) -> Tensor:
    """Softmax over the kept columns; rows without any are 0."""
    found = torch.softmax(scores.masked_fill(~kept, -torch.inf), dim=1)
    return torch.where(kept, found, torch.zeros_like(found))


def _within(values: Tensor, kept: Tensor, budget: float) -> Tensor:
    """The sharpest softmax of tau * values whose KL to uniform is at most ``budget``, row by row."""
    spread = (values.masked_fill(~kept, -torch.inf).amax(1) - values.masked_fill(~kept, torch.inf).amin(1)).nan_to_num(
        0.0, 0.0, 0.0
    )
    scaled = values / spread.clamp(min=1e-300)[:, None]
    low, high = torch.zeros_like(spread), torch.full_like(spread, 1e9)
    for _ in range(_BISECTIONS):
        middle = torch.where(low > 0, (low * high).sqrt(), high * 1e-12)
        fits = _kl_to_uniform(_softmax(scaled * middle[:, None], kept), kept) <= budget
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
    return _softmax(scaled * low[:, None], kept)


def _kl_to_uniform(weights: Tensor, kept: Tensor) -> Tensor:
    """KL(q || u) of each row, nats."""
    count = kept.sum(1).clamp(min=1).to(weights.dtype)
    found: Tensor = torch.special.xlogy(weights, weights * count[:, None]).sum(1)
    return found


def control_factor(
    losses: Tensor, weights: Tensor, mask: Tensor, *, utilities: Tensor | None = None, control: Control = "loss_ratio"
) -> float:
    r"""What the reweighted loss of a step is multiplied by, so that its steps stay as large as with uniform weights.

    ``loss_ratio``: :math:`\min(1, L_u / L_w)` with the token mean :math:`L_u` and
    :math:`L_w = \sum_i n_i \sum_t q_{it} l_{it} / \sum_i n_i`. ``variance``: :math:`\sqrt{V_u / V_q}` with the
    variances over examples of :math:`mean_t s_{it}` and :math:`\sum_t q_{it} s_{it}`. ``none``: 1.

    Args:
        losses: [B, T] token losses, nats.
        weights: [B, T] token distributions, rows sum to 1 (:func:`vcore_weights`).
        mask: [B, T] bool or 0/1.
        utilities: [B, T], for ``variance``.
        control: which.

    Returns:
        A number of at least 0; 1 where the ratio is not defined (no loss, no variance).

    Raises:
        ShapeError: shapes differ.
        RangeError: ``variance`` without utilities.

    Source: VCORE (arXiv 2510.27462) eq. for alpha (variance); its released code uses the loss ratio, capped at 1.
    """
    _check(losses, mask)
    _check(weights, mask)
    kept = (mask != 0).to(torch.float64)
    counts = kept.sum(1)
    if control == "loss_ratio":
        uniform = float((losses * kept).sum())
        weighted = float((counts * (weights * losses * kept).sum(1)).sum())
        return min(1.0, uniform / weighted) if weighted > 0 else 1.0
    if control == "none":
        return 1.0
    if utilities is None:
        raise RangeError("the variance control needs utilities", hint="pass utilities, or control='loss_ratio'")
    rows = counts > 0
    if int(rows.sum()) < 2:
        return 1.0
    plain = ((utilities * kept).sum(1) / counts.clamp(min=1))[rows].double()
    sharp = (weights * utilities * kept).sum(1)[rows].double()
    below = float(sharp.var())
    return (float(plain.var()) / below) ** 0.5 if below > 0 else 1.0


def dft_weights(logprobs: Tensor, mask: Tensor) -> Tensor:
    r"""Dynamic fine-tuning: :math:`w_t = sg[p_\theta(y_t)]`, so that unlikely tokens are not chased.

    Args:
        logprobs: [B, T] nats, at most 0.
        mask: [B, T].

    Returns:
        [B, T] in [0, 1].

    Source: DFT (arXiv 2508.05629), the baseline of VCORE's Table 1.

    Example:
        >>> dft_weights(torch.tensor([[0.0, -0.6931]]), torch.ones(1, 2))
        tensor([[1.0000, 0.5000]])
    """
    _check(logprobs, mask)
    return torch.where(mask != 0, logprobs.detach().exp(), torch.zeros_like(logprobs))


def importance_weights(logprobs: Tensor, reference: Tensor, mask: Tensor, *, clip: float = 5.0) -> Tensor:
    r"""Importance-weighted fine-tuning: one weight for all tokens of an example.

    :math:`w_i = clip(\exp(\frac{1}{n_i} \sum_t [\log p_\theta(y_t) - \log p_{ref}(y_t)]), 1/c, c)`.

    Args:
        logprobs: [B, T] of the model now.
        reference: [B, T] of the model before tuning.
        mask: [B, T].
        clip: c, at least 1.

    Returns:
        [B, T], constant over each row's counted tokens.

    Source: iw-SFT (arXiv 2507.12856). The mean over tokens and the clip are our choice: the product over a long answer
        under- or overflows, and the value of the clip was not found.
    """
    _check(logprobs, mask)
    _check(reference, mask)
    if not clip >= 1:
        raise RangeError(f"clip is {clip}", hint="at least 1; 1 is plain fine-tuning")
    kept = (mask != 0).to(logprobs.dtype)
    ratio = ((logprobs - reference).detach() * kept).sum(1, keepdim=True) / kept.sum(1, keepdim=True).clamp(min=1)
    return ratio.exp().clamp(1 / clip, clip) * kept


def random_weights(mask: Tensor, *, keep: float, always: int, seed: int) -> Tensor:
    """Keep a random share of the tokens, the control that any reweighting has to beat; the last ones always.

    Args:
        mask: [B, T].
        keep: probability of each other token, in (0, 1].
        always: the last counted tokens of a row that are always kept (the answer after the reasoning).
        seed: of the draw.

    Returns:
        [B, T]: 1 where kept, 0 elsewhere. A row keeps at least its last token when ``always`` >= 1.

    Source: the Random baseline of VCORE (arXiv 2510.27462), keep = 0.2.
    """
    if not 0 < keep <= 1:
        raise RangeError(f"keep is {keep}", hint="a share in (0, 1]")
    if always < 0:
        raise RangeError(f"always is {always}", hint="0 or a number of tokens")
    kept = mask != 0
    drawn = torch.rand(mask.shape, generator=torch.Generator().manual_seed(seed % 2**63)).to(mask.device) < keep
    left = kept.flip(1).cumsum(1).flip(1)
    return ((drawn | (left <= always)) & kept).to(torch.float32)


def reliability_weights(
    overlap: Tensor, mask: Tensor, *, theta: float = 0.7, w_drop: float = 0.01, w_base: float = 0.5
) -> tuple[Tensor, Tensor]:
    r"""Weights that fall with every token at which student and teacher have little in common.

    With the overlap :math:`o_t` of their k likeliest tokens, :math:`c_t = \sum_{u \le t} 1[o_u < \theta]` and
    :math:`w_t = clip(1 - w_{drop} c_t, 0, 1)`; the weight of a counted token is :math:`w_t + w_{base}`.

    Args:
        overlap: [B, T] in [0, 1] (``SupportStatistics.overlap``).
        mask: [B, T].
        theta: in (0, 1]; an overlap below it is a bad event. Defaults are those of the paper's experiments; its
            configuration file has 0.9, 0.02 and 0.
        w_drop: at least 0.
        w_base: at least 0: what is left of a token that counts for nothing else.

    Returns:
        Weights [B, T], never rising along a row, and effective lengths [B] int64: tokens with w_t > 1e-8.

    Raises:
        RangeError: a setting out of range.

    Source: Prune-OPD (arXiv 2605.07804), released code ``prune_opd.py``.

    Example:
        >>> reliability_weights(torch.tensor([[1.0, 0.0, 1.0]]), torch.ones(1, 3), w_drop=0.25, w_base=0.0)
        (tensor([[1.0000, 0.7500, 0.7500]]), tensor([3]))
    """
    _check(overlap, mask)
    if not 0 < theta <= 1:
        raise RangeError(f"theta is {theta}", hint="a share in (0, 1]")
    if w_drop < 0 or w_base < 0:
        raise RangeError(f"w_drop is {w_drop}, w_base {w_base}", hint="numbers of at least 0")
    kept = mask != 0
    bad = (overlap < theta) & kept
    weight = (1.0 - w_drop * bad.cumsum(1)).clamp(0.0, 1.0) * kept
    return (weight + w_base) * kept, (weight > 1e-8).sum(1)


def _check(values: Tensor, mask: Tensor) -> None:
    if values.ndim != 2 or values.shape != mask.shape:
        raise ShapeError(f"values are {tuple(values.shape)}, the mask {tuple(mask.shape)}", hint="need [B, T] twice")
