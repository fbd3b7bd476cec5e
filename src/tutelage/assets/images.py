"""Arrays of the image assets."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np

from tutelage.assets.entries import get
from tutelage.assets.location import files
from tutelage.errors import AssetError, DataError
from tutelage.types import IntArray

__all__ = ["images", "read_idx"]


def images(name: str, split: str) -> tuple[IntArray, IntArray]:
    """Pictures [N, height, width] uint8 and labels [N] uint8 of an image asset.

    Args:
        name: name of an asset of kind ``image``.
        split: ``train`` or ``test``.

    Raises:
        AssetMissing: it is not installed; the hint is the command.
        AssetError: it is not an image asset or has no such split.
    """
    asset = get(name)
    if asset.kind != "image" or split not in asset.members:
        raise AssetError(f"{name!r} has no images in split {split!r}", hint=f"it has: {', '.join(asset.members)}")
    pictures, labels = files(asset)[split]
    return read_idx(pictures), read_idx(labels)


def read_idx(path: Path) -> IntArray:
    """An array of unsigned bytes from a gzipped IDX file.

    Args:
        path: two zero bytes, type 8, number of axes, their lengths as big-endian 32-bit numbers, then the values.

    Raises:
        DataError: the file is not that.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError) as error:
        raise DataError(f"the file cannot be unpacked: {error}", where=str(path)) from error
    axes = content[3] if len(content) > 3 else 0
    shape = tuple(int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes))
    values = np.frombuffer(content, dtype=np.uint8, offset=min(4 + 4 * axes, len(content)))
    if content[:3] != b"\0\0\x08" or axes == 0 or len(content) < 4 + 4 * axes or values.size != np.prod(shape):
        raise DataError("this is not an IDX file of unsigned bytes", where=str(path))
    return values.reshape(shape)
