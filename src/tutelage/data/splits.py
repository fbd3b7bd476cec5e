"""Train and test rows: the same split for the same rows and seed, and no group on both sides."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tutelage.errors import DataError, RangeError
from tutelage.types import Row

__all__ = ["SPLIT_RULE", "Split", "choose", "group_of", "normalised", "prompt_text", "split", "split_by_column"]

SPLIT_RULE = 1
"""Version of the rule by which rows are ordered for splitting; a new rule would get a new number."""

_NAMES = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
}
_GAPS = re.compile("[\\s.,;:!?'\"“”‘’„«»()\\[\\]{}…·¿¡]+")  # not + - * / = < > %: they change what is asked


@dataclass(frozen=True)
class Split:
    """``train`` and ``test`` rows in file order; ``unused`` rows belong to neither, by the name of their split."""

    train: list[Row]
    test: list[Row]
    unused: Mapping[str, list[Row]]


def split(rows: Sequence[Row], fraction: float = 0.1, seed: int = 0) -> tuple[list[Row], list[Row]]:
    """Hold out about ``fraction`` of the rows, whole groups at a time.

    Groups (see :func:`group_of`) are ordered by SHA-256 of (rule version, seed, group) and taken for the test split
    as long as they fit, so the result depends neither on the order of the rows nor on the machine, and adding rows
    moves few others. Both sides get at least one group.

    Args:
        rows: N rows.
        fraction: share of the rows to hold out, in (0, 1).
        seed: another seed, another split.

    Returns:
        (train, test), each in the order of ``rows``.

    Raises:
        RangeError: ``fraction`` outside (0, 1).
        DataError: fewer than two groups.

    Source: own derivation.

    Example:
        >>> turn = lambda i: [{"role": "user", "content": f"question {i}"}]
        >>> rows = [{"id": str(i), "prompt": turn(i), "completion": []} for i in range(20)]
        >>> train, test = split(rows, fraction=0.2)
        >>> len(train), len(test)
        (16, 4)
    """
    if not 0 < fraction < 1:
        raise RangeError(f"fraction must lie between 0 and 1, not {fraction}", hint="0.1 holds out a tenth")
    groups: dict[str, int] = defaultdict(int)
    names = [group_of(row) for row in rows]
    for name in names:
        groups[name] += 1
    if len(groups) < 2:
        raise DataError(
            f"{len(rows)} rows in {len(groups)} group(s) cannot be split",
            hint="give a test file, or more rows with different prompts or groups",
        )
    wanted = min(max(1, round(fraction * len(rows))), len(rows) - 1)
    held: set[str] = set()
    taken = 0
    for name in sorted(groups, key=lambda group: _rank(group, seed)):
        if taken + groups[name] <= wanted and len(held) < len(groups) - 1:
            held.add(name)
            taken += groups[name]
    if not held:
        held.add(min(groups, key=lambda group: (groups[group], _rank(group, seed))))
    train = [row for row, name in zip(rows, names, strict=True) if name not in held]
    return train, [row for row, name in zip(rows, names, strict=True) if name in held]


def choose(rows: Sequence[Row], count: int, seed: int = 0) -> list[Row]:
    """At most ``count`` rows, chosen by hash of their ids and kept in order: the same ones whatever stands around them.

    Raises:
        RangeError: ``count`` below 0.
    """
    if count < 0:
        raise RangeError(f"count must not be negative, got {count}")
    if count >= len(rows):
        return list(rows)
    ranked = sorted(range(len(rows)), key=lambda place: _rank(rows[place]["id"], seed))
    return [rows[place] for place in sorted(ranked[:count])]


def split_by_column(rows: Sequence[Row], splits: Mapping[str, str]) -> Split:
    """Rows by the split that the file names for them.

    Test rows are those named test, eval or evaluation; if there are none, those named validation, valid, val or dev.
    Rows without a name are training rows.

    Args:
        rows: the rows.
        splits: id to split name, as in :attr:`tutelage.data.LoadReport.splits`.

    Raises:
        DataError: no training or no test rows come out.
    """
    parts: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        name = splits.get(row["id"], "train")
        parts[_NAMES.get(name.strip().casefold(), name)].append(row)
    sizes = ", ".join(f"{name}: {len(part)}" for name, part in sorted(parts.items()))
    train = parts.pop("train", [])
    test = parts.pop("test", []) or parts.pop("validation", [])
    if not train or not test:
        raise DataError(
            f"the split column gives no {'test' if train else 'training'} rows ({sizes or 'no rows'})",
            hint="name the splits train and test, or remove the column to have a test split made",
        )
    return Split(train, test, dict(parts))


def group_of(row: Row) -> str:
    """What must stay together: the row's ``group``, else its prompt without regard to case, spaces and punctuation."""
    return row.get("group") or normalised(prompt_text(row)) or row["id"]


def prompt_text(row: Row) -> str:
    """The turns of a prompt as text, the system's left out because all rows tend to share it."""
    return "\n".join(turn["content"] for turn in row["prompt"] if turn["role"] != "system")


def normalised(text: str) -> str:
    """Text for comparison: Unicode NFKC, no case, and single spaces for white space and sentence punctuation.

    Signs that change a question (``2+2``, ``2-2``) are kept. A text of punctuation alone is only folded and stripped.

    Example:
        >>> normalised("What  is\\nthe Capital?")
        'what is the capital'
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _GAPS.sub(" ", folded).strip() or folded.strip()


def _rank(name: str, seed: int) -> bytes:
    return hashlib.sha256(f"tutelage split {SPLIT_RULE}\0{int(seed)}\0{name}".encode("utf-8", "replace")).digest()
