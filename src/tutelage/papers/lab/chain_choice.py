"""Sampled solutions of chains: scored, voted on, and how well scores tell right from wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from tutelage.papers.lab.chain_models import Written
from tutelage.stats import select, spearman
from tutelage.stats.selection import Selection
from tutelage.training.reward_heads import HeadRewardModel

__all__ = ["Solutions", "auc", "rho", "scored", "shares", "voted"]

Solutions = Sequence[Sequence[Written]]


def scored(model: HeadRewardModel, written: Sequence[Written]) -> list[list[float]]:
    """Scores of the steps (or of the whole); nothing written scores 0."""
    pairs = [(one.chain.question, one.steps) for one in written if one.lines]
    found = iter(model.score_all(pairs))
    return [next(found) if one.lines else [0.0] for one in written]


def voted(drawn: Solutions, scores: Sequence[float] | None = None, how: Selection = "majority") -> dict[str, float]:
    """1 where the answer that is chosen among a question's samples is right."""
    found, start = {}, 0
    for row in drawn:
        weights = None if scores is None else scores[start : start + len(row)]
        choice = select([one.answer for one in row], weights, how)
        found[row[0].chain.id] = float(choice.index is not None and row[choice.index].right)
        start += len(row)
    return found


def auc(scores: Sequence[float], right: Sequence[Any]) -> float:
    """Chance that a right one scores above a wrong one, ties counting half; one half where there is but one kind."""
    flags = np.array(right, dtype=bool)
    good, bad = flags.sum(), (~flags).sum()
    if not good or not bad:
        return 0.5
    return float((rankdata(scores)[flags].sum() - good * (good + 1) / 2) / (good * bad))


def shares(drawn: Solutions, what: Callable[[Written], bool]) -> dict[str, float]:
    """The share of a question's samples of which ``what`` holds."""
    return {row[0].chain.id: float(np.mean([bool(what(one)) for one in row])) for row in drawn}


def rho(scores: Sequence[float], lengths: Sequence[int]) -> float:
    """Rank correlation of score and length; 0 where one of them is constant."""
    return spearman(scores, lengths).value if len(set(scores)) > 1 and len(set(lengths)) > 1 else 0.0
