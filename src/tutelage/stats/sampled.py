"""What more samples buy: accuracy of a choice among n sampled solutions, by rule of choice and by scorer."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from tutelage.errors import DataError, RangeError
from tutelage.seeds import derive
from tutelage.stats.checks import finite_array
from tutelage.stats.selection import check_answers, vote

__all__ = ["CurveMethod", "CurvePoint", "SampledSet", "tts_curve"]

CurveMethod = Literal["majority", "best_of_n", "weighted", "oracle", "random"]
METHODS: tuple[CurveMethod, ...] = get_args(CurveMethod)
SCORED = ("best_of_n", "weighted")
MACRO = "macro"
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SampledSet:
    """The sampled solutions of one question.

    ``answers`` [N] in a normal form, None where none could be read; ``correct`` [N]; ``scores`` from a scorer's name
    to its [N] scores; ``domain`` the group that averages are taken within.

    Raises:
        DataError: no samples, columns of different length, an answer that is graded both ways, a right non-answer, or
            an answer that is no text or the like.
        NumericalError: a score that is not finite.
    """

    id: str
    answers: tuple[Hashable, ...]
    correct: tuple[bool, ...]
    scores: Mapping[str, Sequence[float]] = field(default_factory=dict)
    domain: str = ""

    def __post_init__(self) -> None:
        where, n = f"question {self.id!r}", len(self.answers)
        columns = {"correct": self.correct, **self.scores}
        short = [name for name, column in columns.items() if len(column) != n]
        if n == 0 or short:
            what = f"{len(columns[short[0]])} values of {short[0]} for {n} answers" if short else "no samples"
            raise DataError(what, where=where)
        check_answers(self.answers, where)
        graded: dict[Hashable, bool] = {None: False}
        for answer, right in zip(self.answers, self.correct, strict=True):
            if graded.setdefault(answer, bool(right)) != bool(right):
                said = "no answer is graded right" if answer is None else f"{answer!r} is graded right and wrong"
                raise DataError(said, where=where, hint="bring answers into a normal form before grading")
        for name, column in self.scores.items():
            finite_array(column, f"{where}, scores of {name}")


@dataclass(frozen=True)
class CurvePoint:
    """Accuracy of one rule with ``n`` samples, in one domain or over all (``"macro"``, every domain weighing alike).

    ``sd_runs`` is the spread over draws of the samples: how much one evaluation may differ from the next on the same
    questions. ``se_questions`` is the standard error over questions: how far another set of questions may be. Only the
    second belongs on an error bar.
    """

    n: int
    scorer: str
    method: CurveMethod
    domain: str
    mean: float
    sd_runs: float
    se_questions: float
    questions: int


def tts_curve(
    sets: Sequence[SampledSet],
    *,
    ns: Sequence[int] = (1, 2, 4, 8, 16),
    runs: int = 100,
    methods: Sequence[CurveMethod] | None = None,
    seed: int = 0,
) -> list[CurvePoint]:
    """Accuracy by number of samples: a long table over n, scorer, method and domain.

    In every run each question's samples are put in a random order and the first n are taken, without replacement; so
    the same draw serves every rule and scorer, and a smaller n is part of a larger one. A choice among samples without
    answers is wrong. ``oracle`` is right where a drawn sample is, ``random`` takes the first one.

    Args:
        sets: the questions, each with at least ``max(ns)`` samples and scores of the same scorers.
        ns: numbers of samples.
        runs: draws.
        methods: rules; ``best_of_n`` and ``weighted`` are there once for every scorer, the others with scorer ``""``.
            None: all that can be applied.
        seed: of the draws; a question's draws depend on nothing but the seed and its id.

    Returns:
        A point for every n, method, scorer and domain, and for the macro-average over domains.

    Raises:
        DataError: no questions, an id twice, other scorers from question to question, no scores where they are needed,
            a domain that is called "macro".
        RangeError: fewer samples than asked for, no runs, an unknown method, negative scores for a weighted vote.

    Source: the protocol of arXiv 2510.00492; the error over questions and the rule for ties are ours.

    Example:
        >>> one = SampledSet("q", ("4", "5"), (True, False), {"judge": (0.9, 0.1)})
        >>> [point.mean for point in tts_curve([one], ns=[2], methods=["best_of_n"])]
        [1.0, 1.0]
    """
    if methods is None:
        methods = [method for method in METHODS if method not in SCORED or (sets and sets[0].scores)]
    scorers = _checked(sets, ns, runs, methods)
    values: dict[tuple[int, str, CurveMethod], list[Floats]] = {}
    for one in sets:
        rng = np.random.default_rng(derive(seed, "tts", one.id))
        order = rng.permuted(np.tile(np.arange(len(one.answers)), (runs, 1)), axis=1)
        kinds = {answer: i for i, answer in enumerate(dict.fromkeys(a for a in one.answers if a is not None))}
        codes = np.array([-1 if answer is None else kinds[answer] for answer in one.answers])
        right = np.array([*one.correct, False])
        truth = np.array([*(right[list(one.answers).index(answer)] for answer in kinds), False])  # -1: no answer
        for n in ns:
            drawn = order[:, :n]
            for method in methods:
                for scorer in scorers if method in SCORED else ("",):
                    weights = np.asarray(one.scores[scorer], dtype=np.float64) if scorer else np.ones(len(codes))
                    found = _chosen(method, drawn, codes, right, truth, weights)
                    values.setdefault((n, scorer, method), []).append(found.astype(np.float64))
    domains = [one.domain for one in sets]
    return [point for key, rows in values.items() for point in _points(key, np.array(rows), domains)]


def _chosen(
    method: CurveMethod,
    drawn: npt.NDArray[np.intp],
    codes: npt.NDArray[np.intp],
    right: npt.NDArray[np.bool_],
    truth: npt.NDArray[np.bool_],
    weights: Floats,
) -> npt.NDArray[np.bool_]:
    """Whether the choice from each draw [R] is right."""
    if method == "oracle":
        return np.asarray(right[drawn].any(axis=1))
    if method == "random":
        return np.asarray(right[drawn[:, 0]])
    if method == "best_of_n":
        told = np.where(codes[drawn] >= 0, weights[drawn], -math.inf)  # a non-answer is never right
        return np.asarray(right[drawn[np.arange(len(drawn)), told.argmax(axis=1)]])
    return np.asarray(truth[vote(codes[drawn], weights[drawn])])


def _points(key: tuple[int, str, CurveMethod], table: Floats, domains: Sequence[str]) -> list[CurvePoint]:
    """From the outcomes [Q, R] of one rule to its points, one a domain and the macro-average."""
    n, scorer, method = key
    found, means, runs, errors = [], [], [], []
    for domain in dict.fromkeys(domains):
        rows = table[[i for i, other in enumerate(domains) if other == domain]]
        by_question, by_run = rows.mean(axis=1), rows.mean(axis=0)
        error = float(by_question.std(ddof=1)) / math.sqrt(len(rows)) if len(rows) > 1 else math.inf
        means.append(float(by_question.mean()))
        runs.append(by_run)
        errors.append(error)
        found.append(CurvePoint(n, scorer, method, domain, means[-1], _spread(by_run), error, len(rows)))
    whole = math.sqrt(math.fsum(error**2 for error in errors)) / len(errors)
    spread = _spread(np.mean(runs, axis=0))
    return [*found, CurvePoint(n, scorer, method, MACRO, float(np.mean(means)), spread, whole, len(table))]


def _spread(by_run: Floats) -> float:
    return float(by_run.std(ddof=1)) if len(by_run) > 1 else 0.0


def _checked(
    sets: Sequence[SampledSet], ns: Sequence[int], runs: int, methods: Sequence[CurveMethod]
) -> tuple[str, ...]:
    """The scorers, if everything fits."""
    if not sets:
        raise DataError("no questions")
    unknown = [method for method in methods if method not in METHODS]
    if unknown or not methods:
        raise RangeError(f"no method is called {unknown[0] if unknown else ''!r}", hint=f"of {', '.join(METHODS)}")
    if runs < 1 or not ns or min(ns) < 1:
        raise RangeError("at least one run and one sample are needed")
    scorers, ids = tuple(sets[0].scores), set[str]()
    if not scorers and any(method in SCORED for method in methods):
        raise DataError("there are no scores to choose by", where=f"question {sets[0].id!r}")
    for one in sets:
        where = f"question {one.id!r}"
        if one.id in ids:
            raise DataError("a question stands twice", where=where)
        ids.add(one.id)
        if len(one.answers) < max(ns):
            raise RangeError(f"{len(one.answers)} samples, {max(ns)} are asked for", where=where, hint="lower ns")
        if set(one.scores) != set(scorers):
            raise DataError(f"scores of {', '.join(one.scores)}", where=where, hint=f"as before: {', '.join(scorers)}")
        if one.domain == MACRO:
            raise DataError('no domain may be called "macro"', where=where, hint="it names the average over domains")
        if "weighted" in methods and any(min(column) < 0 for column in one.scores.values()):
            raise RangeError("a weighted vote needs scores of at least 0", where=where, hint="give probabilities")
    return scorers
