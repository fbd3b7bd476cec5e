"""What a new system breaks and mends, item by item."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from tutelage.errors import RangeError, ShapeError
from tutelage.stats.alignment import Aligned, align
from tutelage.stats.checks import cluster_codes
from tutelage.stats.independent import difference_bounds
from tutelage.stats.intervals import mean_interval, proportion_interval, share_interval
from tutelage.stats.paired_proportions import PairedCounts, mcnemar
from tutelage.stats.resampling import bootstrap_interval, check_settings, resampled_cells
from tutelage.types import Estimate, Scores

__all__ = ["FlipReport", "Flips", "GradedFlips", "Quadrant", "flip_report", "negative_flips", "self_flips"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.intp]
_CELLS = ("neither", "only_new", "only_old", "both")  # 2 * (old right) + (new right)


@dataclass(frozen=True)
class Flips:
    """Items that changed between right and wrong from a to b.

    ``negative_rate`` is the share of all items that a had right and b has wrong, ``positive_rate`` the reverse;
    ``negative`` and ``positive`` are their ids, ``n`` the number of items compared.
    """

    n: int
    negative: tuple[str, ...]
    positive: tuple[str, ...]
    negative_rate: Estimate
    positive_rate: Estimate


@dataclass(frozen=True)
class Quadrant:
    """Items of one cell of right or wrong, before and after; of these, how many got the same answer both times."""

    items: int
    same: int | None


@dataclass(frozen=True)
class GradedFlips:
    """Flips of scores that are not just right or wrong: every change of more than ``dead_band``.

    ``negative_rate`` and ``positive_rate`` are the shares of items that got worse and better, ``regression`` and
    ``gain`` the mean size of those changes in the metric's unit (None where there is none). With ``dead_band`` 0 the
    smallest change counts, and two runs of one system show rates near one half.
    """

    negative: tuple[str, ...]
    positive: tuple[str, ...]
    negative_rate: Estimate
    positive_rate: Estimate
    regression: Estimate | None
    gain: Estimate | None
    dead_band: float


@dataclass(frozen=True)
class FlipReport:
    r"""What the new system broke and mended. What is not defined is None, and ``undefined`` says why.

    Attributes:
        n: items compared.
        basis: ``"right or wrong"``, or ``"graded"`` where no threshold says what is right.
        negative: ids that the old system had right and the new one has wrong (graded: that got worse).
        positive: the reverse.
        negative_rate: NFR, share of all items. Its level is that of the report, as of all intervals here.
        positive_rate: PFR.
        both_correct: BTC, share of what the old system had right that the new one still has.
        quadrants: ``"both"``, ``"only_old"``, ``"only_new"``, ``"neither"``.
        negative_rate_choice: NFR_mc, share of items that are wrong now with another answer than before.
        floor: :math:`\max(0, acc_1-acc_2)`: no NFR is smaller at these accuracies.
        independent: :math:`acc_1(1-acc_2)`: the NFR of two unrelated systems of these accuracies.
        relative: NFR over ``independent``: 0 none, 1 as many as unrelated systems; compares across accuracies.
        graded: the same by size of change, where scores are not just 0 and 1.
        mcnemar_p: mid-p value that negative and positive flips are equally likely; items must be independent.
        undefined: name of what is None, and why.
    """

    n: int
    basis: Literal["right or wrong", "graded"]
    negative: tuple[str, ...]
    positive: tuple[str, ...]
    negative_rate: Estimate
    positive_rate: Estimate
    both_correct: Estimate | None = None
    quadrants: Mapping[str, Quadrant] | None = None
    negative_rate_choice: Estimate | None = None
    floor: float | None = None
    independent: float | None = None
    relative: Estimate | None = None
    graded: GradedFlips | None = None
    mcnemar_p: float | None = None
    undefined: Mapping[str, str] = field(default_factory=dict)

    def excess(self, baseline: Estimate) -> Estimate:
        r"""Negative flips beyond those of the old system against itself (see :func:`self_flips`).

        With the intervals of both rates,
        :math:`d-\sqrt{(p-l)^2+(u_0-p_0)^2}` to :math:`d+\sqrt{(u-p)^2+(p_0-l_0)^2}`. Both are treated as independent;
        measured on the same items they go together, so the interval is rather too wide.

        Raises:
            RangeError: intervals of different levels.

        Source: Newcombe 1998 (b), method 10, for any two intervals (Zou and Donner 2008).
        """
        rate = self.negative_rate
        if not math.isclose(rate.level, baseline.level):
            raise RangeError(f"a rate at level {rate.level} and a baseline at {baseline.level}")
        excess = rate.value - baseline.value
        low, high = difference_bounds(rate, baseline)
        n, clusters = min(rate.n, baseline.n), min(rate.n_clusters, baseline.n_clusters)
        return Estimate(excess, max(-1.0, low), min(1.0, high), rate.level, "square and add", n, clusters)


def flip_report(
    old: Scores,
    new: Scores,
    *,
    right_from: float | None = None,
    choices: tuple[Sequence[str], Sequence[str]] | None = None,
    dead_band: float = 0.0,
    level: float = 0.95,
    seed: int = 0,
    resamples: int = 10_000,
) -> FlipReport:
    """Everything about the items that two systems answer differently.

    Rates have Wilson intervals, on the effective size where items come in clusters; ``relative`` has an expanded
    percentile bootstrap interval; sizes of changes have t intervals. Missing scores are refused: see
    :func:`tutelage.stats.align` for other policies.

    Args:
        old: scores of the system in use.
        new: scores of the one that may replace it.
        right_from: the score at which an item counts as right (where lower is better: up to which). Scores other than
            0 and 1 without it are compared by size only.
        choices: the answers taken, in the order of the ids of ``old`` and of ``new``; for NFR_mc and ``same``.
        dead_band: a graded score may move so far, in the metric's unit, without counting as a flip.
        level: confidence level.
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        DataError, NumericalError: see :func:`tutelage.stats.align`.
        ShapeError: not one answer for every item.
        RangeError: a dead band below 0, a level outside (0, 1), too few resamples.

    Source: Yan et al. 2021 for negative flips and their relative form; Echterhoff et al. 2024 (MUSCLE, arXiv
        2407.09435) for NFR_mc, BTC and the graded forms. Floor, independence rate and dead band: own derivation.

    Example:
        >>> ids = ("w", "x", "y", "z")
        >>> report = flip_report(Scores("m", ids, np.array([1.0, 1, 0, 0])), Scores("m", ids, np.array([0.0, 1, 1, 0])))
        >>> report.negative, report.negative_rate.value, report.floor, report.relative.value
        (('w',), 0.25, 0.0, 1.0)
    """
    check_settings(resamples, level)
    if not 0 <= dead_band < math.inf:
        raise RangeError(f"a dead band is at least 0 and finite, not {dead_band}")
    pairs = align(old, new)
    codes = None if pairs.clusters is None else cluster_codes(pairs.clusters, len(pairs.ids))
    sign = 1.0 if old.higher_is_better else -1.0
    graded = None if pairs.proportion else _graded(pairs, codes, sign * (pairs.b - pairs.a), dead_band, level)
    if graded is not None and right_from is None:
        return _by_size(pairs, graded)
    threshold = 0.5 if right_from is None else right_from
    before, after = sign * pairs.a >= sign * threshold, sign * pairs.b >= sign * threshold
    same = None if choices is None else _same_answer(old, new, pairs, choices)
    undefined: dict[str, str] = {}
    counts = PairedCounts.of(before, after)

    def share(flags: Flags) -> Estimate:
        return share_interval(flags, codes, level=level)

    report = FlipReport(
        n=len(pairs.ids),
        basis="right or wrong",
        negative=_ids(pairs, before & ~after),
        positive=_ids(pairs, after & ~before),
        negative_rate=share(before & ~after),
        positive_rate=share(after & ~before),
        both_correct=_kept(before, after, codes, level, undefined),
        quadrants=_quadrants(before, after, same),
        negative_rate_choice=None if same is None else share(~after & ~same),
        floor=max(0.0, float(before.mean() - after.mean())),
        independent=float(before.mean() * (1 - after.mean())),
        relative=_relative(before, after, codes, (level, seed, resamples), undefined),
        graded=graded,
        mcnemar_p=mcnemar(counts) if pairs.clusters is None else None,
        undefined=undefined,
    )
    if same is None:
        undefined["negative_rate_choice"] = "the answers taken were not given"
    if pairs.clusters is not None:
        undefined["mcnemar_p"] = "items come in clusters; see the sign-flip test of whole clusters"
    if graded is None:
        undefined["graded"] = "every score is 0 or 1"
    return report


def negative_flips(a: Scores, b: Scores, *, right_from: float | None = None, level: float = 0.95) -> Flips:
    """What the newer system b breaks and mends, item by item: the short form of :func:`flip_report`.

    Args:
        a: scores of the older system.
        b: scores of the newer one.
        right_from: the score at which an item counts as right; needed when scores are not 0 or 1. Where lower scores
            are better, the score up to which it counts as right.
        level: confidence level of the two rates (Wilson, on the effective size where items come in clusters).

    Raises:
        RangeError: scores other than 0 and 1 without ``right_from``.
        DataError, NumericalError: see :func:`tutelage.stats.align`.

    Source: the negative flip rate of Yan et al. 2021 (positive-congruent training).

    Example:
        >>> ids = ("x", "y", "z")
        >>> negative_flips(Scores("m", ids, np.array([1.0, 1, 0])), Scores("m", ids, np.array([0.0, 1, 1]))).negative
        ('x',)
    """
    report = flip_report(a, b, right_from=right_from, level=level, resamples=100)
    if report.basis == "graded":
        raise RangeError(
            f"{a.metric}: flips need to know which scores count as right", hint="pass right_from=THRESHOLD"
        )
    return Flips(report.n, report.negative, report.positive, report.negative_rate, report.positive_rate)


def self_flips(
    run1: Scores, run2: Scores, *, right_from: float | None = None, dead_band: float = 0.0, level: float = 0.95
) -> Estimate:
    """Negative flip rate of a system against itself: what decoding at random breaks without any update.

    Both directions are equally likely between two runs of one system, so it is half the share of items that differ,
    which uses twice the data of counting one direction. Compare with :meth:`FlipReport.excess`.

    Args:
        run1: scores of one run.
        run2: scores of a second run of the same system, with another decoding seed.
        right_from: see :func:`flip_report`.
        dead_band: see :func:`flip_report`.
        level: confidence level (Wilson's interval of the share that differs, halved).

    Raises:
        DataError, NumericalError, RangeError: see :func:`flip_report`.

    Source: own derivation.

    Example:
        >>> ids = ("w", "x", "y", "z")
        >>> one, two = Scores("m", ids, np.array([1.0, 1, 0, 0])), Scores("m", ids, np.array([0.0, 1, 1, 0]))
        >>> self_flips(one, two).value
        0.25
    """
    report = flip_report(run1, run2, right_from=right_from, dead_band=dead_band, level=level, resamples=100)
    flipped = set(report.negative) | set(report.positive)
    pairs = align(run1, run2)
    share = share_interval([i in flipped for i in pairs.ids], pairs.clusters, level=level)
    halves = share.value / 2, share.low / 2, share.high / 2
    return Estimate(*halves, level, f"half of {share.method}", share.n, share.n_clusters)


def _ids(pairs: Aligned, flags: Flags) -> tuple[str, ...]:
    return tuple(pairs.ids[i] for i in np.flatnonzero(flags).tolist())


def _graded(pairs: Aligned, codes: Codes | None, change: Floats, dead_band: float, level: float) -> GradedFlips:
    line = dead_band + 1e-12 * max(1.0, float(np.abs(pairs.a).max()))  # 0.8 - 0.7 is no more than 0.1
    worse, better = change < -line, change > line

    def size(flags: Flags) -> Estimate | None:
        within = None if codes is None else codes[flags]
        return mean_interval(np.abs(change[flags]), within, level=level) if flags.any() else None

    return GradedFlips(
        negative=_ids(pairs, worse),
        positive=_ids(pairs, better),
        negative_rate=share_interval(worse, codes, level=level),
        positive_rate=share_interval(better, codes, level=level),
        regression=size(worse),
        gain=size(better),
        dead_band=dead_band,
    )


def _by_size(pairs: Aligned, graded: GradedFlips) -> FlipReport:
    counts = PairedCounts(0, len(graded.negative), len(graded.positive), 0)
    without = ("both_correct", "quadrants", "negative_rate_choice", "floor", "independent", "relative")
    undefined = dict.fromkeys(without, "no threshold says which scores are right")
    if pairs.clusters is not None:
        undefined["mcnemar_p"] = "items come in clusters; see the sign-flip test of whole clusters"
    return FlipReport(
        n=len(pairs.ids),
        basis="graded",
        negative=graded.negative,
        positive=graded.positive,
        negative_rate=graded.negative_rate,
        positive_rate=graded.positive_rate,
        graded=graded,
        mcnemar_p=mcnemar(counts) if pairs.clusters is None else None,
        undefined=undefined,
    )


def _same_answer(old: Scores, new: Scores, pairs: Aligned, choices: tuple[Sequence[str], Sequence[str]]) -> Flags:
    taken: list[list[str]] = []
    for scores, answers in zip((old, new), choices, strict=True):
        if len(answers) != len(scores.ids):
            raise ShapeError(f"{scores.metric}: {len(scores.ids)} items but {len(answers)} answers")
        place = dict(zip(scores.ids, answers, strict=True))
        taken.append([place[item] for item in pairs.ids])
    return np.array([x == y for x, y in zip(*taken, strict=True)], dtype=bool)


def _quadrants(before: Flags, after: Flags, same: Flags | None) -> dict[str, Quadrant]:
    cells = 2 * before.astype(np.intp) + after
    items = np.bincount(cells, minlength=4)
    alike = None if same is None else np.bincount(cells[same], minlength=4)
    found = {name: Quadrant(int(items[i]), None if alike is None else int(alike[i])) for i, name in enumerate(_CELLS)}
    return {name: found[name] for name in reversed(_CELLS)}


def _kept(before: Flags, after: Flags, codes: Codes | None, level: float, undefined: dict[str, str]) -> Estimate | None:
    if not before.any():
        undefined["both_correct"] = "the old system has nothing right"
        return None
    return share_interval(after[before], None if codes is None else codes[before], level=level)


def _relative(
    before: Flags, after: Flags, codes: Codes | None, settings: tuple[float, int, int], undefined: dict[str, str]
) -> Estimate | None:
    """Negative flips over those of unrelated systems of the same accuracies."""
    level, seed, resamples = settings
    n = before.size
    clusters = n if codes is None else int(codes.max()) + 1
    expected = float(before.mean() * (1 - after.mean()))
    if expected == 0:
        nothing = "the old system has nothing right" if not before.any() else "the new system has nothing wrong"
        undefined["relative"] = f"{nothing}, so nothing could break"
        return None
    rate = float((before & ~after).mean())
    value = rate / expected
    drawn = resampled_cells(2 * before.astype(np.intp) + after, 4, codes, resamples, np.random.default_rng(seed))
    unrelated = (drawn[:, 2] + drawn[:, 3]) * (drawn[:, 0] + drawn[:, 2])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.where(unrelated > 0, drawn[:, 2] * drawn.sum(axis=1) / unrelated, np.nan)
    found = bootstrap_interval(ratios, Estimate(value, 0.0, math.inf, level, "", n, clusters, seed))
    if rate == 0:  # no flip seen is not none possible: the upper end is that of the rate
        found = replace(found, high=proportion_interval(0, clusters, level=level).high / expected)
    return found
