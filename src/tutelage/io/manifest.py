"""The marker of a complete folder: ``manifest.json`` with the size and SHA-256 of every file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TypedDict

from tutelage.errors import CheckpointError, StoreError, TutelageError, UnsafePathError
from tutelage.io.paths import contained, file_sha256

__all__ = ["MANIFEST", "describe_folder", "verify_folder"]

MANIFEST = "manifest.json"
FORMAT = 1


class _Entry(TypedDict):
    sha256: str
    bytes: int


class _Manifest(TypedDict):
    format: int
    files: dict[str, _Entry]


def describe_folder(folder: Path) -> _Manifest:
    """The manifest of ``folder`` as it is: every plain file by its relative path with forward slashes.

    Raises:
        StoreError: the folder holds a link or special file, or has a ``manifest.json`` already.
    """
    files: dict[str, _Entry] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise StoreError("only plain files and folders can be kept", where=name, hint="copy the file itself")
        if name == MANIFEST:
            raise StoreError("the name is reserved for the list of files", where=name, hint="use another name")
        if path.is_file():
            files[name] = {"sha256": file_sha256(path), "bytes": path.stat().st_size}
    return {"format": FORMAT, "files": files}


def verify_folder(path: str | os.PathLike[str]) -> None:
    """Prove that a folder holds every file of its manifest, byte for byte.

    Files that the manifest does not name are not looked at.

    Raises:
        CheckpointError: the folder or its manifest is missing or unreadable, or a file is missing, truncated, longer
            or changed; the file is named.
    """
    folder = Path(path)
    for name, entry in _read(folder).items():
        try:
            file = contained(folder, name)
        except UnsafePathError as error:
            raise CheckpointError(
                "the manifest names a file outside the folder", where=f"{folder}: {name!r}"
            ) from error
        problem = _problem(file, entry)
        if problem:
            raise CheckpointError(
                f"the file {problem}", where=str(folder / name), hint="use an older checkpoint, or make this one again"
            )


def _problem(file: Path, entry: _Entry) -> str | None:
    if not file.is_file():
        return "is missing"
    size = file.stat().st_size
    if size < entry["bytes"]:
        return f"is truncated: {size} of {entry['bytes']} bytes"
    if size > entry["bytes"]:
        return f"is longer than it was written: {size} instead of {entry['bytes']} bytes"
    try:
        changed = file_sha256(file) != entry["sha256"]
    except TutelageError as error:
        return f"cannot be read ({error.what})"
    return "was changed after it was written (its SHA-256 differs)" if changed else None


def _read(folder: Path) -> dict[str, _Entry]:
    marker = folder / MANIFEST
    if not folder.is_dir():
        raise CheckpointError("there is no such folder", where=str(folder), hint="check the path")
    try:
        manifest = json.loads(marker.read_bytes())
    except FileNotFoundError as error:
        raise CheckpointError(
            "the folder has no manifest.json, so it was not written completely, or not by Tutelage",
            where=str(folder),
            hint="use an older checkpoint",
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            f"the manifest cannot be read: {error}", where=str(marker), hint="use an older one"
        ) from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("format"), int):
        raise CheckpointError("this is not a manifest of Tutelage", where=str(marker), hint="use an older checkpoint")
    if manifest["format"] != FORMAT:
        raise CheckpointError(
            f"the manifest has format {manifest['format']}; this version reads {FORMAT}",
            where=str(marker),
            hint="use the version of Tutelage that wrote it, or a newer one",
        )
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(
        isinstance(e, dict) and isinstance(e.get("sha256"), str) and isinstance(e.get("bytes"), int)
        for e in files.values()
    ):
        raise CheckpointError("the manifest lists no files", where=str(marker), hint="use an older checkpoint")
    return files
