"""Orchestration traces: a survey's schema for teams of agents, as an audit of recorded runs.

The survey describes how runs of several agents should be recorded and what to look at in them. Here a record is checked
for what a replay needs, its figures are computed, and every tool call that untrusted content led to is named. Credit of
agents and messages needs a run that can be replayed, and is in the library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tutelage.measure.traces import Trace, findings, read_traces, trace_figures
from tutelage.papers.claim import Paper
from tutelage.papers.tool_recipe import ToolResult, tool_recipe

__all__ = ["EXAMPLE", "PAPER", "run"]

PAPER = Paper(
    title="Reinforcement Learning for LLM-based Multi-Agent Systems through Orchestration Traces",
    date="2026-05-03",
    arxiv="2605.02801",
    family="oversight",
    summary="A schema for recorded runs of agent teams, and what rewards, credit and decisions can be read off them.",
    code="https://github.com/xxzcc/awesome-llm-mas-rl",
)
EXAMPLE = Path(__file__).with_suffix(".json")
HINDERING = ("unique", "acyclic")
"""Rules without which no figure can be computed."""


@tool_recipe(
    "orchestration-traces",
    PAPER,
    inputs="traces as JSON (one a file) or JSON lines (one a line); without any, an example",
    library=(
        "tutelage.measure.traces.parse_trace",
        "tutelage.measure.traces.findings",
        "tutelage.measure.traces.trace_figures",
        "tutelage.measure.traces.tainted_calls",
        "tutelage.measure.traces.leave_one_out",
        "tutelage.measure.traces.shapley",
    ),
)
def run(files: Sequence[Path]) -> ToolResult:
    """Audit traces; not passed when one cannot be replayed or untrusted content led to a tool call.

    Raises:
        DataError: a file that is no trace.
    """
    audited = [_audited(trace) for trace in read_traces(files or [EXAMPLE])]
    passed = all(one["passed"] for one in audited)
    good = sum(one["passed"] for one in audited)
    text = "\n".join([*map(_told, audited), f"{good} of {len(audited)} traces passed"])
    return ToolResult(text, {"slug": "orchestration-traces", "passed": passed, "traces": audited}, passed)


def _audited(trace: Trace) -> dict[str, Any]:
    found = findings(trace)
    whole = not any(one.rule in HINDERING for one in found)
    figures = asdict(trace_figures(trace)) if whole else None
    return {
        "trace": trace.id,
        "where": trace.where,
        "passed": not found and figures is not None and not figures["tainted"],
        "findings": [asdict(one) for one in found],
        "figures": figures,
        "rewards": dict(trace.rewards),
    }


def _told(one: dict[str, Any]) -> str:
    lines = [f"{one['where']}: trace {one['trace']!r} {'passed' if one['passed'] else 'FAILED'}"]
    figures = one["figures"]
    if figures is not None:
        lines.append(f"  {figures['agents']} agents, {figures['events']} events, {figures['work_s']:g} s of work")
        lines.append(
            f"  side by side: parallelism {_number(figures['parallelism'])}, speed-up {_number(figures['speedup'])}"
        )
        lines.append(f"  talk: {figures['overhead']:.1%} of {figures['overhead_from']} are messages")
        lines.append(f"  spawned agents whose return reached the result: {_share(figures['spawn_efficiency'])}")
        lines += [
            f"  UNTRUSTED {source!r} led to the tool call {call!r}" for call, source in figures["tainted"].items()
        ]
    lines += [f"  {finding['rule']}: event {finding['event']!r}: {finding['what']}" for finding in one["findings"]]
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "none was spawned" if value is None else f"{value:.0%}"
