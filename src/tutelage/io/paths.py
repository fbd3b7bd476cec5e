"""Paths that cannot escape their folder, and hashes of values and files."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

from tutelage.errors import DataError, UnsafePathError
from tutelage.io.failure import disk_errors

__all__ = ["contained", "content_hash", "file_sha256", "home"]

_SEPARATORS = re.compile(r"[/\\]")
_DRIVE = re.compile(r"[A-Za-z]:")


def contained(root: str | os.PathLike[str], relative: str | os.PathLike[str]) -> Path:
    """The absolute path of ``relative`` below ``root``, with every link resolved.

    The rules are those of all systems at once, so that a manifest written on one is judged alike on another: both
    slashes separate, and a drive letter is absolute everywhere. The file itself need not exist.

    Args:
        root: the folder to stay in.
        relative: a path from an untrusted source (a manifest, an archive, a request).

    Returns:
        A path inside the resolved ``root``.

    Raises:
        UnsafePathError: ``relative`` is empty, absolute, has a drive letter, a ``..`` part or a NUL, or a link on
            the way leads outside.
    """
    text = os.fspath(relative)
    reason = None
    if not text:
        reason = "it is empty"
    elif "\0" in text:
        reason = "it holds a NUL character"
    elif text[0] in "/\\":
        reason = "it is absolute"
    elif _DRIVE.match(text):
        reason = "it starts with a drive letter"
    elif ".." in _SEPARATORS.split(text):
        reason = "it has a '..' part"
    if reason is None:
        try:
            base = Path(root).resolve()
            path = (base / text).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # loops of links, names that cannot be encoded
            raise UnsafePathError("the path cannot be resolved", where=ascii(text), hint=str(error)) from error
        if path.is_relative_to(base):
            return path
        reason = "a link on the way leads outside"
    raise UnsafePathError(
        f"the path must stay inside {os.fspath(root)!r}, but {reason}",
        where=ascii(text),
        hint="use a plain relative path",
    )


def content_hash(value: object) -> str:
    """SHA-256, in hexadecimal, of the canonical JSON of ``value``.

    Canonical: keys sorted, no white space, ASCII escapes, UTF-8. Tuples count as lists and number keys as their
    text, as JSON has it; 1 and 1.0 differ.

    Args:
        value: anything that JSON can say.

    Returns:
        64 hexadecimal digits.

    Raises:
        DataError: a NaN, an infinity or an object that JSON cannot say.

    Source: own derivation.

    Example:
        >>> content_hash({"b": 1, "a": (2,)}) == content_hash({"a": [2], "b": 1})
        True
    """
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(
            f"the value has no canonical JSON: {error}", hint="hash plain numbers, text, lists, dicts"
        ) from error
    return hashlib.sha256(text.encode()).hexdigest()


def file_sha256(path: str | os.PathLike[str]) -> str:
    """SHA-256 of the bytes of a file, in hexadecimal.

    Raises:
        StoreError: the file cannot be read.
    """
    with disk_errors(path, "read"), Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def home() -> Path:
    """The folder for everything that outlives a run: ``$TUTELAGE_HOME``, else ``~/.local/share/tutelage``.

    It is not created here.
    """
    named = os.environ.get("TUTELAGE_HOME", "").strip()
    return Path(named or "~/.local/share/tutelage").expanduser().absolute()
