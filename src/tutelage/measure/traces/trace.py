"""One record of several agents at work: what happened when, and what led to what."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from tutelage.errors import DataError
from tutelage.io import Line, read_jsonl
from tutelage.io.documents import read_json

__all__ = ["Edge", "Event", "Trace", "parse_trace", "read_traces"]

SCHEMA = Path(__file__).with_name("trace.schema.json")
_NAMED = {"id", "t", "type", "agent", "to", "trusted", "tokens"}


@dataclass(frozen=True)
class Event:
    """Something an ``agent`` did at time ``t`` (seconds); ``to`` whom, with how many ``tokens``, if recorded.

    ``trusted`` is False for what came from outside and may carry instructions: a web page, a stranger's mail.
    """

    id: str
    t: float
    type: str
    agent: str
    to: str | None = None
    trusted: bool = True
    tokens: float | None = None
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Edge:
    """``src`` came before ``dst``; for every type but "temporal" it also led to it."""

    src: str
    dst: str
    type: str


@dataclass(frozen=True)
class Trace:
    """A run of several agents on one task. ``where`` is the file and line it was read from."""

    id: str
    task: str
    events: tuple[Event, ...]
    edges: tuple[Edge, ...]
    rewards: Mapping[str, float]
    costs: Mapping[str, float]
    topology: str = "unknown"
    where: str = "trace"

    def successors(self) -> dict[str, list[str]]:
        """Per event what it led to: every edge between known events but the temporal ones."""
        found: dict[str, list[str]] = {event.id: [] for event in self.events}
        for edge in self.edges:
            if edge.type != "temporal" and edge.src in found and edge.dst in found:
                found[edge.src].append(edge.dst)
        return found


def parse_trace(value: Any, where: str = "trace") -> Trace:
    """A trace from its JSON value; the form is ``trace.schema.json`` in this package.

    Raises:
        DataError: the value has another form, or a number that is not finite; names the place.

    Source: schema of the survey of orchestration traces (arXiv 2605.02801), fields as published, written anew.
    """
    error = best_match(_schema().iter_errors(value))
    if error is not None:
        place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path)
        message = error.message if len(error.message) <= 200 else error.message[:196] + " ..."
        raise DataError(message, where=where + place, hint="see measure/traces/trace.schema.json")
    events = tuple(_event(one) for one in value["events"])
    numbers = [*value["rewards"].values(), *value["costs"].values(), *(event.t for event in events)]
    numbers += [event.tokens for event in events if event.tokens is not None]
    if not all(math.isfinite(number) for number in numbers):
        raise DataError("a reward, cost or time is not a finite number", where=where)
    return Trace(
        id=value["trace_id"],
        task=value["task_id"],
        events=events,
        edges=tuple(Edge(one["src"], one["dst"], one["type"]) for one in value["edges"]),
        rewards=dict(value["rewards"]),
        costs=dict(value["costs"]),
        topology=value.get("topology", "unknown"),
        where=where,
    )


def read_traces(paths: Sequence[str | os.PathLike[str]]) -> list[Trace]:
    """The traces in JSON files (one each) and JSON-lines files (one a line).

    Raises:
        DataError: a file or line that is no trace.
    """
    found = []
    for path in paths:
        name = os.fspath(path)
        if name.endswith(".jsonl"):
            found += [_line(line, f"{name}:{line.number}") for line in read_jsonl(path)]
        else:
            found.append(parse_trace(read_json(path), name))
    return found


def _line(line: Line, where: str) -> Trace:
    if line.error is not None:
        raise DataError(line.error, where=where)
    return parse_trace(line.value, where)


@cache
def _schema() -> Draft202012Validator:
    return Draft202012Validator(read_json(SCHEMA))


def _event(one: Mapping[str, Any]) -> Event:
    return Event(
        id=one["id"],
        t=float(one["t"]),
        type=one["type"],
        agent=one["agent"],
        to=one.get("to"),
        trusted=one.get("trusted", True),
        tokens=one.get("tokens"),
        more={key: inner for key, inner in one.items() if key not in _NAMED},
    )
