"""Labels for breakdowns, found in a record by their path, such as ``metadata.topic``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from tutelage.measure.results.cells import as_text

__all__ = ["label_name", "labels"]


def label_name(path: str) -> str:
    """Name of the breakdown by ``path``: its last part.

    Example:
        >>> label_name("metadata.topic")
        'topic'
    """
    return path.rpartition(".")[2]


def labels(record: Mapping[str, Any], paths: Collection[str]) -> dict[str, str]:
    """The label of a record in each breakdown; of one that it does not have, none.

    Example:
        >>> labels({"metadata": {"topic": "law"}}, ["metadata.topic", "metadata.year"])
        {'topic': 'law'}
    """
    found: dict[str, str] = {}
    for path in paths:
        value: Any = record
        for part in path.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is not None:
            found[label_name(path)] = as_text(value)
    return found
