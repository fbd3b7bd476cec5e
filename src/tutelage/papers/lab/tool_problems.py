"""Problems of 3 to 6 tool calls, and an agent that makes errors of known kinds at known places.

A problem says in words what to do; a right solution calls one tool for each clause. The agent errs before an
observation in a tool or its argument, and after it in reading it, so that every wrong step and its kind are known. A
step is wrong if it does not follow from the problem and what stands before it; what comes of an earlier error is not
a second one.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from tutelage.errors import RangeError
from tutelage.measure.tooluse import FINISH, Toolset, ToolStep, ToolTrajectory, offline_toolset
from tutelage.seeds import derive
from tutelage.verify.final_answer import grade_final

__all__ = ["ErrorKind", "Policy", "ToolProblem", "problem_tools", "sample_trajectory", "tool_problems"]

ErrorKind = Literal["", "tool", "argument", "reading"]
Call = tuple[str, str]
"""Tool and its input."""

PLACES = ("Aldern", "Brevik", "Corran", "Dunmore", "Elstow", "Farrow", "Gosling", "Harwick", "Ilford", "Jarrow")
COLUMNS = {"length_km": "length", "width_m": "width", "load_kg": "load", "tank_litre": "tank", "trip_minute": "trip"}
OTHER_UNITS = {
    "km": ("mile", "m"), "m": ("foot", "cm"), "kg": ("pound", "tonne"), "litre": ("pint", "ml"),
    "minute": ("hour", "second"),
}  # fmt: skip
WORDS = {"+": "add {} to it", "-": "subtract {} from it", "*": "multiply it by {}", "/": "divide it by {}"}


@dataclass(frozen=True)
class Clause:
    """One call of a right solution: what the problem says, and the call, made from the value so far and the one
    before it. ``slips`` makes calls that are nearly right, ``others`` calls of a wrong tool."""

    words: str
    call: Callable[[str, str], Call]
    slips: tuple[Callable[[str, str], Call], ...]
    others: tuple[Callable[[str, str], Call], ...]


@dataclass(frozen=True)
class ToolProblem:
    """A question, its clauses, the tools, and the right final answer."""

    id: str
    question: str
    clauses: tuple[Clause, ...]
    tools: Toolset
    gold: str


@dataclass(frozen=True)
class Policy:
    """How often the agent errs at a step, and in what: weights of a wrong tool, argument and reading.

    After an error message it tries the same clause again with chance ``retry``: such a wrong step does no harm. Else it
    goes on to the next clause with the value that it had.

    Raises:
        RangeError: chances outside [0, 1), with which a run might never end, or no weight above 0.
    """

    error_rate: float = 0.2
    kinds: tuple[float, float, float] = (1.0, 1.0, 1.0)
    retry: float = 0.5

    def __post_init__(self) -> None:
        if not (0 <= self.error_rate < 1 and 0 <= self.retry < 1):
            raise RangeError(f"error_rate {self.error_rate}, retry {self.retry}", hint="both from 0 to below 1")
        if min(self.kinds) < 0 or not sum(self.kinds) > 0:
            raise RangeError(f"weights of the kinds of errors are {self.kinds}", hint="0 or more, one above 0")


def problem_tools(seed: int) -> tuple[Toolset, dict[str, dict[str, str]]]:
    """The tools over one made-up table of places, and that table."""
    draw = random.Random(derive(seed, "tools", "table"))
    rows = {
        place: {column: str(draw.randint(12, 980)) for column in COLUMNS}
        | {"opened": (date(2020, 1, 1) + timedelta(days=draw.randint(0, 1400))).isoformat()}
        for place in PLACES
    }
    return offline_toolset({"places": rows}), rows


def tool_problems(count: int, *, seed: int) -> list[ToolProblem]:
    """Problems of 3, 4, 5 and 6 calls in turn, each over a table of its own.

    Example:
        >>> [len(one.clauses) for one in tool_problems(4, seed=0)]
        [3, 4, 5, 6]
    """
    found = list[ToolProblem]()
    for number in range(count):
        draw = random.Random(derive(seed, "tools", "problem", number))
        tools, _ = problem_tools(derive(seed, "tools", number))
        clauses = _clauses(draw, 3 + number % 4)
        words = [clause.words for clause in clauses]
        question = f"{words[0][0].upper()}{words[0][1:]}, then {', then '.join(words[1:])}. Give the result as a list."
        made = ToolProblem(f"problem-{number}", question, clauses, tools, "")
        right = sample_trajectory(made, Policy(error_rate=0.0), seed=0)
        found.append(replace(made, gold=str(right.answer)))
    return found


def sample_trajectory(
    problem: ToolProblem, policy: Policy, *, seed: int, name: str = "", rel_tol: float = 0.01
) -> ToolTrajectory:
    """One run of the agent: its steps, a label for each (1 right, 0 wrong), and whether the answer is right.

    Args:
        problem: to solve.
        policy: how it errs.
        seed: of the run.
        name: id of the trajectory; empty: that of the problem.
        rel_tol: of the grade; 1 %, since the tools are exact.
    """
    draw = random.Random(derive(seed, "tools", "run", problem.id, name))
    steps, labels, value, before, place = list[ToolStep](), list[int](), "", "", 0
    while place < len(problem.clauses):
        clause = problem.clauses[place]
        error = _error(draw, policy, reading=bool(value))
        read = _misread(value, draw) if error == "reading" else value
        call = draw.choice({"tool": clause.others, "argument": clause.slips}.get(error, (clause.call,)))(read, before)
        observation = problem.tools.call(*call)
        had = f"I have {read}. " if read else ""
        steps.append(ToolStep(f"{had}Now {clause.words}.", *call, observation))
        labels.append(int(error == ""))
        if observation.startswith("error: "):
            if draw.random() < policy.retry:
                value = read
                continue
            observation = read or "0"
        value, before, place = observation, read, place + 1
    error = "reading" if draw.random() < policy.error_rate * policy.kinds[2] / sum(policy.kinds) else ""
    read = _misread(value, draw) if error else value
    answer = f'["{read}"]' if "-" in read[1:] or read[:1].isalpha() else f"[{read}]"
    steps.append(ToolStep(f"I have {read}. That is the result.", FINISH, answer))
    labels.append(int(error == ""))
    outcome = grade_final(answer, problem.gold, rel_tol).accepted if problem.gold else None
    plan = "; ".join(clause.words for clause in problem.clauses)
    names, key = problem.tools.names, name or problem.id
    return ToolTrajectory(key, problem.question, names, plan, tuple(steps), tuple(labels), outcome)


def _error(draw: random.Random, policy: Policy, *, reading: bool) -> ErrorKind:
    if draw.random() >= policy.error_rate:
        return ""
    kinds: Sequence[ErrorKind] = ("tool", "argument", "reading") if reading else ("tool", "argument")
    weights = policy.kinds[: len(kinds)]
    return draw.choices(kinds, weights)[0] if sum(weights) else ""


def _misread(value: str, draw: random.Random) -> str:
    """The value with one digit changed, never the last of many decimals: such a slip would not matter."""
    places = [i for i, sign in enumerate(value) if sign.isdigit()][:4]
    if "-" in value[1:]:
        places = [i for i, sign in enumerate(value) if sign.isdigit()][-1:]
    if not places:
        return draw.choice([d for d in ("Monday", "Wednesday", "Friday", "Sunday") if d != value])
    place = draw.choice(places[:2]) if len(places) > 1 else places[0]
    return value[:place] + draw.choice([d for d in "123456789" if d != value[place]]) + value[place + 1 :]


def _clauses(draw: random.Random, count: int) -> tuple[Clause, ...]:
    """A lookup, then conversions, sums with numbers of the problem, and sums with a second lookup; or dates."""
    if draw.random() < 0.3:
        found = [_lookup(draw, "opened"), _shift(draw), _between(draw)]
        unit = ""
    else:
        column = draw.choice(list(COLUMNS))
        unit = column.rpartition("_")[2]
        found = [_lookup(draw, column)]
    while len(found) < count:
        kinds = ["number"] + ["unit"] * 2 * bool(unit) + ["second"] * 2 * (len(found) + 2 <= count)
        kind = draw.choice(kinds)
        if kind == "unit":
            found.append(_conversion(draw, unit))
            unit = ""
        elif kind == "number":
            found.append(_sum(draw))
            unit = ""
        else:
            found += [_lookup(draw, draw.choice(list(COLUMNS))), _product(draw)]
            unit = ""
    return tuple(found)


def _lookup(draw: random.Random, column: str) -> Clause:
    place = draw.choice(PLACES)
    columns = [c for c in (*COLUMNS, "opened") if c != column]
    wrong_row, wrong_column = draw.choice([p for p in PLACES if p != place]), draw.choice(columns[:-1])
    said = "opening day" if column == "opened" else COLUMNS[column]

    def cell(row: str, one: str) -> Callable[[str, str], Call]:
        return lambda value, before: ("lookup", f"places | {row} | {one}")

    return Clause(
        f"look up the {said} of {place}",
        cell(place, column),
        (cell(wrong_row, column), cell(place, wrong_column)),
        (
            lambda value, before: ("calculator", f"{value or place}"),
            lambda value, before: ("units", f"{value or place} {column.rpartition('_')[2]}"),
        ),
    )


def _conversion(draw: random.Random, unit: str) -> Clause:
    target, other = draw.sample(OTHER_UNITS[unit], 2)
    factor = draw.choice((10, 60, 100, 1000))
    return Clause(
        f"convert it from {unit} to {target}",
        lambda value, before: ("units", f"{value} {unit} to {target}"),
        (
            lambda value, before: ("units", f"{value} {unit} to {other}"),
            lambda value, before: ("units", f"{value} {target} to {unit}"),
        ),
        (
            lambda value, before: ("calculator", f"{value} * {factor}"),
            lambda value, before: ("date", f"{value} {unit} to {target}"),
        ),
    )


def _sum(draw: random.Random) -> Clause:
    sign, number = draw.choice("+-*/"), draw.randint(3, 40)
    turned, wrong = {"+": "-", "-": "+", "*": "/", "/": "*"}[sign], number + draw.choice((-2, -1, 1, 2, 10))
    return Clause(
        WORDS[sign].format(number),
        lambda value, before: ("calculator", f"{value} {sign} {number}"),
        (
            lambda value, before: ("calculator", f"{value} {turned} {number}"),
            lambda value, before: ("calculator", f"{value} {sign} {wrong}"),
        ),
        (
            lambda value, before: ("units", f"{value} {sign} {number}"),
            lambda value, before: ("lookup", f"places | {value} | {number}"),
        ),
    )


def _product(draw: random.Random) -> Clause:
    sign, turned = draw.choice((("*", "/"), ("+", "-")))
    said = "multiply both values" if sign == "*" else "add both values"
    return Clause(
        said,
        lambda value, before: ("calculator", f"{before or 0} {sign} {value}"),
        (
            lambda value, before: ("calculator", f"{before or 0} {turned} {value}"),
            lambda value, before: ("calculator", f"{value} {sign} {value}"),
        ),
        (
            lambda value, before: ("units", f"{before or 0} {sign} {value}"),
            lambda value, before: ("date", f"{before or 0} {sign} {value}"),
        ),
    )


def _shift(draw: random.Random) -> Clause:
    days = draw.randint(20, 400)
    return Clause(
        f"go {days} days on from it",
        lambda value, before: ("date", f"{value} + {days} days"),
        (
            lambda value, before: ("date", f"{value} - {days} days"),
            lambda value, before: ("date", f"{value} + {days + 100} days"),
        ),
        (
            lambda value, before: ("calculator", f"{value} + {days}"),
            lambda value, before: ("units", f"{value} + {days} day"),
        ),
    )


def _between(draw: random.Random) -> Clause:
    day = date(2026, 1, 1) + timedelta(days=draw.randint(0, 700))
    other = day.replace(year=day.year + 1, day=min(day.day, 28))
    return Clause(
        f"count the days from it to {day}",
        lambda value, before: ("date", f"days from {value} to {day}"),
        (
            lambda value, before: ("date", f"days from {day} to {value}"),
            lambda value, before: ("date", f"days from {value} to {other}"),
        ),
        (
            lambda value, before: ("calculator", f"{day} - {value}"),
            lambda value, before: ("units", f"{value} to {day} day"),
        ),
    )
