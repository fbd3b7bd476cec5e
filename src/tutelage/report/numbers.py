"""Numbers as a reader sees them: aligned decimals, a real minus sign, and "not measured" for what is not there."""

from __future__ import annotations

import math

from tutelage.types import Estimate

__all__ = [
    "MISSING",
    "change",
    "count",
    "duration",
    "interval",
    "known",
    "level",
    "memory",
    "number",
    "p_value",
    "scaled",
]

MISSING = "not measured"


def known(value: float | None) -> bool:
    """True for a finite number.

    Example:
        >>> known(0.0), known(None), known(float("nan"))
        (True, False, False)
    """
    return value is not None and math.isfinite(value)


def number(value: float | None, digits: int = 1, *, sign: bool = False) -> str:
    """``value`` with ``digits`` decimals and U+2212 for minus; zero has no sign.

    Args:
        value: the number; None, NaN and infinity are "not measured".
        digits: decimals.
        sign: put a plus before what is above zero.

    Example:
        >>> number(3.14159, 2, sign=True), number(-0.04), number(None)
        ('+3.14', '0.0', 'not measured')
    """
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{abs(value):,.{digits}f}"
    if not text.strip("0.,"):
        return text
    if value < 0:
        return f"\u2212{text}"
    return f"+{text}" if sign else text


def scaled(estimate: Estimate | None, factor: float) -> Estimate | None:
    """``estimate`` times ``factor``; a negative factor swaps the ends.

    Args:
        estimate: a number with its interval, or None.
        factor: 100 turns shares into points, -1 a change into a loss.
    """
    if estimate is None:
        return None
    low, high = sorted((estimate.low * factor, estimate.high * factor))
    if math.isnan(estimate.low) or math.isnan(estimate.high):
        low = high = math.nan
    return Estimate(
        estimate.value * factor,
        low,
        high,
        estimate.level,
        estimate.method,
        estimate.n,
        estimate.n_clusters,
        estimate.seed,
    )


def interval(estimate: Estimate | None, digits: int = 1) -> str:
    """The interval alone, ``"[24.1, 37.6]"``; ends that are not finite are unknown.

    Example:
        >>> interval(Estimate(1.0, -0.5, 2.5, 0.95, "t", 9, 9))
        '[\u22120.5, 2.5]'
    """
    if estimate is None or not (known(estimate.low) and known(estimate.high)):
        return "[interval unknown]" if estimate is not None and known(estimate.value) else MISSING
    return f"[{number(estimate.low, digits)}, {number(estimate.high, digits)}]"


def level(estimate: Estimate | None, digits: int = 1) -> str:
    """A number with its interval, ``"43.5 [36.8, 50.4]"``: the one never stands without the other."""
    if estimate is None or not known(estimate.value):
        return MISSING
    return f"{number(estimate.value, digits)} {interval(estimate, digits)}"


def change(estimate: Estimate | None, digits: int = 1) -> str:
    """Like :func:`level` with the sign written out, ``"+31.0 [24.1, 37.6]"``."""
    if estimate is None or not known(estimate.value):
        return MISSING
    return f"{number(estimate.value, digits, sign=True)} {interval(estimate, digits)}"


def count(value: float | None) -> str:
    """A whole number in groups of three.

    Example:
        >>> count(1234567)
        '1,234,567'
    """
    return number(value, 0)


def duration(seconds: float | None) -> str:
    """Seconds in the units one would say.

    Example:
        >>> duration(0.42), duration(75), duration(7384)
        ('0.4 s', '1 min 15 s', '2 h 3 min')
    """
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def memory(mebibytes: float | None) -> str:
    """Memory in MiB or GiB.

    Example:
        >>> memory(812.4), memory(2048)
        ('812 MiB', '2.0 GiB')
    """
    if mebibytes is None or not math.isfinite(mebibytes):
        return MISSING
    return f"{mebibytes:.0f} MiB" if mebibytes < 1024 else f"{mebibytes / 1024:.1f} GiB"


def p_value(p: float | None) -> str:
    """A p value to the precision that it has.

    Example:
        >>> p_value(0.00002), p_value(0.0341), p_value(0.5)
        ('< 0.001', '0.034', '0.50')
    """
    if p is None or not math.isfinite(p):
        return MISSING
    if p < 0.001:
        return "< 0.001"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
