"""A set of preference pairs of the user's own: JSON lines of prompt, chosen and rejected, read strictly."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tutelage.errors import DataError, nearest
from tutelage.io import content_hash
from tutelage.measure.asking import Item
from tutelage.measure.preferences import Ranking
from tutelage.measure.suite import Task
from tutelage.measure.suites.own_items import groups_of, prompt_of, text_of
from tutelage.types import Message

__all__ = ["is_preference", "preference_task"]

_KEYS = ("id", "prompt", "chosen", "rejected", "votes", "groups", "cluster")


def is_preference(value: Any) -> bool:
    """Whether a line is of a preference set rather than of a suite of questions."""
    return isinstance(value, Mapping) and ("chosen" in value or "rejected" in value)


def preference_task(name: str, places: Sequence[tuple[str, Any]]) -> Task:
    """The task of ranking these pairs.

    Prompts that several pairs have in common make them a cluster, unless the rows name clusters themselves.

    Args:
        name: of the task.
        places: where each row stands, and the row: ``prompt`` (text, continued as it stands, or messages), ``chosen``
            and ``rejected`` (text, or one message of the assistant), perhaps ``votes`` (the share of raters for the
            chosen one, or the two counts), ``id``, ``groups``, ``cluster``.

    Raises:
        DataError: a row cannot be used; file and line are named.
    """
    rows = [_row(value, where) for where, value in places]
    prompts = Counter(str(item.prompt) for item, _ in rows)
    seen: dict[str, str] = {}
    items = []
    for (item, _), (where, _) in zip(rows, places, strict=True):
        if item.id in seen:
            raise DataError(
                f"the id {item.id!r} stands twice, first at {seen[item.id]}",
                where=where,
                hint="give each pair an id of its own; without one, the same pair twice is the same item",
            )
        seen[item.id] = where
        cluster = item.cluster or (content_hash(str(item.prompt))[:12] if prompts[str(item.prompt)] > 1 else None)
        items.append(Item(item.id, item.prompt, item.target, item.choices, item.groups, cluster))
    votes = {item.id: share for item, share in rows if share is not None}
    task = Task(name, tuple(items), Ranking(votes, places=seen))
    version = content_hash([task.fingerprints(), votes])[:12]
    return Task(name, task.items, task.method, version)


def _row(value: Any, where: str) -> tuple[Item, float | None]:
    if not isinstance(value, Mapping):
        raise DataError("a row must be an object with prompt, chosen and rejected", where=where)
    for key in value:
        if key not in _KEYS:
            close = nearest(str(key), _KEYS)
            hint = f"did you mean {close!r}?" if close else f"a row has {', '.join(_KEYS)}"
            raise DataError(f"unknown key {key!r}", where=where, hint=hint)
    if "prompt" not in value:
        raise DataError(
            "a pair needs a prompt of its own",
            where=where,
            hint="where both responses begin with the conversation, move what they have in common into prompt",
        )
    prompt = prompt_of(value["prompt"], "", where)
    chosen, rejected = (
        _response(value.get(side), side, isinstance(prompt, str), where) for side in ("chosen", "rejected")
    )
    if chosen == rejected:
        raise DataError("chosen and rejected are the same", where=where, hint="leave the row out")
    identity = text_of(value.get("id", content_hash([prompt, chosen, rejected])[:16]), "id", where)
    if not identity:
        raise DataError("the id is empty", where=where, hint="leave it out, or give it a text")
    cluster = value.get("cluster")
    item = Item(
        identity,
        prompt,
        chosen,
        (chosen, rejected),
        groups_of(value.get("groups", {}), where),
        None if cluster is None else text_of(cluster, "cluster", where),
    )
    return item, _share(value["votes"], where) if value.get("votes") is not None else None


def _response(value: Any, side: str, plain: bool, where: str) -> str:
    if isinstance(value, list) and not plain:
        turn: Message | Any = value[0] if len(value) == 1 else None
        if not isinstance(turn, Mapping) or turn.get("role") != "assistant":
            raise DataError(
                f"{side} must be one message of the assistant",
                where=where,
                hint="earlier turns belong to the prompt",
            )
        value = turn.get("content")
    if not isinstance(value, str) or not value.strip():
        kind = "text" if plain else "text, or a list of one message"
        raise DataError(f"{side} must be {kind}, and not empty", where=where)
    return value


def _share(value: Any, where: str) -> float:
    """Votes as the share for the chosen response."""
    counts = value if isinstance(value, list) and len(value) == 2 else None
    numbers = counts if counts is not None else [value]
    if not all(isinstance(one, int | float) and not isinstance(one, bool) and one >= 0 for one in numbers):
        raise DataError(
            "votes must be the share of raters for the chosen response, or the two counts",
            where=where,
            hint='"votes": 0.8, or "votes": [4, 1]',
        )
    if counts is not None and not sum(counts):
        raise DataError(
            "nobody voted", where=where, hint="leave the votes out: the chosen response then counts as preferred by all"
        )
    share = counts[0] / sum(counts) if counts is not None else float(value)
    if not math.isfinite(share) or not 0.5 <= share <= 1:
        hint = "swap chosen and rejected" if share < 0.5 else "a share is at most 1; counts stand in a list"
        raise DataError(f"the share of votes for the chosen response is {share:g}", where=where, hint=hint)
    return share
