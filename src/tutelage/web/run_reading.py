"""Runs as the pages show them. Only this file knows the store and the folders of runs."""

from __future__ import annotations

import math
import os
import stat
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar, get_args

from tutelage.errors import StoreError, TutelageError
from tutelage.io.documents import read_json
from tutelage.io.paths import contained
from tutelage.stats import align, difference_of_shares, estimate, mean_interval
from tutelage.store import Artifact, Curve, Run, Store
from tutelage.types import Arm, Estimate, Scores

__all__ = ["Cell", "Curves", "Difference", "Runs", "flat", "told"]

_KEPT = 128  # finished runs and pairs whose numbers are remembered

T = TypeVar("T")
Curves = Mapping[str, Mapping[str, Curve]]
"""Quantity, then arm; the arm is empty where a name has none."""


@dataclass(frozen=True)
class Cell:
    """One score of a run: its mean with the interval, or why there is none."""

    arm: str
    metric: str
    items: int
    estimate: Estimate | None
    problem: str = ""


@dataclass(frozen=True)
class Difference:
    """One score in two runs; ``delta`` is second minus first on the items of both.

    Its interval is that of a formula, as a page has milliseconds: Newcombe's for 0/1 scores as in
    :func:`tutelage.stats.compare`, and the paired t for others, which that function resamples.
    """

    arm: str
    metric: str
    first: Cell
    second: Cell
    delta: Estimate | None
    outcome: str
    problem: str = ""


class Runs:
    """The runs of one or more stores.

    Args:
        stores: the first that has a run of a name answers for it.
    """

    def __init__(self, stores: Sequence[Store]) -> None:
        self.stores = tuple(stores)
        self._curves = _Remembered(self._read_curves)
        self._cells = _Remembered(self._read_cells)
        self._differences = _Remembered(self._read_differences)

    def all(self) -> list[Run]:
        """Every run, the newest of each store first."""
        found: dict[str, Run] = {}
        for store in self.stores:
            for run in store.runs():
                found.setdefault(run.id, run)
        return list(found.values())

    def get(self, id: str) -> Run | None:  # noqa: A002 - as in the store
        """The run of that id, or None."""
        store = self._find(id)
        return None if store is None else store.run(id)

    def curves(self, run: Run) -> Curves:
        """What was logged, step by step."""
        return self._curves(run)

    def cells(self, run: Run) -> tuple[Cell, ...]:
        """Every score of the run with its interval, in the order of entry."""
        return self._cells(run)

    def differences(self, first: Run, second: Run) -> tuple[Difference, ...]:
        """The scores that both have."""
        return self._differences(first, second)

    def artifacts(self, run: Run) -> list[Artifact]:
        """The files that the store has of a run."""
        return self._store(run.id).artifacts(run.id)

    def has_report(self, run: Run) -> bool:
        """Whether the run's folder holds a report of this run."""
        return self._report(run) is not None

    def report(self, run: Run) -> BinaryIO | None:
        """The page that the run left, opened for reading; None where there is none."""
        path = self._report(run)
        return None if path is None else _opened(path)

    def artifact(self, run: Run, number: int) -> tuple[str, BinaryIO] | None:
        """Name and opened file of an artefact, found by its number in the store; None unless it lies in the folder."""
        one = next((one for one in self.artifacts(run) if one.id == number), None)
        folder = _folder(run) if one else None
        if one is None or folder is None:
            return None
        try:
            path = Path(one.path).resolve()
            found = _opened(path) if path.is_relative_to(folder) else None
        except (OSError, ValueError, RuntimeError):
            return None
        return (path.name, found) if found else None

    def _report(self, run: Run) -> Path | None:
        folder = _folder(run)
        if folder is None:
            return None
        try:
            path = contained(folder, "report.html")
        except TutelageError:
            return None
        return path if path.is_file() else None

    def _find(self, id: str) -> Store | None:  # noqa: A002
        for store in self.stores:
            try:
                store.run(id)
            except StoreError as error:
                if not error.what.startswith("there is no run"):
                    raise
            else:
                return store
        return None

    def _store(self, id: str) -> Store:  # noqa: A002
        return self._find(id) or self.stores[0]

    def _read_curves(self, run: Run) -> Curves:
        store = self._store(run.id)
        arms = {one.arm for one in store.score_sets(run.id)} | set(get_args(Arm))
        found: dict[str, dict[str, Curve]] = {}
        for name, curve in store.curves(run.id).items():
            arm, slash, rest = name.partition("/")
            arm, quantity = (arm, rest) if slash and arm in arms else ("", name)
            found.setdefault(quantity, {})[arm] = curve
        return found

    def _read_cells(self, run: Run) -> tuple[Cell, ...]:
        store = self._store(run.id)
        return tuple(_cell(store.scores(run.id, one.arm, one.metric), one.arm) for one in store.score_sets(run.id))

    def _read_differences(self, first: Run, second: Run) -> tuple[Difference, ...]:
        a, b = self._store(first.id), self._store(second.id)
        others = {(one.arm, one.metric) for one in b.score_sets(second.id)}
        both = [(one.arm, one.metric) for one in a.score_sets(first.id) if (one.arm, one.metric) in others]
        return tuple(_difference(arm, a.scores(first.id, arm, m), b.scores(second.id, arm, m)) for arm, m in both)


class _Remembered(Generic[T]):
    """What ``read`` says of runs; kept for runs that have ended, as those change no more."""

    def __init__(self, read: Callable[..., T]) -> None:
        self._read = read
        self._known: OrderedDict[tuple[tuple[str, str | None], ...], T] = OrderedDict()

    def __call__(self, *runs: Run) -> T:
        key = tuple((run.id, run.ended) for run in runs)
        found = self._known.get(key)
        if found is None:
            found = self._read(*runs)
            if all(run.status != "running" for run in runs):
                self._known[key] = found
                while len(self._known) > _KEPT:
                    self._known.popitem(last=False)
        return found


def told(run: Run, key: str) -> str:
    """A sentence of the run's summary; empty when there is none."""
    value = run.summary.get(key)
    return value if isinstance(value, str) else ""


def flat(config: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """A configuration as dotted names and texts.

    Example:
        >>> flat({"train": {"seed": 1, "rate": None}, "method": "raft"})
        {'train.seed': '1', 'train.rate': 'none', 'method': 'raft'}
    """
    found: dict[str, str] = {}
    for key, value in config.items():
        if isinstance(value, Mapping) and value:
            found |= flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = "none" if value is None else str(value)
    return found


def _cell(scores: Scores, arm: str) -> Cell:
    try:
        found = estimate(scores)
    except TutelageError as error:
        return Cell(arm, scores.metric, len(scores.ids), None, error.what)
    return Cell(arm, scores.metric, len(scores.ids), found)


def _difference(arm: str, a: Scores, b: Scores) -> Difference:
    cells = (_cell(a, arm), _cell(b, arm))
    try:
        pairs = align(a, b)
        if pairs.proportion:
            delta = difference_of_shares(pairs.a, pairs.b, pairs.clusters)
        else:
            delta = mean_interval(pairs.b - pairs.a, pairs.clusters)
    except TutelageError as error:
        return Difference(arm, a.metric, *cells, None, "", error.what)
    outcome = "cannot tell"
    if not delta.low <= 0 <= delta.high:
        outcome = "better" if (delta.low > 0) == a.higher_is_better else "worse"
    return Difference(arm, a.metric, *cells, delta if math.isfinite(delta.value) else None, outcome)


def _folder(run: Run) -> Path | None:
    """The run's folder, if what lies there now is still this run: folders are used again, or were relative."""
    try:
        folder = Path(run.folder).resolve()
        facts = read_json(contained(folder, "run.json"))
    except (TutelageError, OSError, ValueError, RuntimeError):
        return None
    return folder if isinstance(facts, Mapping) and facts.get("id") == run.id else None


def _opened(path: Path) -> BinaryIO | None:
    """A plain file, opened without following a link that was put in its place meanwhile."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        return None
    return os.fdopen(handle, "rb")
