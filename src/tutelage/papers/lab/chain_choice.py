"""Sampled solutions of chains: scored, voted on, and how well scores tell right from wrong."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tutelage.papers.lab.chain_models import Written
from tutelage.papers.lab.chains import Worked
from tutelage.stats import select, spearman
from tutelage.stats.rank import rank_auc
from tutelage.stats.selection import Selection
from tutelage.training.reward_heads import HeadRewardModel

__all__ = ["Solution", "Solutions", "auc", "picked", "rho", "scored", "shares", "voted"]

Solutions = Sequence[Sequence[Written]]
Solution = Written | Worked


def scored(model: HeadRewardModel, written: Sequence[Written]) -> list[list[float]]:
    """Scores of the steps (or of the whole); nothing written scores 0."""
    pairs = [(one.chain.question, one.steps) for one in written if one.lines]
    found = iter(model.score_all(pairs))
    return [next(found) if one.lines else [0.0] for one in written]


def voted(drawn: Solutions, scores: Sequence[float] | None = None, how: Selection = "majority") -> dict[str, float]:
    """1 where the answer that is chosen among a question's samples is right."""
    return picked({row[0].chain.id: row for row in drawn}, scores, how)


def picked(
    groups: Mapping[str, Sequence[Solution]], scores: Sequence[float] | None, how: Selection
) -> dict[str, float]:
    """Per question 1 if the choice by the scores of all solutions, in their order, is right."""
    found, start = {}, 0
    for name, row in groups.items():
        own = None if scores is None else scores[start : start + len(row)]
        choice = select([one.answer for one in row], own, how)
        found[name] = float(choice.index is not None and row[choice.index].right)
        start += len(row)
    return found


def auc(scores: Sequence[float], right: Sequence[Any]) -> float:
    """:func:`tutelage.stats.rank.rank_auc`; one half where there is but one kind."""
    found = rank_auc(np.asarray(scores, dtype=np.float64), np.array(right, dtype=bool))
    return 0.5 if math.isnan(found) else found


def shares(drawn: Solutions, what: Callable[[Written], bool]) -> dict[str, float]:
    """The share of a question's samples of which ``what`` holds."""
    return {row[0].chain.id: float(np.mean([bool(what(one)) for one in row])) for row in drawn}


def rho(scores: Sequence[float], lengths: Sequence[int]) -> float:
    """Rank correlation of score and length; 0 where one of them is constant."""
    return spearman(scores, lengths).value if len(set(scores)) > 1 and len(set(lengths)) > 1 else 0.0
