"""Games of numbers (24, countdown): how a row states the numbers and the value to make of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from fractions import Fraction

from tutelage.errors import DataError

__all__ = ["numbers_reference", "read_numbers"]

_TARGET = re.compile(r"-?[0-9]+(?:/[0-9]+)?")


def numbers_reference(numbers: Sequence[int], target: Fraction | int) -> str:
    """The ``reference`` of a row: the numbers to use, each once, and the value to reach.

    Example:
        >>> numbers_reference([8, 3], 24)
        '8 3 = 24'
    """
    return f"{' '.join(map(str, numbers))} = {target}"


def read_numbers(reference: str | None) -> tuple[list[int], Fraction]:
    """Numbers and value of such a reference.

    Raises:
        DataError: it does not read "numbers = target".

    Example:
        >>> read_numbers("8 3 = 24")
        ([8, 3], Fraction(24, 1))
    """
    numbers, _, target = (reference or "").partition("=")
    given, value = numbers.split(), target.strip()
    if given and all(one.isascii() and one.isdigit() for one in given) and _TARGET.fullmatch(value):
        with suppress(ValueError, ZeroDivisionError):  # thousands of digits, or a target over 0
            return [int(one) for one in given], Fraction(value)
    raise DataError(f"{(reference or '')[:60]!r} does not say numbers and target", hint='write it as "8 3 = 24"')
