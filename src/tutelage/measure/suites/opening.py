"""From what the user typed to a suite: a built-in name or a file."""

from __future__ import annotations

from pathlib import Path

from tutelage.errors import ConfigError, nearest
from tutelage.measure.suite import Suite
from tutelage.measure.suites.own import SUFFIXES, read_suite
from tutelage.measure.suites.registry import suites

__all__ = ["open_suite"]


def open_suite(name_or_file: str, size: str = "quick") -> Suite:
    """The suite of that name, or the one in that file.

    Args:
        name_or_file: a built-in suite, or a file of the user's own (:func:`.own.read_suite`; of one size only).
        size: of a built-in suite.

    Raises:
        ConfigError: neither, or a file that is not a suite.
        DataError: an item of the file cannot be used; file and line are named.
        RangeError: no such size.
        AssetMissing: data of the suite is not installed; the hint is the command.
    """
    if name_or_file in suites:
        return suites.get(name_or_file)(size)
    path = Path(name_or_file)
    if path.suffix.lower() in SUFFIXES or path.exists():
        return read_suite(path)
    close = nearest(name_or_file, suites.names())
    known = (
        f"there are: {', '.join(suites.names())}, and files that end in .toml or .jsonl (preference pairs: also .csv)"
    )
    hint = f"did you mean {close!r}? {known}" if close else known
    raise ConfigError(f"there is no suite {name_or_file!r}", where="--suite", hint=hint)
