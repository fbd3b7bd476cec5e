"""Selections and rankings by groups that the user named: rates, ratios and their intervals, or a refusal."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, RangeError, ShapeError
from tutelage.stats.checks import Labels, cluster_codes, finite_vector
from tutelage.stats.independent import difference_bounds, ratio_bounds
from tutelage.stats.intervals import share_interval
from tutelage.stats.resampling import bootstrap_interval, check_settings, cluster_table, resampled_totals
from tutelage.types import Estimate

__all__ = ["FairnessReport", "GroupFacts", "GroupGap", "exposure", "fairness_report"]

Floats = npt.NDArray[np.float64]
Bounds = Callable[[Estimate, Estimate], tuple[float, float]]
FOUR_FIFTHS = 0.8
_MEMBERS, _SELECTED, _EXPOSED, _POSITIVE, _TRUE, _NEGATIVE, _FALSE = range(7)
_COLUMNS = 7
_SHARES = {_SELECTED: _MEMBERS, _TRUE: _POSITIVE, _FALSE: _NEGATIVE}
"""What is selected, and out of what."""


@dataclass(frozen=True)
class GroupFacts:
    """One group: persons in it, rows of them, the share that was selected and the mean exposure."""

    name: str
    persons: int
    rows: int
    selected: Estimate
    exposure: Estimate


@dataclass(frozen=True)
class GroupGap:
    """One group against the reference.

    Attributes:
        name: of the group.
        selection_ratio: its selection rate over the reference's; None where nobody of the reference was selected.
        four_fifths: "kept" when the whole interval of that ratio lies at or above 0.8, "broken" when below, else
            "not decided".
        exposure_ratio: its mean exposure over the reference's; None where that is 0.
        equal_opportunity: its rate of selection among the qualified minus the reference's; None without ``qualified``,
            or with too few qualified persons.
        equalised_odds: the larger of the gaps among the qualified and among the others, without sign; None likewise.
    """

    name: str
    selection_ratio: Estimate | None
    four_fifths: Literal["kept", "broken", "not decided"]
    exposure_ratio: Estimate | None
    equal_opportunity: Estimate | None
    equalised_odds: Estimate | None


@dataclass(frozen=True)
class FairnessReport:
    """What was found; ``refused`` names groups of fewer than ``minimum`` persons, with their size and nothing else."""

    reference: str | None
    groups: tuple[GroupFacts, ...]
    gaps: tuple[GroupGap, ...]
    refused: dict[str, int]
    minimum: int


def exposure(ranks: npt.ArrayLike) -> Floats:
    r"""How much a place in a ranking is seen, :math:`1/\log_2(1+rank)` [N], for ranks from 1.

    Raises:
        RangeError: a rank below 1.

    Source: the discount of nDCG; as exposure in Singh and Joachims 2018.

    Example:
        >>> exposure([1, 3]).tolist()
        [1.0, 0.5]
    """
    places = finite_vector(ranks, "ranks")
    if (places < 1).any():
        raise RangeError("ranks begin with 1")
    return np.asarray(1 / np.log2(1 + places), dtype=np.float64)


def fairness_report(
    groups: Labels,
    selected: npt.ArrayLike,
    exposed: npt.ArrayLike,
    *,
    person: Labels | None = None,
    qualified: npt.ArrayLike | None = None,
    reference: str | None = None,
    minimum: int = 30,
    level: float = 0.95,
    resamples: int = 10_000,
    seed: int = 0,
) -> FairnessReport:
    """Selection rates, four-fifths ratio, equal opportunity, equalised odds and exposure of groups.

    A row is one person under one job. Persons are resampled whole, so that rows of one person count as one; that
    rankings of one job are not independent of each other is not covered. Where nobody or everybody of a group was
    selected, resamples all say the same: there the interval of a rate is Wilson's, and what is made of two rates
    reaches as far as both allow (:mod:`tutelage.stats.independent`). The reference that is found in the data (the
    highest selection rate) is the same in every resample, so ratios of several groups lean below 1 by chance; name it
    beforehand to avoid that. A group below ``minimum`` persons is refused rather than estimated.

    Args:
        groups: as the user named them [N]; never inferred.
        selected: 1 where the row was selected, else 0 [N].
        exposed: exposure of the row's rank [N], see :func:`exposure`.
        person: whose row it is [N]; None: every row another person.
        qualified: 1 where the person suits the job, 0 where not, NaN where nobody judged [N]; such rows count for
            all but equal opportunity and equalised odds.
        reference: the group that others are compared with; None: the one with the highest selection rate.
        minimum: persons that a group needs.
        level: confidence level.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Raises:
        DataError: no rows, a person in two groups, an unknown or too small reference.
        ShapeError: vectors of different length.
        NumericalError: NaN or infinity.
        RangeError: selections or qualifications other than 0 and 1, a minimum below 2, a bad level.

    Source: the four-fifths rule of the US Uniform Guidelines 1978; equal opportunity and equalised odds of Hardt, Price
        and Srebro 2016; TraceMatch (arXiv 2202.08960) asks for such checks.

    Example:
        >>> report = fairness_report(["a"] * 40 + ["b"] * 40, [1, 0] * 20 + [1, 0, 0, 0] * 10, [0.5] * 80)
        >>> report.reference, report.gaps[0].selection_ratio.value, report.gaps[0].four_fifths
        ('a', 0.5, 'not decided')
    """
    check_settings(resamples, level)
    if minimum < 2:
        raise RangeError(f"a group of {minimum} persons says nothing", hint="30 is the default")
    chosen, seen = _flags(selected, "selected"), finite_vector(exposed, "exposed")
    fit = None if qualified is None else _judged(qualified)
    names = [str(one) for one in groups]
    if not chosen.size == len(names) == seen.size or (fit is not None and fit.size != chosen.size):
        raise ShapeError(f"{len(names)} groups, {chosen.size} selections and {seen.size} exposures")
    people = cluster_codes(person, chosen.size, "person")
    sizes = _sizes(names, people)
    kept = [kind for kind, size in sizes.items() if size >= minimum]
    refused = {kind: size for kind, size in sizes.items() if size < minimum}
    if reference is not None and reference not in kept:
        known = f"one of {', '.join(kept)}" if kept else f"no group has {minimum} persons"
        raise DataError(f"the reference {reference!r} is no group of at least {minimum} persons", hint=known)
    if not kept:
        return FairnessReport(None, (), (), refused, minimum)
    columns = np.zeros((chosen.size, len(kept), _COLUMNS))
    suited: list[tuple[bool, bool]] = []
    for place, kind in enumerate(kept):
        own = np.array([name == kind for name in names], dtype=np.float64)
        good, bad = (own * (0 if fit is None else fit == value) for value in (1, 0))
        columns[:, place] = np.stack([own, own * chosen, own * seen, good, good * chosen, bad, bad * chosen], axis=1)
        suited.append((np.unique(people[good > 0]).size >= minimum, np.unique(people[bad > 0]).size >= minimum))
    table = cluster_table(columns.reshape(chosen.size, -1), people)
    drawn = resampled_totals(table, resamples, np.random.default_rng(seed))
    sums = _Sums(table.sum(axis=0).reshape(1, len(kept), -1), drawn.reshape(resamples, len(kept), -1), level, seed)
    sums.persons = [sizes[kind] for kind in kept]
    for place in range(len(kept)):
        for part, whole in _SHARES.items():
            rows = columns[:, place, whole] > 0
            if rows.any():
                sums.shares[place, part] = share_interval(columns[rows, place, part], people[rows], level=level)
    facts = tuple(
        GroupFacts(
            kind,
            sizes[kind],
            int(sums.whole[0, place, _MEMBERS]),
            sums.rate(place, _SELECTED),
            sums.estimate(lambda some, at=place: _rate(some, at, _EXPOSED, _MEMBERS), place),  # type: ignore[misc]
        )
        for place, kind in enumerate(kept)
    )
    named = reference or max(facts, key=lambda one: one.selected.value).name
    base = kept.index(named)
    gaps = tuple(
        _gap(sums, kind, place, base, [a and b for a, b in zip(suited[place], suited[base], strict=True)])
        for place, kind in enumerate(kept)
        if kind != named
    )
    return FairnessReport(named, facts, gaps, refused, minimum)


def _sizes(names: list[str], people: npt.NDArray[np.intp]) -> dict[str, int]:
    """Persons in every group."""
    homes: dict[int, str] = {}
    for row, (name, one) in enumerate(zip(names, people.tolist(), strict=True)):
        if homes.setdefault(one, name) != name:
            raise DataError(f"a person is in the groups {homes[one]!r} and {name!r}", where=f"row {row}")
    return {kind: sum(home == kind for home in homes.values()) for kind in sorted(set(names))}


@dataclass
class _Sums:
    """Sums of every column of every group, of the data [1, G, 7] and of the resamples [B, G, 7]."""

    whole: Floats
    drawn: Floats
    level: float
    seed: int
    persons: list[int] = field(default_factory=list)
    shares: dict[tuple[int, int], Estimate] = field(default_factory=dict)

    def rate(self, place: int, part: int) -> Estimate:
        """A group's share that was selected; Wilson's interval where that is none or all."""
        found = self.estimate(lambda some: _rate(some, place, part, _SHARES[part]), place)
        return replace(self.shares[place, part], seed=self.seed) if found.value in (0.0, 1.0) else found

    def widened(self, found: Estimate, place: int, base: int, parts: Sequence[int], of: Bounds) -> Estimate:
        """``found`` with the ends of two Wilson intervals where a rate is 0 or 1, of which resamples see no spread."""
        low, high, name = found.low, found.high, found.method
        for part in parts:
            first, second = self.shares[place, part], self.shares[base, part]
            if {first.value, second.value} & {0.0, 1.0}:
                ends = of(first, second)
                low, high, name = min(low, ends[0]), max(high, ends[1]), f"{found.method}, and wilson"
        return replace(found, low=low, high=high, method=name)

    def estimate(self, statistic: Callable[[Floats], Floats], *places: int) -> Estimate:
        """The statistic with its interval; it counts the persons and rows of the groups it is made of."""
        persons = sum(self.persons[place] for place in places)
        rows = int(sum(self.whole[0, place, _MEMBERS] for place in places))
        with np.errstate(divide="ignore", invalid="ignore"):
            value, values = statistic(self.whole)[0], statistic(self.drawn)
        widest = Estimate(float(value), -math.inf, math.inf, self.level, "", rows, persons, self.seed)
        return bootstrap_interval(np.where(np.isfinite(values), values, np.nan), widest)


def _rate(sums: Floats, place: int, part: int, whole: int) -> Floats:
    return np.asarray(sums[:, place, part] / sums[:, place, whole], dtype=np.float64)


def _gap(sums: _Sums, kind: str, place: int, base: int, enough: list[bool]) -> GroupGap:
    def ratio(part: int) -> Estimate | None:
        if not sums.whole[0, base, part]:
            return None
        return sums.estimate(
            lambda some: _rate(some, place, part, _MEMBERS) / _rate(some, base, part, _MEMBERS), place, base
        )

    def true(some: Floats) -> Floats:
        return _rate(some, place, _TRUE, _POSITIVE) - _rate(some, base, _TRUE, _POSITIVE)

    def false(some: Floats) -> Floats:
        return _rate(some, place, _FALSE, _NEGATIVE) - _rate(some, base, _FALSE, _NEGATIVE)

    def odds(some: Floats) -> Floats:
        return np.maximum(np.abs(true(some)), np.abs(false(some)))

    selection = ratio(_SELECTED)
    if selection is not None:
        selection = sums.widened(selection, place, base, [_SELECTED], ratio_bounds)
    opportunity = equalised = None
    if enough[0]:
        opportunity = sums.widened(sums.estimate(true, place, base), place, base, [_TRUE], difference_bounds)
    if all(enough):
        equalised = sums.widened(sums.estimate(odds, place, base), place, base, [_TRUE, _FALSE], _without_sign)
    return GroupGap(kind, selection, _four_fifths(selection), ratio(_EXPOSED), opportunity, equalised)


def _without_sign(first: Estimate, second: Estimate) -> tuple[float, float]:
    """Ends of the difference without its sign."""
    low, high = difference_bounds(first, second)
    return (0.0 if low <= 0 <= high else min(abs(low), abs(high))), max(abs(low), abs(high))


def _four_fifths(ratio: Estimate | None) -> Literal["kept", "broken", "not decided"]:
    if ratio is None:
        return "not decided"
    return "kept" if ratio.low >= FOUR_FIFTHS else "broken" if ratio.high < FOUR_FIFTHS else "not decided"


def _judged(values: npt.ArrayLike) -> Floats:
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or not np.isin(found[~np.isnan(found)], (0, 1)).all():
        raise RangeError("qualified must hold 0, 1 and NaN only")
    return found


def _flags(values: npt.ArrayLike, name: str) -> Floats:
    found = finite_vector(values, name)
    if not np.isin(found, (0, 1)).all():
        raise RangeError(f"{name} must hold 0 and 1 only")
    return found
