"""Tables of the store, and opening it safely when several processes do so at once."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tutelage.errors import StoreError
from tutelage.io.failure import check_name, disk_errors

__all__ = ["BUSY_SECONDS", "SCHEMA_VERSION", "connect", "sqlite_errors", "transaction"]

SCHEMA_VERSION = 1
BUSY_SECONDS = 30.0
_APPLICATION = 0x54555445  # "TUTE"

# A step's value of a name is one number: logging it again, as a resumed run does, replaces it.
_TABLES = (
    """CREATE TABLE runs (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        folder TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('running', 'done', 'failed', 'interrupted')),
        config TEXT NOT NULL CHECK (json_valid(config)),
        command TEXT NOT NULL,
        created TEXT NOT NULL,
        ended TEXT,
        summary TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(summary)),
        owner TEXT NOT NULL
    ) STRICT""",
    """CREATE TABLE metrics (
        run INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
        name TEXT NOT NULL,
        step INTEGER NOT NULL,
        value REAL,  -- SQLite keeps NaN as NULL; reading turns it back
        PRIMARY KEY (run, name, step)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE score_sets (
        seq INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
        arm TEXT NOT NULL,
        metric TEXT NOT NULL,
        version INTEGER NOT NULL,
        higher_is_better INTEGER NOT NULL,
        grouped INTEGER NOT NULL,
        spoken INTEGER NOT NULL,
        UNIQUE (run, arm, metric)
    ) STRICT""",
    """CREATE TABLE scores (
        score_set INTEGER NOT NULL REFERENCES score_sets (seq) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        item TEXT NOT NULL,
        value REAL,
        cluster TEXT,
        output TEXT,
        PRIMARY KEY (score_set, position),
        UNIQUE (score_set, item)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE artifacts (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES runs (seq) ON DELETE CASCADE,
        name TEXT NOT NULL,
        path TEXT NOT NULL,
        sha256 TEXT NOT NULL,
        UNIQUE (run, name)
    ) STRICT""",
)


def connect(path: Path) -> sqlite3.Connection:
    """Open the store, making it first if there is none.

    Raises:
        StoreError: the file is not a store of Tutelage, is damaged, was written by a newer version, or cannot be
            opened.
    """
    check_name(path)
    with disk_errors(path, "make the folder of the store"):
        path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite_errors(path):
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            _check_version(connection, path)
            _use_wal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            if _version(connection) == 0:
                _create(connection)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path, *, write: bool) -> Iterator[sqlite3.Connection]:
    """One transaction: everything in the block is kept, or nothing; a reader sees one moment throughout.

    Raises:
        StoreError: instead of every error of SQLite.
    """
    with sqlite_errors(path):
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
def sqlite_errors(path: Path) -> Iterator[None]:
    """Turn every error of SQLite inside the block into a :class:`StoreError` with its cure."""
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", None) or ""
        what, hint = str(error), "`tutelage doctor` shows where the store is; the run folders hold everything too"
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            what = f"another process has kept the store busy for {BUSY_SECONDS:.0f} s"
            hint = "end the process that holds it, then try again"
        elif name == "SQLITE_FULL":
            what, hint = "the disk is full", "free some space; nothing was changed"
        elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            what, hint = f"the store cannot be opened for writing ({error})", "set TUTELAGE_HOME to a writable folder"
        elif name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            what = f"the store is damaged or not a SQLite file ({error})"
            hint = "move the file away; a new store is made, and the run folders still hold everything"
        raise StoreError(what, where=os.fspath(path), hint=hint) from error


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Before anything is changed: is this ours, and not from the future?"""
    version = _version(connection)
    mark = int(connection.execute("PRAGMA application_id").fetchone()[0])
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if (version or tables) and mark != _APPLICATION:
        raise StoreError("the file is not a store of Tutelage", where=str(path), hint="choose another path")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"the store was written by a newer Tutelage (schema {version}; this version reads up to {SCHEMA_VERSION})",
            where=str(path),
            hint="upgrade tutelage, or set TUTELAGE_HOME to another folder",
        )


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


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection) == 0:  # else another process was first
            for table in _TABLES:
                connection.execute(table)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
