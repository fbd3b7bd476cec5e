"""Rows of Parquet files and of folders that ``datasets`` saved, read in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from tutelage.data.record import Format, Record
from tutelage.errors import DataError

if TYPE_CHECKING:
    import datasets

__all__ = ["records"]

_BATCH = 2_048  # rows held as Python objects at a time


def records(path: Path, kind: Format) -> Iterator[Record]:
    """Every row of a table, numbered from 1 through all its splits.

    Raises:
        DataError: the file or folder is damaged.
    """
    number = 0
    for split, batch in _parquet(path) if kind == "parquet" else _saved(path):
        for value in batch.to_pylist():
            number += 1
            yield Record(number, value, split=split)


def _parquet(path: Path) -> Iterator[tuple[str | None, pa.RecordBatch]]:
    try:
        with pq.ParquetFile(path) as table:
            for batch in table.iter_batches(batch_size=_BATCH):
                yield None, batch
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            f"the Parquet file is damaged or cut off: {_first_line(error)}",
            where=str(path),
            hint="write or copy it again",
        ) from error


def _saved(path: Path) -> Iterator[tuple[str | None, pa.RecordBatch]]:
    from datasets import DatasetDict, load_from_disk  # loading datasets takes seconds, Parquet does not need it

    try:
        found = load_from_disk(str(path))
        parts: dict[str | None, datasets.Dataset] = dict(found) if isinstance(found, DatasetDict) else {None: found}
        for split, part in parts.items():
            yield from ((split, batch) for batch in _batches(part))
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            f"the saved dataset cannot be read: {type(error).__name__}: {_first_line(error)}",
            where=str(path),
            hint="write it again with save_to_disk, or pass a Parquet or JSON lines file",
        ) from error


def _batches(part: datasets.Dataset) -> Iterable[pa.RecordBatch]:
    """Batches with the selection and order that the dataset was saved with."""
    yield from part.with_format("arrow").iter(batch_size=_BATCH)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:200]
