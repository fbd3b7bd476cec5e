"""Can the new model search what the old one stored? Every pair of versions, item by item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from tutelage.errors import NumericalError, RangeError, ShapeError
from tutelage.stats import paired_bootstrap
from tutelage.types import Estimate, FloatArray

__all__ = ["CompatibilityMatrix", "Gain", "compatibility_matrix"]

Gallery = Literal["template", "instances"]


@dataclass(frozen=True)
class Gain:
    """``delta``: how much better new queries search an old gallery than old queries did, with its interval."""

    delta: Estimate

    @property
    def compatible(self) -> bool | None:
        """Whether the update is compatible; None when the interval holds 0."""
        if self.delta.low > 0:
            return True
        return False if self.delta.high <= 0 else None


@dataclass(frozen=True)
class CompatibilityMatrix:
    """Search results of all pairs of T versions: ``items`` [T, T, N] in [0, 1], NaN above the diagonal.

    ``items[i, j, n]``: query n embedded by version i, gallery by version j; i = j is a version on its own gallery.
    """

    items: FloatArray

    @property
    def means(self) -> FloatArray:
        """C [T, T]: the mean over the queries; NaN above the diagonal."""
        return np.asarray(self.items.mean(axis=2))

    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(new, old) for every update, new > old."""
        versions = range(len(self.items))
        return tuple((new, old) for new in versions for old in versions if new > old)

    def average_compatibility(self) -> float:
        r"""AC: the share of updates with :math:`C_{ij} > C_{jj}`; ties are incompatible.

        A count over few pairs, all or nothing in each: read it beside :meth:`gains`. A pair whose own-gallery value is
        near 0 is easily "compatible" and worth nothing.
        """
        found = [self.means[new, old] > self.means[old, old] for new, old in self.pairs()]
        return float(np.mean(found))

    def average_accuracy(self) -> float:
        """AM: the mean of C over the diagonal and below."""
        return float(self.means[np.tril_indices(len(self.items))].mean())

    def accuracies(self) -> FloatArray:
        """Per query [N], its mean over the diagonal and below; their mean is AM."""
        rows, columns = np.tril_indices(len(self.items))
        return np.asarray(self.items[rows, columns].mean(axis=0))

    def gains(self) -> FloatArray:
        """Per query [N], the mean over all updates of new against old gallery minus old against old gallery."""
        found = [self.items[new, old] - self.items[old, old] for new, old in self.pairs()]
        return np.asarray(np.mean(found, axis=0))

    def gain(self, new: int, old: int, *, seed: int = 0) -> Gain:
        """Whether version ``new`` may search the gallery of ``old``, by a paired bootstrap over the queries.

        Raises:
            RangeError: not an update of this matrix.
        """
        if (new, old) not in self.pairs():
            raise RangeError(f"({new}, {old}) is no update of {len(self.items)} versions", hint="the newer one first")
        return Gain(paired_bootstrap(self.items[old, old], self.items[new, old], seed=seed).delta)


def compatibility_matrix(
    queries: Sequence[npt.ArrayLike],
    galleries: Sequence[npt.ArrayLike],
    query_labels: npt.ArrayLike,
    gallery_labels: npt.ArrayLike,
    *,
    gallery: Gallery = "template",
    metric: str = "top1",
) -> CompatibilityMatrix:
    """Search every older gallery with every version's queries, by cosine.

    Args:
        queries: per version [N, D], features of the queries.
        galleries: per version [M, D], features of the gallery. No query may stand in it.
        query_labels: [N].
        gallery_labels: [M].
        gallery: "template" compares with the mean feature of each class (easier), "instances" with every item.
        metric: "top1"; "recall@k", whether one of the k nearest is of the query's class; or "map", average precision.

    Ties are broken against the query, so that features fallen together to a point find nothing.

    Raises:
        NumericalError: NaN or infinity.
        ShapeError: versions of different width (map them to one space first), labels that do not fit.
        RangeError: fewer than two versions, an unknown gallery or metric.

    Source: Biondi et al. 2024 (arXiv 2405.02581), the official code's evaluation; per query here.

    Example:
        >>> same = [[1.0, 0.0], [0.0, 1.0]]
        >>> found = compatibility_matrix([same, same], [same, same], [0, 1], [0, 1])
        >>> found.average_accuracy(), found.average_compatibility()
        (1.0, 0.0)
    """
    if len(queries) != len(galleries) or len(queries) < 2:
        raise RangeError(f"{len(queries)} versions of queries and {len(galleries)} of galleries", hint="two or more")
    if gallery not in ("template", "instances"):
        raise RangeError(f"gallery is {gallery!r}", hint="template or instances")
    asked, stored = np.asarray(query_labels), np.asarray(gallery_labels)
    left = [_unit(one, len(asked), f"queries of version {i}") for i, one in enumerate(queries)]
    kept, labels = [], stored
    for i, one in enumerate(galleries):
        rows = _unit(one, len(stored), f"gallery of version {i}", normalise=gallery == "instances")
        if gallery == "template":
            rows, labels = _templates(rows, stored)
        kept.append(rows)
    if len({one.shape[1] for one in [*left, *kept]}) != 1:
        raise ShapeError(f"features of {[one.shape[1] for one in left]} dimensions", hint="map them to one space first")
    items = np.full((len(left), len(left), len(asked)), np.nan)
    for new in range(len(left)):
        for old in range(new + 1):
            items[new, old] = _searched(left[new] @ kept[old].T, asked, labels, metric)
    return CompatibilityMatrix(items)


def _unit(value: npt.ArrayLike, count: int, where: str, *, normalise: bool = True) -> FloatArray:
    rows = np.asarray(value, dtype=np.float64)
    if rows.ndim != 2 or len(rows) != count or not count:
        raise ShapeError(f"features of shape {rows.shape} for {count} labels", where=where)
    if not np.isfinite(rows).all():
        raise NumericalError("features hold NaN or infinity", where=where)
    return _normalised(rows) if normalise else rows


def _normalised(rows: FloatArray) -> FloatArray:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def _templates(rows: FloatArray, labels: npt.NDArray[np.generic]) -> tuple[FloatArray, npt.NDArray[np.generic]]:
    kinds = np.unique(labels)
    return _normalised(np.stack([rows[labels == kind].mean(axis=0) for kind in kinds])), kinds


def _searched(
    scores: FloatArray, asked: npt.NDArray[np.generic], stored: npt.NDArray[np.generic], metric: str
) -> FloatArray:
    """One value a query from its scores [N, M]; among equal scores the wrong ones come first."""
    right = asked[:, None] == stored[None, :]
    order = np.lexsort((right, -np.round(scores, 12)), axis=1)
    ranked = np.take_along_axis(right, order, axis=1)
    if metric == "top1":
        return np.asarray(ranked[:, 0], dtype=np.float64)
    name, _, k = metric.partition("@")
    if name == "recall" and k.isdecimal() and int(k) > 0:
        return np.asarray(ranked[:, : int(k)].any(axis=1), dtype=np.float64)
    if metric == "map":
        precision = ranked.cumsum(axis=1) / np.arange(1, ranked.shape[1] + 1)
        return np.asarray((precision * ranked).sum(axis=1) / np.maximum(ranked.sum(axis=1), 1))
    raise RangeError(f"metric is {metric!r}", hint="top1, map or recall@k")
