"""Tables of the store."""

from __future__ import annotations

from tutelage.io.sqlite import Schema

__all__ = ["SCHEMA_VERSION", "connect", "sqlite_errors", "transaction"]

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

_SCHEMA = Schema(
    "store",
    0x54555445,  # "TUTE"
    _TABLES,
    damaged="move the file away; a new store is made, and the run folders still hold everything",
    hint="`tutelage doctor` shows where the store is; the run folders hold everything too",
    settings=("PRAGMA foreign_keys = ON",),
)
SCHEMA_VERSION = _SCHEMA.version
connect, sqlite_errors, transaction = _SCHEMA.connect, _SCHEMA.errors, _SCHEMA.transaction
