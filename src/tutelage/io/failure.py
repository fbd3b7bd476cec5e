"""What an operating-system error means to the person who has to cure it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tutelage.errors import StoreError

__all__ = ["NAME_LIMIT", "check_name", "disk_errors", "explain"]

NAME_LIMIT = 255  # bytes of one path component, on every file system in common use

_CURES: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", "free some space, or choose a folder on another disk; nothing was changed"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, or choose another folder; nothing was changed"),
    errno.EACCES: ("permission denied", "choose a folder that you may write to, or change its permissions"),
    errno.EPERM: ("the operation is not permitted", "choose a folder that you may write to"),
    errno.EROFS: ("the file system is read-only", "choose a folder on a writable disk"),
    errno.ENAMETOOLONG: ("the name is too long", f"use names of at most {NAME_LIMIT} bytes and a shorter path"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "choose another path, or move that file away"),
    errno.EISDIR: ("the path is a folder, not a file", "choose another path, or move that folder away"),
    errno.ENOTEMPTY: ("the folder is there already", "choose another path, or move that folder away"),
    errno.EEXIST: ("it is there already", "choose another path, or move it away"),
    errno.ENOENT: ("no such file or folder", "check the path"),
    errno.EIO: ("the disk reports an input/output error", "check the disk; copy what matters elsewhere first"),
    errno.EFBIG: ("the file is larger than this file system or limit allows", "choose another disk or raise the limit"),
    errno.EMFILE: ("too many files are open", "raise the limit (`ulimit -n`) or run fewer processes"),
}


def explain(error: OSError, path: str | os.PathLike[str], doing: str) -> StoreError:
    """The :class:`StoreError` that says what ``error`` means and what to do about it.

    Args:
        error: what the operating system reported.
        path: the file that the caller was working on, which is not always the one in ``error``.
        doing: what was being done, such as ``"write"``.
    """
    reason, cure = _CURES.get(error.errno or 0, (error.strerror or str(error), "check the disk and the path"))
    return StoreError(f"cannot {doing}: {reason}", where=os.fspath(path), hint=cure)


@contextmanager
def disk_errors(path: str | os.PathLike[str], doing: str) -> Iterator[None]:
    """Turn any ``OSError`` inside the block into the :class:`StoreError` of :func:`explain`.

    Args:
        path: the file to name.
        doing: what is being done, such as ``"write"``.

    Raises:
        StoreError: instead of every ``OSError``.
    """
    try:
        yield
    except OSError as error:
        raise explain(error, path, doing) from error


def check_name(path: Path) -> None:
    """Refuse a last component that no file system would take, before anything is created.

    Raises:
        StoreError: the name is empty, longer than 255 bytes, or holds NUL or text that cannot be encoded.
    """
    try:
        size = len(os.fsencode(path.name))
    except UnicodeEncodeError:
        size = 0
    if size > NAME_LIMIT:
        raise StoreError(
            f"the name is {size} bytes long; at most {NAME_LIMIT} are possible",
            where=str(path),
            hint="use a shorter name",
        )
    if size == 0 or "\0" in str(path):
        raise StoreError("this cannot be the name of a file", where=ascii(str(path)), hint="use another name")
