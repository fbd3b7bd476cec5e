"""JSON members of an ``.eval`` archive, read in memory one by one, within limits."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tutelage.errors import DataError
from tutelage.io.failure import disk_errors
from tutelage.measure.results.foreign_json import decode

__all__ = ["MEMBER_LIMIT", "EvalArchive", "open_archive"]

MEMBER_LIMIT = 2**28  # bytes of one member, unpacked
_MEMBERS = 5_000_000
_ZSTANDARD = 93  # the compression of newer logs, which this Python's zipfile may not know
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_AGAIN = "copy the file again, or write it again with `inspect log convert`"


class EvalArchive:
    """An open archive; see :func:`open_archive`."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self.path = path
        self._stream = stream
        self._archive = zipfile.ZipFile(stream)
        # a sample that was run again stands twice, the last one counts
        self._members = {info.filename: info for info in self._archive.infolist()}
        if len(self._members) > _MEMBERS:
            raise DataError(f"the archive has more than {_MEMBERS} members", where=str(path), hint=_AGAIN)

    @property
    def names(self) -> list[str]:
        """Names of the members, in the order of the file."""
        return list(self._members)

    def json(self, name: str) -> Any:
        """The value of a member.

        Raises:
            DataError: the member is damaged, too large, or not JSON.
        """
        where = f"{self.path}, member {name!r}"
        info = self._members[name]
        if info.file_size > MEMBER_LIMIT:
            raise DataError(
                f"the member is larger than {MEMBER_LIMIT >> 20} MiB when unpacked",
                where=where,
                hint="log less of each sample; if nobody logged that much, do not trust this file",
            )
        if info.flag_bits & 1:
            raise DataError("the member is encrypted", where=where, hint="write the log without a password")
        try:
            data = self._zstandard(info) if info.compress_type == _ZSTANDARD else self._zipped(info)
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError, struct.error, ValueError) as error:
            raise DataError(f"the member is damaged: {error}", where=where, hint=_AGAIN) from error
        except NotImplementedError as error:
            raise DataError(f"the member cannot be unpacked: {error}", where=where, hint=_AGAIN) from error
        return decode(data, where)

    def _zipped(self, info: zipfile.ZipInfo) -> bytes:
        with self._archive.open(info) as member:
            return member.read(info.file_size + 1)  # without a size all is unpacked, however much it is

    def _zstandard(self, info: zipfile.ZipInfo) -> bytes:
        import pyarrow  # only here, for it takes a moment to load

        self._stream.seek(info.header_offset)
        magic, name_length, extra_length = _LOCAL_HEADER.unpack(self._stream.read(_LOCAL_HEADER.size))
        if magic != b"PK\x03\x04":
            raise zipfile.BadZipFile("its header is not where the archive says")
        self._stream.seek(name_length + extra_length, 1)
        packed = pyarrow.py_buffer(self._stream.read(info.compress_size))
        with pyarrow.CompressedInputStream(pyarrow.BufferReader(packed), "zstd") as unpacked:
            data: bytes = unpacked.read(info.file_size + 1)
        if len(data) != info.file_size or zlib.crc32(data) != info.CRC:
            raise zipfile.BadZipFile("its checksum is wrong")
        return data


@contextmanager
def open_archive(path: Path) -> Iterator[EvalArchive]:
    """Open an ``.eval`` file. Nothing is unpacked to disk.

    Raises:
        DataError: it is no archive, or torn.
        StoreError: it cannot be read.
    """
    with disk_errors(path, "read"), path.open("rb") as stream:
        try:
            archive = EvalArchive(path, stream)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise DataError(f"the archive is torn or damaged: {error}", where=str(path), hint=_AGAIN) from error
        yield archive
