"""JSON lines that are read with a reason for every bad line, and logs that survive a torn end."""

from __future__ import annotations

import fcntl
import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from tutelage.io.atomic import atomic_file, dumps, write_all
from tutelage.io.failure import check_name, disk_errors

__all__ = ["JsonlLog", "Line", "append_jsonl", "read_jsonl", "write_jsonl"]

LINE_LIMIT = 64 * 2**20  # bytes of one line
_KEPT = 2_000  # characters of a bad line that are kept for the report
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Line:
    """One line of a file: ``value`` when ``error`` is None, else the start of the line in ``raw``."""

    number: int
    value: Any
    error: str | None = None
    raw: str = ""


def read_jsonl(path: str | os.PathLike[str]) -> Iterator[Line]:
    """Every line of a JSON-lines file in order, good or bad; blank lines are passed over but counted.

    Line ends may be LF or CRLF and the file may start with a byte-order mark. A line is bad, with the reason in
    ``error``, when it is not UTF-8, not JSON, cut off at the end of the file, longer than 64 MiB or nested too
    deeply, or holds NaN, an infinity, a number too large for a float, or one key twice in an object.

    Args:
        path: the file.

    Yields:
        :class:`Line` with numbers from 1.

    Raises:
        StoreError: the file cannot be read.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "rows.jsonl"
        >>> _ = file.write_text('{"a": 1}\\n{"a": NaN}\\n')
        >>> [(line.number, line.value, line.error) for line in read_jsonl(file)]
        [(1, {'a': 1}, None), (2, None, 'NaN is not JSON')]
    """
    with disk_errors(path, "read"), Path(path).open("rb") as stream:
        for number, raw in enumerate(_lines(stream), start=1):
            if number == 1:
                if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                    yield Line(1, None, "the file is UTF-16, not UTF-8; save it as UTF-8", _shown(raw))
                    return
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if raw.strip():
                yield _parse(number, raw)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines with their ends; of one that is too long only the start, one byte over the limit."""
    while line := stream.readline(LINE_LIMIT + 1):
        yield line
        rest = line
        while len(line) > LINE_LIMIT and rest and not rest.endswith(b"\n"):
            rest = stream.readline(_CHUNK)


def _parse(number: int, raw: bytes) -> Line:
    if len(raw) > LINE_LIMIT:
        return Line(number, None, f"the line is longer than {LINE_LIMIT >> 20} MiB", _shown(raw))
    try:
        return Line(number, _decode(raw.decode()))
    except UnicodeDecodeError as error:
        reason = f"not UTF-8: byte 0x{raw[error.start]:02x} at position {error.start}"
    except json.JSONDecodeError as error:
        reason = f"not JSON: {error.msg} at column {error.colno}"
    except RecursionError:
        reason = "nested too deeply"
    except ValueError as error:
        reason = str(error)
    if not raw.endswith(b"\n"):
        reason = f"torn last line, the file ends inside it ({reason})"
    return Line(number, None, reason, _shown(raw))


def _shown(raw: bytes) -> str:
    return raw[: 4 * _KEPT].decode(errors="replace").rstrip("\r\n")[:_KEPT]


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"the number {text[:40]} is too large")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} stands twice in one object")
    return row


_decode = json.JSONDecoder(parse_constant=_no_constant, parse_float=_finite, object_pairs_hook=_unique).decode


def write_jsonl(path: str | os.PathLike[str], rows: Iterable[object]) -> int:
    """Replace a file by ``rows``, one strict JSON value a line, atomically; rows are streamed, not collected.

    Args:
        path: the file; missing parent folders are made.
        rows: what to write.

    Returns:
        The number of rows.

    Raises:
        DataError: a row holds NaN, an infinity or an object that JSON cannot say; the old file is intact.
        StoreError: the disk is full, the folder read-only, ...; the old file is intact.
    """
    count = 0
    with atomic_file(path) as temporary:
        handle = os.open(temporary, os.O_WRONLY)
        try:
            buffer = bytearray()
            for count, row in enumerate(rows, start=1):
                buffer += dumps(row, where=f"{os.fspath(path)}:{count}") + b"\n"
                if len(buffer) >= _CHUNK:
                    write_all(handle, bytes(buffer))
                    buffer.clear()
            write_all(handle, bytes(buffer))
        finally:
            os.close(handle)
    return count


def append_jsonl(path: str | os.PathLike[str], rows: Iterable[object], sync: bool = False) -> None:
    """Add ``rows`` to the end of a file, all or none, under a lock against other writers of this function.

    If the file ends inside a line, that line is ended first, so it stays one bad line and spoils no new row.

    Args:
        path: the file; made when missing, with its parent folders.
        rows: one JSON value a line.
        sync: wait until the disk has them.

    Raises:
        DataError: a row holds NaN, an infinity or an object that JSON cannot say; nothing is written.
        StoreError: the disk is full, the folder read-only, ...; the file is as it was.
    """
    data = b"".join(dumps(row, where=os.fspath(path)) + b"\n" for row in rows)
    handle = _open(Path(path))
    try:
        with disk_errors(path, "append"):
            fcntl.flock(handle, fcntl.LOCK_EX)
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            _append(handle, b"\n" + data if torn and data else data, sync=sync)
    finally:
        os.close(handle)


def _open(path: Path) -> int:
    check_name(path)
    with disk_errors(path, "open"):
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)


def _append(handle: int, data: bytes, *, sync: bool) -> None:
    """Append all of ``data`` or nothing."""
    size = os.fstat(handle).st_size
    try:
        write_all(handle, data)
        if sync:
            os.fsync(handle)
    except BaseException:
        os.ftruncate(handle, size)
        raise


class JsonlLog:
    """An append-only JSON-lines file that is whole again after a crash.

    Opening it looks at the end: a last line that is cut off is removed (and kept in :attr:`torn`); one that is
    complete but for its line end gets it. Each append is one write, so a reader sees whole lines.

    Args:
        path: the file; made when missing, with its parent folders.

    Raises:
        StoreError: the file cannot be opened or mended.

    Example:
        >>> import tempfile, pathlib
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "metrics.jsonl"
        >>> _ = file.write_bytes(b'{"step": 1}\\n{"st')
        >>> with JsonlLog(file) as log:
        ...     log.append({"step": 2})
        >>> file.read_bytes()
        b'{"step": 1}\\n{"step": 2}\\n'
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.torn = b""
        self._handle: int | None = _open(self.path)
        try:
            with disk_errors(self.path, "mend the end"):
                fcntl.flock(self._handle, fcntl.LOCK_EX)
                self._mend(self._handle)
                fcntl.flock(self._handle, fcntl.LOCK_UN)
        except BaseException:
            self.close()
            raise

    def _mend(self, handle: int) -> None:
        size = end = os.fstat(handle).st_size
        tail = b""
        while end > 0 and b"\n" not in tail:
            start = max(0, end - _CHUNK)
            tail = os.pread(handle, end - start, start) + tail
            end = start
        torn = tail[tail.rfind(b"\n") + 1 :]
        if not torn:
            return
        if _parse(0, torn).error is None:
            write_all(handle, b"\n")
        else:
            self.torn = torn
            os.ftruncate(handle, size - len(torn))

    def append(self, *rows: object, sync: bool = False) -> None:
        """Add rows, all or none.

        Args:
            rows: one JSON value a line.
            sync: wait until the disk has them.

        Raises:
            DataError: a row holds NaN, an infinity or an object that JSON cannot say; nothing is written.
            StoreError: the disk is full or the log is closed; the file is as it was.
        """
        data = b"".join(dumps(row, where=str(self.path)) + b"\n" for row in rows)
        with disk_errors(self.path, "append"):
            handle = self._open_handle()
            fcntl.flock(handle, fcntl.LOCK_EX)
            try:
                _append(handle, data, sync=sync)
            finally:
                fcntl.flock(handle, fcntl.LOCK_UN)

    def sync(self) -> None:
        """Wait until the disk has everything.

        Raises:
            StoreError: the disk refuses, or the log is closed.
        """
        with disk_errors(self.path, "flush"):
            os.fsync(self._open_handle())

    def rows(self) -> Iterator[Line]:
        """Every line from the start; see :func:`read_jsonl`."""
        return read_jsonl(self.path)

    def close(self) -> None:
        """Close the file; closing twice does nothing."""
        handle, self._handle = self._handle, None
        if handle is not None:
            os.close(handle)

    def _open_handle(self) -> int:
        if self._handle is None:
            raise OSError(0, "the log is closed")
        return self._handle

    def __enter__(self) -> JsonlLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
