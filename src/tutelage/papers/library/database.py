"""Tables of the library, and opening it safely when several processes do so at once."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tutelage.errors import StoreError
from tutelage.io.failure import check_name, disk_errors

__all__ = ["SCHEMA_VERSION", "TOKENIZER", "connect", "spaced", "sqlite_errors", "transaction"]

SCHEMA_VERSION = 1
_BUSY_SECONDS = 30.0
_APPLICATION = 0x54505041  # "TPPA"

# Words without accents, and their English stems. Scripts written without spaces are spaced first; see `spaced`.
TOKENIZER = "porter unicode61 remove_diacritics 2"
_UNSPACED = re.compile("([\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")

# The index of words keeps no copy of the texts, which the table has: an entry is taken out by saying it again.
_INDEXED = ("title", "summary", "keywords", "abstract")
_OLD, _NEW = (", ".join(f"spaced({row}.{name})" for name in _INDEXED) for row in ("old", "new"))
_OUT = f"INSERT INTO words (words, rowid, {', '.join(_INDEXED)}) VALUES ('delete', old.seq, {_OLD});"
_IN = f"INSERT INTO words (rowid, {', '.join(_INDEXED)}) VALUES (new.seq, {_NEW});"
_COUNT = "UPDATE facts SET value = CAST(value + 1 AS TEXT) WHERE name = 'vectors';"
_TABLES = (
    "CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE papers (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        key TEXT NOT NULL,
        arxiv TEXT NOT NULL,
        title TEXT NOT NULL,
        date TEXT NOT NULL,
        listed TEXT NOT NULL,
        authors INTEGER NOT NULL,
        comments INTEGER NOT NULL,
        abstract TEXT NOT NULL,
        url TEXT NOT NULL,
        source TEXT NOT NULL,
        slug TEXT,
        family TEXT NOT NULL DEFAULT '',
        summary TEXT NOT NULL DEFAULT '',
        keywords TEXT NOT NULL DEFAULT ''
    ) STRICT""",
    "CREATE INDEX papers_by_key ON papers (key)",
    "CREATE INDEX papers_by_arxiv ON papers (arxiv) WHERE arxiv <> ''",
    "CREATE INDEX papers_by_slug ON papers (slug) WHERE slug IS NOT NULL",
    "CREATE INDEX papers_by_date ON papers (date DESC, seq)",
    f"CREATE VIRTUAL TABLE words USING fts5 ({', '.join(_INDEXED)}, content = '', tokenize = '{TOKENIZER}')",
    f"CREATE TRIGGER papers_in AFTER INSERT ON papers BEGIN {_IN} END",
    f"CREATE TRIGGER papers_out AFTER DELETE ON papers BEGIN {_OUT} DELETE FROM vectors WHERE seq = old.seq; END",
    f"""CREATE TRIGGER papers_new AFTER UPDATE OF {", ".join(_INDEXED)} ON papers BEGIN
        {_OUT} {_IN} DELETE FROM vectors WHERE seq = old.seq; END""",
    """CREATE TABLE vectors (
        seq INTEGER PRIMARY KEY,
        value BLOB NOT NULL  -- float16, little-endian
    ) STRICT""",
    # Every change of the vectors makes a new number, by which a matrix made of them is known to be old.
    "INSERT INTO facts VALUES ('vectors', '0')",
    f"CREATE TRIGGER vectors_in AFTER INSERT ON vectors BEGIN {_COUNT} END",
    f"CREATE TRIGGER vectors_out AFTER DELETE ON vectors BEGIN {_COUNT} END",
    """CREATE TABLE searches (
        name TEXT PRIMARY KEY,
        query TEXT NOT NULL,
        filters TEXT NOT NULL CHECK (json_valid(filters))
    ) STRICT, WITHOUT ROWID""",
)


def spaced(text: str) -> str:
    """``text`` with zero-width spaces around every character of scripts written without spaces (CJK, Thai, ...).

    Each such character is then a word of its own, and a word of the script is a phrase of them.

    Example:
        >>> spaced("weak 监督").encode("ascii", "backslashreplace").decode()
        'weak \\\\u200b\\\\u76d1\\\\u200b\\\\u200b\\\\u7763\\\\u200b'
    """
    return text if text.isascii() else _UNSPACED.sub("\u200b\\1\u200b", text)


def connect(path: Path) -> sqlite3.Connection:
    """Open the library, making it first if there is none.

    Raises:
        StoreError: the file is not a library of Tutelage, is damaged, was written by a newer version, or cannot be
            opened.
    """
    check_name(path)
    with disk_errors(path, "make the folder of the library"):
        path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite_errors(path):
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.create_function("spaced", 1, spaced, deterministic=True)
            _check_version(connection, path)
            _use_wal(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA cache_size = -65536")
            if _pragma(connection, "user_version") == 0:
                with transaction(connection, path):
                    _create(connection)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction: everything in the block is kept, or nothing.

    Raises:
        StoreError: instead of every error of SQLite.
    """
    with sqlite_errors(path):
        if connection.in_transaction:  # Ctrl-C came between a BEGIN and its block
            connection.execute("ROLLBACK")
        connection.execute("BEGIN IMMEDIATE")
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
        what, hint = str(error), "import the papers again into a new library if this stays"
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            what = f"another process has kept the library of papers busy for {_BUSY_SECONDS:.0f} s"
            hint = "end the process that holds it, then try again"
        elif name == "SQLITE_FULL":
            what, hint = "the disk is full", "free some space; nothing was changed"
        elif name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
            what, hint = f"the library cannot be opened for writing ({error})", "set TUTELAGE_HOME to a writable folder"
        elif name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            what = f"the library of papers is damaged or not a SQLite file ({error})"
            hint = "move the file away; a new library is made, into which the saved pages can be imported again"
        raise StoreError(what, where=os.fspath(path), hint=hint) from error


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"PRAGMA {name}").fetchone()[0])


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    version = _pragma(connection, "user_version")
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if (version or tables) and _pragma(connection, "application_id") != _APPLICATION:
        raise StoreError("the file is not a library of papers", where=str(path), hint="choose another path")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"the library was written by a newer Tutelage (schema {version}; this reads up to {SCHEMA_VERSION})",
            where=str(path),
            hint="upgrade tutelage, or set TUTELAGE_HOME to another folder",
        )


def _use_wal(connection: sqlite3.Connection) -> None:
    """SQLite's own waiting does not cover this switch, so wait here."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _create(connection: sqlite3.Connection) -> None:
    if _pragma(connection, "user_version"):  # another process was first
        return
    for table in _TABLES:
        connection.execute(table)
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
