"""Tensors in safetensors files, written atomically and refused with the file's name when damaged. Loads torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from tutelage.errors import CheckpointError, DataError, StoreError
from tutelage.io.atomic import atomic_file

__all__ = ["load_metadata", "load_tensors", "save_tensors"]


def save_tensors(
    path: str | os.PathLike[str], tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] | None = None
) -> None:
    """Write tensors, atomically; dtype and bits are kept, memory that tensors share is written once for each.

    Args:
        path: the file to replace; missing parent folders are made.
        tensors: any dense tensors on any device; they are not changed.
        metadata: text by name, kept in the header.

    Raises:
        DataError: something is not a dense tensor, or metadata is not text.
        StoreError: the disk is full, the folder read-only, ...; the old file is intact.
    """
    plain: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        if not isinstance(tensor, torch.Tensor) or tensor.layout is not torch.strided:
            raise DataError(
                f"{name!r} is not a dense tensor", where=os.fspath(path), hint="convert it, or leave it out"
            )
        flat = tensor.detach().cpu().contiguous()
        storage = flat.untyped_storage().data_ptr()
        plain[name] = flat.clone() if storage in seen and flat.numel() else flat
        seen.add(storage)
    words = dict(metadata or {})
    if not all(isinstance(text, str) for pair in words.items() for text in pair):
        raise DataError("metadata must be text by name", where=os.fspath(path), hint="write values with json.dumps")
    with atomic_file(path) as temporary:
        try:
            save_file(plain, temporary, metadata={"format": "pt", **words})
        except SafetensorError as error:
            raise StoreError(f"cannot write: {error}", where=os.fspath(path), hint="check the free space") from error


def load_tensors(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Read every tensor of a safetensors file, to the CPU.

    The format holds numbers only, so nothing in the file is ever executed; its header is checked in full (length,
    offsets that neither overlap nor leave the file) before any tensor is made.

    Raises:
        CheckpointError: the file is missing, truncated or not safetensors.
    """
    _check_file(path)
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise _damaged(path, error) from error


def load_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The text by name that :func:`save_tensors` put into the header; the tensors are not read.

    Raises:
        CheckpointError: the file is missing, truncated or not safetensors.
    """
    _check_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except (SafetensorError, OSError, ValueError) as error:
        raise _damaged(path, error) from error


def _check_file(path: str | os.PathLike[str]) -> None:
    if not Path(path).is_file():
        raise CheckpointError("there is no such file", where=os.fspath(path), hint="check the path")


def _damaged(path: str | os.PathLike[str], error: Exception) -> CheckpointError:
    return CheckpointError(
        f"not a complete safetensors file: {error}",
        where=os.fspath(path),
        hint="use an older checkpoint or fetch it again",
    )
