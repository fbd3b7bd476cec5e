"""Numbers in running text as exact fractions, read by a small grammar and never by evaluating anything."""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction
from functools import lru_cache

__all__ = ["numbers"]

# Possessive quantifiers and one way to read each run of digits: the time is linear in the length of the text.
_NUMBER = re.compile(
    r"(?<![\w.])(?P<sign>[-+])?+(?P<whole>\d++(?:,\d++)*+|(?=\.\d))(?P<decimals>\.\d++)?+"
    r"(?:[eE](?P<exponent>[-+]?\d{1,4})(?!\w)|\s?[x×*]\s?10\s?(?:\^|\*\*)\s?\{?(?P<power>[-+]?\d{1,4})\}?)?+"
    r"(?:\s?/\s?(?P<below>\d++(?:\.\d++)?+)(?![/\d]))?+"
)
_FRAC = re.compile(r"\\[dt]?frac\s?\{\s?([-+]?\d{1,40})\s?\}\s?\{\s?(\d{1,40})\s?\}")
_LONGEST = 400  # digits; longer runs are no quantities, and big powers would cost time
_LARGEST = 400  # decimal exponent


def numbers(text: str) -> list[Fraction]:
    """The numbers of a text in order: signs, thousands commas, decimals, powers of ten, fractions, mixed numbers.

    Units, currency and percent signs are passed over ("5 kg", "$5" and "5%" read as 5); digits inside a word ("H2O",
    "v2") are none; a comma that does not group thousands separates two numbers. Runs of more than 400 digits and
    exponents beyond 400 are left out.

    Args:
        text: any text.

    Returns:
        Exact values.

    Example:
        >>> numbers("It costs $1,250.50, or 3/4 of 2e3.")
        [Fraction(2501, 2), Fraction(3, 4), Fraction(2000, 1)]
    """
    plain = _FRAC.sub(r" \1/\2 ", _plain(text))
    found: list[tuple[int, int, Fraction, bool]] = []
    for match in _NUMBER.finditer(plain):
        found += _values(match)
    values: list[Fraction] = []
    for at, (start, _, value, is_part) in enumerate(found):
        before = found[at - 1] if at else None
        if before and is_part and _mixes(before, start, value, plain):
            values[-1] += value if before[2] >= 0 and plain[before[0]] != "-" else -value
        else:
            values.append(value)
    return values


def _mixes(before: tuple[int, int, Fraction, bool], start: int, value: Fraction, text: str) -> bool:
    """True for "2 1/2": a small whole number, one space, a fraction below one."""
    first, last, whole, is_part = before
    return (
        not is_part
        and start == last + 1
        and text[last] == " "
        and whole.denominator == 1
        and last - first <= 4
        and 0 < value < 1
        and text[start] not in "+-"
    )


def _values(match: re.Match[str]) -> list[tuple[int, int, Fraction, bool]]:
    """(start, end, value, is a/b) of what one match holds: usually one number, more when commas only separate."""
    start, end = match.span()
    sign, whole, decimals, exponent, power, below = match.groups()
    if decimals is exponent is power is below is None and whole.isdigit() and len(whole) <= _LONGEST:
        return [(start, end, Fraction(-int(whole) if sign == "-" else int(whole)), False)]
    groups = whole.split(",")
    if any(len(group) > _LONGEST for group in groups):
        return []
    if len(groups) > 1 and not (len(groups[0]) <= 3 and all(len(group) == 3 for group in groups[1:])):
        ahead = [(start, start, _signed(sign, Fraction(int(groups[0]))), False)]
        ahead += [(start, start, Fraction(int(group)), False) for group in groups[1:-1]]
        return [*ahead, *_single(match, groups[-1], "", start, end)]
    return _single(match, "".join(groups), sign, start, end)


def _single(
    match: re.Match[str], whole: str, sign: str | None, start: int, end: int
) -> list[tuple[int, int, Fraction, bool]]:
    decimals, below = (match["decimals"] or "").removeprefix("."), match["below"]
    if len(whole) + len(decimals) + len(below or "") > _LONGEST:
        return []
    exponent = int(match["exponent"] or match["power"] or 0)
    if abs(exponent) > _LARGEST:
        return []
    value = Fraction(int((whole + decimals) or "0"), 10 ** len(decimals))
    if exponent:
        value *= Fraction(10) ** exponent
    if below is not None:
        divisor = Fraction(below)
        if divisor == 0:
            return [(start, end, _signed(sign, value), False), (start, end, divisor, False)]
        value /= divisor
    return [(start, end, _signed(sign, value), below is not None)]


def _signed(sign: str | None, value: Fraction) -> Fraction:
    return -value if sign == "-" else value


def _plain(text: str) -> str:
    """ASCII minus signs and digits; vulgar fractions ("½") as a space, numerator, slash, denominator."""
    if text.isascii():
        return text
    return _OTHER.sub(_replaced, text)


_OTHER = re.compile(r"(?P<before>\d?)(?P<sign>[^\x00-\x7f])")


def _replaced(match: re.Match[str]) -> str:
    """A character beyond ASCII as what it means in a number, with the digit before it."""
    before, sign = match["before"], match["sign"]
    plain = _meaning(sign)
    if sign == "–":
        # between two digits a dash is a range, elsewhere a sign
        plain = " " if before else "-"
    elif "/" in plain and before:
        plain = " " + plain
    return (before if before.isascii() else _meaning(before)) + plain


@lru_cache(maxsize=4096)
def _meaning(sign: str) -> str:
    if sign == "−":
        return "-"
    parts = unicodedata.normalize("NFKC", sign)
    if "\u2044" in parts:
        return parts.replace("\u2044", "/")
    return str(unicodedata.digit(sign)) if sign.isdigit() and parts.isdecimal() else sign
