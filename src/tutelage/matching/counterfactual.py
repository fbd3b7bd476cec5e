"""The fewest skills that would have lifted a candidate among the first k."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from tutelage.errors import RangeError
from tutelage.matching.matcher import Match, Matcher

__all__ = ["Counterfactual", "counterfactual"]

_EXHAUSTIVE = 14  # skills of which all subsets are tried


@dataclass(frozen=True)
class Counterfactual:
    """``skills`` that would lift the score to ``score``, past ``target``; ``fewest`` says that no smaller set does.

    ``skills`` is None where even all of them would not, and empty where nothing is needed.
    """

    skills: tuple[str, ...] | None
    score: float
    target: float
    fewest: bool


def counterfactual(matcher: Matcher, ranking: Sequence[Match], place: int, top: int | None = None) -> Counterfactual:
    """The smallest set of skills that the ad asks for with which a candidate would be among the first ``top``.

    Others stay as they are and the texts' likeness is not touched, so it is what the skills alone would do. A skill may
    raise related ones too. Of up to 14 skills every subset is tried, smallest first and among equals the largest gain;
    beyond that skills are added greedily and ``fewest`` is False.

    Args:
        matcher: that made the ranking.
        ranking: of one job, best first.
        place: of the candidate in the ranking, from 0.
        top: places that count; None: those of the matcher's settings.

    Raises:
        RangeError: no such place.

    Source: own derivation; TraceMatch (arXiv 2202.08960) asks for explanations of this kind.
    """
    top = matcher.settings.top if top is None else top
    if not 0 <= place < len(ranking) or top < 1:
        raise RangeError(f"place {place} and top {top} of {len(ranking)} candidates")
    own = ranking[place]
    if place < top:
        return Counterfactual((), own.score, own.score, True)
    target = ranking[top - 1].score
    lacking = [reason.skill for reason in own.reasons if reason.similarity < 1]
    gains = {one: _reach(matcher, own, one) for one in lacking}
    everything = _with(own, lacking, gains)
    if everything <= target:
        return Counterfactual(None, everything, target, True)
    if len(lacking) > _EXHAUSTIVE:
        chosen: list[str] = []
        while _with(own, chosen, gains) <= target:
            left = [one for one in lacking if one not in chosen]
            chosen.append(max(left, key=lambda one: _with(own, [*chosen, one], gains)))
        return Counterfactual(tuple(chosen), _with(own, chosen, gains), target, len(chosen) == 1)
    for size in range(1, len(lacking) + 1):
        best = max(combinations(lacking, size), key=lambda some: _with(own, some, gains))
        score = _with(own, best, gains)
        if score > target:
            return Counterfactual(best, score, target, True)
    raise AssertionError("the whole set was tried")  # pragma: no cover


def _reach(matcher: Matcher, match: Match, skill: str) -> Mapping[str, float]:
    """The similarity that ``skill`` would give to every skill asked for."""
    return {reason.skill: matcher.similarity(reason.skill, skill)[0] for reason in match.reasons}


def _with(match: Match, skills: Sequence[str], gains: Mapping[str, Mapping[str, float]]) -> float:
    """The score with ``skills`` added to the resume."""
    parts = [match.text]
    for reason in match.reasons:
        best = max([reason.similarity, *(gains[skill][reason.skill] for skill in skills)])
        parts.append(reason.most * best)
    return math.fsum(parts)
