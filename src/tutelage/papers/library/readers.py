"""Connections that only read, lent to one caller at a time, and the time that a caller has."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

from tutelage.errors import StoreError, TookTooLong
from tutelage.papers.library.database import BUSY_SECONDS, sqlite_errors

__all__ = ["Deadline", "Readers"]

_IDLE = 4  # connections kept for later
_OPERATIONS = 2_000  # of SQLite's machine between two looks at the clock: well below a millisecond


class Deadline:
    """When work has to end.

    Args:
        seconds: from now; None leaves as much time as it takes.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.end = math.inf if seconds is None else time.monotonic() + seconds

    def left(self) -> float:
        """Seconds that are left; infinite without an end."""
        return self.end - time.monotonic()

    def check(self) -> None:
        """Go on only when there is time left.

        Raises:
            TookTooLong: there is none.
        """
        if self.left() < 0:
            raise TookTooLong("the search was given up, as its time was over", hint="try fewer words")


class Readers:
    """Read-only connections to the library at ``path``; every loan sees one state of it from beginning to end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def lend(self, deadline: Deadline | None = None) -> Iterator[sqlite3.Connection]:
        """A connection inside a read transaction; what it does is interrupted when the time is over.

        Raises:
            StoreError: the library cannot be read, or was closed.
            TookTooLong: the time was over.
        """
        deadline = deadline or Deadline()
        deadline.check()
        with sqlite_errors(self.path):
            connection = self._take()
            try:
                if math.isfinite(deadline.end):
                    connection.set_progress_handler(lambda: deadline.left() < 0, _OPERATIONS)
                connection.execute("BEGIN")
                yield connection
            except sqlite3.OperationalError as error:
                if getattr(error, "sqlite_errorname", "") == "SQLITE_INTERRUPT":
                    deadline.check()
                raise
            finally:
                self._give_back(connection)

    def close(self) -> None:
        """Close what is not lent now; what is lent is closed when it comes back."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                raise StoreError("the library has been closed", where=str(self.path), hint="open it again")
            if self._idle:
                return self._idle.pop()
        address = f"{self.path.as_uri()}?mode=rw"
        connection = sqlite3.connect(
            address, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA cache_size = -16384")
            connection.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab (main, words, 'row')")
            connection.execute("PRAGMA query_only = ON")
        except BaseException:
            connection.close()
            raise
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(None, 0)
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        with self._lock:
            if not self._closed and not connection.in_transaction and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        connection.close()
