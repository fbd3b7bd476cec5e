"""The store: one SQLite file, short transactions, safe for many processes and threads."""

from __future__ import annotations

import os
import shlex
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from tutelage.errors import DataError, RangeError, StoreError, nearest
from tutelage.io.atomic import atomic_file
from tutelage.io.paths import home
from tutelage.store.database import Database
from tutelage.store.encoding import decode, encode, visible
from tutelage.store.export import write_jsonl_tables
from tutelage.store.owner import is_dead, this_process
from tutelage.store.records import STATUSES, Artifact, Curve, Run, Scalar, ScoreSet, Status
from tutelage.store.schema import connect, sqlite_errors, transaction
from tutelage.store.scores import list_scores, read_scores, write_scores
from tutelage.types import Scores

__all__ = ["Store"]

_RUN = "id, kind, folder, status, config, command, created, ended, summary"
_NAN = float("nan")


class Store:
    """Runs with their metrics, scores and artefacts.

    Each call is one transaction: it is there completely or not at all, even if the process is killed in it. Objects
    may be shared by threads and used on both sides of a fork.

    Args:
        path: the SQLite file; ``store.sqlite`` in :func:`tutelage.io.paths.home` when None. Made when missing.

    Raises:
        StoreError: the file cannot be opened, is not a store, or was written by a newer version.

    Example:
        >>> import tempfile
        >>> store = Store(tempfile.mkdtemp() + "/store.sqlite")
        >>> store.create_run("r1", "tune", "runs/r1", {"seed": 0}, "tutelage tune", "2026-01-01T00:00:00+00:00")
        >>> store.log("r1", [(1, "loss", 2.5), (2, "loss", float("inf"))])
        >>> store.metrics("r1", "loss")
        [Scalar(step=1, name='loss', value=2.5), Scalar(step=2, name='loss', value=inf)]
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = (home() / "store.sqlite" if path is None else Path(path)).absolute()
        self._database = Database(self.path)

    # Runs

    def create_run(
        self,
        id: str,  # noqa: A002 - the name of the column and of the field
        kind: str,
        folder: str | os.PathLike[str],
        config: Mapping[str, Any],
        command: str | Sequence[str],
        created: str | datetime | None = None,
    ) -> None:
        """Enter a run, with status ``running`` and this process as its owner.

        Args:
            id: its unique name.
            kind: the job, such as ``"tune"``.
            folder: the run folder.
            config: the resolved configuration as plain values.
            command: the command that started it, as text or in parts.
            created: ISO 8601 text or a datetime; now when None.

        Raises:
            StoreError: there is a run of this name.
            DataError: a value of ``config`` cannot be stored.
        """
        words = command if isinstance(command, str) else shlex.join(command)
        when = created if isinstance(created, str) else (created or datetime.now(UTC)).isoformat()
        row = (
            id,
            kind,
            os.fspath(folder),
            encode(config, f"config of run {id!r}"),
            visible(words),
            when,
            this_process(),
        )
        with self._database.write() as connection:
            if connection.execute("SELECT 1 FROM runs WHERE id = ?", (id,)).fetchone():
                raise StoreError(
                    f"there is a run {id!r} already", where=str(self.path), hint="choose another id, or resume it"
                )
            connection.execute(
                "INSERT INTO runs (id, kind, folder, status, config, command, created, owner)"
                " VALUES (?, ?, ?, 'running', ?, ?, ?, ?)",
                row,
            )

    def update_run(
        self,
        id: str,  # noqa: A002
        *,
        status: Status | None = None,
        summary: Mapping[str, Any] | None = None,
    ) -> None:
        """Change the status of a run, its summary, or both; ``running`` makes this process its owner.

        Raises:
            StoreError: there is no such run.
            RangeError: there is no such status.
            DataError: a value of ``summary`` cannot be stored.
        """
        if status is not None and status not in STATUSES:
            raise RangeError(
                f"there is no status {status!r}", where=f"run {id!r}", hint=f"use one of {', '.join(STATUSES)}"
            )
        text = None if summary is None else encode(summary, f"summary of run {id!r}")
        with self._database.write() as connection:
            run = self._seq(connection, id)
            if status is not None:
                ended = None if status == "running" else datetime.now(UTC).isoformat()
                connection.execute("UPDATE runs SET status = ?, ended = ? WHERE seq = ?", (status, ended, run))
            if status == "running":
                connection.execute("UPDATE runs SET owner = ? WHERE seq = ?", (this_process(), run))
            if text is not None:
                connection.execute("UPDATE runs SET summary = ? WHERE seq = ?", (text, run))

    def mark_interrupted(self) -> list[str]:
        """Give ``running`` runs whose process on this host has died the status ``interrupted``; their ids."""
        with self._database.write() as connection:
            rows = connection.execute("SELECT id, owner FROM runs WHERE status = 'running' ORDER BY seq").fetchall()
            dead = [(run,) for run, owner in rows if is_dead(owner)]
            now = datetime.now(UTC).isoformat()
            connection.executemany(
                "UPDATE runs SET status = 'interrupted', ended = ? WHERE id = ?", [(now, run) for (run,) in dead]
            )
        return [run for (run,) in dead]

    def runs(self, kind: str | None = None) -> list[Run]:
        """All runs, or those of one kind, the newest entry first, whatever the clock said."""
        with self._database.read() as connection:
            rows = connection.execute(
                f"SELECT {_RUN} FROM runs WHERE ? IS NULL OR kind = ? ORDER BY seq DESC", (kind, kind)
            ).fetchall()
        return [_run(row) for row in rows]

    def run(self, id: str) -> Run:  # noqa: A002
        """One run.

        Raises:
            StoreError: there is no such run; the hint names the nearest.
        """
        with self._database.read() as connection:
            run = self._seq(connection, id)
            return _run(connection.execute(f"SELECT {_RUN} FROM runs WHERE seq = ?", (run,)).fetchone())

    # Metrics

    def log(self, run_id: str, rows: Iterable[tuple[int, str, float]]) -> None:
        """Keep scalars, all or none, in one short transaction.

        A step has one value of a name: the last one logged, so a resumed run may repeat its steps.

        Args:
            run_id: the run.
            rows: (step, name, value), values in float64; NaN and infinities are kept (-0.0 becomes 0.0).

        Raises:
            StoreError: there is no such run.
            DataError: a row is not (integer, text, number); nothing is kept.
        """
        checked = [_scalar(row, run_id) for row in rows]
        with self._database.write() as connection:
            run = self._seq(connection, run_id)
            connection.executemany(
                "INSERT INTO metrics (run, name, step, value) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (run, name, step) DO UPDATE SET value = excluded.value",
                [(run, name, step, value) for step, name, value in checked],
            )

    def metrics(self, run_id: str, name: str | None = None) -> list[Scalar]:
        """The scalars of one name by step; of all names, by name and step, when None.

        Raises:
            StoreError: there is no such run.
        """
        with self._database.read() as connection:
            rows = connection.execute(
                "SELECT step, name, value FROM metrics WHERE run = ? AND (? IS NULL OR name = ?) ORDER BY name, step",
                (self._seq(connection, run_id), name, name),
            ).fetchall()
        return [Scalar(step, label, _NAN if value is None else value) for step, label, value in rows]

    def curves(self, run_id: str) -> dict[str, Curve]:
        """All scalars of a run as arrays, by name: faster to read and lighter to keep than :meth:`metrics`.

        Raises:
            StoreError: there is no such run.
        """
        with self._database.read() as connection:
            query = "SELECT name, step, value FROM metrics WHERE run = ? ORDER BY name, step"
            rows = connection.execute(query, (self._seq(connection, run_id),)).fetchall()
        lines = {name: list(points) for name, points in groupby(rows, itemgetter(0))}
        return {
            name: Curve(
                np.fromiter((point[1] for point in points), np.int64, len(points)),
                np.array([point[2] for point in points], dtype=np.float64),  # NULL becomes NaN
            )
            for name, points in lines.items()
        }

    def metric_names(self, run_id: str) -> list[str]:
        """The names under which a run has scalars, sorted.

        Raises:
            StoreError: there is no such run.
        """
        with self._database.read() as connection:
            run = self._seq(connection, run_id)
            query = "SELECT DISTINCT name FROM metrics WHERE run = ? ORDER BY name"
            return [name for (name,) in connection.execute(query, (run,))]

    # Scores and artefacts

    def add_scores(self, run_id: str, arm: str, scores: Scores) -> None:
        """Keep one value per item of a metric; those of the same run, arm and metric are replaced.

        Lone surrogates in outputs are kept as visible escapes.

        Raises:
            StoreError: there is no such run.
        """
        with self._database.write() as connection:
            write_scores(connection, self._seq(connection, run_id), arm, scores)

    def scores(self, run_id: str, arm: str, metric: str) -> Scores:
        """The per-item scores that :meth:`add_scores` kept, in their order.

        Raises:
            StoreError: there is no such run, or it has no such scores.
        """
        with self._database.read() as connection:
            return read_scores(connection, self._seq(connection, run_id), arm, metric)

    def score_sets(self, run_id: str) -> list[ScoreSet]:
        """Which scores a run has, in the order of entry.

        Raises:
            StoreError: there is no such run.
        """
        with self._database.read() as connection:
            return list_scores(connection, self._seq(connection, run_id))

    def add_artifact(self, run_id: str, name: str, path: str | os.PathLike[str], sha256: str) -> int:
        """Enter a file of a run, replacing one of the same name; its id.

        Raises:
            StoreError: there is no such run.
        """
        with self._database.write() as connection:
            run = self._seq(connection, run_id)
            row = connection.execute(
                "INSERT INTO artifacts (run, name, path, sha256) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (run, name) DO UPDATE SET path = excluded.path, sha256 = excluded.sha256 RETURNING id",
                (run, name, os.fspath(path), sha256),
            ).fetchone()
        return int(row[0])

    def artifacts(self, run_id: str) -> list[Artifact]:
        """The files of a run, in the order of entry.

        Raises:
            StoreError: there is no such run.
        """
        with self._database.read() as connection:
            query = "SELECT id, name, path, sha256 FROM artifacts WHERE run = ? ORDER BY id"
            return [Artifact(*row) for row in connection.execute(query, (self._seq(connection, run_id),))]

    # Copies

    def export_jsonl(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write ``runs``, ``metrics``, ``scores`` and ``artifacts`` as ``.jsonl``, all as of one moment.

        NaN and infinities are written as the texts "NaN", "Infinity" and "-Infinity".

        Returns:
            The files.

        Raises:
            StoreError: the disk is full, the folder read-only, ...
        """
        with closing(connect(self.path)) as connection, transaction(connection, self.path, write=False):
            return write_jsonl_tables(connection, Path(folder))

    def export_parquet(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write ``runs``, ``metrics``, ``scores`` and ``artifacts`` as ``.parquet``, all as of one moment.

        Configurations and summaries are JSON text; NaN and infinities are themselves.

        Returns:
            The files.

        Raises:
            StoreError: the disk is full, the folder read-only, ...
        """
        from tutelage.store.parquet import write_parquet_tables  # pyarrow is slow to load and rarely needed

        with closing(connect(self.path)) as connection, transaction(connection, self.path, write=False):
            return write_parquet_tables(connection, Path(folder))

    def backup(self, path: str | os.PathLike[str]) -> None:
        """Copy the store while it is in use; the file alone is no copy, because its log belongs to it.

        Raises:
            StoreError: the disk is full, the folder read-only, ...
        """
        with (
            atomic_file(path) as temporary,
            sqlite_errors(temporary),
            closing(connect(self.path)) as source,
            closing(sqlite3.connect(temporary)) as copy,
        ):
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")

    # Connection

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _seq(self, connection: sqlite3.Connection, run_id: str) -> int:
        row = connection.execute("SELECT seq FROM runs WHERE id = ?", (run_id,)).fetchone()
        if row is None:
            close = nearest(run_id, [name for (name,) in connection.execute("SELECT id FROM runs")])
            hint = f"did you mean {close!r}?" if close else "`Store.runs()` lists them"
            raise StoreError(f"there is no run {run_id!r}", where=str(self.path), hint=hint)
        return int(row[0])


def _run(row: tuple[Any, ...]) -> Run:
    id_, kind, folder, status, config, command, created, ended, summary = row
    return Run(id_, kind, folder, status, decode(config), command, created, ended, decode(summary))


def _scalar(row: tuple[int, str, float], run_id: str) -> Scalar:
    try:
        step, name, value = row
        whole, number = int(step), float(value)
        if whole == step and abs(whole) < 2**63 and isinstance(name, str) and type(step) is not bool:
            return Scalar(whole, visible(name), number)
    except (TypeError, ValueError, OverflowError):
        pass
    raise DataError(
        f"{row!r} is not (step, name, value)", where=f"run {run_id!r}", hint="give an integer, a text, a number"
    )
