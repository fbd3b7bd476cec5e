"""Bring an archive, prove that it is the pinned one, and take single members out of it.

No member can leave its folder, links are refused, and nothing inside an archive is ever imported or run.
"""

from __future__ import annotations

import io
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

from tutelage.assets.entries import Distribution
from tutelage.errors import AssetError, UnsafePathError
from tutelage.io.paths import contained, file_sha256

__all__ = ["extract", "open_archive", "verify_archive"]


def verify_archive(path: Path, distribution: Distribution) -> None:
    """Prove that the file at ``path`` is the pinned archive.

    Raises:
        AssetError: its SHA-256 differs; both hashes are named.
    """
    found = file_sha256(path)
    if found != distribution.sha256:
        raise AssetError(
            f"this is not the pinned archive of {distribution.name} {distribution.version}: "
            f"its sha256 is {found}, expected {distribution.sha256}",
            where=str(path),
            hint="remove the file and install again; if it persists, your package source serves a changed file",
        )


class Archive(Protocol):
    """Named members, read as streams."""

    def names(self) -> Sequence[str]:
        """Names of all regular files inside."""
        ...

    def open(self, name: str) -> IO[bytes]:
        """Stream of one member."""
        ...


class _Zip:
    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self._names = [info.filename for info in file.infolist() if not info.is_dir()]

    def names(self) -> Sequence[str]:
        return self._names

    def open(self, name: str) -> IO[bytes]:
        if stat.S_ISLNK(self._file.getinfo(name).external_attr >> 16):
            raise UnsafePathError("the member is a link", where=ascii(name))
        return self._file.open(name)


class _Tar:
    def __init__(self, file: tarfile.TarFile) -> None:
        self._file = file
        self._members = {m.name.removeprefix("./"): m for m in file.getmembers() if not m.isdir()}

    def names(self) -> Sequence[str]:
        return list(self._members)

    def open(self, name: str) -> IO[bytes]:
        member = self._members[name]
        stream = self._file.extractfile(member) if member.isfile() else None
        if stream is None:
            raise UnsafePathError("the member is a link or a device", where=ascii(name))
        return stream


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open a wheel or a Debian package.

    Raises:
        AssetError: the file is neither, or damaged.
    """
    try:
        if path.suffix == ".deb":
            with tarfile.open(fileobj=_deb_data(path), mode="r:") as tar:
                yield _Tar(tar)
        else:
            with zipfile.ZipFile(path) as file:
                yield _Zip(file)
    except (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError) as error:
        raise AssetError(
            f"the archive cannot be read: {error}", where=str(path), hint="remove it and install again"
        ) from error


def extract(archive: Archive, members: Iterable[str], folder: Path, *, rename: Callable[[str], str]) -> list[Path]:
    """Copy members to ``folder``.

    Args:
        archive: from :func:`open_archive`.
        members: names inside the archive; one that ends in ``/`` stands for every file below it.
        folder: where to write; it must exist.
        rename: path below ``folder`` for a member's name.

    Returns:
        The files written.

    Raises:
        AssetError: a member is not in the archive.
        UnsafePathError: a member would leave ``folder``, is a link, or would overwrite another.
    """
    written: list[Path] = []
    names = archive.names()
    for wanted in members:
        found = (
            [n for n in names if n.startswith(wanted)] if wanted.endswith("/") else [n for n in names if n == wanted]
        )
        if not found:
            raise AssetError(f"the archive has no member {wanted!r}", hint="the pin and the catalogue disagree")
        for name in found:
            contained(folder, name)  # the name as it stands, before any renaming hides what is wrong with it
            target = contained(folder, rename(name))
            if target.exists():
                raise UnsafePathError("two members have the same target", where=ascii(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(name) as source, target.open("xb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
            written.append(target)
    return written


def _deb_data(path: Path) -> IO[bytes]:
    """The decompressed ``data.tar`` of a Debian package (an ``ar`` file of 60-byte headers)."""
    with path.open("rb") as stream:
        if stream.read(8) != b"!<arch>\n":
            raise AssetError("this is not a Debian package", where=str(path))
        while header := stream.read(60):
            if len(header) < 60:
                break
            name, size = header[:16].decode("ascii", "replace").strip().rstrip("/"), int(header[48:58])
            if not name.startswith("data.tar"):
                stream.seek(size + size % 2, os.SEEK_CUR)
                continue
            content = stream.read(size)
            if len(content) < size:
                raise AssetError(f"the package is truncated: {len(content)} of {size} bytes", where=str(path))
            return io.BytesIO(lzma.decompress(content) if name.endswith(".xz") else content)
    raise AssetError("the package holds no data.tar or data.tar.xz", where=str(path))
