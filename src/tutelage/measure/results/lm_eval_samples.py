"""One ``samples_TASK_TIME.jsonl`` of EleutherAI's lm-evaluation-harness, written with ``--log_samples``."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from tutelage.data.json_document import json_records
from tutelage.errors import DataError
from tutelage.measure.results.cells import as_id, as_number, as_text, shown
from tutelage.measure.results.columns import Columns
from tutelage.measure.results.dotted import labels
from tutelage.measure.results.foreign_json import read_lines

__all__ = ["read_samples"]

_HASHES = ("doc_hash", "prompt_hash", "target_hash")
_NOT_METRICS = {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", *_HASHES}
_WRONG = "give the samples_*.jsonl that lm-eval wrote with --log_samples, unchanged"


def read_samples(path: Path, task: str, groups: Collection[str] = ()) -> tuple[Columns, list[str]]:
    """Items and scores of one task, and what could not be read as a number an item.

    The task's filters stand one after the other in the file; scores of a filter that has a name are called
    ``METRIC,FILTER``.

    Args:
        path: the file.
        task: its task.
        groups: places in a sample to break results down by, such as ``doc.subject``.

    Returns:
        The items, without any metric when none has one number an item.

    Raises:
        DataError: with file, line and cure.
    """
    return _Samples(path, task, groups).read()


class _Samples:
    def __init__(self, path: Path, task: str, groups: Collection[str]) -> None:
        self.path, self.groups = path, groups
        self.items = Columns(task)
        self.asked: dict[str, str] = {}
        self.filters: dict[str, tuple[set[str], tuple[str, ...]]] = {}
        self.left_out: dict[str, str] = {}

    def read(self) -> tuple[Columns, list[str]]:
        for number, sample in _samples(self.path):
            self._add(sample, f"{self.path}:{number}")
        if not self.items.rows:
            raise DataError("the file has no samples", where=str(self.path), hint=_WRONG)
        for metric in self.left_out:
            self.items.drop(metric)
        notes = [f"{self.items.task}: {metric} left out: {why}" for metric, why in self.left_out.items()]
        self.items.explain()
        return self.items, notes

    def _add(self, sample: Any, where: str) -> None:
        if not isinstance(sample, dict) or "doc_id" not in sample:
            raise DataError(f"this is no sample of lm-eval: {shown(sample)}", where=where, hint=_WRONG)
        item, part = as_id(sample["doc_id"], where), as_text(sample.get("filter") or "none")
        metrics = self._metrics(sample, part, item, where)
        asked = fingerprint(sample)
        if item not in self.items.rows:
            self.items.add(item, _texts(sample) | asked, where, labels(sample, self.groups))
            self.asked[item] = asked.get("asked", "")
        elif self.asked[item] != asked.get("asked", ""):
            raise DataError(
                f"two different questions have the id {item}",
                where=where,
                hint="the file mixes tasks or runs; give each task its own file, as lm-eval writes them",
            )
        self._once(item, part, where)
        for metric in metrics:
            self._score(item, metric, part, sample.get(metric))

    def _metrics(self, sample: Mapping[str, Any], part: str, item: str, where: str) -> tuple[str, ...]:
        """Names of the sample's metrics: those of all samples of its filter."""
        listed = sample.get("metrics")
        names = [name for name in sample if name not in _NOT_METRICS] if listed is None else listed
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DataError(f"metrics must be a list of names, this is {shown(names)}", where=where, hint=_WRONG)
        metrics = self.filters.setdefault(part, (set(), tuple(names)))[1]
        if set(names) != set(metrics):
            raise DataError(
                f"item {item} has the metrics {sorted(names)}, the items before it {sorted(metrics)}",
                where=where,
                hint="the file mixes tasks or runs; give each task its own file, as lm-eval writes them",
            )
        return metrics

    def _once(self, item: str, part: str, where: str) -> None:
        seen = self.filters[part][0]
        if item in seen:
            again = f" of filter {part}" if part != "none" else ""
            raise DataError(
                f"item {item}{again} stands twice",
                where=where,
                hint="two runs may have been written into one file; keep one of them",
            )
        seen.add(item)

    def _score(self, item: str, metric: str, part: str, value: Any) -> None:
        name = metric if part == "none" else f"{metric},{part}"
        number = as_number(value)
        if metric == "bypass":
            self.left_out[name] = "the run only predicted (--predict_only) and scored nothing"
        elif number is None and value is not None:
            kind = "a group of values" if isinstance(value, list | dict) else "text"
            self.left_out.setdefault(name, f"each item has {kind}, not one number, such as {shown(value, 40)}")
        elif number is not None and math.isinf(number):
            self.left_out.setdefault(name, f"it is infinite for item {item} and has no average")
        self.items.score(item, name, number)
        if number is None or math.isnan(number):
            self.items.without(item, f"lm-eval gave no {name}")


def _samples(path: Path) -> Iterator[tuple[int, Any]]:
    """Lines, or the elements of the one array that releases before 0.4.3 wrote."""
    with path.open("rb") as stream:
        is_array = stream.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"["
    if not is_array:
        yield from read_lines(path)
        return
    for record in json_records(path):
        if record.problem is not None:
            raise DataError(record.problem[1], where=f"{path}:{record.line}", hint=_WRONG)
        yield record.line, record.value


def fingerprint(sample: Mapping[str, Any]) -> dict[str, str]:
    """What a sample asks, whatever template and examples stood around it: hashes of the document and its target."""
    hashes = [sample.get("doc_hash"), sample.get("target_hash")]
    if not all(isinstance(value, str) and value for value in hashes):
        return {}
    return {"asked": f"lm-eval:{hashes[0]}:{hashes[1]}"}


def _texts(sample: Mapping[str, Any]) -> dict[str, str]:
    options = _options(sample.get("arguments"))
    found = {"target": as_text(sample.get("target"))}
    if options:
        found["prompt"] = as_text(options[0][0])
    chosen = _chosen(options, sample)
    if chosen is not None:
        return found | {"choice": chosen, "output": chosen}
    return found | {"output": _said(sample)}


def _options(arguments: Any) -> list[tuple[Any, Any]]:
    """What the model was asked: (context, continuation) for each request of the item."""
    if isinstance(arguments, dict):
        listed = [list(one.values()) for one in arguments.values() if isinstance(one, dict)]
    elif isinstance(arguments, list):
        listed = [one for one in arguments if isinstance(one, list)]
    else:
        return []
    return [(one[0], one[1] if len(one) > 1 else None) for one in listed if one]


def _chosen(options: list[tuple[Any, Any]], sample: Mapping[str, Any]) -> str | None:
    """The option with the highest log-likelihood, None when the item is no choice.

    With ``acc_mutual_info`` the options stand twice, the second time without their context.
    """
    answers = sample.get("filtered_resps")
    if not isinstance(answers, list) or len(answers) != len(options) or len(answers) < 2:
        return None
    likelihoods = [_likelihood(answer) for answer in answers]
    if any(value is None for value in likelihoods):
        return None
    half = len(options) // 2
    if "acc_mutual_info" in sample and len(options) == 2 * half and all(context == "" for context, _ in options[half:]):
        options, likelihoods = options[:half], likelihoods[:half]
    best = max(range(len(options)), key=lambda i: -math.inf if likelihoods[i] is None else likelihoods[i])  # type: ignore[arg-type,return-value]
    names = [as_text(continuation).strip() for _, continuation in options]
    if len(set(names)) < len(names):  # one continuation after several contexts: the contexts are the options
        names = [as_text(context).strip() for context, _ in options]
    return names[best]


def _likelihood(answer: Any) -> float | None:
    """Log-likelihood of ``[log-likelihood, is greedy]``, whose parts lm-eval writes as text."""
    if not isinstance(answer, list) or len(answer) != 2 or str(answer[1]) not in ("True", "False"):
        return None
    try:
        value = float(answer[0])
    except (TypeError, ValueError, OverflowError):
        return None
    return -math.inf if math.isnan(value) else value


def _said(sample: Mapping[str, Any]) -> str:
    """What the model said before any filter took a part of it; of several answers the first."""
    for key in ("resps", "filtered_resps"):
        answer = sample.get(key)
        while isinstance(answer, list) and answer:
            answer = answer[0]
        if answer is not None and answer != []:
            return as_text(answer)
    return ""
