"""The loss of a reward model that learns from weak labels, and may be paid for being wrong."""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from tutelage.errors import NumericalError, RangeError, ShapeError
from tutelage.functional.rows import working_dtype

__all__ = ["ConflictMode", "conflict_loss"]

ConflictMode = Literal["none", "explicit"]


def conflict_loss(
    margin: Tensor, weak: Tensor, truth: Tensor | None = None, *, mode: ConflictMode = "none", alpha: float = 0.5
) -> Tensor:
    r"""Loss [B] of pairs on a weak supervisor's labels, with or without a reward for contradicting the truth.

    With :math:`\Delta` the margin, w the weak label, y the truth and m = 1 where the sign of the margin disagrees with
    the truth, else 0 (also for a margin of 0):

    .. math:: \ell = BCE(\sigma(\Delta), w) + \alpha\, m\, BCE(\sigma(\Delta), 1 - y)

    "none" leaves out the second term. m has no gradient. The paper's implicit conflict is a matter of data and not of
    the loss: further pairs that people have labelled by another goal, mixed in with their labels as ``weak``.

    Args:
        margin: [B], reward of the first response minus that of the second.
        weak: [B] probability in [0, 1] that the first is the better one.
        truth: [B] of 0 and 1, whether it is; read by "explicit" alone.
        mode: "none" or "explicit".
        alpha: weight of the second term, 0 or more; 0.5 in the public code.

    Raises:
        RangeError: "explicit" without truth, another mode, a negative alpha, weak labels outside [0, 1], truth that is
            neither 0 nor 1; names the row.
        ShapeError: tensors that are not all [B], B > 0.
        NumericalError: a margin that is NaN; names the row.

    Source: arXiv 2406.11431, explicit and implicit conflict.

    Example:
        >>> import torch
        >>> margin, weak, truth = torch.tensor([2.0]), torch.ones(1), torch.zeros(1)
        >>> [round(float(conflict_loss(margin, weak, truth, mode=one)), 4) for one in ("none", "explicit")]
        [0.1269, 0.1904]
    """
    if mode not in get_args(ConflictMode):
        raise RangeError(f"mode is {mode!r}", hint="none or explicit; an implicit conflict lies in the pairs mixed in")
    if not 0.0 <= alpha < float("inf"):
        raise RangeError(f"alpha is {alpha}", hint="0 or more")
    explicit = mode == "explicit"
    if explicit and truth is None:
        raise RangeError("an explicit conflict without the truth", hint="give truth [B], or mode='none'")
    labels = {"weak": weak} | ({"truth": truth} if explicit and truth is not None else {})
    for name, one in labels.items():
        if margin.ndim != 1 or one.shape != margin.shape or not len(margin):
            raise ShapeError(f"margin is {tuple(margin.shape)}, {name} {tuple(one.shape)}", hint="both [B], B > 0")
    _refuse(margin.isnan(), "a margin is NaN", NumericalError)
    _refuse(~((weak >= 0) & (weak <= 1)), "a weak label outside [0, 1]", RangeError)
    dtype = working_dtype(margin, weak)
    delta = margin.to(dtype)
    loss = binary_cross_entropy_with_logits(delta, weak.detach().to(dtype), reduction="none")
    if "truth" not in labels:
        return loss
    _refuse((labels["truth"] != 0) & (labels["truth"] != 1), "truth that is neither 0 nor 1", RangeError)
    y = labels["truth"].detach().to(dtype)
    wrong = (delta.detach() * (2 * y - 1) < 0).to(dtype)
    return loss + alpha * wrong * binary_cross_entropy_with_logits(delta, 1 - y, reduction="none")


def _refuse(rows: Tensor, message: str, error: type[NumericalError] | type[RangeError]) -> None:
    if bool(rows.any()):
        raise error(message, where=f"row {int(rows.nonzero()[0])}")
