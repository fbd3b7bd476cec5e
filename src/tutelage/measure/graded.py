"""Are labels of a graded style what they say, and does a model write on the level it was asked for?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.errors import DataError, ShapeError
from tutelage.stats import Agreement, cohen_kappa, krippendorff_alpha, proportion_interval
from tutelage.types import Estimate, Scores
from tutelage.verify.graded import GradedScale, Rater, TextEncoder

__all__ = ["AuditReport", "DirectionReport", "audit_labels", "direction_report"]


@dataclass(frozen=True)
class AuditReport:
    """What became of the labels of a data set on the absolute scale.

    Attributes:
        pseudo: 1 for each text labelled with the top level that the raters put elsewhere; ids of those texts only.
        pseudo_formal_rate: mean of ``pseudo``, P(absolute level is not the top | label is), with Wilson's interval.
        table: (label, absolute level) to how many texts.
        alpha: Krippendorff's ordinal alpha between the raters; None with a single rater or no variation.
        agreement: quadratic-weighted kappa between labels and absolute levels.
        absolute: level of each text: the median over raters, the lower one of two middle ranks.
        raters: their names.
    """

    pseudo: Scores
    pseudo_formal_rate: Estimate
    table: Mapping[tuple[str, str], int]
    alpha: Estimate | None
    agreement: Agreement
    absolute: tuple[str, ...]
    raters: tuple[str, ...]


def audit_labels(
    texts: Sequence[str], labels: Sequence[str], raters: Sequence[Rater], *, ids: Sequence[str] | None = None
) -> AuditReport:
    """Rate every labelled text anew on the absolute scale.

    Args:
        texts: of the data set.
        labels: levels of the scale as the data set gives them.
        raters: one or more, of the same scale; three or a validated one for anything that is to be published.
        ids: of the texts; None numbers them.

    Raises:
        ShapeError: not one label a text.
        DataError: no rater, raters of different scales, a label not on the scale, or no text with the top label.

    Source: 3LF (arXiv 2605.29365) audits "formal" labels; the median over raters and the intervals are ours.
    """
    if len(texts) != len(labels):
        raise ShapeError(f"{len(texts)} texts but {len(labels)} labels")
    if not raters or len({rater.scale for rater in raters}) != 1:
        raise DataError("an audit needs raters, all of one scale")
    scale = raters[0].scale
    given = scale.ranks(labels)
    ratings = [scale.ranks(rater.rate(texts)) for rater in raters]
    middle = [sorted(column)[(len(raters) - 1) // 2] for column in zip(*ratings, strict=True)]
    top = len(scale.levels) - 1
    asked = [i for i, rank in enumerate(given) if rank == top]
    if not asked:
        raise DataError(f"no text is labelled {scale.top!r}, so nothing can be falsely so")
    names = [str(i) for i in range(len(texts))] if ids is None else list(ids)
    wrong = np.array([float(middle[i] != top) for i in asked])
    table: dict[tuple[str, str], int] = {}
    for rank, found in zip(given, middle, strict=True):
        key = scale.levels[rank], scale.levels[found]
        table[key] = table.get(key, 0) + 1
    varied = len(raters) > 1 and len({rank for row in ratings for rank in row}) > 1
    return AuditReport(
        pseudo=Scores(
            "pseudo_formal", tuple(names[i] for i in asked), wrong, None, tuple(texts[i] for i in asked), False
        ),
        pseudo_formal_rate=proportion_interval(int(wrong.sum()), len(wrong)),
        table=table,
        alpha=krippendorff_alpha(np.array(ratings, dtype=np.float64).T, level="ordinal") if varied else None,
        agreement=cohen_kappa(given, middle, weights="quadratic"),
        absolute=tuple(scale.levels[rank] for rank in middle),
        raters=tuple(rater.name for rater in raters),
    )


@dataclass(frozen=True)
class DirectionReport:
    """What a model wrote when asked for a level; one value an item throughout.

    Attributes:
        hits: 1 where the output is on the level that was asked for.
        adjacent: 1 where it is on a level next to it.
        copies: 1 where it is the source, case and spacing apart; a copy scores high on similarity.
        similarity: cosine of source and output; None without an encoder.
        f1: by target level, of the class "rated as this level", over all items; None where neither asked nor found.
        macro_f1: mean over the levels that were asked for.
        kappa: quadratic-weighted, between levels asked for and found.
        table: (asked, found) to how many: read every F1 beside it.
    """

    hits: Scores
    adjacent: Scores
    copies: Scores
    similarity: Scores | None
    f1: Mapping[str, float | None]
    macro_f1: float
    kappa: Agreement
    table: Mapping[tuple[str, str], int]


def direction_report(
    sources: Sequence[str],
    outputs: Sequence[str],
    targets: Sequence[str],
    rater: Rater,
    *,
    encoder: TextEncoder | None = None,
    ids: Sequence[str] | None = None,
) -> DirectionReport:
    """Rate outputs against the levels that were asked for.

    F1 of level c: precision = share of outputs rated c that were asked to be c, recall = share of those asked to be c
    that are rated c. With items of one target alone precision is 1, and F1 is 2 r / (1 + r) of the recall r.

    Args:
        sources: what was to be rewritten.
        outputs: what came out.
        targets: the level asked for.
        rater: one that had no part in making the data or choosing the outputs; else the report is circular.
        encoder: for the similarity of meaning.
        ids: of the items; None numbers them.

    Raises:
        ShapeError: lengths differ.
        DataError: no items, or a target that is not on the rater's scale.

    Source: 3LF (arXiv 2605.29365), metrics by name; definitions are the standard ones.
    """
    if not len(sources) == len(outputs) == len(targets):
        raise ShapeError(f"{len(sources)} sources, {len(outputs)} outputs, {len(targets)} targets")
    if not sources:
        raise DataError("no outputs to rate")
    scale: GradedScale = rater.scale
    names = tuple(str(i) for i in range(len(sources))) if ids is None else tuple(ids)
    wanted, found = np.array(scale.ranks(targets)), np.array(scale.ranks(rater.rate(outputs)))
    same = [
        " ".join(a.casefold().split()) == " ".join(b.casefold().split()) for a, b in zip(sources, outputs, strict=True)
    ]

    def scores(metric: str, values: object, better: bool = True) -> Scores:
        return Scores(metric, names, np.asarray(values, dtype=np.float64), None, tuple(outputs), better)

    similar = None
    if encoder is not None:
        left, right = (np.asarray(encoder.embed(side), dtype=np.float64) for side in (sources, outputs))
        norms = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
        similar = scores("similarity", (left * right).sum(axis=1) / np.maximum(norms, 1e-12))
    f1 = {level: _f1(wanted == rank, found == rank) for rank, level in enumerate(scale.levels)}
    asked = [value for level, value in f1.items() if level in targets and value is not None]
    table: dict[tuple[str, str], int] = {}
    for a, b in zip(wanted, found, strict=True):
        key = scale.levels[a], scale.levels[b]
        table[key] = table.get(key, 0) + 1
    return DirectionReport(
        hits=scores("hit", wanted == found),
        adjacent=scores("adjacent", abs(wanted - found) == 1, better=False),
        copies=scores("copy", same, better=False),
        similarity=similar,
        f1=f1,
        macro_f1=float(np.mean(asked)),
        kappa=cohen_kappa(wanted.tolist(), found.tolist(), weights="quadratic"),
        table=table,
    )


def _f1(wanted: np.ndarray, found: np.ndarray) -> float | None:
    total = int(wanted.sum()) + int(found.sum())
    return 2 * int((wanted & found).sum()) / total if total else None
