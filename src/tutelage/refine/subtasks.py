"""A hard task and its solution in parts that stand on their own: cut from the solution's steps, or asked of an engine.

Easier supervision beside the hard one (arXiv 2410.20533). A part is a task with a question of its own, so a student
that never sees the whole can learn from it.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from tutelage.data.leakage import OverlapSettings, overlap
from tutelage.data.steps import StepRow, segment
from tutelage.errors import DataError, RangeError
from tutelage.refine.checks import cleaned
from tutelage.seeds import derive
from tutelage.types import Message, Row
from tutelage.verify.numbers import numbers

__all__ = [
    "SUBTASK_PROMPT",
    "SubTask",
    "contiguous",
    "continuing",
    "cuts",
    "near",
    "parse_subtasks",
    "problem_with",
    "unstated",
]

SUBTASK_PROMPT = (
    "Break this problem into {least} to {most} smaller problems. Each must be a complete problem that can be solved "
    "without seeing this one: state every number it needs, and do not mention this problem, its parts or its steps. "
    "Each solution uses only some of the steps of this solution, one step a line, and ends with its answer.\n"
    'Reply with JSON only: {{"subtasks": [{{"question": "...", "solution": "..."}}]}}\n\n'
    "Problem: {question}\n\nSolution:\n{solution}"
)
_BACK = re.compile(
    r"\b(?:original|above|aforementioned|previous|earlier|preceding|sub-?(?:problem|task|question)s?|"
    r"(?:this|the|that) (?:same )?(?:problem|solution|question|passage)|"
    r"(?:part|step|problem|question) (?:\(?[a-e]\)?(?![\w'])|\d|one|two|three|four|i+\b))",
    re.IGNORECASE,
)
_RESULT = re.compile(r"(?:=|≈|\b(?:is|are|was|gives?|makes?|leaves?|equals?))\s*[$€£]?$", re.IGNORECASE)
_NUMBER = re.compile(r"\d[\d,]*+(?:\.\d++)?+(?:/\d++)?+")
_FREE = frozenset(map(Fraction, (0, 1, 2, 100)))  # halves, percents and counting from one need not be stated


@dataclass(frozen=True)
class SubTask:
    """A part of a task. ``first`` is the place of its first step in the parent's solution, None where it has none."""

    id: str
    question: str
    steps: tuple[str, ...]
    first: int | None = None


def cuts(steps: int, least: int = 2, most: int = 4, *, seed: int = 0) -> list[tuple[int, int]]:
    """A random way to cut ``steps`` steps into contiguous parts of ``least`` to ``most``: (first, length) of each.

    Every way is equally likely. Where no way is left but the whole, there are no parts.

    Args:
        steps: of the solution.
        least: of a part.
        most: of a part.
        seed: of the draw.

    Raises:
        RangeError: unless 1 <= least <= most.

    Example:
        >>> cuts(7, 2, 4, seed=1)
        [(0, 4), (4, 3)]
        >>> cuts(3, 2, 4)
        []
    """
    if not 1 <= least <= most:
        raise RangeError(f"parts of {least} to {most} steps")
    ways = [1] + [0] * steps
    for rest in range(1, steps + 1):
        ways[rest] = sum(ways[rest - size] for size in range(least, min(most, rest) + 1))
    if ways[steps] <= int(least <= steps <= most):
        return []
    draw, found, at = random.Random(derive(seed, "cuts", steps)), list[tuple[int, int]](), 0
    while at < steps:
        sizes = [size for size in range(least, min(most, steps - at) + 1) if size < steps]
        size = draw.choices(sizes, [ways[steps - at - size] for size in sizes])[0]
        found.append((at, size))
        at += size
    return found


State = Callable[[StepRow, int, int], str]


def continuing(row: StepRow, first: int, length: int) -> str:
    """A question for steps whose meaning is not known: the whole question, what was worked out, and how far to go."""
    given = "\n".join(step.strip() for step in row.steps[:first])
    known = f"\nAlready worked out:\n{given}" if first else ""
    end = "" if first + length == len(row.steps) else f"\nGive only the next {length} step{'s' * (length > 1)}."
    return f"{row.question}{known}{end}"


def contiguous(
    row: StepRow, least: int = 2, most: int = 4, *, state: State = continuing, seed: int = 0
) -> list[SubTask]:
    """The solution's own steps in contiguous parts; every step belongs to one part.

    Nothing is invented, and the parts are as right as the solution. What a part begins with is stated by ``state``.

    Args:
        row: task and solution.
        least: steps of a part.
        most: steps of a part.
        state: ``(row, first, length)`` to the question of a part. The default repeats the whole question; a function
            that knows what the steps mean can say less.
        seed: of the cuts.

    Returns:
        The parts in order; none where the solution cannot be cut.

    Raises:
        RangeError: unless 1 <= least <= most.
        DataError: ``state`` gives an empty question.
    """
    found = []
    for first, length in cuts(len(row.steps), least, most, seed=derive(seed, row.id)):
        question = state(row, first, length)
        if not question.strip():
            raise DataError("a part has no question", where=f"row {row.id!r}, steps {first} to {first + length}")
        found.append(SubTask(f"{row.id}/{first}+{length}", question, row.steps[first : first + length], first))
    return found


def parse_subtasks(text: str, parent: str) -> list[SubTask] | str:
    """The subtasks that an engine gave as JSON, perhaps between code marks; or what is wrong with its reply.

    Example:
        >>> parse_subtasks('{"subtasks": [{"question": "2 + 3?", "solution": "2 + 3 = 5"}]}', "a")
        [SubTask(id='a/1', question='2 + 3?', steps=('2 + 3 = 5',), first=None)]
        >>> parse_subtasks("Sure! First, ...", "a")
        'no_json'
    """
    plain = cleaned(text)
    fenced = re.fullmatch(r"```(?:json)?\s*\n(.*)\n```", plain, re.DOTALL)
    try:
        told: Any = json.loads(fenced.group(1) if fenced else plain)
    except (ValueError, RecursionError):
        return "no_json"
    if not isinstance(told, dict) or list(told) != ["subtasks"] or not isinstance(told["subtasks"], list):
        return "another_form"
    found = []
    for number, one in enumerate(told["subtasks"], start=1):
        if not isinstance(one, dict) or set(one) != {"question", "solution"}:
            return "another_form"
        question, solution = one["question"], one["solution"]
        if not (isinstance(question, str) and isinstance(solution, str) and question.strip() and solution.strip()):
            return "another_form"
        steps = tuple(solution[a:b] for a, b in segment(solution, "\n"))
        found.append(SubTask(f"{parent}/{number}", question.strip(), steps))
    return found or "another_form"


def problem_with(one: SubTask, parent: StepRow, threshold: float = 0.8) -> str | None:
    """Why a subtask cannot be used: the name of the first filter that it fails; None if it can.

    ``refers_back``: it speaks of the original, of parts or steps. ``step_count``: it has not fewer steps than the
    parent. ``unstated``: its solution works with a number that neither its question states nor an earlier step made.
    ``foreign``: its question states a number that is neither in the parent's question nor in its solution.
    ``near_parent``: its question is nearly that of the parent, by the Jaccard similarity of character shingles.

    Source: arXiv 2410.20533 (filters for well-posedness, step count, near-duplicates); the rules are ours. A number
        that is stated but means something else is not noticed.

    Example:
        >>> parent = StepRow("a", "Ann has 3 bags of 4 and 5 more. How many?", ("3 * 4 = 12", "12 + 5 = 17"), (-1, -1))
        >>> problem_with(SubTask("a/1", "How many are in the 3 bags above?", ("3 * 4 = 12",)), parent)
        'refers_back'
        >>> problem_with(SubTask("a/1", "How many are 3 bags of 4?", ("3 * 4 = 12",)), parent)
    """
    if _BACK.search(one.question):
        return "refers_back"
    if len(one.steps) >= max(2, len(parent.steps)):
        return "step_count"
    if unstated(one):
        return "unstated"
    theirs = {abs(number) for text in (parent.question, *parent.steps) for number in numbers(text)} | _FREE
    if not {abs(number) for number in numbers(one.question)} <= theirs:
        return "foreign"
    return "near_parent" if near([one.question], [parent.question], threshold) else None


def unstated(one: SubTask) -> list[Fraction]:
    """Numbers that the solution uses and that neither the question states nor an earlier result gives.

    Example:
        >>> unstated(SubTask("a", "Ann has 3 bags of 4.", ("3 * 4 = 12", "12 + 5 = 17")))
        [Fraction(5, 1)]
    """
    known, missing = {abs(number) for number in numbers(one.question)} | _FREE, []
    for step in one.steps:
        for match in _NUMBER.finditer(step):
            value = next(iter(numbers(match.group())), None)
            if value is None:
                continue
            if _RESULT.search(step[max(0, match.start() - 24) : match.start()].rstrip("-− ")):
                known.add(value)
            elif value not in known:
                missing.append(value)
    return missing


def near(questions: Sequence[str], others: Sequence[str], threshold: float = 0.8) -> set[int]:
    """Places of the questions that stand among the others too, exactly or nearly (:mod:`tutelage.data.leakage`)."""
    found = overlap(_rows(questions), _rows(others), OverlapSettings(threshold=threshold))
    return {int(pair.train_id) for pair in found.pairs}


def _rows(questions: Sequence[str]) -> list[Row]:
    return [
        Row(id=str(number), prompt=[Message(role="user", content=question)], completion=[])
        for number, question in enumerate(questions)
    ]
