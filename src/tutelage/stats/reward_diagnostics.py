"""What spoils a scorer of solutions: length, and wrong labels of steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, RangeError, ShapeError
from tutelage.stats.checks import Labels, cluster_codes, finite_vector
from tutelage.stats.intervals import share_interval
from tutelage.stats.rank import RankCorrelation, rank_auc, spearman
from tutelage.stats.resampling import check_settings, tails
from tutelage.types import Estimate

__all__ = ["LabelNoise", "LengthBin", "LengthDiagnostic", "label_noise_probe", "length_diagnostic"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LengthBin:
    """Solutions of ``low`` to ``high`` steps, ``steps`` on average, and the area under the ROC curve among them."""

    low: float
    high: float
    steps: float
    n: int
    auc: float


@dataclass(frozen=True)
class LengthDiagnostic:
    """``slope``: change of the AUC per further step (least squares over the bins), with its bootstrap interval.

    ``score_length``: rank correlation of score and length among solutions of one outcome at a time, as
    (right, wrong); None where there are fewer than three. ``skipped`` counts solutions in bins of one outcome only.
    """

    bins: tuple[LengthBin, ...]
    slope: Estimate
    score_length: tuple[RankCorrelation | None, RankCorrelation | None]
    skipped: int


def length_diagnostic(
    scores: npt.ArrayLike,
    correct: npt.ArrayLike,
    n_steps: npt.ArrayLike,
    *,
    bins: Sequence[float] | None = None,
    question: Labels | None = None,
    resamples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> LengthDiagnostic:
    """Does a scorer tell right from wrong less well among long solutions than among short ones?

    The AUC is that of Mann and Whitney, ties counting half, inside each bin of length; so longer solutions being wrong
    more often does not matter. If the scores of steps err independently, a product's noise grows with the number of
    steps and its AUC falls, while a single outcome score has no reason to.

    Args:
        scores: [N] of the solutions, higher is better.
        correct: [N] whether a solution is right.
        n_steps: [N] its number of steps.
        bins: rising borders; a bin holds [border, next), the last one its end too. None: every length on its own.
        question: what is resampled together [N]; None: every solution alone.
        resamples: of the bootstrap of the slope.
        level: confidence level.
        seed: of the bootstrap.

    Raises:
        DataError: fewer than two bins that hold right and wrong solutions.
        ShapeError: vectors of different length.
        RangeError: a value of ``correct`` that is neither 0 nor 1, borders that do not rise, bad settings.
        NumericalError: NaN or infinity.

    Source: own derivation from the argument on length of arXiv 2510.00492.

    Example:
        >>> found = length_diagnostic([1, 0, 1, 0, 1, 0, 0, 1], [1, 0, 1, 0, 1, 0, 1, 0], [2, 2, 2, 2, 4, 4, 4, 4])
        >>> [one.auc for one in found.bins], found.slope.value
        ([1.0, 0.5], -0.25)
    """
    check_settings(resamples, level)
    values, steps = finite_vector(scores, "scores"), finite_vector(n_steps, "n_steps")
    flags = finite_vector(correct, "correct")
    if not values.shape == steps.shape == flags.shape:
        raise ShapeError(f"{values.size} scores, {flags.size} outcomes and {steps.size} numbers of steps")
    if not np.isin(flags, (0, 1)).all():
        raise RangeError("a solution is right (1) or wrong (0)")
    right = flags == 1
    borders = np.unique(steps) if bins is None else finite_vector(bins, "bins")
    if (np.diff(borders) <= 0).any():
        raise RangeError("the borders of bins must rise")
    place = np.searchsorted(borders, steps, side="right") - 1
    if bins is not None:
        place[steps == borders[-1]] = len(borders) - 2
        place[steps > borders[-1]] = -1
    inside = [np.flatnonzero(place == i) for i in range(len(borders))]
    kept = [one for one in inside if 0 < right[one].sum() < one.size]
    if len(kept) < 2:
        raise DataError("fewer than two lengths with right and wrong solutions", hint="wider bins, or more solutions")
    found = tuple(
        LengthBin(
            float(steps[one].min()), float(steps[one].max()), float(steps[one].mean()), one.size,
            rank_auc(values[one], right[one]),
        )
        for one in kept
    )  # fmt: skip
    at = np.array([one.steps for one in found])
    centred = at - at.mean()
    weights = centred / np.square(centred).sum()
    codes = cluster_codes(question, values.size)
    drawn = _slopes(values, right, kept, codes, weights, resamples, seed)
    slope = float(weights @ np.array([one.auc for one in found]))
    clusters = int(codes.max()) + 1
    low, high = (-math.inf, math.inf)
    if clusters > 1 and drawn.size >= resamples // 2:
        low, high = np.quantile(drawn, tails(clusters, level))
    method = "expanded bootstrap of questions" if question is not None else "expanded bootstrap of solutions"
    used = sum(one.size for one in kept)
    interval = Estimate(slope, min(float(low), slope), max(float(high), slope), level, method, used, clusters, seed)
    return LengthDiagnostic(
        found, interval, (_by_length(values, steps, right), _by_length(values, steps, ~right)), values.size - used
    )


def _slopes(
    values: Floats,
    right: npt.NDArray[np.bool_],
    kept: Sequence[npt.NDArray[np.intp]],
    codes: npt.NDArray[np.intp],
    weights: Floats,
    resamples: int,
    seed: int,
) -> Floats:
    """Slopes of resamples in which every bin still holds both outcomes."""
    rng = np.random.default_rng(seed)
    clusters = int(codes.max()) + 1
    tables = []  # which right solutions beat which wrong ones; a resample only counts each pair as often as it is drawn
    for one in kept:
        good, bad = one[right[one]], one[~right[one]]
        wins = (values[good][:, None] > values[bad]) + 0.5 * (values[good][:, None] == values[bad])
        tables.append((codes[good], codes[bad], wins))
    found = []
    for _ in range(resamples):
        times = np.bincount(rng.integers(clusters, size=clusters), minlength=clusters).astype(np.float64)
        aucs = []
        for good_codes, bad_codes, wins in tables:
            good_times, bad_times = times[good_codes], times[bad_codes]
            pairs = good_times.sum() * bad_times.sum()
            aucs.append(float(good_times @ wins @ bad_times) / pairs if pairs else math.nan)
        found.append(float(weights @ np.array(aucs)))
    drawn = np.array(found)
    return np.asarray(drawn[~np.isnan(drawn)])


def _by_length(values: Floats, steps: Floats, chosen: npt.NDArray[np.bool_]) -> RankCorrelation | None:
    if chosen.sum() < 3 or np.ptp(values[chosen]) == 0 or np.ptp(steps[chosen]) == 0:
        return None
    return spearman(values[chosen], steps[chosen])


@dataclass(frozen=True)
class LabelNoise:
    """How automatic labels of steps differ from reference labels, on steps that both label.

    ``confusion[r][a]``: steps with reference r (0 wrong, 1 right) and automatic label a. ``right_called_wrong`` and
    ``wrong_called_right`` are the two rates (None without such steps); ``first_error`` the share of solutions whose
    first error stands at the same place in both (no error at all included); ``skipped`` the steps without a label.
    """

    confusion: tuple[tuple[int, int], tuple[int, int]]
    right_called_wrong: Estimate | None
    wrong_called_right: Estimate | None
    first_error: Estimate
    skipped: int


def label_noise_probe(
    automatic: Sequence[Sequence[int]], reference: Sequence[Sequence[int]], *, level: float = 0.95
) -> LabelNoise:
    """Compare automatic labels of steps with reference labels: 1 right, 0 wrong, -1 unknown.

    Args:
        automatic: for each solution the labels of its steps.
        reference: the same of people or of a checker.
        level: confidence level; steps of one solution count as dependent.

    Raises:
        DataError: no solutions, or no step that both label.
        ShapeError: solutions or steps of different number.
        RangeError: another label.

    Source: own derivation.

    Example:
        >>> found = label_noise_probe([[1, 0, 1], [1, 1]], [[1, 1, 0], [1, 1]])
        >>> found.confusion, found.first_error.value
        (((0, 1), (1, 3)), 0.5)
    """
    if len(automatic) != len(reference):
        raise ShapeError(f"{len(automatic)} solutions with automatic labels, {len(reference)} with reference labels")
    pairs, owners, agree, skipped = [], [], [], 0
    for number, (ours, theirs) in enumerate(zip(automatic, reference, strict=True)):
        if len(ours) != len(theirs):
            raise ShapeError(f"solution {number}: {len(ours)} automatic and {len(theirs)} reference labels")
        if not set(ours) | set(theirs) <= {-1, 0, 1}:
            raise RangeError("a label is 1 (right), 0 (wrong) or -1 (unknown)", where=f"solution {number}")
        known = [(int(t), int(o)) for o, t in zip(ours, theirs, strict=True) if o >= 0 and t >= 0]
        skipped += len(ours) - len(known)
        pairs += known
        owners += [number] * len(known)
        agree.append(_first_zero([o for _, o in known]) == _first_zero([t for t, _ in known]))
    if not pairs:
        raise DataError("no step that both label")
    table, cluster = np.array(pairs), np.array(owners)
    counts = np.bincount(table[:, 0] * 2 + table[:, 1], minlength=4).tolist()

    def rate(truth: int) -> Estimate | None:
        rows = table[:, 0] == truth
        return share_interval(table[rows, 1] != truth, cluster[rows], level=level) if rows.any() else None

    confusion = ((counts[0], counts[1]), (counts[2], counts[3]))
    return LabelNoise(confusion, rate(1), rate(0), share_interval(agree, level=level), skipped)


def _first_zero(labels: Sequence[int]) -> int:
    return next((i for i, label in enumerate(labels) if label == 0), -1)
