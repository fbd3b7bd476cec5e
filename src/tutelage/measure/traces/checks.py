"""What must hold of a trace beyond its form, so that it can be replayed and its figures mean something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tutelage.measure.traces.trace import Trace

__all__ = ["Finding", "findings", "ordered"]


@dataclass(frozen=True)
class Finding:
    """What is wrong in a trace: the ``rule`` that does not hold, at which ``event``, and ``what``."""

    rule: str
    event: str
    what: str


def findings(trace: Trace) -> tuple[Finding, ...]:
    """Everything that is wrong with ``trace``, none for a trace that can be replayed.

    Rules: "unique" event ids; "known" ends of every edge; "acyclic" and "in time" along all edges that are not
    temporal; a "return" only of an agent that was spawned before; one "final" aggregate that nothing follows.

    Example:
        >>> from tutelage.measure.traces import parse_trace
        >>> alone = {"id": "a", "t": 0, "type": "aggregate", "agent": "lead"}
        >>> costs = {"tokens": 0, "wall_clock_s": 0}
        >>> whole = {"trace_id": "1", "task_id": "1", "events": [alone], "edges": [], "rewards": {}, "costs": costs}
        >>> findings(parse_trace(whole))
        ()
    """
    return (*_names(trace), *_order(trace), *_returns(trace), *_final(trace))


def _names(trace: Trace) -> list[Finding]:
    counted = Counter(event.id for event in trace.events)
    found = [Finding("unique", name, f"{count} events have this id") for name, count in counted.items() if count > 1]
    for edge in trace.edges:
        found += [
            Finding("known", end, f"an edge of type {edge.type} names an event that is not there")
            for end in (edge.src, edge.dst)
            if end not in counted
        ]
    return found


def _order(trace: Trace) -> list[Finding]:
    times = {event.id: event.t for event in trace.events}
    after = trace.successors()
    found = [
        Finding("in time", later, f"it is {times[first] - times[later]:g} s before {first!r}, which led to it")
        for first, rest in after.items()
        for later in rest
        if times[later] < times[first]
    ]
    placed = ordered(after)
    if len(placed) < len(after):
        stuck = next(name for name in after if name not in set(placed))
        found.append(Finding("acyclic", stuck, f"{len(after) - len(placed)} events lie on or behind a circle of edges"))
    return found


def ordered(after: Mapping[str, Sequence[str]]) -> list[str]:
    """The events so that each stands behind all that led to it; those on or behind a circle are left out."""
    waiting = Counter(later for rest in after.values() for later in rest)
    ready = [name for name in after if not waiting[name]]
    for name in ready:  # grows while it is read
        for later in after[name]:
            waiting[later] -= 1
            if not waiting[later]:
                ready.append(later)
    return ready


def _returns(trace: Trace) -> list[Finding]:
    spawned: set[str] = set()
    found = []
    for event in sorted(trace.events, key=lambda one: one.t):  # stable: equal times keep the order of the file
        if event.type == "spawn" and event.to is not None:
            spawned.add(event.to)
        elif event.type == "return" and event.agent not in spawned:
            found.append(Finding("return", event.id, f"{event.agent!r} was not spawned before"))
    return found


def _final(trace: Trace) -> list[Finding]:
    after = trace.successors()
    last = [event.id for event in trace.events if event.type == "aggregate" and not after[event.id]]
    if len(last) == 1:
        return []
    what = "no aggregate ends the trace" if not last else f"{len(last)} aggregates end the trace"
    return [Finding("final", last[0] if last else trace.events[-1].id, what)]
