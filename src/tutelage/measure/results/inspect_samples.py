"""Samples of an inspect log as items: what was asked, what came of it, what each scorer said."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from tutelage.errors import DataError
from tutelage.io import content_hash
from tutelage.measure.results.cells import as_id, as_number, as_text, shown, text_number
from tutelage.measure.results.columns import Columns
from tutelage.measure.results.dotted import labels
from tutelage.measure.results.table import TaskResults

__all__ = ["Samples"]

_WORDS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0, "yes": 1.0, "no": 0.0}
_ATTACHED = "attachment://"
_WRONG = "give a log as inspect wrote it"


class Samples:
    """Collects the samples of one task.

    Args:
        task: name of the task.
        epochs: how often each sample was run, as the log's header has it.
        groups: places in a sample to break results down by.
    """

    def __init__(self, task: str, epochs: int, groups: Collection[str]) -> None:
        self._items = Columns(task)
        self._epochs, self._groups = epochs, groups
        self._texts: dict[str, Counter[str]] = {}
        self._lists: set[str] = set()
        self._failed = 0

    def __len__(self) -> int:
        return len(self._items.rows)

    def add(self, sample: Any, where: str) -> None:
        """One more sample.

        Raises:
            DataError: it is no sample, or its id and epoch stood before.
        """
        if not isinstance(sample, dict) or not {"id", "input"} <= sample.keys():
            raise DataError(f"this is no sample of inspect: {shown(sample)}", where=where, hint=_WRONG)
        identity = as_id(sample["id"], where)
        item, texts = identity, _texts(sample)
        if self._epochs > 1:
            item, texts["cluster"] = f"{identity}#{as_id(sample.get('epoch', 1), where)}", identity
        self._items.add(item, texts, where, labels(sample, self._groups))
        scores = sample.get("scores") or {}
        if not isinstance(scores, dict):
            raise DataError(f"the scores of sample {item} are {shown(scores)}", where=where, hint=_WRONG)
        if sample.get("invalidation"):
            self._items.without(item, "declared invalid")
            return
        if not scores:
            self._fail(item, sample)
        for scorer, score in scores.items():
            value = score.get("value") if isinstance(score, dict) else score
            if isinstance(value, dict):
                for part, partial in value.items():
                    self._score(item, f"{scorer}.{part}", partial)
            else:
                self._score(item, scorer, value)

    def _fail(self, item: str, sample: Mapping[str, Any]) -> None:
        """Say why a sample has no scores."""
        error, limit = sample.get("error"), sample.get("limit")
        if error:
            message = as_text(error.get("message") if isinstance(error, dict) else error)
            self._items.without(item, f"error: {message}" if message else "error")
            self._failed += 1
        elif isinstance(limit, dict):
            self._items.without(item, f"stopped by the limit of {as_text(limit.get('type'))}")

    def _score(self, item: str, metric: str, value: Any) -> None:
        if isinstance(value, list):
            self._lists.add(metric)
            return
        number = as_number(value)
        if number is None and isinstance(value, str):
            number = _WORDS.get(value, _WORDS.get(value.casefold(), text_number(value)))
        if number is not None and not math.isfinite(number):
            number = None
        if number is None and isinstance(value, str):
            self._texts.setdefault(metric, Counter())[value] += 1
        self._items.score(item, metric, number)
        if number is None:
            self._items.without(item, f"{metric} is {shown(value, 40)}")

    def table(self, where: str, version: str) -> tuple[TaskResults, list[str]]:
        """Everything that was collected, and notes on what is no number.

        Raises:
            DataError: no sample has a score.
        """
        items, task = self._items, self._items.task
        notes = [f"{task}: {name} left out: each sample has a list, not one number" for name in sorted(self._lists)]
        for name in self._lists:
            items.drop(name)
        had = set(items.metrics)
        items.drop_empty()
        for name in sorted(had - set(items.metrics)):
            values = _often(self._texts.get(name, Counter()))
            notes.append(f"{task}: {name} left out: its values are no numbers ({values or 'none is there'})")
        if self._failed:
            notes.append(
                f"{task}: {self._failed} of {len(items.rows)} samples ended with an error and count as missing"
            )
        if not items.metrics:
            raise DataError(
                "no sample has a score" + "".join(f"; {note}" for note in notes),
                where=where,
                hint="run inspect with a scorer, or score the log with `inspect score`",
            )
        odd = {name: counts for name, counts in self._texts.items() if name in items.metrics}
        for name, counts in odd.items():
            notes.append(
                f"{task}: {counts.total()} values of {name} count as missing, being no numbers: {_often(counts)}"
            )
        items.explain()
        return items.table(version=version), notes


def _often(counts: Counter[str]) -> str:
    return ", ".join(shown(value, 30) for value, _ in counts.most_common(4))


def _texts(sample: Mapping[str, Any]) -> dict[str, str]:
    attached = sample.get("attachments")
    attached = attached if isinstance(attached, dict) else {}
    prompt = _resolved(as_text(sample["input"]), attached)
    found = {"prompt": prompt, "output": _resolved(_said(sample.get("output")), attached)}
    options = sample.get("choices")
    options = [as_text(option) for option in options] if isinstance(options, list) else []
    target = sample.get("target")
    target = [as_text(one) for one in target] if isinstance(target, list) else [as_text(target)]
    if options:
        target = [_option(one, options) for one in target]
        found["choice"] = _option(_answer(sample), options)
    found["target"] = "\n".join(target)
    # options in another order are the same question
    found["asked"] = f"inspect:{content_hash([prompt, sorted(options), sorted(target)])}"
    return found


def _option(letter: str, options: list[str]) -> str:
    """The text of option A, B, ...; anything else as it is."""
    place = ord(letter) - ord("A") if len(letter) == 1 else -1
    return options[place] if 0 <= place < len(options) else letter


def _answer(sample: Mapping[str, Any]) -> str:
    """The first answer that a scorer took from the output."""
    scores = sample.get("scores")
    given = scores.values() if isinstance(scores, dict) else ()
    answers = (score.get("answer") for score in given if isinstance(score, dict))
    return next((as_text(answer) for answer in answers if answer), "")


def _said(output: Any) -> str:
    """The text of what the model answered."""
    if not isinstance(output, dict):
        return ""
    choices = output.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        message = choices[0].get("message")
        if isinstance(message, dict):
            return as_text(message.get("content"))
    return as_text(output.get("completion"))


def _resolved(text: str, attached: Mapping[str, Any]) -> str:
    """``text``, or what it refers to when it was kept aside."""
    if text.startswith(_ATTACHED):
        return as_text(attached.get(text.removeprefix(_ATTACHED), text))
    return text
