"""The connection of a process to the store."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tutelage.errors import DataError
from tutelage.store.schema import connect, transaction

__all__ = ["Database"]

_inherited: list[sqlite3.Connection] = []  # kept, because closing a connection inherited over a fork harms the parent's


class Database:
    """One connection a process, used by one thread at a time; a forked child opens its own.

    Args:
        path: the SQLite file; made when missing.

    Raises:
        StoreError: the file cannot be opened, is not a store, or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._connection: sqlite3.Connection | None = connect(path)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A transaction that sees one moment throughout.

        Raises:
            StoreError: instead of every error of SQLite.
            DataError: a name or path that cannot be written as Unicode text.
        """
        with _unicode(self.path), self._held() as connection, transaction(connection, self.path, write=False):
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A transaction that is kept as a whole, or not at all.

        Raises:
            StoreError: instead of every error of SQLite.
            DataError: a name or path that cannot be written as Unicode text.
        """
        with _unicode(self.path), self._held() as connection, transaction(connection, self.path, write=True):
            yield connection

    def close(self) -> None:
        """Close the file; the next transaction opens it again."""
        if self._process == os.getpid():
            with self._lock:
                connection, self._connection = self._connection, None
                if connection is not None:
                    connection.close()

    @contextmanager
    def _held(self) -> Iterator[sqlite3.Connection]:
        if self._process != os.getpid():
            if self._connection is not None:
                _inherited.append(self._connection)
            self._lock, self._connection, self._process = threading.Lock(), None, os.getpid()
        with self._lock:
            if self._connection is None:
                self._connection = connect(self.path)
            yield self._connection


@contextmanager
def _unicode(path: Path) -> Iterator[None]:
    try:
        yield
    except UnicodeEncodeError as error:
        raise DataError(
            f"{ascii(error.object)[:80]} is no Unicode text: character {error.start + 1} is half a character",
            where=str(path),
            hint="rename the run or folder; a file name that is not UTF-8 gives such text",
        ) from error
