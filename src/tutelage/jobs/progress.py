"""Progress of training: a bar for the reader, ``metrics.jsonl`` and the store for the record."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tutelage.io import JsonlLog
from tutelage.jobs.run_folder import RunFolder
from tutelage.store import Store

__all__ = ["TrainingProgress", "bar"]

_STORE_EVERY = 10


def bar(console: Console) -> Progress:
    """The one look of progress bars."""
    return Progress(
        TextColumn("  [progress.description]{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True),
        TextColumn("[dim]{task.fields[note]}"),
        console=console,
    )


class TrainingProgress:
    """Shows and records the steps of one arm.

    Args:
        console: where the bar is drawn.
        arm: the arm's name.
        folder: receives ``metrics.jsonl``.
        store: receives the same numbers, a few steps at a time.
    """

    def __init__(self, console: Console, arm: str, folder: RunFolder, store: Store) -> None:
        self.arm, self.folder, self.store = arm, folder, store
        self.progress = bar(console)
        self.log: JsonlLog | None = None
        self.waiting: list[tuple[int, str, float]] = []

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self.progress.stop()

    def start(self, step: int, total: int) -> Callable[[int, dict[str, float]], None]:
        """Begin at ``step`` of ``total``; rows of later steps, which will be repeated, are taken out of the log."""
        self.log = self.folder.metrics_log(self.arm, step)
        task = self.progress.add_task(self.arm, total=total, completed=step, note="")

        def report(now: int, metrics: dict[str, float]) -> None:
            assert self.log is not None
            self.log.append({"arm": self.arm, "step": now, **metrics})
            self.waiting += [(now, f"{self.arm}/{name}", value) for name, value in metrics.items()]
            if now % _STORE_EVERY == 0:
                self._flush()
            self.progress.update(task, completed=now, note=f"loss {metrics['loss']:.3f}")

        return report

    def _flush(self) -> None:
        if self.waiting:
            self.store.log(self.folder.facts["id"], self.waiting)
            self.waiting = []
