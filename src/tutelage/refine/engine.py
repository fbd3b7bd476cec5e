"""The one refine engine: rows through a refiner, in order, resumable after a kill at any moment.

A refiner works on a few rows at a time and puts its questions through a :class:`CallCache`. What is done is kept on
two levels in ``OUT/work``: every answer of an engine (``calls.jsonl``) and every finished row (``rows.jsonl``). Both
are append-only and flushed to the disk before the work goes on, so a second run continues where the first was
stopped; a run with other settings reuses whatever answers it still needs.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tutelage.errors import DataError, Interrupted, RangeError, StoreError
from tutelage.io import JsonlLog, content_hash
from tutelage.refine.calls import CallCache
from tutelage.types import Refined, Row

__all__ = ["RowRefiner", "RunOptions", "RunResult", "run"]

_FORMAT = 1

T = TypeVar("T")


class RowRefiner(ABC):
    """A refiner that works on a few rows at a time; also a :class:`tutelage.types.Refiner` (then without a log)."""

    name: str = "refiner"

    @abstractmethod
    def fingerprint(self) -> str:
        """A hash of everything that decides a row's result: settings, prompts, engines, code version."""

    @abstractmethod
    def refine(self, rows: Sequence[Row], calls: CallCache) -> list[Refined]:
        """One :class:`Refined` for each row, in order; a function of the rows, the fingerprint and nothing else."""

    def warnings(self) -> list[str]:
        """What a reader of the results must know about how this refiner is put together."""
        return []

    def __call__(self, rows: Iterable[Row]) -> Iterator[Refined]:
        """Refine row after row, answers kept in memory only; :func:`run` is the resumable way."""
        with CallCache() as calls:
            for few in _chunks(rows, calls.batch_size):
                yield from _checked(few, self.refine(few, calls))


@dataclass(frozen=True)
class RunOptions:
    """How a run goes about it; none of this changes a result.

    ``batch_size`` prompts go to an engine in one call, ``rows_at_once`` rows are finished and recorded together;
    ``should_stop`` is asked between calls; ``console`` shows the progress bar (None: no bar).
    """

    batch_size: int = 16
    rows_at_once: int = 64
    should_stop: Callable[[], bool] | None = None
    console: Console | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.rows_at_once < 1:
            raise RangeError("batch_size and rows_at_once must be at least 1")


@dataclass(frozen=True)
class RunResult:
    """``refined`` has one entry per input row, in its order. The rest is cost.

    ``calls`` and ``tokens`` count the prompts sent and tokens drawn by this process, ``reused`` the rows that an
    earlier one had finished, ``seconds`` the work on all rows by whichever process did it (what a kill cut short is
    not in it), ``damaged`` the unreadable lines of the logs, whose work was done again.
    """

    refined: list[Refined]
    calls: int = 0
    tokens: int = 0
    reused: int = 0
    seconds: float = 0.0
    damaged: int = 0
    warnings: list[str] = field(default_factory=list)


def run(
    rows: Iterable[Row], refiner: RowRefiner, out_dir: str | os.PathLike[str], *, options: RunOptions | None = None
) -> RunResult:
    """Refine ``rows``, continuing from whatever an earlier run left in ``out_dir``.

    Guarantee: a process killed at any moment has lost the answers of at most one call to an engine (``batch_size``
    prompts); all others are on the disk and are not asked for again. The result is the same as without the kill,
    and a run over finished rows asks nothing.

    Args:
        rows: examples; every one comes back, in this order.
        refiner: what to do with them.
        out_dir: folder whose ``work`` subfolder holds the logs.
        options: batch sizes, progress, stopping.

    Returns:
        Every row as kept, changed or dropped, and the cost.

    Raises:
        Interrupted: ``should_stop`` said so; finished rows are recorded.
        StoreError: another process works in ``out_dir``, or the disk refuses.
        DataError: the refiner returned something else than one result per row.
    """
    options, rows = options or RunOptions(), list(rows)
    work = Path(out_dir) / "work"
    mark = refiner.fingerprint()
    keys = [content_hash([_FORMAT, mark, row]) for row in rows]
    with (
        _alone(work),
        JsonlLog(work / "rows.jsonl") as log,
        CallCache(work / "calls.jsonl", batch_size=options.batch_size) as calls,
    ):
        done, damaged = _finished(log, frozenset(keys))
        todo = [(k, row) for k, row in dict(zip(keys, rows, strict=True)).items() if k not in done]
        reused = sum(k in done for k in keys)
        with _bar(options.console, refiner.name, total=len(todo)) as show:

            def before_call() -> None:
                show(0, calls.calls)
                if options.should_stop is not None and options.should_stop():
                    raise Interrupted("stopped as asked; every answer so far is saved", where=str(out_dir))

            calls.before_call = before_call
            for few in _chunks(todo, options.rows_at_once):
                begun, batch = time.monotonic(), [row for _, row in few]
                refined = _checked(batch, refiner.refine(batch, calls))
                seconds = (time.monotonic() - begun) / len(few)
                entries = [_entry(k, r, seconds) for (k, _), r in zip(few, refined, strict=True)]
                log.append(*entries, sync=True)
                done.update(_read(json.loads(json.dumps(entry))) for entry in entries)  # as a later run will see it
                show(len(few), calls.calls)
        return RunResult(
            refined=[done[k][0] for k in keys],
            calls=calls.calls,
            tokens=calls.tokens,
            reused=reused,
            seconds=sum(done[k][1] for k in dict.fromkeys(keys)),
            damaged=damaged + calls.damaged,
            warnings=refiner.warnings(),
        )


def _entry(key: str, refined: Refined, seconds: float) -> dict[str, Any]:
    result = {"row": refined.row, "outcome": refined.outcome, "reason": refined.reason, "trace": dict(refined.trace)}
    return {"key": key, "seconds": seconds, "refined": result}


def _read(entry: dict[str, Any]) -> tuple[str, tuple[Refined, float]]:
    """Key, result and seconds of one line of the log."""
    made = entry["refined"]
    refined = Refined(made["row"], made["outcome"], made["reason"], made["trace"])
    return entry["key"], (refined, float(entry["seconds"]))


def _finished(log: JsonlLog, wanted: frozenset[str]) -> tuple[dict[str, tuple[Refined, float]], int]:
    """Finished rows of this run by key, and the number of lines that could not be read."""
    done: dict[str, tuple[Refined, float]] = {}
    damaged = 0
    for line in log.rows():
        value = line.value
        try:
            if line.error is not None:
                raise ValueError(line.error)
            if value["key"] in wanted:
                key, result = _read(value)
                done[key] = result
        except (KeyError, TypeError, ValueError):
            damaged += 1
    return done, damaged


def _checked(rows: Sequence[Row], refined: Sequence[Refined]) -> list[Refined]:
    """The refiner's results, if they keep the contract: one per row, same id, a row unless dropped."""
    if len(refined) != len(rows):
        raise DataError(f"the refiner returned {len(refined)} results for {len(rows)} rows", where=rows[0]["id"])
    for row, result in zip(rows, refined, strict=True):
        if (result.row is None) != (result.outcome == "dropped"):
            raise DataError(f"the refiner says {result.outcome!r} but the row is {result.row!r}", where=row["id"])
        if result.row is not None and result.row["id"] != row["id"]:
            raise DataError(f"the refiner returned row {result.row['id']!r} in its place", where=row["id"])
        if result.outcome == "kept" and result.row != row:
            raise DataError("the refiner changed a row and calls it kept", where=row["id"])
    return list(refined)


def _chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while few := list(islice(rest, size)):
        yield few


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Hold the folder's lock, which the system releases when the process ends, however it ends."""
    try:
        work.mkdir(parents=True, exist_ok=True)
        handle = os.open(work / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise StoreError(f"the folder cannot be written: {error.strerror}", where=str(work)) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(
                "another process refines into this folder", where=str(work), hint="wait for it, or choose another --out"
            ) from error
        yield
    finally:
        os.close(handle)


@contextmanager
def _bar(console: Console | None, name: str, *, total: int) -> Iterator[Callable[[int, int], None]]:
    """A function to be told of rows finished since the last time, and of answers in all."""
    if console is None or total == 0:
        yield lambda finished, answers: None
        return
    columns = (TextColumn("  {task.description}"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(f"refining ({name})", total=total)
        yield lambda finished, answers: progress.update(
            task, advance=finished, description=f"refining ({name}), {answers} new answers"
        )
