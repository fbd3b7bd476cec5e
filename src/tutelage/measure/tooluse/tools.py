"""Tools for agents that work offline and always answer alike: calculator, dates, units, tables.

A tool takes a text and gives a text. What it cannot do it says in its answer ("error: ..."), as an agent would see it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

from tutelage.errors import DataError, nearest
from tutelage.measure.tooluse.calculator import calculate, shown

__all__ = ["Table", "Tool", "Toolset", "convert", "date_tool", "offline_toolset"]

Table = Mapping[str, Mapping[str, str]]
"""Row, then column."""

_UNITS: dict[str, tuple[str, Fraction]] = {
    "mm": ("length", Fraction(1, 1000)),
    "cm": ("length", Fraction(1, 100)),
    "m": ("length", Fraction(1)),
    "km": ("length", Fraction(1000)),
    "inch": ("length", Fraction(254, 10000)),
    "foot": ("length", Fraction(3048, 10000)),
    "mile": ("length", Fraction(1609344, 1000)),
    "g": ("mass", Fraction(1, 1000)),
    "kg": ("mass", Fraction(1)),
    "tonne": ("mass", Fraction(1000)),
    "pound": ("mass", Fraction(45359237, 10**8)),
    "ml": ("volume", Fraction(1, 1000)),
    "litre": ("volume", Fraction(1)),
    "pint": ("volume", Fraction(56826125, 10**8)),
    "second": ("time", Fraction(1)),
    "minute": ("time", Fraction(60)),
    "hour": ("time", Fraction(3600)),
    "day": ("time", Fraction(86400)),
    "week": ("time", Fraction(604800)),
}
_CONVERSION = re.compile(r"(-?\d{1,30}(?:\.\d{1,30})?) ([a-z]{1,12}) to ([a-z]{1,12})")
_DAY = r"(\d{4}-\d\d-\d\d)"
_SHIFT = re.compile(_DAY + r" ([+-]) (\d{1,6}) days?")
_BETWEEN = re.compile(r"days from " + _DAY + " to " + _DAY)
_WEEKDAY = re.compile(r"weekday of " + _DAY)
_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Tool:
    """``use`` takes the action's input and gives the observation; it raises DataError for what it cannot do."""

    name: str
    description: str
    use: Callable[[str], str]


class Toolset:
    """Tools by name.

    Example:
        >>> tools = offline_toolset({"routes": {"R7": {"length_km": "42"}}})
        >>> tools.call("lookup", "routes | R7 | length_km"), tools.call("units", "42 km to mile")
        ('42', '26.09759')
        >>> tools.call("search", "x").startswith("error: there is no tool 'search'")
        True
    """

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.tools = {tool.name: tool for tool in tools}
        if len(self.tools) != len(tools):
            raise DataError("two tools have one name")

    @property
    def names(self) -> tuple[str, ...]:
        """In the order given."""
        return tuple(self.tools)

    def call(self, action: str, action_input: str) -> str:
        """The observation; what fails is a text that begins with "error: ", never an exception of the tool's own."""
        if action not in self.tools:
            return f"error: there is no tool {action!r}; there are {', '.join(self.tools)}"
        try:
            return self.tools[action].use(action_input.strip())
        except DataError as error:
            return f"error: {error.what}"


def offline_toolset(tables: Mapping[str, Table] | None = None) -> Toolset:
    """``calculator``, ``date``, ``units`` and, over ``tables``, ``lookup``.

    The paper's python and search tools are left out: one runs code, the other answers otherwise every day.
    """
    tools = [
        Tool("calculator", "the value of an expression: 2 * (3 + 0.5)", lambda text: shown(calculate(text))),
        Tool("date", "2024-03-05 + 40 days; days from DATE to DATE; weekday of DATE", date_tool),
        Tool("units", "a quantity in another unit: 42 km to mile", convert),
    ]
    if tables is not None:
        tools.append(Tool("lookup", "a cell of a table: TABLE | ROW | COLUMN", lambda text: _cell(tables, text)))
    return Toolset(tools)


def convert(text: str) -> str:
    """ "42 km to mile": lengths, masses, volumes and times, by exact factors.

    Raises:
        DataError: another form, an unknown unit, or units of different kind.

    Example:
        >>> convert("90 minute to hour")
        '1.5'
    """
    found = _CONVERSION.fullmatch(text)
    if found is None:
        raise DataError("write NUMBER UNIT to UNIT, such as 42 km to mile")
    number, source, target = found.groups()
    for unit in (source, target):
        if unit not in _UNITS:
            close = nearest(unit, _UNITS)
            raise DataError(f"unknown unit {unit!r}" + (f"; did you mean {close!r}?" if close else ""))
    (kind, factor), (other, divisor) = _UNITS[source], _UNITS[target]
    if kind != other:
        raise DataError(f"{source} is a {kind}, {target} a {other}")
    return shown(Fraction(number) * factor / divisor)


def date_tool(text: str) -> str:
    """Days added to a date, days between two, or the day of the week.

    Raises:
        DataError: another form, no such day, or a year outside 1 to 9999.

    Example:
        >>> date_tool("2024-02-28 + 2 days"), date_tool("days from 2024-01-01 to 2025-01-01")
        ('2024-03-01', '366')
    """
    if found := _SHIFT.fullmatch(text):
        days = int(found[3]) * (1 if found[2] == "+" else -1)
        try:
            return (_day(found[1]) + timedelta(days=days)).isoformat()
        except OverflowError:
            raise DataError("the date lies outside the years 1 to 9999") from None
    if found := _BETWEEN.fullmatch(text):
        return str((_day(found[2]) - _day(found[1])).days)
    if found := _WEEKDAY.fullmatch(text):
        return _WEEK[_day(found[1]).weekday()]
    raise DataError("write DATE + N days, days from DATE to DATE, or weekday of DATE; dates as 2024-03-05")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise DataError(f"there is no day {text}") from None


def _cell(tables: Mapping[str, Table], text: str) -> str:
    parts = [part.strip() for part in text.split("|")]
    if len(parts) != 3:
        raise DataError("write TABLE | ROW | COLUMN")
    table, row, column = parts
    if table not in tables:
        raise DataError(f"there is no table {table!r}")
    if row not in tables[table]:
        raise DataError(f"table {table} has no row {row!r}")
    if column not in tables[table][row]:
        raise DataError(f"table {table} has no column {column!r}")
    return tables[table][row][column]
