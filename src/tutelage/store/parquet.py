"""The store's content as Parquet files, streamed in row groups. Loads pyarrow."""

from __future__ import annotations

import sqlite3
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tutelage.io.atomic import atomic_file
from tutelage.store.export import NUMBERS, TABLES, rows_of

__all__ = ["write_parquet_tables"]

_ROWS = 50_000
_WHOLE = {"step", "version"}


def write_parquet_tables(connection: sqlite3.Connection, folder: Path) -> list[Path]:
    """One ``.parquet`` a table: text, int64 steps and versions, float64 values."""
    files = []
    for table in TABLES:
        names = [column[0] for column in connection.execute(TABLES[table]).description]
        schema = pa.schema([(name, _type(name)) for name in names])
        file = folder / f"{table}.parquet"
        with atomic_file(file) as temporary, pq.ParquetWriter(temporary, schema) as writer:
            rows = rows_of(connection, table)
            while group := list(islice(rows, _ROWS)):
                writer.write_table(pa.Table.from_pylist(group, schema=schema))
        files.append(file)
    return files


def _type(name: str) -> pa.DataType:
    return pa.float64() if name in NUMBERS else pa.int64() if name in _WHOLE else pa.string()
