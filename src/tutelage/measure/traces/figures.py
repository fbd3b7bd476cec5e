"""Figures of one trace: how much was done side by side, how much was talk, what untrusted content could steer."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from tutelage.errors import DataError
from tutelage.measure.traces.checks import ordered
from tutelage.measure.traces.trace import Event, Trace

__all__ = ["TraceFigures", "tainted_calls", "trace_figures"]


@dataclass(frozen=True)
class TraceFigures:
    """What a trace comes to; None where it does not say enough.

    Attributes:
        agents: how many took part.
        events: how many there are.
        work_s: seconds of all agents together; an event lasts until its agent's next one or until another agent takes
            over from it, whichever is first; an agent's last event lasts no time. Waiting for others is no work.
        critical_s: seconds of the longest chain of events that had to follow one another.
        parallelism: work_s / critical_s: 1 when nothing was done side by side.
        speedup: work_s / wall clock.
        overhead: tokens of messages / all tokens, or without tokens the share of events that are messages.
        overhead_from: "tokens" or "events".
        spawn_efficiency: share of the spawned agents with a return that led to the final aggregate.
        tainted: tool call -> the untrusted event that led to it.
    """

    agents: int
    events: int
    work_s: float
    critical_s: float
    parallelism: float | None
    speedup: float | None
    overhead: float
    overhead_from: str
    spawn_efficiency: float | None
    tainted: Mapping[str, str]


def trace_figures(trace: Trace) -> TraceFigures:
    """The figures of a trace that has been checked.

    Raises:
        DataError: two events of one id, or a circle of edges: see :func:`tutelage.measure.traces.findings`.

    Source: names from the survey (arXiv 2605.02801); definitions are our own.
    """
    if len({event.id for event in trace.events}) < len(trace.events):
        raise DataError("two events have one id", where=trace.where, hint="check the trace first")
    durations = _durations(trace)
    work, critical = sum(durations.values()), _critical(trace, durations)
    clock = trace.costs["wall_clock_s"]
    overhead, source = _overhead(trace)
    return TraceFigures(
        agents=len({event.agent for event in trace.events}),
        events=len(trace.events),
        work_s=work,
        critical_s=critical,
        parallelism=work / critical if critical > 0 else None,
        speedup=work / clock if clock > 0 else None,
        overhead=overhead,
        overhead_from=source,
        spawn_efficiency=_spawn_efficiency(trace),
        tainted=tainted_calls(trace),
    )


def tainted_calls(trace: Trace) -> dict[str, str]:
    """Tool calls that an event with ``trusted: false`` led to, each with one such event.

    A call reached here could have been steered by what an outsider wrote. That no call is reached shows nothing if the
    trace leaves edges out.
    """
    after = trace.successors()
    origin = {event.id: event.id for event in trace.events if not event.trusted}
    queue = deque(origin)
    while queue:
        name = queue.popleft()
        for later in after[name]:
            if later not in origin:
                origin[later] = origin[name]
                queue.append(later)
    return {event.id: origin[event.id] for event in trace.events if event.type == "tool_call" and event.id in origin}


def _by_agent(trace: Trace) -> list[list[Event]]:
    found: dict[str, list[Event]] = {}
    for event in sorted(trace.events, key=lambda one: one.t):
        found.setdefault(event.agent, []).append(event)
    return list(found.values())


def _durations(trace: Trace) -> dict[str, float]:
    durations = dict.fromkeys((event.id for event in trace.events), 0.0)
    events = {event.id: event for event in trace.events}
    after = trace.successors()
    for own in _by_agent(trace):
        for event, following in pairwise(own):
            handed = [events[name].t for name in after[event.id] if events[name].agent != event.agent]
            durations[event.id] = max(0.0, min([following.t, *handed]) - event.t)
    return durations


def _critical(trace: Trace, durations: Mapping[str, float]) -> float:
    """The longest chain along edges and each agent's own succession of events."""
    after = {name: list(rest) for name, rest in trace.successors().items()}
    for own in _by_agent(trace):
        for event, following in pairwise(own):
            after[event.id].append(following.id)
    placed = ordered(after)
    if len(placed) < len(after):
        raise DataError("events lie on a circle of edges", where=trace.where, hint="check the trace first")
    ends = dict.fromkeys(after, 0.0)
    for name in placed:
        ends[name] += durations[name]
        for later in after[name]:
            ends[later] = max(ends[later], ends[name])
    return max(ends.values())


def _overhead(trace: Trace) -> tuple[float, str]:
    messages = [event for event in trace.events if event.type == "message"]
    if trace.costs["tokens"] > 0 and messages and all(event.tokens is not None for event in messages):
        return sum(event.tokens or 0.0 for event in messages) / trace.costs["tokens"], "tokens"
    return len(messages) / len(trace.events), "events"


def _spawn_efficiency(trace: Trace) -> float | None:
    spawned = {event.to for event in trace.events if event.type == "spawn" and event.to is not None}
    if not spawned:
        return None
    after = trace.successors()
    before: dict[str, list[str]] = {name: [] for name in after}
    for name, rest in after.items():
        for later in rest:
            before[later].append(name)
    reaching = {event.id for event in trace.events if event.type == "aggregate" and not after[event.id]}
    queue = deque(reaching)
    while queue:
        for earlier in before[queue.popleft()]:
            if earlier not in reaching:
                reaching.add(earlier)
                queue.append(earlier)
    useful = {event.agent for event in trace.events if event.type == "return" and event.id in reaching}
    return len(spawned & useful) / len(spawned)
