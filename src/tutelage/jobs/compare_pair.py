"""One metric of two systems on the same items: the one place where before is held against after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tutelage.errors import DataError
from tutelage.stats import FlipReport, compare, estimate, flip_report
from tutelage.stats.intervals import unseen_share
from tutelage.types import Comparison, Estimate, Scores

__all__ = ["Basis", "Pair", "Paired", "compare_pair", "pair_of"]


@dataclass(frozen=True)
class Basis:
    """How numbers are compared, fixed before they are read.

    ``level`` of intervals; ``seed`` and ``resamples`` of the bootstrap; ``smallest_effect`` is the difference that
    matters, in the metric's unit: without one nothing is called tied.
    """

    level: float = 0.95
    seed: int = 0
    resamples: int = 10_000
    smallest_effect: float | None = None


@dataclass(frozen=True)
class Pair:
    """Scores [N] of both systems on their common items, in one order and without gaps.

    ``choices`` are the answers taken, old and new, where the metric is of a choice. ``old_missing`` and
    ``new_missing`` name common items that one side (or both) has no score for: they are left out of the scores.
    """

    old: Scores
    new: Scores
    choices: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    old_missing: tuple[str, ...] = ()
    new_missing: tuple[str, ...] = ()
    _known: dict[Basis, Comparison] = field(default_factory=dict, repr=False, compare=False)

    def change(self, basis: Basis) -> Comparison:
        """New minus old, as :func:`tutelage.stats.compare` has it; resampled once however often it is asked for."""
        if basis not in self._known:
            found = compare(
                self.old,
                self.new,
                smallest_effect=basis.smallest_effect,
                level=basis.level,
                seed=basis.seed,
                resamples=basis.resamples,
            )
            delta = _allowing_for_unseen(found.delta, self)
            if delta is not found.delta and delta.low <= 0 <= delta.high:
                found = replace(found, outcome="underpowered")
            self._known[basis] = replace(found, delta=delta)
        return self._known[basis]

    @property
    def n(self) -> int:
        """How many items."""
        return len(self.old.ids)

    @property
    def left_out(self) -> int:
        """How many common items lack a score on either side."""
        return len(set(self.old_missing) | set(self.new_missing))

    def where(self, keep: Sequence[int]) -> Pair:
        """The items at these places."""
        choices = None if self.choices is None else (_at(self.choices[0], keep), _at(self.choices[1], keep))
        return Pair(_rows(self.old, keep), _rows(self.new, keep), choices)


@dataclass(frozen=True)
class Paired:
    """What a pair comes to: both levels, the paired change, and what was broken and mended."""

    old: Estimate
    new: Estimate
    change: Comparison
    flips: FlipReport


def pair_of(old: Scores, new: Scores, choices: tuple[Sequence[str], Sequence[str]] | None = None) -> Pair:
    """Both systems' scores on their common items; items without a score (NaN) on either side are set aside, named.

    Args:
        old: scores of the old system.
        new: of the new one, of the same metric.
        choices: the answers taken by the old and by the new system, in the order of their scores.

    Raises:
        DataError: no item in common, or none with a score on both sides.
    """
    place = {item: i for i, item in enumerate(new.ids)}
    left = [i for i, item in enumerate(old.ids) if item in place]
    right = [place[old.ids[i]] for i in left]
    if not left:
        raise DataError(
            f"{old.metric}: the two systems share no item ({len(old.ids)} and {len(new.ids)})",
            where=f"for example {old.ids[:1]} and {new.ids[:1]}",
            hint="score both on the same rows; ids are compared as text",
        )
    gaps, new_gaps = np.isnan(old.values[left]), np.isnan(new.values[right])
    keep = np.flatnonzero(~(gaps | new_gaps))
    if not keep.size:
        raise DataError(f"{old.metric}: no item has a score on both sides", hint="look at why scores are missing")
    left_ids = [old.ids[i] for i in left]
    left, right = [left[i] for i in keep], [right[i] for i in keep]
    taken = None if choices is None else (_at(choices[0], left), _at(choices[1], right))
    return Pair(
        _rows(old, left),
        _rows(new, right),
        taken,
        old_missing=tuple(left_ids[i] for i in np.flatnonzero(gaps)),
        new_missing=tuple(left_ids[i] for i in np.flatnonzero(new_gaps)),
    )


def compare_pair(pair: Pair, basis: Basis, *, dead_band: float = 0.0) -> Paired:
    """Levels, change and flips of one pair.

    Args:
        pair: the scores.
        basis: level, seed, resamples and the smallest effect.
        dead_band: for graded scores, how far a score may move without counting as a change.

    Raises:
        DataError, NumericalError, RangeError: see :func:`tutelage.stats.compare`.
    """
    return Paired(
        old=estimate(pair.old, level=basis.level),
        new=estimate(pair.new, level=basis.level),
        change=pair.change(basis),
        flips=flip_report(
            pair.old,
            pair.new,
            choices=pair.choices,
            dead_band=dead_band,
            level=basis.level,
            seed=basis.seed,
            resamples=basis.resamples,
        ),
    )


def _allowing_for_unseen(delta: Estimate, pair: Pair) -> Estimate:
    """``delta`` itself, or, where every item differs by the same, an interval that allows for items not seen.

    Resampling equal differences gives an interval without width, as if items of another kind could not exist. With
    none of C independent units differing, their share may still be as large as Wilson's :math:`z^2/(C+z^2)`, and each
    can differ by the range of the scores.
    """
    if delta.high > delta.low or not math.isfinite(delta.value):
        return delta
    scores = np.concatenate([pair.old.values, pair.new.values, [0.0, 1.0]])
    half = unseen_share(delta.n_clusters, delta.level) * float(np.ptp(scores))
    low, high = delta.value - half, delta.value + half
    return replace(delta, low=low, high=high, method=f"{delta.method}, all equal")


def _at(column: Sequence[str], rows: Sequence[int]) -> tuple[str, ...]:
    return tuple(column[i] for i in rows)


def _rows(scores: Scores, rows: Sequence[int]) -> Scores:
    return replace(
        scores,
        ids=_at(scores.ids, rows),
        values=scores.values[list(rows)],
        clusters=None if scores.clusters is None else _at(scores.clusters, rows),
        outputs=None if scores.outputs is None else _at(scores.outputs, rows),
    )
