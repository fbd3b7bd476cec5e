"""Items with ids, inputs and perhaps classes: parts of them are taken, joined, and kept apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from tutelage.errors import DataError, ShapeError
from tutelage.types import FloatArray, IntArray

__all__ = ["Items", "joined", "kept_apart", "one_hot"]


@dataclass(frozen=True)
class Items:
    """``ids`` [N] unique, ``inputs`` [N] or [N, D] (an array, or a list of texts), ``labels`` [N] classes from 0.

    Raises:
        ShapeError: they are not of one length.
        DataError: an id stands twice, a class below 0.
    """

    ids: tuple[str, ...]
    inputs: Any
    labels: IntArray | None = None

    def __post_init__(self) -> None:
        rows = self.inputs.shape[0] if hasattr(self.inputs, "shape") else len(self.inputs)
        if rows != len(self.ids) or (self.labels is not None and self.labels.shape != (len(self.ids),)):
            shown = None if self.labels is None else self.labels.shape
            raise ShapeError(f"{len(self.ids)} ids, {rows} inputs and labels of {shown}", hint="one of each an item")
        name, count = Counter(self.ids).most_common(1)[0] if self.ids else ("", 0)
        if count > 1:
            raise DataError("an item id stands twice", where=f"item {name!r}")
        if self.labels is not None and len(self.labels) and int(self.labels.min()) < 0:
            raise DataError("a class below 0", where=f"item {self.ids[int(self.labels.argmin())]!r}")

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, picked: IntArray) -> Items:
        """The items at these places."""
        inputs = self.inputs[picked] if hasattr(self.inputs, "shape") else [self.inputs[int(row)] for row in picked]
        return Items(
            tuple(self.ids[int(row)] for row in picked), inputs, None if self.labels is None else self.labels[picked]
        )

    @property
    def truth(self) -> IntArray:
        """The labels.

        Raises:
            DataError: there are none.
        """
        if self.labels is None:
            raise DataError("these items have no labels", where=f"item {self.ids[0]!r}" if self.ids else None)
        return self.labels


def one_hot(labels: IntArray, classes: int) -> FloatArray:
    """Classes [N] as distributions [N, K]."""
    found: FloatArray = np.eye(classes)[labels]
    return found


def kept_apart(parts: Mapping[str, Items], others: Mapping[str, Items] | None = None) -> None:
    """Nothing if no id is in two of ``parts``, or in the last of them and one of ``others``.

    Raises:
        DataError: an item in two parts; names it and them.
    """
    pairs = [*combinations(parts.items(), 2)]
    pairs += [((name, part), list(parts.items())[-1]) for name, part in (others or {}).items()]
    for (name, part), (other, rest) in pairs:
        shared = sorted(set(part.ids) & set(rest.ids))
        if shared:
            raise DataError(
                f"{len(shared)} items are in {name} and in {other}",
                where=f"item {shared[0]!r}",
                hint="every item in one part only: what was learnt cannot be the test",
            )


def joined(first: Items, second: Items) -> Items:
    """Both, without truth unless both have it."""
    arrays = hasattr(first.inputs, "shape") and hasattr(second.inputs, "shape")
    inputs = np.concatenate([first.inputs, second.inputs]) if arrays else [*first.inputs, *second.inputs]
    known = first.labels is not None and second.labels is not None
    labels = np.concatenate([first.truth, second.truth]) if known else None
    return Items((*first.ids, *second.ids), inputs, labels)
