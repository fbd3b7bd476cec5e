"""The suites by name, and how many items each size takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tutelage.measure.retention.sizes import size_of
from tutelage.measure.suite import Suite
from tutelage.registry import Registry

__all__ = ["Builder", "count", "suites"]

Builder = Callable[[str], Suite]
"""Makes a suite of a size: ``smoke`` (seconds), ``quick``, ``standard`` or ``full``."""

suites: Registry[Builder] = Registry("suite")


def count(items: Mapping[str, int], size: str) -> int:
    """The number of that size.

    Raises:
        RangeError: there is no such size.
    """
    size_of(size)
    return items[size]
