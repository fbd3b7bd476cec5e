"""How a task of a user's own suite is asked: one way for all its items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tutelage.errors import DataError
from tutelage.measure.asking import Choosing, Item, Method, Speaking, share_of_commonest
from tutelage.measure.results.table import MetricFacts
from tutelage.measure.suites.own_items import CHOICE, FREE_TEXT, AskingConfig, OwnItem
from tutelage.measure.task import cosines, named_option
from tutelage.types import Completion, FloatArray, Sampling

__all__ = ["AskingConfig", "own_method"]


def own_method(task: AskingConfig, items: Sequence[OwnItem]) -> Method:
    """The way in which a task's items are asked.

    The metric is called after the scorer; where items have different verifiers it is called ``score``.

    Args:
        task: sampling and the rest.
        items: at least one.

    Raises:
        DataError: items that are scored by log-probability, by meaning and by verifiers cannot stand in one task.
    """
    kinds = {_kind(one.scorer) for one in items}
    if len(kinds) > 1:
        first = _kind(items[0].scorer)
        other = next(one for one in items if _kind(one.scorer) != first)
        raise DataError(
            f"a task asks in one way: this item's scorer is {other.scorer!r}, the first one's {items[0].scorer!r}",
            where=other.where,
            hint="put them into two tasks",
        )
    if kinds == {CHOICE}:
        return Choosing({"correct": "sum", "correct_norm": "per_character"})
    sampling = Sampling(task.max_new_tokens, task.temperature, task.top_p, 0, tuple(task.stop))
    if kinds == {FREE_TEXT}:
        return Speaking(sampling, {FREE_TEXT: MetricFacts(unit="cosine")}, _by_meaning)
    return _verified(sampling, items)


def _kind(scorer: str) -> str:
    return scorer if scorer in (CHOICE, FREE_TEXT) else "verifier"


def _by_meaning(items: Sequence[Item], said: Sequence[Completion]) -> Mapping[str, FloatArray]:
    return {FREE_TEXT: cosines([one.text for one in said], [item.target for item in items])}


def _verified(sampling: Sampling, items: Sequence[OwnItem]) -> Speaking:
    scorers = {one.scorer for one in items}
    name = scorers.pop() if len(scorers) == 1 else "score"
    verifiers = {one.item.id: one.verifier for one in items}

    def judge(items: Sequence[Item], said: Sequence[Completion]) -> Mapping[str, FloatArray]:
        values = []
        for item, one in zip(items, said, strict=True):
            verifier = verifiers[item.id]
            assert verifier is not None
            values.append(verifier(item.chat, one.text, item.target or None).score)
        return {name: np.array(values, dtype=np.float64)}

    def guess(items: Sequence[Item]) -> Mapping[str, float]:
        repeated = len({item.target for item in items}) < len(items)  # else no answer is commoner than another
        return {name: share_of_commonest(items)} if repeated and all(item.target for item in items) else {}

    taken = (lambda item, text: named_option(text, item.choices)) if name == "named-choice" else None
    return Speaking(sampling, {name: MetricFacts(unit="score")}, judge, guess, taken)
