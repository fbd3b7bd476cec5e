"""Opening one of our SQLite files safely when several processes do so at once, and what its errors mean."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tutelage.errors import StoreError
from tutelage.io.failure import check_name, disk_errors

__all__ = ["BUSY_SECONDS", "Schema"]

BUSY_SECONDS = 30.0


@dataclass(frozen=True)
class Schema:
    """A kind of SQLite file of ours: how to know it, make it, and bring an older one up to date.

    Args:
        name: as errors call it, such as ``store``.
        application: SQLite's ``application_id`` of such files.
        tables: statements that make an empty one of the newest version.
        damaged: what to do when a file is damaged.
        hint: what to do about any other error.
        settings: statements of every connection.
        functions: of ours that the tables use, by name; of one argument, the same for the same.
        upgrades: statements from each older version to the next; versions count from 1.
    """

    name: str
    application: int
    tables: tuple[str, ...]
    damaged: str
    hint: str
    settings: tuple[str, ...] = ()
    functions: Mapping[str, Callable[[str], str]] = field(default_factory=dict)
    upgrades: tuple[tuple[str, ...], ...] = ()

    @property
    def version(self) -> int:
        """The newest version of the tables."""
        return 1 + len(self.upgrades)

    def connect(self, path: Path) -> sqlite3.Connection:
        """Open the file, making it first if there is none, and upgrading an older one.

        Raises:
            StoreError: the file is not of this kind, is damaged, was written by a newer version, or cannot be opened.
        """
        check_name(path)
        with disk_errors(path, f"make the folder of the {self.name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
        with self.errors(path):
            connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
            try:
                for name, function in self.functions.items():
                    connection.create_function(name, 1, function, deterministic=True)
                self._check(connection, path)
                _use_wal(connection)
                for setting in ("PRAGMA synchronous = NORMAL", *self.settings):
                    connection.execute(setting)
                if _pragma(connection, "user_version") < self.version:
                    with self.transaction(connection, path):
                        self._bring_up(connection)
            except BaseException:
                connection.close()
                raise
        return connection

    @contextmanager
    def transaction(
        self, connection: sqlite3.Connection, path: Path, *, write: bool = True
    ) -> Iterator[sqlite3.Connection]:
        """One transaction: everything in the block is kept, or nothing; a reader sees one moment throughout.

        Raises:
            StoreError: instead of every error of SQLite.
        """
        with self.errors(path):
            if connection.in_transaction:  # Ctrl-C came between a BEGIN and its block
                connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def errors(self, path: Path) -> Iterator[None]:
        """Turn every error of SQLite inside the block into a :class:`StoreError` with its cure."""
        try:
            yield
        except sqlite3.Error as error:
            code = getattr(error, "sqlite_errorname", None) or ""
            what, hint = str(error), self.hint
            if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
                what = f"another process has kept the {self.name} busy for {BUSY_SECONDS:.0f} s"
                hint = "end the process that holds it, then try again"
            elif code == "SQLITE_FULL":
                what, hint = "the disk is full", "free some space; nothing was changed"
            elif code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
                what = f"the {self.name} cannot be opened for writing ({error})"
                hint = "set TUTELAGE_HOME to a writable folder"
            elif code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
                what, hint = f"the {self.name} is damaged or not a SQLite file ({error})", self.damaged
            raise StoreError(what, where=os.fspath(path), hint=hint) from error

    def _check(self, connection: sqlite3.Connection, path: Path) -> None:
        """Before anything is changed: is this ours, and not from the future?"""
        version = _pragma(connection, "user_version")
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if (version or tables) and _pragma(connection, "application_id") != self.application:
            raise StoreError(f"the file is not a {self.name} of Tutelage", where=str(path), hint="choose another path")
        if version > self.version:
            raise StoreError(
                f"the {self.name} was written by a newer Tutelage "
                f"(schema {version}; this version reads up to {self.version})",
                where=str(path),
                hint="upgrade tutelage, or set TUTELAGE_HOME to another folder",
            )

    def _bring_up(self, connection: sqlite3.Connection) -> None:
        """Inside a transaction, so that the second of two processes finds the work done."""
        version = _pragma(connection, "user_version")
        if version == 0:
            statements = self.tables
        else:
            statements = tuple(statement for step in self.upgrades[version - 1 :] for statement in step)
        for statement in statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {self.application}")
        connection.execute(f"PRAGMA user_version = {self.version}")


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging; SQLite's own waiting does not cover this switch, so wait here."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
