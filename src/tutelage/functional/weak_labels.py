"""Labels of a weak supervisor: distributions over classes, checked and balanced."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tutelage.errors import NumericalError, RangeError, ShapeError
from tutelage.functional.rows import working_dtype

__all__ = ["balanced_labels", "check_labels"]

_ROW_SUM = 1e-4


def balanced_labels(weak: Tensor, *, floor: float = 1e-6) -> Tensor:
    r"""Weak labels [B, K] whose mean log-probabilities over the batch are the same for all classes.

    :math:`softmax_k(\log w_{ik} - \overline{\log w_k})`; for two classes the mean log-odds are subtracted.
    Probabilities below ``floor`` are raised to it.

    Raises:
        As :func:`check_labels`.

    Source: EleutherAI's code for two classes; the centred log-ratio for more.
    """
    check_labels(weak)
    logs = weak.to(working_dtype(weak)).clamp(min=floor).log()
    return torch.softmax(logs - logs.mean(0), dim=1)


def check_labels(weak: Tensor, ids: Sequence[str] | None = None) -> None:
    """Nothing if each row of ``weak`` [B, K] is a distribution over at least two classes.

    Args:
        weak: float, any device.
        ids: [B] of the items, for the message; None names rows.

    Raises:
        ShapeError: not [B, K], K below 2.
        NumericalError: NaN or infinity; names the row.
        RangeError: a negative entry, or a row whose sum is further than 1e-4 from 1; names the row.
    """
    if weak.ndim != 2 or weak.shape[1] < 2:
        raise ShapeError(
            f"weak labels are {tuple(weak.shape)}", hint="probabilities [items, classes], 2 classes or more"
        )
    values = weak.detach().double()
    if not bool(torch.isfinite(values).all()):
        place = int((~torch.isfinite(values)).any(1).nonzero()[0])
        raise NumericalError("a weak label is NaN or infinite", where=_place(place, ids), hint="leave the row out")
    wrong = (values < 0).any(1) | ((values.sum(1) - 1).abs() > _ROW_SUM)
    if bool(wrong.any()):
        place = int(wrong.nonzero()[0])
        shown = ", ".join(f"{one:.4g}" for one in values[place][:6].tolist())
        raise RangeError(
            f"weak probabilities that do not sum to 1 or lie below 0: {shown}",
            where=_place(place, ids),
            hint="give probabilities, not logits or counts",
        )


def _place(row: int, ids: Sequence[str] | None) -> str:
    return f"row {row}" if ids is None else f"item {ids[row]!r}"
