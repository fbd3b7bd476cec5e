"""Reward models of small means for trajectories with tools: hashed words and where they come from, a linear head."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression

from tutelage.measure.tooluse import ToolTrajectory
from tutelage.stats import aggregate
from tutelage.stats.step_scores import Aggregation
from tutelage.types import FloatArray

__all__ = ["Labels", "RewardFit", "chosen_reward", "hits", "step_words"]

Labels = Literal["steps", "outcome", "outcome on steps"]
"""What is learnt: each step's label; the outcome from the whole; the outcome as the label of each step."""

_WORD = re.compile(r"[a-z]+|\d+(?:[.\-]\d+)*|[-+*/|]")
_VERBS = {"add", "subtract", "multiply", "divide", "convert", "look", "count", "go", "result"}
_FEATURES = HashingVectorizer(analyzer=list, n_features=2**12, alternate_sign=False, norm="l2")
_RULES: tuple[Aggregation, ...] = get_args(Aggregation)


def step_words(trajectory: ToolTrajectory) -> list[list[str]]:
    """For each step the words of its text, and for what it copies whether its sources have it.

    Numbers are not words of their own. A number or word of the action's input stands in the thought, in the previous
    observation, or nowhere; the number that the thought says it has stands in the previous observation or not. The
    verb of the thought is crossed with the tool and with the words of the input.
    """
    found, before = [], set[str]()
    for place, step in enumerate(trajectory.steps):
        thought, given = _words(step.thought), _words(step.action_input)
        parts = {"t": thought, "i": given, "o": _words(step.observation)}
        words = [f"{part}:{_kind(word)}" for part, all_words in parts.items() for word in all_words]
        verbs = [word for word in thought if word in _VERBS]
        words += [f"a:{step.action}", *(f"x:{verb}:{step.action}" for verb in verbs)]
        words += [f"x:{verb}:{_kind(word)}" for verb in verbs for word in given]
        for word in given:
            source = "thought" if word in thought else "before" if word in before else "nowhere"
            words.append(f"from:{_kind(word) if word[0].isdigit() else 'word'}:{source}")
        had = [word for word in thought if word[0].isdigit()][:1] if place else []
        words += [f"had:{word in before}" for word in had]
        found.append(words)
        before = set(_words(step.observation))
    return found


@dataclass(frozen=True)
class RewardFit:
    """A linear head and how the scores of its steps become one (None: it scores the whole)."""

    head: Any
    labels: Labels
    rule: Aggregation | None

    def scores(self, trajectories: Sequence[ToolTrajectory]) -> FloatArray:
        """[N] scores; only their order within a problem means something."""
        if self.rule is None:
            return _probabilities(self.head, [_whole(one) for one in trajectories])
        return _aggregated(_step_scores(self.head, trajectories), self.rule)


def chosen_reward(
    train: Sequence[ToolTrajectory],
    validation: Sequence[Sequence[ToolTrajectory]],
    labels: Labels,
    strengths: Sequence[float],
) -> RewardFit:
    """A reward model from trajectories; the strength of its regularisation, and for steps the rule that makes one score
    of theirs, are those of the best rank@1 on the validation problems (ties: the earlier).

    Args:
        train: with labels and outcomes.
        validation: for each problem its candidates.
        labels: what is learnt.
        strengths: inverse L2 penalties to try.
    """
    if labels == "outcome":
        texts, wanted = [_whole(one) for one in train], [_right(one) for one in train]
    else:
        texts = [words for one in train for words in step_words(one)]
        steps = labels == "steps"
        wanted = [label for one in train for label in ((one.labels or ()) if steps else [_right(one)] * len(one.steps))]
    features, flat = _FEATURES.transform(texts), [one for group in validation for one in group]
    correct, best, found = [[_right(one) for one in group] for group in validation], -1.0, None
    for strength in strengths:
        head = LogisticRegression(C=strength, max_iter=2000).fit(features, wanted)
        if labels == "outcome":
            tried: dict[Aggregation | None, FloatArray] = {None: _probabilities(head, [_whole(one) for one in flat])}
        else:
            scores = _step_scores(head, flat)
            tried = {rule: _aggregated(scores, rule) for rule in _RULES}
        for rule, values in tried.items():
            reached = float(np.mean(hits(values, correct)))
            if reached > best:
                best, found = reached, RewardFit(head, labels, rule)
    assert found is not None
    return found


def hits(scores: FloatArray, correct: Sequence[Sequence[int]]) -> list[float]:
    """For each problem 1 if its candidate of highest score (the first of several) is right.

    Example:
        >>> hits(np.array([0.1, 0.9, 0.5, 0.5]), [[1, 0], [1, 0]])
        [0.0, 1.0]
    """
    ends = np.cumsum([len(one) for one in correct])[:-1]
    return [float(c[int(np.argmax(s))]) for s, c in zip(np.split(scores, ends), correct, strict=True)]


def _right(one: ToolTrajectory) -> int:
    return int(one.outcome is True)


def _whole(one: ToolTrajectory) -> list[str]:
    return [word for words in step_words(one) for word in words]


def _probabilities(head: Any, texts: Sequence[list[str]]) -> FloatArray:
    found: FloatArray = head.predict_proba(_FEATURES.transform(texts))[:, 1]
    return found


def _step_scores(head: Any, trajectories: Sequence[ToolTrajectory]) -> list[FloatArray]:
    words = [step_words(one) for one in trajectories]
    flat = _probabilities(head, [step for one in words for step in one])
    return np.split(flat, np.cumsum([len(one) for one in words])[:-1])


def _aggregated(scores: Sequence[FloatArray], rule: Aggregation) -> FloatArray:
    return np.array([aggregate(one, rule) for one in scores])


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _kind(word: str) -> str:
    return "#" if word[0].isdigit() else word
