"""Writes that are complete or absent, whatever happens between.

The order is always the same: write under a temporary name in the same folder, flush the file to the disk, rename,
flush the folder. A process killed at any point leaves the old state or the new one, and at most a stray whose name
starts with ``.tmp-``, which :func:`clean_stale` removes.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tutelage.errors import DataError, StoreError
from tutelage.io.failure import check_name, disk_errors, explain
from tutelage.io.manifest import MANIFEST, describe_folder, verify_folder

__all__ = [
    "TEMPORARY",
    "atomic_file",
    "atomic_folder",
    "clean_stale",
    "dumps",
    "verify_folder",
    "write_all",
    "write_bytes",
    "write_json",
    "write_text",
]

TEMPORARY = ".tmp-"
_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO)
_live: set[str] = set()  # temporary names of this process that are in use


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Replace the content of ``path`` by ``data``, or leave it untouched.

    Missing parent folders are made. The permissions of an existing file are kept; a link is replaced, not followed.

    Raises:
        StoreError: the disk is full, the folder read-only, the name too long, ...; the old content is intact.
    """
    with atomic_file(path) as temporary:
        handle = os.open(temporary, os.O_WRONLY)
        try:
            write_all(handle, data)
        finally:
            os.close(handle)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Replace the content of ``path`` by ``text`` in UTF-8, line ends untouched; see :func:`write_bytes`.

    Raises:
        DataError: the text holds a lone surrogate, which UTF-8 cannot say.
        StoreError: see :func:`write_bytes`.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"the text cannot be written as UTF-8: {error}", where=os.fspath(path)) from error
    write_bytes(path, data)


def write_json(path: str | os.PathLike[str], value: object) -> None:
    """Replace the content of ``path`` by ``value`` as indented JSON, keys in their order; see :func:`write_bytes`.

    Raises:
        DataError: a NaN, an infinity or an object that JSON cannot say, with the path to it.
        StoreError: see :func:`write_bytes`.
    """
    write_bytes(path, dumps(value, where=os.fspath(path), indent=2) + b"\n")


def dumps(value: object, *, where: str, indent: int | None = None) -> bytes:
    """``value`` as strict JSON in UTF-8: no NaN, no infinity; lone surrogates become escapes.

    Args:
        value: what to write.
        where: the file to name in an error.
        indent: spaces of indentation, or None for one line.

    Raises:
        DataError: a NaN, an infinity or an object that JSON cannot say, with the path to it.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
        try:
            return text.encode()
        except UnicodeEncodeError:
            return json.dumps(value, ensure_ascii=True, allow_nan=False, indent=indent).encode()
    except (TypeError, ValueError, RecursionError) as error:
        spot = _offender(value, "") or "value"
        raise DataError(f"{spot} cannot be written as JSON: {error}", where=where, hint="store null or text") from error


def _offender(value: object, path: str, depth: int = 0) -> str | None:
    """Path of the first part of ``value`` that JSON cannot say, such as ``.losses[3]``."""
    if depth > 50:
        return path
    if isinstance(value, dict):
        parts = [(f"{path}.{key}", part) for key, part in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [(f"{path}[{index}]", part) for index, part in enumerate(value)]
    else:
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError):
            return path
        return None
    return next((found for name, part in parts if (found := _offender(part, name, depth + 1)) is not None), None)


def write_all(handle: int, data: bytes) -> None:
    """Write all of ``data`` to an open file descriptor; ``os.write`` alone may stop half-way.

    Raises:
        OSError: as ``os.write`` does.
    """
    view = memoryview(data)
    while view:
        written = os.write(handle, view)
        if written == 0:
            raise OSError(errno.EIO, "nothing could be written")
        view = view[written:]


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty temporary file beside ``path``; when the block succeeds it becomes ``path``.

    For writers that want a file name (safetensors, Parquet). If the block raises, the temporary file is removed and
    ``path`` is as it was.

    Args:
        path: the file to replace; missing parent folders are made.

    Yields:
        The temporary file, to be written and closed by the block.

    Raises:
        StoreError: the disk is full, the folder read-only, the name too long, ... Other errors of the block pass
            through unchanged.
    """
    target = Path(path).absolute()
    check_name(target)
    with disk_errors(target, "write"):
        if target.is_dir() and not target.is_symlink():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        _make_parents(target.parent)
        temporary = _temporary(target.parent)
    try:
        with disk_errors(target, "write"):
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
        yield temporary
        with disk_errors(target, "write"):
            _keep_mode(target, temporary)
            _flush(temporary)
            temporary.replace(target)
            _flush(target.parent)
    except BaseException as error:
        with suppress(OSError):
            temporary.unlink()
        _raise_if_disk(error, target)
        raise
    finally:
        _live.discard(temporary.name)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield an empty temporary folder beside ``path``; when the block succeeds it becomes ``path``.

    Before the rename, ``manifest.json`` with the size and SHA-256 of every file is written as the last file, and
    every file and folder is flushed. A folder under its final name is therefore complete, and :func:`verify_folder`
    can prove it later. Nothing is ever replaced.

    Args:
        path: the folder to make; it must not exist. Missing parent folders are made.

    Yields:
        The temporary folder.

    Raises:
        StoreError: ``path`` exists, the disk is full, the block left a link or its own ``manifest.json``, ...; the
            temporary folder is gone. Other errors of the block pass through unchanged.
    """
    target = Path(path).absolute()
    check_name(target)
    with disk_errors(target, "make the folder"):
        _refuse_existing(target)
        _make_parents(target.parent)
        temporary = _temporary(target.parent)
        temporary.mkdir()
    try:
        yield temporary
        with disk_errors(target, "finish the folder"):
            write_bytes(temporary / MANIFEST, dumps(describe_folder(temporary), where=str(target), indent=2) + b"\n")
            for folder, _, files in os.walk(temporary, topdown=False):
                for name in files:
                    _flush(Path(folder, name))
                _flush(Path(folder))
            _refuse_existing(target)
            temporary.replace(target)
            _flush(target.parent)
    except BaseException as error:
        shutil.rmtree(temporary, ignore_errors=True)
        _raise_if_disk(error, target)
        raise
    finally:
        _live.discard(temporary.name)


def clean_stale(parent: str | os.PathLike[str]) -> list[Path]:
    """Remove what killed processes left in ``parent``: files and folders whose names start with ``.tmp-``.

    The name holds the process number of its writer; those of living processes stay. Links are removed, never followed.

    Args:
        parent: the folder to clean, not its subfolders. A missing folder counts as clean.

    Returns:
        What was removed, sorted.

    Raises:
        StoreError: something could not be removed.
    """
    removed: list[Path] = []
    folder = Path(parent)
    with disk_errors(folder, "clean up"):
        found = sorted(folder.glob(f"{TEMPORARY}*")) if folder.is_dir() else []
        for stray in found:
            if _in_use(stray.name):
                continue
            if stray.is_dir() and not stray.is_symlink():
                shutil.rmtree(stray)
            else:
                stray.unlink()
            removed.append(stray)
    return removed


def _temporary(folder: Path) -> Path:
    """A fresh temporary name in ``folder``, independent of the target's, so that the longest names still work."""
    name = f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(8)}"
    _live.add(name)
    return folder / name


def _in_use(name: str) -> bool:
    owner = name.removeprefix(TEMPORARY).partition("-")[0]
    if not (owner.isascii() and owner.isdigit()):
        return False
    if int(owner) == os.getpid():
        return name in _live
    try:
        os.kill(int(owner), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _refuse_existing(target: Path) -> None:
    if os.path.lexists(target):
        raise StoreError(
            "the folder is there already and is never overwritten",
            where=str(target),
            hint="choose another path, or move it away",
        )


def _raise_if_disk(error: BaseException, target: Path) -> None:
    """Name the target when a block failed for want of disk; other errors of a block speak for themselves."""
    if isinstance(error, OSError) and error.errno in _DISK:
        raise explain(error, target, "write") from error


def _keep_mode(target: Path, temporary: Path) -> None:
    with suppress(FileNotFoundError):
        old = target.lstat()
        if stat.S_ISREG(old.st_mode):
            temporary.chmod(stat.S_IMODE(old.st_mode))


def _make_parents(folder: Path) -> None:
    """Make ``folder`` and what is missing above it, each entry flushed."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        _flush(new.parent)


def _flush(path: Path) -> None:
    """Force a file, or the entries of a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Some network and FUSE file systems cannot flush a folder; there is nothing better to do there.
        if not (error.errno in (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS) and path.is_dir()):
            raise
    finally:
        os.close(handle)
