"""The columns of one task while a file is read, filled item by item."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping

import numpy as np

from tutelage.errors import DataError
from tutelage.measure.results.cells import shown
from tutelage.measure.results.table import MetricFacts, TaskResults

__all__ = ["TEXTS", "Columns"]

TEXTS = {
    "prompt": "prompts",
    "target": "targets",
    "output": "outputs",
    "choice": "choices",
    "cluster": "clusters",
    "asked": "asked",
}
"""What an item may have besides scores, and the column of :class:`TaskResults` that holds it."""

_NONE = math.nan


class Columns:
    """Collects items of one task; what an item lacks is an empty text, or NaN for a score."""

    def __init__(self, task: str) -> None:
        self.task = task
        self.rows: dict[str, int] = {}
        self.missing: dict[str, str] = {}
        self._values: dict[str, array[float]] = {}
        self._texts: dict[str, list[str]] = {}
        self._groups: dict[str, list[str]] = {}
        self._labels: dict[str, str] = {}

    def add(
        self,
        item: str,
        texts: Mapping[str, str],
        where: str,
        groups: Mapping[str, str] | None = None,
        scores: Mapping[str, float | None] | None = None,
    ) -> None:
        """One more item.

        Args:
            item: its id.
            texts: those of :data:`TEXTS` that it has.
            where: file and line, for errors.
            groups: its labels, by breakdown.
            scores: its scores, as far as they are known by now; None and NaN are none.

        Raises:
            DataError: the id stood before.
        """
        row = len(self.rows)
        if self.rows.setdefault(item, row) != row:
            raise DataError(
                f"the item {shown(item)} of task {shown(self.task)} stands twice",
                where=where,
                hint="one row for each item; several answers to one item need a seed column; one file for each system",
            )
        for name, text in texts.items():
            _column(self._texts, name, row).append(text)
        if groups:
            for name, label in groups.items():
                _column(self._groups, name, row).append(self._labels.setdefault(label, label))
        if scores:
            for name, value in scores.items():
                self._scores(name, row).append(_NONE if value is None else value)

    def score(self, item: str, metric: str, value: float | None) -> None:
        """Give an item that was added the score of one metric; None and NaN are none."""
        row = self.rows[item]
        column = self._scores(metric, row)
        if len(column) == row:
            column.append(_NONE)
        column[row] = _NONE if value is None else value

    def _scores(self, metric: str, row: int) -> array[float]:
        """The column of a metric, filled up to ``row``."""
        column = self._values.get(metric)
        if column is None:
            column = self._values[metric] = array("d")
        if len(column) < row:
            column.extend([_NONE] * (row - len(column)))
        return column

    def without(self, item: str, why: str) -> None:
        """Say why an item lacks a score; the first reason stands."""
        self.missing.setdefault(item, why)

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that any item has."""
        return tuple(self._values)

    def drop(self, metric: str) -> None:
        """Forget a metric."""
        self._values.pop(metric, None)

    def drop_empty(self) -> None:
        """Forget the metrics that no item has."""
        self._values = {name: v for name, v in self._values.items() if not np.isnan(v).all()}

    def explain(self) -> None:
        """Name the metric of every score that is not there, where no reason is known."""
        ids = tuple(self.rows)
        for name, column in self._values.items():
            values = np.frombuffer(column, dtype=np.float64)
            for row in (*np.flatnonzero(np.isnan(values)), *range(len(values), len(ids))):
                self.without(ids[row], f"no score of {name}")

    def table(self, facts: Mapping[str, MetricFacts] | None = None, version: str = "") -> TaskResults:
        """Everything that was collected.

        Args:
            facts: what is known of the metrics; of the others nothing is.
            version: of the task.
        """
        rows = len(self.rows)
        ids = tuple(self.rows)
        values = {name: np.array(column, dtype=np.float64) for name, column in self._values.items()}
        values = {name: np.pad(v, (0, rows - len(v)), constant_values=_NONE) for name, v in values.items()}
        return TaskResults(
            task=self.task,
            ids=ids,
            values=values,
            metrics={name: (facts or {}).get(name, MetricFacts()) for name in values},
            version=version,
            groups={name: _full(labels, rows) for name, labels in self._groups.items()},
            missing=self.missing,
            **{TEXTS[name]: _full(column, rows) for name, column in self._texts.items()},
        )


def _column(columns: dict[str, list[str]], name: str, row: int) -> list[str]:
    """A column of texts, filled up to ``row``."""
    column = columns.get(name)
    if column is None:
        column = columns[name] = []
    if len(column) < row:
        column.extend([""] * (row - len(column)))
    return column


def _full(column: list[str], rows: int) -> tuple[str, ...]:
    return (*column, *[""] * (rows - len(column)))
