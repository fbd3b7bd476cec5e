"""Tables of the library."""

from __future__ import annotations

import re

from tutelage.io.sqlite import BUSY_SECONDS, Schema

__all__ = ["BUSY_SECONDS", "SCHEMA_VERSION", "TOKENIZER", "connect", "spaced", "sqlite_errors", "transaction"]

# Words without accents, and their English stems. Scripts written without spaces are spaced first; see `spaced`.
TOKENIZER = "porter unicode61 remove_diacritics 2"
_UNSPACED = re.compile("([\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")

# The index of words keeps no copy of the texts, which the table has: an entry is taken out by saying it again.
_INDEXED = ("title", "summary", "keywords", "abstract")
_OLD, _NEW = (", ".join(f"spaced({row}.{name})" for name in _INDEXED) for row in ("old", "new"))
_OUT = f"INSERT INTO words (words, rowid, {', '.join(_INDEXED)}) VALUES ('delete', old.seq, {_OLD});"
_IN = f"INSERT INTO words (rowid, {', '.join(_INDEXED)}) VALUES (new.seq, {_NEW});"
_COUNT = "UPDATE facts SET value = CAST(value + 1 AS TEXT) WHERE name = '{}';"
# Every change of the papers, or of the vectors, makes a new number: what was made of them before is known to be old.
_PAPERS_COUNTED = (
    "INSERT INTO facts VALUES ('papers', '1')",
    *(
        f"CREATE TRIGGER papers_counted_{when} AFTER {when} ON papers BEGIN {_COUNT.format('papers')} END"
        for when in ("insert", "update", "delete")
    ),
)
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
    *_PAPERS_COUNTED,
    "INSERT INTO facts VALUES ('vectors', '0')",
    f"CREATE TRIGGER vectors_in AFTER INSERT ON vectors BEGIN {_COUNT.format('vectors')} END",
    f"CREATE TRIGGER vectors_out AFTER DELETE ON vectors BEGIN {_COUNT.format('vectors')} END",
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


_SCHEMA = Schema(
    "library of papers",
    0x54505041,  # "TPPA"
    _TABLES,
    damaged="move the file away; a new library is made, into which the saved pages can be imported again",
    hint="import the papers again into a new library if this stays",
    settings=("PRAGMA cache_size = -65536",),
    functions={"spaced": spaced},
    upgrades=(_PAPERS_COUNTED,),
)
SCHEMA_VERSION = _SCHEMA.version
connect, sqlite_errors, transaction = _SCHEMA.connect, _SCHEMA.errors, _SCHEMA.transaction
