"""The items that two systems have in common, and proof that both were asked the same."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tutelage.errors import DataError
from tutelage.measure.results.columns import TEXTS
from tutelage.measure.results.table import Results, TaskResults
from tutelage.types import IntArray

__all__ = ["AlignedTask", "Alignment", "align_results"]

_NOTED = 0.01  # share of unmatched items above which a note says so


@dataclass(frozen=True)
class AlignedTask:
    """One task on the items that both systems have.

    ``old`` and ``new`` hold the same ids in the same order, that of the old system. ``only_old`` and ``only_new`` are
    ids without a partner. ``metrics`` are the names that both have, in the old system's order.
    """

    task: str
    old: TaskResults
    new: TaskResults
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]
    metrics: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Alignment:
    """The tasks that both systems have, the names of those that only one has, and notes on all of it."""

    tasks: tuple[AlignedTask, ...]
    only_old: tuple[str, ...]
    only_new: tuple[str, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of a comparison must know of how the items were matched."""
        sides = (("old", self.only_old), ("new", self.only_new))
        alone = [f"only the {side} system has: {', '.join(tasks)}" for side, tasks in sides if tasks]
        return (*alone, *(note for task in self.tasks for note in task.notes))


def align_results(old: Results, new: Results) -> Alignment:
    """Match two systems' results by task and item id.

    Under one id both must have been asked the same. That is checked by fingerprints where both tools left them, else
    by the texts of prompt and target where both have them, without regard to white space. Where fingerprints agree but
    the prompts of some items differ, the items were changed; where those of all items differ, the systems were given
    the same questions in different templates, which a note says.

    Args:
        old: the system that is there.
        new: the system that is to replace it.

    Returns:
        Tasks in the old system's order.

    Raises:
        DataError: no task, or in a task no item or no metric, is common to both; under one id two things were asked;
            one metric has two directions.

    Example:
        >>> import numpy as np
        >>> from tutelage.measure.results.table import MetricFacts
        >>> def made(name, ids):
        ...     values = {"exact": np.ones(len(ids))}
        ...     return Results(name, name, {"t": TaskResults("t", ids, values, {"exact": MetricFacts()})})
        >>> aligned = align_results(made("a", ("1", "2", "3")), made("b", ("3", "2", "4"))).tasks[0]
        >>> aligned.old.ids, aligned.only_old, aligned.only_new
        (('2', '3'), ('1',), ('4',))
    """
    common = [task for task in old.tasks if task in new.tasks]
    if not common:
        raise DataError(
            f"the systems have no task in common: old has {_some(old.tasks)}, new has {_some(new.tasks)}",
            where=f"{old.source} and {new.source}",
            hint="give both the same task name (--task), or measure both on the same suite",
        )
    return Alignment(
        tasks=tuple(_align(old.tasks[task], new.tasks[task]) for task in common),
        only_old=tuple(task for task in old.tasks if task not in new.tasks),
        only_new=tuple(task for task in new.tasks if task not in old.tasks),
    )


def _align(old: TaskResults, new: TaskResults) -> AlignedTask:
    theirs_at = {item: row for row, item in enumerate(new.ids)}
    rows = [row for row, item in enumerate(old.ids) if item in theirs_at]
    if not rows:
        raise DataError(
            f"the systems have no item in common: ids are {_some(old.ids)} in old, {_some(new.ids)} in new",
            where=f"task {old.task}",
            hint="both must use the same id for the same item",
        )
    ours, theirs = _rows(old, rows), _rows(new, [theirs_at[old.ids[row]] for row in rows])
    kept = set(ours.ids)
    only_old = tuple(item for item in old.ids if item not in theirs_at)
    only_new = tuple(item for item in new.ids if item not in kept)
    metrics, noted = _metrics(old, new)
    notes = [*_check_asked(ours, theirs), *noted, *_unmatched(old, only_old, "old"), *_unmatched(new, only_new, "new")]
    if old.version != new.version:
        notes.append(f"the versions of the task differ: {old.version or 'none'} and {new.version or 'none'}")
    return AlignedTask(
        old.task, ours, theirs, only_old, only_new, metrics, tuple(f"{old.task}: {note}" for note in notes)
    )


def _rows(table: TaskResults, rows: Sequence[int]) -> TaskResults:
    """Some rows of a table, in the order given."""
    if len(rows) == len(table.ids) and all(row == place for place, row in enumerate(rows)):
        return table
    at: IntArray = np.array(rows, dtype=np.int64)
    columns = {name: getattr(table, name) for name in TEXTS.values()}
    texts: dict[str, Any] = {
        name: None if column is None else tuple(column[row] for row in rows) for name, column in columns.items()
    }
    ids = tuple(table.ids[row] for row in rows)
    kept = set(ids)
    return replace(
        table,
        ids=ids,
        values={name: values[at] for name, values in table.values.items()},
        groups={name: tuple(labels[row] for row in rows) for name, labels in table.groups.items()},
        missing={item: why for item, why in table.missing.items() if item in kept},
        **texts,
    )


def _metrics(old: TaskResults, new: TaskResults) -> tuple[tuple[str, ...], list[str]]:
    common = tuple(name for name in old.metrics if name in new.metrics)
    if not common:
        raise DataError(
            f"the systems have no metric in common: old has {_some(old.metrics)}, new has {_some(new.metrics)}",
            where=f"task {old.task}",
            hint="measure both with the same metrics",
        )
    for name in common:
        if old.metrics[name].higher_is_better != new.metrics[name].higher_is_better:
            raise DataError(
                f"more of {name} is better for one of the systems and worse for the other",
                where=f"task {old.task}",
                hint="read both from the same kind of file, or say of both that less is better",
            )
    notes = []
    for side, table, other in (("old", old, new), ("new", new, old)):
        alone = [name for name in table.metrics if name not in other.metrics]
        if alone:
            notes.append(f"only the {side} system has the metrics {_some(alone)}")
    changed = [name for name in common if old.metrics[name].version != new.metrics[name].version]
    if changed:
        notes.append(f"the definition changed between the systems for {_some(changed)}")
    return common, notes


def _unmatched(table: TaskResults, alone: tuple[str, ...], side: str) -> list[str]:
    if len(alone) <= _NOTED * len(table.ids):
        return []
    share = f"{len(alone)} of {len(table.ids)} items ({len(alone) / len(table.ids):.0%})"
    return [f"{share} of the {side} system have no partner and are left out: {_some(alone)}"]


def _check_asked(old: TaskResults, new: TaskResults) -> list[str]:
    """Refuse items that share an id and nothing else."""
    if old.asked and new.asked and _tool(old.asked) == _tool(new.asked):
        _refuse(old, [row for row, (a, b) in enumerate(zip(old.asked, new.asked, strict=True)) if a != b], "asked")
        return _check_wording(old, new)
    if old.prompts and new.prompts and old.targets and new.targets:
        _refuse(old, _differing(old.prompts, new.prompts, old.targets, new.targets), "texts")
        return []
    return ["items are matched by id alone; nothing in the files proves that both systems were asked the same"]


def _tool(asked: tuple[str, ...]) -> str:
    """Which tool made the fingerprints: ``lm-eval:4f..`` and ``inspect:4f..`` say nothing of each other."""
    return next((mark.partition(":")[0] for mark in asked if ":" in mark), "")


def _check_wording(old: TaskResults, new: TaskResults) -> list[str]:
    if not (old.prompts and new.prompts):
        return []
    rows = _differing(old.prompts, new.prompts)
    if rows and len(rows) < len(old.ids):
        _refuse(old, rows, "wording")
    if not rows:
        return []
    return ["the questions are the same, but every prompt differs: another template, examples or instructions"]


def _differing(*columns: tuple[str, ...]) -> list[int]:
    """Rows in which columns differ, taken two by two, without regard to white space."""
    rows: set[int] = set()
    for ours, theirs in zip(columns[::2], columns[1::2], strict=True):
        for row, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            if a != b and a.split() != b.split():
                rows.add(row)
    return sorted(rows)


_DIFFERENCES = {
    "asked": ("the fingerprints of question and target differ", "the data, or its order, changed between the runs"),
    "texts": ("prompt or target differ", "leave these columns out if they are the same items all the same"),
    "wording": ("their prompts differ, those of the other items do not", "run both on the same version of the task"),
}


def _refuse(table: TaskResults, rows: Sequence[int], difference: str) -> None:
    if not rows:
        return
    why, cure = _DIFFERENCES[difference]
    ids = [table.ids[row] for row in rows]
    raise DataError(
        f"under the same id the systems were asked different things, for {len(ids)} of {len(table.ids)} items: "
        f"{_some(ids)} ({why})",
        where=f"task {table.task}",
        hint=f"{cure}; only the same items can be compared",
    )


def _some(names: Collection[str]) -> str:
    first = [repr(name) for name, _ in zip(names, range(5), strict=False)]
    rest = len(names) - len(first)
    return ", ".join(first) + (f" and {rest} more" if rest > 0 else "") if first else "none"
