"""Rows of positions: which of them count, in what blocks they are worked through, and what stops the work."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from tutelage.errors import NumericalError, ShapeError

__all__ = ["active_rows", "blocks", "check_vocabulary", "refuse_infinite", "working_dtype"]

_BLOCK_BYTES = 2**21  # one block of one tensor: a few such blocks stay in the processor's cache


def working_dtype(*tensors: Tensor) -> torch.dtype:
    """float64 if any tensor is, else float32: probabilities are never summed in half precision."""
    return torch.float64 if any(x.dtype == torch.float64 for x in tensors) else torch.float32


def blocks(rows: int, width: int, like: Tensor) -> Iterator[slice]:
    """Slices of ``rows`` whose tensors of ``width`` columns fit the processor's cache; one slice off the CPU."""
    step = rows if like.device.type != "cpu" else _BLOCK_BYTES // (width * like.element_size())
    step = max(1, step)
    return (slice(start, min(rows, start + step)) for start in range(0, rows, step))


def active_rows(mask: Tensor | None, shape: torch.Size, device: torch.device) -> Tensor:
    """Flat indices of the positions to look at: all, or where ``mask`` is not 0.

    Raises:
        ShapeError: the mask's shape is not that of the positions.
    """
    if mask is None:
        return torch.arange(shape.numel(), device=device)
    if mask.shape != shape:
        raise ShapeError(f"mask is {tuple(mask.shape)}, positions are {tuple(shape)}")
    return mask.reshape(-1).to(device).nonzero()[:, 0]


def refuse_infinite(values: Tensor, shape: torch.Size) -> None:
    """Check per-position values.

    Args:
        values: [N] float.
        shape: shape of the positions before they were flattened, to name the place.

    Raises:
        NumericalError: some value is NaN or infinite; names the first such position.
    """
    broken = ~torch.isfinite(values)
    if not bool(broken.any()):
        return
    first = broken.nonzero()[0]
    kind = "NaN" if bool(values[first].isnan()) else "infinite"
    place = [int(x) for x in torch.unravel_index(first[0], shape)]
    raise NumericalError(
        f"the value is {kind} at {int(broken.sum())} of {len(values)} positions",
        where=f"position {place[0] if len(place) == 1 else tuple(place)}",
        hint="look for NaN or infinite logits, or a token that one distribution rules out and the other does not",
    )


def check_vocabulary(student: int, teacher: int) -> None:
    """Check that two vocabularies have the same size.

    Raises:
        ShapeError: they differ; names both.
    """
    if student != teacher:
        raise ShapeError(
            f"the student has {student} vocabulary entries, the teacher {teacher}",
            hint=f"if the first {min(student, teacher)} tokens are the same, cut both (common_prefix=True)",
        )
