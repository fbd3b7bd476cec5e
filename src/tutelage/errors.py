"""One exception tree. Every error says what was wrong, where, and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "AssetError",
    "AssetMissing",
    "CheckpointError",
    "ConfigError",
    "DataError",
    "EngineError",
    "Interrupted",
    "LicenceError",
    "ModelError",
    "NumericalError",
    "RangeError",
    "RegistryError",
    "ShapeError",
    "StoreError",
    "TookTooLong",
    "TutelageError",
    "UnsafePathError",
    "nearest",
]


class TutelageError(Exception):
    """Root of all errors that Tutelage raises on purpose.

    Args:
        what: what was wrong, in one sentence.
        where: the file, line, key or item id, if there is one.
        hint: what the reader can do about it.
    """

    exit_code = 2  # "bad input"; the command line exits with this

    def __init__(self, what: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.what, self.where, self.hint = what, where, hint
        super().__init__(what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  -> {self.hint}" if self.hint else text


class ShapeError(TutelageError, ValueError):
    """Tensors or arrays whose shapes do not fit together."""


class RangeError(TutelageError, ValueError):
    """A number outside the range that its meaning allows."""


class NumericalError(TutelageError, FloatingPointError):
    """NaN or infinity where a finite number is needed."""


class ConfigError(TutelageError, ValueError):
    """An unknown key, a wrong type or an impossible combination in a configuration."""


class RegistryError(TutelageError, LookupError):
    """A name that is not registered, or registered twice."""


class DataError(TutelageError, ValueError):
    """Data that cannot be used, with file and line."""


class AssetError(TutelageError):
    """An embedded asset that is damaged or not what its pin says."""


class AssetMissing(AssetError, FileNotFoundError):
    """An embedded asset that is not installed; the hint is the command that brings it."""


class LicenceError(AssetError):
    """A use that the licence or the purpose of an asset forbids, such as training on evaluation-only rows."""


class ModelError(TutelageError):
    """A model or tokenizer that cannot be loaded, saved or combined as asked."""


class EngineError(TutelageError):
    """A generation or scoring back end that failed or answered nonsense."""


class CheckpointError(TutelageError):
    """A checkpoint that is missing, incomplete or damaged."""


class StoreError(TutelageError):
    """The run store cannot be read or written."""


class TookTooLong(TutelageError, TimeoutError):
    """Work that was given up because its time was over; nothing was changed."""


class UnsafePathError(TutelageError, ValueError):
    """A path that would leave the folder it belongs to."""


class Interrupted(TutelageError):
    """The user asked to stop; everything needed to continue has been saved."""

    exit_code = 130


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that ``name`` was most likely meant to be, for "did you mean" in an error.

    Compares without regard to case, and takes ``-`` and ``_`` for the same, by the ratio of matching characters
    (Ratcliff and Obershelp); below 0.6 nothing is suggested.

    Args:
        name: what was written.
        candidates: what could have been written.

    Returns:
        One of ``candidates``, or None when none is close.

    Source: own derivation over ``difflib``.

    Example:
        >>> nearest("learning_rat", ["batch", "learning-rate"])
        'learning-rate'
        >>> nearest("xyz", ["batch"]) is None
        True
    """
    folded: dict[str, str] = {}
    for candidate in candidates:
        folded.setdefault(candidate.casefold().replace("-", "_"), candidate)
    close = difflib.get_close_matches(name.casefold().replace("-", "_"), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None
