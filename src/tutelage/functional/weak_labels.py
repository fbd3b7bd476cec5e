"""Labels of a weak supervisor: distributions over classes, checked and balanced."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tutelage.errors import NumericalError, RangeError, ShapeError
from tutelage.functional.rows import working_dtype

__all__ = ["balanced_labels", "check_labels", "confident_rows"]

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


def confident_rows(weak: Tensor, share: float) -> Tensor:
    """Places of the surest weak labels, in order: of every likeliest class the same ``share``, at least one.

    Taken within classes, because a supervisor that is surer of one class would else leave hardly anything of the
    others. Of labels equally sure the first are kept.

    Args:
        weak: [B, K] distributions.
        share: to keep, in (0, 1].

    Returns:
        [M] int64.

    Raises:
        RangeError: a share outside (0, 1]; the rest as in :func:`check_labels`.

    Source: own; the paper that names confidence filtering (arXiv 2410.12621) has released no code of it.

    Example:
        >>> confident_rows(torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.4, 0.6], [0.2, 0.8]]), 0.5).tolist()
        [0, 3]
    """
    check_labels(weak)
    if not 0.0 < share <= 1.0:
        raise RangeError(f"a share of {share}", hint="above 0, at most 1")
    sure, likeliest = weak.max(dim=1)
    kept = []
    for one in likeliest.unique():
        rows = (likeliest == one).nonzero()[:, 0]
        order = sure[rows].argsort(descending=True, stable=True)
        kept.append(rows[order[: max(1, round(share * len(rows)))]])
    return torch.cat(kept).sort().values


def _place(row: int, ids: Sequence[str] | None) -> str:
    return f"row {row}" if ids is None else f"item {ids[row]!r}"
