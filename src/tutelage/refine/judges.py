"""Judges: how good is a text as an answer, in [0, 1]. By rule, by cosine, or by asking an engine for one number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from tutelage.io import content_hash
from tutelage.refine.calls import CallCache
from tutelage.refine.case import Case
from tutelage.refine.checks import is_sane_length, what_is_lost
from tutelage.refine.prompts import JUDGE_VERSION, judge_prompt
from tutelage.refine.similarity import Similarity
from tutelage.refine.talk import addresses_judge, meta_talk
from tutelage.types import Engine, Sampling

__all__ = ["CosineJudge", "EngineJudge", "Judge", "RuleJudge", "judge_one", "mean_score", "parse_score"]

_ONE_NUMBER = re.compile(
    r"(?:score|grade|rating)?\s*[:=]?\s*([0-9]{1,3}(?:\.[0-9]+)?)\s*(?:/\s*10)?\s*\.?", re.IGNORECASE
)


class Judge(Protocol):
    """Scores in [0, 1], or None where the judge has no opinion.

    ``engine`` is the engine it asks, if it asks one; ``version`` changes whenever its scores may.
    """

    name: str
    version: str
    engine: Engine | None

    def scores(self, cases: Sequence[Case], calls: CallCache) -> list[float | None]:
        """One score per case."""
        ...


def judge_one(judge: Judge, question: str, reference: str, text: str) -> float | None:
    """The score of one text; the convenient way for one, the slow way for many.

    Example:
        >>> judge_one(RuleJudge(), "Which family is the cello of?", "strings", "The cello is one of the strings.")
        1.0
        >>> judge_one(RuleJudge(), "Which family is the cello of?", "strings", "")
        0.0
    """
    with CallCache() as calls:
        return judge.scores([Case(question, reference, text)], calls)[0]


def mean_score(scores: Sequence[float | None]) -> float | None:
    """Mean of the judges that had an opinion; None if none had."""
    given = [score for score in scores if score is not None]
    return sum(given) / len(given) if given else None


class RuleJudge:
    """Share of three rules that hold: nothing lost or added, sane length, no talk about answering.

    0 for an empty text, one that lost the reference's value, and one that speaks to its judge.
    """

    name = "rule"
    version = "1"
    engine: Engine | None = None

    def __init__(self, *, terse_words: int = 8) -> None:
        self.terse_words = terse_words

    def scores(self, cases: Sequence[Case], calls: CallCache) -> list[float | None]:
        """One score per case."""
        return [self._score(case) for case in cases]

    def _score(self, case: Case) -> float:
        if not case.text.strip() or addresses_judge(case) is not None:
            return 0.0
        kept = what_is_lost(case, self.terse_words)
        if kept.reason == "value_missing":
            return 0.0
        return (float(kept.ok) + float(is_sane_length(case)) + float(meta_talk(case) is None)) / 3


class CosineJudge:
    """The semantic filter's cosine as a score; negative cosines are 0."""

    name = "cosine"
    engine: Engine | None = None

    def __init__(self, similarity: Similarity) -> None:
        self.similarity = similarity
        self.version = content_hash(similarity.identity)

    def scores(self, cases: Sequence[Case], calls: CallCache) -> list[float | None]:
        """One score per case; 0 for an empty text."""
        filled = [case for case in cases if case.text.strip()]
        found = dict(zip(filled, self.similarity(filled), strict=True))
        return [max(0.0, found[case]) if case in found else 0.0 for case in cases]


class EngineJudge:
    """Asks an engine for a whole number from 0 to 10, greedily; the score is a tenth of it.

    A text cannot grade itself: it is framed by marks made from its own hash, chat markers are taken out of it, a
    text that speaks to its judge gets 0 without being asked about, and only a reply that is one number and nothing
    else counts. Any other reply means that the judge has no opinion (None), which is recorded.
    """

    def __init__(self, engine: Engine, *, max_new_tokens: int = 8) -> None:
        self.engine: Engine | None = engine
        self._asked = engine
        self.name = f"engine:{engine.name}"
        self.version = content_hash([JUDGE_VERSION, max_new_tokens])
        self.sampling = Sampling(max_new_tokens=max_new_tokens, temperature=0.0)

    def scores(self, cases: Sequence[Case], calls: CallCache) -> list[float | None]:
        """One score per case; None where the reply is not a number from 0 to 10."""
        fair = [case for case in cases if case.text.strip() and addresses_judge(case) is None]
        replies = calls.generate(self._asked, [judge_prompt(case) for case in fair], sampling=self.sampling, seed=0)
        found = {case: parse_score(reply.text) for case, reply in zip(fair, replies, strict=True)}
        return [found.get(case, 0.0) for case in cases]


def parse_score(reply: str) -> float | None:
    """A reply as a score in [0, 1]: its first line must be one number from 0 to 10, ``Score: 7/10`` at the most.

    Example:
        >>> parse_score("Score: 7/10"), parse_score("7 or 8"), parse_score("11")
        (0.7, None, None)
    """
    lines = [line.strip(" \t*_`") for line in reply.strip().splitlines() if line.strip()]
    match = _ONE_NUMBER.fullmatch(lines[0]) if lines else None
    if match is None or any(re.search(r"\d", line) for line in lines[1:]):
        return None
    value = float(match.group(1))
    return value / 10 if value <= 10 else None
