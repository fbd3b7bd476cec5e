"""Every decision on a line of its own, each sealed by the hash of all before it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tutelage.errors import DataError, StoreError
from tutelage.io import JsonlLog, content_hash, read_jsonl

__all__ = ["GENESIS", "DecisionLog", "LogFault", "read_log", "verify_log"]

GENESIS = "0" * 64
"""What the first record names as the hash before it."""


@dataclass(frozen=True)
class LogFault:
    """A record that is not as it was written: its line, and what is wrong."""

    line: int
    what: str


class DecisionLog:
    """An append-only JSON-lines file in which every record carries the hash of the one before.

    A record is what was given to :meth:`append` with ``number``, ``time`` (UTC), ``previous`` and ``hash``: SHA-256 of
    the canonical JSON of all the rest. Changing, removing or reordering records breaks the chain from there on. Cutting
    off its end does not: :attr:`head`, kept elsewhere, shows that.

    Args:
        path: the file; made when missing. One process writes at a time.

    Raises:
        DataError: the file is there and its chain is broken.
        StoreError: another process is writing, or the disk refuses.

    Example:
        >>> import tempfile, pathlib
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "log.jsonl"
        >>> with DecisionLog(path) as log:
        ...     _ = log.append([{"score": 0.5}, {"score": 0.25}])
        >>> verify_log(path), len(list(read_log(path)))
        ([], 2)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._log = JsonlLog(self.path)
        self._lock = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise StoreError("another process is writing this log", where=str(self.path), hint="wait for it") from error
        faults = verify_log(self.path)
        if faults:
            self.close()
            raise DataError(
                f"line {faults[0].line} of the log is not as it was written: {faults[0].what}",
                where=str(self.path),
                hint="keep it as it is, for whoever looks into it, and begin another log",
            )
        records = list(read_log(self.path))
        self.head = str(records[-1]["hash"]) if records else GENESIS
        self._number = len(records)

    def append(self, records: Iterable[Mapping[str, Any]]) -> list[str]:
        """Add records, all or none, and wait for the disk; returns their hashes.

        Raises:
            DataError: a record uses a name of the log's own, or holds what JSON cannot say.
        """
        sealed, previous = [], self.head
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        for number, record in enumerate(records, start=self._number + 1):
            taken = sorted({"number", "time", "previous", "hash"} & set(record))
            if taken:
                raise DataError(f"the log itself writes {taken[0]!r}", where=str(self.path))
            whole = {"number": number, "time": now, **record, "previous": previous}
            previous = content_hash(whole)
            sealed.append({**whole, "hash": previous})
        self._log.append(*sealed, sync=True)
        self.head, self._number = previous, self._number + len(sealed)
        return [one["hash"] for one in sealed]

    def close(self) -> None:
        """Close the file and let others write."""
        self._log.close()
        lock = self.__dict__.pop("_lock", None)
        if lock is not None:
            os.close(lock)

    def __enter__(self) -> DecisionLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_log(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The records of a log as they stand, unchecked.

    Raises:
        DataError: a line that is no record.
    """
    for line in read_jsonl(path):
        if line.error is not None or not isinstance(line.value, dict):
            raise DataError(line.error or "not a record", where=f"{os.fspath(path)}:{line.number}")
        yield line.value


def verify_log(path: str | os.PathLike[str], head: str | None = None) -> list[LogFault]:
    """What is wrong with the chain of a log; nothing when it is whole.

    Args:
        path: the log.
        head: the hash of its last record as it was noted elsewhere; shows that the end was cut off or replaced.
    """
    faults = []
    previous, seen = GENESIS, 0
    for line in read_jsonl(path):
        seen += 1
        if line.error is not None or not isinstance(line.value, dict):
            faults.append(LogFault(line.number, line.error or "not a record"))
            continue
        record = dict(line.value)
        own = record.pop("hash", None)
        if record.get("number") != seen:
            faults.append(LogFault(line.number, f"its number is {record.get('number')!r}, not {seen}"))
        if record.get("previous") != previous:
            faults.append(LogFault(line.number, "it does not follow from the record before"))
        if own != content_hash(record):
            faults.append(LogFault(line.number, "its content is not what its hash says"))
        previous = str(own)
    if head is not None and previous != head:
        faults.append(LogFault(seen, "the log does not end with the hash that was noted"))
    return faults
