"""Pairs of steps in the form that was published with ToolComp, made into ours."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tutelage.errors import DataError
from tutelage.io import content_hash

__all__ = ["from_published", "is_published"]

_PLAN = "action plan"
_STEP = ("thought", "action", "action_input", "observation")


def is_published(row: Any) -> bool:
    """Whether a row has the published form: its two sides are objects and not texts."""
    return isinstance(row, dict) and isinstance(row.get("preferred"), dict)


def from_published(row: Mapping[str, Any], name: str, where: str) -> dict[str, Any]:
    """A published row as the record of a :class:`~tutelage.measure.tooluse.StepPair`.

    There every part of a step, and the plan, is an object with ``text``; ``history`` and ``tools`` may be lists that
    are written as text; a row without history is a correction of the plan. Rows have no id: ``name`` becomes it, and
    rows of one prompt count as cut from one trajectory.

    Raises:
        DataError: another form.

    Source: the form that the code of arXiv 2501.01290 reads.
    """
    lacking = [key for key in ("prompt", "tools", "history", "preferred", "dispreferred") if key not in row]
    if lacking:
        raise DataError(
            f"a published pair without {lacking[0]!r}", where=where, hint="prompt, tools, history, two sides"
        )
    history = _listed(row["history"], "history", where)
    day = row.get("historical_date")
    return {
        "id": str(row.get("id", name)),
        "prompt": row["prompt"],
        "tools": _listed(row["tools"], "tools", where),
        "history": [_told(one, where) for one in history],
        "preferred": _told(row["preferred"], where),
        "dispreferred": _told(row["dispreferred"], where),
        "kind": "step" if history else "plan",
        "trajectory": content_hash(row["prompt"])[:12],
        **({"historical_date": day} if day else {}),
    }


def _listed(value: Any, name: str, where: str) -> list[Any]:
    if isinstance(value, str):
        try:
            value = json.loads(value.replace("'", '"') if name == "tools" else value or "[]")
        except ValueError:
            raise DataError(f"{name} is a text that is no list", where=where, hint="a JSON list") from None
    if not isinstance(value, list | None):
        raise DataError(f"{name} is no list", where=where)
    return value or []


def _told(part: Any, where: str) -> str:
    """A plan or a step as a judge reads it."""
    if isinstance(part, dict) and _PLAN in part:
        return f"Plan: {_text(part[_PLAN])}"
    if not isinstance(part, dict) or "action" not in part:
        raise DataError("a step without an action and without a plan", where=where, hint=f"{_PLAN!r}, or {_STEP}")
    thought, action, given, seen = (_text(part.get(key)) for key in _STEP)
    return f"Thought: {thought}\nAction: {action}[{given}]" + (f"\nObservation: {seen}" if seen else "")


def _text(value: Any) -> str:
    found = value.get("text") if isinstance(value, dict) else value
    return "" if found is None else found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
