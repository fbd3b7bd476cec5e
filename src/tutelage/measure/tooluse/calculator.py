"""A calculator for agents: exact, read by a grammar of its own, nothing evaluated."""

from __future__ import annotations

import re
from fractions import Fraction

from tutelage.errors import DataError

__all__ = ["calculate", "shown"]

LONGEST = 200
_DEEPEST = 32
_LARGEST = Fraction(10) ** 60
_TOKEN = re.compile(r"\s*(\d++(?:\.\d++)?+|\.\d++|[-+*/^()])")
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-"})


def calculate(text: str) -> Fraction:
    """The exact value of an expression of decimal numbers, ``+ - * / ^``, signs and brackets.

    ``^`` (also ``**``) takes whole exponents up to 64, binds to the right and before a sign: ``-2^2`` is -4.

    Raises:
        DataError: no such expression, longer than 200 characters, a division by zero, a value beyond 1e60.

    Example:
        >>> calculate("2 * (3 + 0.5) ^ 2")
        Fraction(49, 2)
    """
    if len(text) > LONGEST:
        raise DataError(f"the expression has more than {LONGEST} characters")
    plain, tokens, place = text.translate(_SIGNS).replace("**", "^").rstrip(), list[str](), 0
    while place < len(plain):
        found = _TOKEN.match(plain, place)
        if found is None:
            raise DataError(f"cannot read {plain[place : place + 20].strip()!r}")
        tokens.append(found[1])
        place = found.end()
    reader = _Reader(tokens)
    value = reader.total(0)
    if reader.next:
        raise DataError(f"unexpected {reader.next!r}")
    return value


def shown(value: Fraction) -> str:
    """At most six decimals, rounded to even, without trailing zeros.

    Example:
        >>> shown(Fraction(49, 2)), shown(Fraction(2, 3)), shown(Fraction(4))
        ('24.5', '0.666667', '4')
    """
    places = round(value * 10**6)
    whole, part = divmod(abs(places), 10**6)
    digits = f"{whole}.{part:06d}".rstrip("0").rstrip(".")
    return f"-{digits}" if places < 0 else digits


class _Reader:
    """Recursive descent; each method reads one level of precedence."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens[::-1]

    @property
    def next(self) -> str:
        return self.tokens[-1] if self.tokens else ""

    def total(self, depth: int) -> Fraction:
        value = self.product(depth)
        while self.next in ("+", "-"):
            sign = self.tokens.pop()
            other = self.product(depth)
            value = _held(value + other if sign == "+" else value - other)
        return value

    def product(self, depth: int) -> Fraction:
        value = self.signed(depth)
        while self.next in ("*", "/"):
            sign = self.tokens.pop()
            other = self.signed(depth)
            if sign == "/" and other == 0:
                raise DataError("division by zero")
            value = _held(value * other if sign == "*" else value / other)
        return value

    def signed(self, depth: int) -> Fraction:
        negative = False
        while self.next in ("+", "-"):
            negative ^= self.tokens.pop() == "-"
        value = self.power(depth)
        return -value if negative else value

    def power(self, depth: int) -> Fraction:
        base = self.single(depth)
        if self.next != "^":
            return base
        self.tokens.pop()
        if depth > _DEEPEST:
            raise DataError("too many brackets or powers in each other")
        exponent = self.signed(depth + 1)
        if exponent.denominator != 1 or abs(exponent) > 64 or (base == 0 and exponent < 0):
            raise DataError("exponents are whole numbers from -64 to 64")
        return _held(base ** int(exponent))

    def single(self, depth: int) -> Fraction:
        token = self.tokens.pop() if self.tokens else ""
        if token == "(":
            if depth > _DEEPEST:
                raise DataError("too many brackets or powers in each other")
            value = self.total(depth + 1)
            if self.next != ")":
                raise DataError("a bracket is not closed")
            self.tokens.pop()
            return value
        if not token or token in "+-*/^)":
            raise DataError(f"a number is missing before {token!r}" if token else "the expression ends too early")
        return _held(Fraction(token))


def _held(value: Fraction) -> Fraction:
    if abs(value) > _LARGEST or value.denominator > 10**120:
        raise DataError("a value is too large")
    return value
