"""From two systems' result tables to what is compared: pairs by metric, breakdowns, and what a reader must be told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tutelage.errors import ConfigError, DataError, nearest
from tutelage.jobs.compare_pair import Pair, pair_of
from tutelage.jobs.gate import matches
from tutelage.measure.results import AlignedTask, MetricFacts, TaskResults
from tutelage.types import FloatArray, Scores

__all__ = ["Material", "materials_of"]


@dataclass(frozen=True)
class Material:
    """One metric of one task, ready to be compared.

    ``breakdowns`` maps the name of each breakdown to its groups, and each group to its part of ``pair``.
    ``doubtful`` is the pair with items that only the new system lacks a score for, counted as wrong; None when there
    are none or the scale's worst value is not known. ``old`` and ``new`` hold the texts.
    """

    task: str
    metric: str
    title: str
    pair: Pair
    unit: str
    old: TaskResults
    new: TaskResults
    higher_is_better: bool = True
    breakdowns: Mapping[str, Mapping[str, Pair]] = field(default_factory=dict)
    doubtful: Pair | None = None
    dead_band: float = 0.0

    @property
    def name(self) -> str:
        """``TASK/METRIC``."""
        return f"{self.task}/{self.metric}"

    def doubtful_group(self, breakdown: str, label: str) -> Pair | None:
        """One group of ``doubtful``, or None when nothing of that group is missing."""
        if self.doubtful is None:
            return None
        group = _groups(self.old, self.doubtful, breakdown)[label]
        return group if group.n > self.breakdowns[breakdown][label].n else None

    def empty_groups(self, breakdown: str) -> list[str]:
        """Groups that both systems have items of, none of them with a score on both sides."""
        return sorted(set(self.old.groups[breakdown]) - set(self.breakdowns[breakdown]))


def materials_of(
    tasks: Sequence[AlignedTask], patterns: Sequence[str] = (), *, dead_band: float = 0.0
) -> list[Material]:
    """Every metric that both systems have and that a pattern names, in the order of the tasks.

    Args:
        tasks: what both systems were measured on.
        patterns: see :func:`tutelage.jobs.gate.matches`; none: all.
        dead_band: for flips of graded scores.

    Raises:
        ConfigError: a pattern that names nothing, or nothing at all to compare.
        DataError: no common item, or metrics of one name that mean different things.
    """
    shared = [(task.old, task.new, metric) for task in tasks for metric in task.metrics]
    names = [f"{old.task}/{metric}" for old, _, metric in shared]
    for pattern in patterns:
        if not any(matches(pattern, name) for name in names):
            close = nearest(pattern, names)
            hint = f"did you mean {close!r}?" if close else f"there are: {', '.join(names[:8]) or 'none'}"
            raise ConfigError(f"no metric is called {pattern!r}", where="--metric", hint=hint)
    wanted = [
        one
        for one, name in zip(shared, names, strict=True)
        if not patterns or any(matches(pattern, name) for pattern in patterns)
    ]
    if not wanted:
        raise DataError("the two systems have no metric in common", hint="measure both on the same tasks")
    alone = {old.task: sum(other.task == old.task for other, _, _ in wanted) == 1 for old, _, _ in wanted}
    return [_material(old, new, metric, dead_band, alone=alone[old.task]) for old, new, metric in wanted]


def _material(old: TaskResults, new: TaskResults, metric: str, dead_band: float, *, alone: bool) -> Material:
    facts = _same_facts(old, new, metric)
    before, after = old.scores(metric), new.scores(metric)
    choices = (old.choices, new.choices) if old.choices is not None and new.choices is not None else None
    pair = pair_of(before, after, choices)
    return Material(
        task=old.task,
        metric=metric,
        title=old.task if alone else f"{old.task}/{metric}",
        pair=pair,
        unit=_unit(facts, pair),
        old=old,
        new=new,
        higher_is_better=facts.higher_is_better,
        breakdowns={name: _groups(old, pair, name) for name in old.groups},
        doubtful=_doubtful(before, after, choices, pair),
        dead_band=dead_band,
    )


def _same_facts(old: TaskResults, new: TaskResults, metric: str) -> MetricFacts:
    one, two = old.metrics[metric], new.metrics[metric]
    if (one.version, one.higher_is_better) != (two.version, two.higher_is_better):
        raise DataError(
            f"{old.task}/{metric} does not mean the same on both sides: {one} and {two}",
            hint="measure both systems with the same version of the evaluation, or leave it out with --metric",
        )
    return one


def _in_unit_range(*values: FloatArray) -> bool:
    return all(bool(((v >= 0) & (v <= 1)).all()) for v in values)


def _unit(facts: MetricFacts, pair: Pair) -> str:
    if facts.unit not in ("", "points") and not facts.unit.startswith("share"):
        return facts.unit
    return "points" if _in_unit_range(pair.old.values, pair.new.values) else ""


def _groups(table: TaskResults, pair: Pair, breakdown: str) -> dict[str, Pair]:
    """The part of every group of a breakdown, groups in order of their names."""
    labels = dict(zip(table.ids, table.groups[breakdown], strict=True))
    places: dict[str, list[int]] = {}
    for place, item in enumerate(pair.old.ids):
        places.setdefault(labels[item], []).append(place)
    return {label: pair.where(places[label]) for label in sorted(places)}


def _doubtful(old: Scores, new: Scores, choices: tuple[Sequence[str], Sequence[str]] | None, pair: Pair) -> Pair | None:
    """The pair again, with what only the new system has no score for counted as wrong."""
    if not set(pair.new_missing) - set(pair.old_missing) or not _in_unit_range(pair.old.values, pair.new.values):
        return None
    worst = 0.0 if new.higher_is_better else 1.0
    filled = replace(new, values=np.where(np.isnan(new.values), worst, new.values))
    return pair_of(old, filled, choices)
