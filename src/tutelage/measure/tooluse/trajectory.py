"""Trajectories of one agent with tools, and pairs of steps of which one was corrected."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tutelage.data.steps import UNKNOWN, StepRow
from tutelage.errors import DataError
from tutelage.io import read_jsonl
from tutelage.io.documents import read_json
from tutelage.measure.tooluse.published import from_published, is_published
from tutelage.measure.tooluse.tools import Toolset

__all__ = [
    "FINISH",
    "StepPair",
    "ToolStep",
    "ToolTrajectory",
    "parse_step_pair",
    "parse_trajectory",
    "read_step_pairs",
    "read_trajectories",
    "replayed",
    "to_step_row",
]

FINISH = "finish"
"""The action of the last step; its input is the final answer, a list."""
T = TypeVar("T", bound="ToolTrajectory | StepPair")
_ONE = "one JSON object a line, without line ends inside it"
SCHEMA = Path(__file__).with_name("trajectory.schema.json")


@dataclass(frozen=True)
class ToolStep:
    """What the agent thought, which tool it called with what, and what came back; ``observation`` is empty at the end.

    Observations are recorded, since what a live tool answers changes: see :func:`replayed`.
    """

    thought: str
    action: str
    action_input: str
    observation: str = ""

    def text(self) -> str:
        """The step as a judge or reward model reads it."""
        seen = f"\nObservation: {self.observation}" if self.action != FINISH else ""
        return f"Thought: {self.thought}\nAction: {self.action}[{self.action_input}]{seen}"


@dataclass(frozen=True)
class ToolTrajectory:
    """A prompt, a plan, and steps up to a ``finish``; a trajectory that was cut off has none, and no ``answer``.

    ``labels`` (1 right, 0 wrong, -1 unknown) has one a step or is None; ``outcome`` says whether the answer was right;
    ``historical_date`` is the day for which the answer of a live tool is right.
    """

    id: str
    prompt: str
    tools: tuple[str, ...]
    plan: str
    steps: tuple[ToolStep, ...]
    labels: tuple[int, ...] | None = None
    outcome: bool | None = None
    historical_date: str | None = None

    def __post_init__(self) -> None:
        where = f"trajectory {self.id!r}"
        early = [i for i, step in enumerate(self.steps[:-1]) if step.action == FINISH]
        if early:
            raise DataError(f"step {early[0]} is {FINISH} and not the last", where=where)
        unknown = [s.action for s in self.steps if s.action != FINISH and s.action not in self.tools]
        if unknown and not all(s.observation for s in self.steps if s.action in unknown):
            raise DataError(f"{unknown[0]!r} is none of its tools, and nothing was observed", where=where)
        if self.labels is not None and len(self.labels) != len(self.steps):
            raise DataError(
                f"{len(self.steps)} steps but {len(self.labels)} labels", where=where, hint="-1 for what is unknown"
            )
        _check_day(self.historical_date, where)

    @property
    def answer(self) -> str | None:
        """The input of the last step if that is ``finish``."""
        return self.steps[-1].action_input if self.steps and self.steps[-1].action == FINISH else None

    def record(self) -> dict[str, Any]:
        """As JSON; :func:`parse_trajectory` reads it back."""
        return {key: _plain(value) for key, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class StepPair:
    """Two ways to go on from one history: ``preferred`` was written by an annotator in place of ``dispreferred``.

    ``kind`` is "plan" or "step"; ``trajectory`` names what the pair was cut from: pairs of one are not independent.
    """

    id: str
    prompt: str
    tools: tuple[str, ...]
    history: tuple[str, ...]
    preferred: str
    dispreferred: str
    kind: Literal["plan", "step"] = "step"
    trajectory: str | None = None
    historical_date: str | None = None

    def __post_init__(self) -> None:
        if self.preferred.strip() == self.dispreferred.strip():
            raise DataError("both sides are the same text", where=f"pair {self.id!r}", hint="leave the pair out")
        _check_day(self.historical_date, f"pair {self.id!r}")
        if self.kind == "plan" and self.history:
            raise DataError(
                "a plan has no history", where=f"pair {self.id!r}", hint='kind "step" for later corrections'
            )

    def record(self) -> dict[str, Any]:
        """As JSON; :func:`parse_step_pair` reads it back."""
        return {key: _plain(value) for key, value in asdict(self).items() if value is not None}


def parse_trajectory(value: Any, where: str = "trajectory") -> ToolTrajectory:
    """A trajectory from its JSON value; the form is ``trajectory.schema.json`` in this package.

    Raises:
        DataError: another form, or what :class:`ToolTrajectory` refuses; names the place.
    """
    _check("trajectory", value, where)
    given = {**value, "tools": tuple(value["tools"]), "steps": tuple(ToolStep(**step) for step in value["steps"])}
    if value.get("labels") is not None:
        given["labels"] = tuple(map(int, value["labels"]))
    return _made(ToolTrajectory, given, where)


def parse_step_pair(value: Any, where: str = "pair") -> StepPair:
    """A pair from its JSON value; the form is ``trajectory.schema.json`` in this package.

    Without ``kind`` a pair that has no history is one of plans, as in the published code: a step follows its plan.

    Raises:
        DataError: another form, or what :class:`StepPair` refuses; names the place.

    Source: fields as published with arXiv 2501.01290 (prompt, tools, history, preferred, dispreferred,
        historical_date); id, kind and trajectory are ours.
    """
    _check("step_pair", value, where)
    kind = "step" if value["history"] else "plan"
    return _made(
        StepPair, {"kind": kind, **value, "tools": tuple(value["tools"]), "history": tuple(value["history"])}, where
    )


def read_trajectories(path: str | os.PathLike[str]) -> list[ToolTrajectory]:
    """The trajectories of a JSON-lines file.

    Raises:
        StoreError: the file cannot be read.
        DataError: a line that is none, an id that stands twice (both name the line), or an empty file.
    """
    return _distinct([(where, parse_trajectory(value, where)) for where, value in _lines(path)])


def read_step_pairs(path: str | os.PathLike[str]) -> list[StepPair]:
    """The pairs of a JSON-lines file, in our form or as published with the paper (:mod:`.published`).

    Raises:
        StoreError: the file cannot be read.
        DataError: as in :func:`read_trajectories`.
    """
    found = []
    for number, (where, value) in enumerate(_lines(path), start=1):
        own = from_published(value, f"pair-{number}", where) if is_published(value) else value
        found.append((where, parse_step_pair(own, where)))
    return _distinct(found)


def to_step_row(trajectory: ToolTrajectory, domain: str = "") -> StepRow:
    """The trajectory as steps to score or to train a reward model on; the plan stands under the question."""
    question = f"{trajectory.prompt}\nPlan: {trajectory.plan}" if trajectory.plan else trajectory.prompt
    labels = trajectory.labels or (UNKNOWN,) * len(trajectory.steps)
    texts = tuple(step.text() for step in trajectory.steps)
    return StepRow(trajectory.id, question, texts, labels, trajectory.outcome, domain)


def replayed(trajectory: ToolTrajectory, tools: Toolset) -> list[int]:
    """Places of the steps whose recorded observation the tools do not give again."""
    return [
        place
        for place, step in enumerate(trajectory.steps)
        if step.action != FINISH and tools.call(step.action, step.action_input) != step.observation
    ]


def _made(kind: type[T], given: Mapping[str, Any], where: str) -> T:
    try:
        return kind(**given)
    except DataError as error:
        raise DataError(error.what, where=f"{where}: {error.where}", hint=error.hint) from None


def _check_day(day: str | None, where: str) -> None:
    try:
        date.fromisoformat(day or "2024-01-01")
    except ValueError:
        raise DataError(
            f"there is no day {day}", where=f"{where}, historical_date", hint="such as 2024-03-05"
        ) from None


def _lines(path: str | os.PathLike[str]) -> Iterator[tuple[str, Any]]:
    where = os.fspath(path)
    for line in read_jsonl(path):
        where = f"{os.fspath(path)}:{line.number}"
        if line.error is not None:
            raise DataError(line.error, where=where, hint=_ONE)
        if isinstance(line.value, list):
            raise DataError("a whole list", where=where, hint=_ONE)
        yield where, line.value
    if where == os.fspath(path):
        raise DataError("the file holds no rows", where=where, hint=_ONE)


def _distinct(found: list[tuple[str, T]]) -> list[T]:
    seen: dict[str, str] = {}
    for where, one in found:
        if one.id in seen:
            raise DataError(f"the id {one.id!r} stands twice", where=where, hint=f"first at {seen[one.id]}")
        seen[one.id] = where
    return [one for _, one in found]


def _check(name: str, value: Any, where: str) -> None:
    error = best_match(_schema(name).iter_errors(value))
    if error is not None:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
        message = error.message if len(error.message) <= 200 else error.message[:196] + " ..."
        raise DataError(message, where=where + place, hint="see measure/tooluse/trajectory.schema.json")


@cache
def _schema(name: str) -> Draft202012Validator:
    whole = read_json(SCHEMA)
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": whole["$defs"]})


def _plain(value: Any) -> Any:
    """Tuples as the lists that JSON has."""
    return [_plain(inner) for inner in value] if isinstance(value, tuple) else value
