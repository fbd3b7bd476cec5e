"""Several tasks as one, with a breakdown by the task each item came from."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat

import numpy as np

from tutelage.measure.results.columns import TEXTS
from tutelage.measure.results.table import TaskResults

__all__ = ["joined"]


def joined(
    name: str, parts: Sequence[TaskResults], version: str = "", through: Sequence[str] = ()
) -> tuple[TaskResults | None, list[str]]:
    """All items of ``parts`` as one task, and notes on what had to stay behind.

    Items are called ``PART/ID``; the breakdown ``task`` names the part. Only metrics that every part has, with one
    direction, are kept.

    Args:
        name: of the whole.
        parts: tasks of one system.
        version: of the whole.
        through: for each part the subgroup it belongs to, a breakdown ``group`` of its own; empty for none.

    Returns:
        None instead of the task when the parts have no metric in common.
    """
    first = parts[0]
    shared = [metric for metric in first.metrics if all(_same(part, first, metric) for part in parts)]
    lost = sorted({metric for part in parts for metric in part.metrics} - set(shared))
    if not shared:
        return None, [f"{name}: its {len(parts)} subtasks have no metric in common and are compared one by one"]
    ids = tuple(f"{part.task}/{item}" for part in parts for item in part.ids)
    table = TaskResults(
        task=name,
        ids=ids,
        values={metric: np.concatenate([part.values[metric] for part in parts]) for metric in shared},
        metrics={metric: first.metrics[metric] for metric in shared},
        version=version,
        groups=_groups(parts, through),
        missing={f"{part.task}/{item}": why for part in parts for item, why in part.missing.items()},
        **{column: _column(parts, column) for column in TEXTS.values()},
    )
    return table, [f"{name}: left out, for not all subtasks have it: {', '.join(lost)}"] if lost else []


def _same(part: TaskResults, first: TaskResults, metric: str) -> bool:
    facts = part.metrics.get(metric)
    return facts is not None and facts.higher_is_better == first.metrics[metric].higher_is_better


def _groups(parts: Sequence[TaskResults], through: Sequence[str]) -> dict[str, tuple[str, ...]]:
    names = {name for part in parts for name in part.groups}
    groups = {
        name: tuple(chain.from_iterable(part.groups.get(name, ("",) * len(part.ids)) for part in parts))
        for name in sorted(names)
    }
    groups["task"] = tuple(chain.from_iterable(repeat(part.task, len(part.ids)) for part in parts))
    if through:
        groups["group"] = tuple(
            chain.from_iterable(repeat(via, len(part.ids)) for via, part in zip(through, parts, strict=True))
        )
    return groups


def _column(parts: Sequence[TaskResults], name: str) -> tuple[str, ...] | None:
    """A column of texts, if any part has it; an item without a cluster is its own."""
    if all(getattr(part, name) is None for part in parts):
        return None
    if name == "clusters":
        return tuple(f"{part.task}/{cluster}" for part in parts for cluster in part.clusters or part.ids)
    return tuple(chain.from_iterable(getattr(part, name) or ("",) * len(part.ids) for part in parts))
