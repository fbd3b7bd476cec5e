"""Rates from an imperfect judge: corrected by what is known of its errors."""

from __future__ import annotations

import math

import numpy.typing as npt

from tutelage.errors import DataError, RangeError, ShapeError
from tutelage.stats.checks import finite_vector, open_unit
from tutelage.stats.intervals import normal_quantile, t_quantile
from tutelage.types import Estimate

__all__ = ["ppi_mean", "rogan_gladen"]


def rogan_gladen(
    positive: int,
    n: int,
    *,
    sensitivity: tuple[int, int],
    specificity: tuple[int, int],
    level: float = 0.95,
) -> Estimate:
    r"""The true rate behind what a judge calls positive, from its errors on items with known truth.

    :math:`\pi=(\hat p+sp-1)/(se+sp-1)`, kept inside [0, 1]. The interval adds the uncertainty of all three shares by
    the delta method, after moving each a little towards the middle (Lang and Reiczigel): with :math:`n'=n+z^2`,
    :math:`p'=(n\hat p+z^2/2)/n'` and one positive and one negative item added to each validation sample. It holds for
    items like those of the validation sample only.

    Args:
        positive: items that the judge called positive.
        n: items judged.
        sensitivity: (found, all) of the truly positive validation items.
        specificity: (passed, all) of the truly negative validation items.
        level: confidence level.

    Raises:
        DataError: nothing judged, or an empty validation sample.
        RangeError: counts that do not fit; a judge no better than chance, :math:`se+sp\le1`.

    Source: Rogan and Gladen 1978; Lang and Reiczigel 2014 for the interval.

    Example:
        >>> round(rogan_gladen(300, 1000, sensitivity=(90, 100), specificity=(95, 100)).value, 4)
        0.2941
    """
    z = normal_quantile((1 + open_unit(level, "the level")) / 2)
    for name, (k, size) in (("judged", (positive, n)), ("sensitivity", sensitivity), ("specificity", specificity)):
        if size == 0:
            raise DataError(f"{name}: no items", hint="validate the judge on items of both kinds")
        if not 0 <= k <= size:
            raise RangeError(f"{name}: {k} of {size}")
    (found, sick), (passed, well) = sensitivity, specificity
    if found / sick + passed / well <= 1:
        raise RangeError(
            f"sensitivity {found / sick:.3g} and specificity {passed / well:.3g} are those of a judge no better than "
            "chance: nothing can be corrected",
            hint="use a judge that tells the two kinds apart",
        )

    def corrected(p: float, se: float, sp: float) -> float:
        return (p + sp - 1) / (se + sp - 1)

    value = corrected(positive / n, found / sick, passed / well)
    p, se, sp = (positive + z * z / 2) / (n + z * z), (found + 1) / (sick + 2), (passed + 1) / (well + 2)
    low, high = 0.0, 1.0
    if se + sp > 1:
        rate = corrected(p, se, sp)
        by_se, by_sp = se * (1 - se) / (sick + 2), sp * (1 - sp) / (well + 2)
        shift = 2 * z * z * (rate * by_se - (1 - rate) * by_sp)
        variance = p * (1 - p) / (n + z * z) + rate**2 * by_se + (1 - rate) ** 2 * by_sp
        half = z * math.sqrt(variance) / (se + sp - 1)
        low, high = rate + shift - half, rate + shift + half
    value, low, high = (min(1.0, max(0.0, x)) for x in (value, low, high))
    return Estimate(value, min(low, value), max(high, value), level, "rogan-gladen", n, n)


def ppi_mean(
    labelled: npt.ArrayLike, predicted: npt.ArrayLike, predicted_unlabelled: npt.ArrayLike, *, level: float = 0.95
) -> Estimate:
    r"""Prediction-powered mean: a judge on many items, corrected by people on a few.

    :math:`\hat\theta=\bar f_U+\overline{y-f}_L` with variance :math:`s^2(f_U)/N+s^2(y-f)/n`, the interval Student's t
    with the degrees of freedom of Welch and Satterthwaite. Right on average however poor the judge is; narrower than
    :math:`\bar y` alone when it is good. The labelled items must be a random part of all.

    Args:
        labelled: true scores of the labelled items [n].
        predicted: the judge's scores of the same items [n].
        predicted_unlabelled: the judge's scores of the other items [N].
        level: confidence level.

    Raises:
        DataError: an empty sample.
        NumericalError: NaN or infinity.
        ShapeError: labels and predictions of different length.

    Source: Angelopoulos et al. 2023; Welch 1947.

    Example:
        >>> round(ppi_mean([1, 0, 1, 1], [1, 0, 1, 0], [1, 1, 0, 1, 0, 1, 0, 0]).value, 3)
        0.75
    """
    open_unit(level, "the level")
    truth, judged = finite_vector(labelled, "labelled"), finite_vector(predicted, "predicted")
    rest = finite_vector(predicted_unlabelled, "predicted_unlabelled")
    if truth.shape != judged.shape:
        raise ShapeError(f"{truth.size} labels but {judged.size} predictions of the same items")
    value, n = float(rest.mean() + (truth - judged).mean()), truth.size
    if min(n, rest.size) < 2:
        return Estimate(value, -math.inf, math.inf, level, "prediction-powered t", n + rest.size, n)
    parts = [(float(x.var(ddof=1)) / x.size, x.size - 1) for x in (rest, truth - judged)]
    variance = sum(v for v, _ in parts)
    weight = sum(v * v / degrees for v, degrees in parts)
    degrees = max(1, math.floor(variance**2 / weight)) if weight > 0 else n - 1
    half = t_quantile((1 + level) / 2, degrees) * math.sqrt(variance)
    return Estimate(value, value - half, value + half, level, "prediction-powered t", n + rest.size, n)
