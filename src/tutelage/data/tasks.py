"""Tasks made from embedded assets: real rows that need nothing of the user's own."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tutelage import assets
from tutelage.errors import DataError, RangeError
from tutelage.io import write_jsonl
from tutelage.registry import Registry
from tutelage.types import Row

__all__ = ["ESCO_GROUPS", "domain_rows", "esco_skill_groups", "skill_group_rows", "tasks", "write_task"]

ESCO_GROUPS: Mapping[str, str] = {
    "S1": "communication",
    "S2": "information",
    "S3": "caring",
    "S4": "management",
    "S5": "computers",
    "S6": "handling",
    "S7": "constructing",
    "S8": "machinery",
}
"""ESCO's skill groups by a short name of ours; the classification's own names are longer."""

Task = Callable[[], list[Row]]
tasks: Registry[Task] = Registry("task")


def domain_rows(name: str, n: int | None = None) -> list[Row]:
    """Rows of a task, in an order that is always the same and of which every beginning is balanced over the answers.

    Args:
        name: name of a task; :data:`tasks` lists them.
        n: the first n rows; None gives all.

    Returns:
        Rows with ``choices``, ``reference`` and ``group``.

    Raises:
        RegistryError: there is no such task.
        RangeError: ``n`` below 1.
        DataError: fewer than ``n`` rows.
        AssetMissing: the asset is not installed; the hint is the command.

    Example:
        >>> domain_rows("esco-skill-groups", n=8)[0]["completion"]  # doctest: +SKIP
        [{'role': 'assistant', 'content': 'communication'}]
    """
    if n is not None and n < 1:
        raise RangeError(f"n must be at least 1, not {n}")
    rows = tasks.get(name)()
    if n is not None and n > len(rows):
        raise DataError(f"the task has {len(rows)} rows, not {n}", where=f"task {name}", hint="ask for fewer")
    return rows if n is None else rows[:n]


def write_task(path: str | os.PathLike[str], name: str, n: int | None = None) -> int:
    """Write the rows of a task as JSON lines that ``tutelage tune --data`` reads, for people to look at and change.

    Args:
        path: the file to replace.
        name: name of a task.
        n: the first n rows; None gives all.

    Returns:
        The number of rows.

    Raises:
        RegistryError, RangeError, DataError, AssetMissing: as :func:`domain_rows`.
        StoreError: the file cannot be written.
    """
    return write_jsonl(path, domain_rows(name, n))


@tasks.register("esco-skill-groups", asset="esco-skills", metric="choice")
def esco_skill_groups() -> list[Row]:
    """Skills of the European classification ESCO, each to be put into one of eight groups."""
    return skill_group_rows(assets.rows("esco-skills"))


def skill_group_rows(skills: Iterable[Mapping[str, Any]]) -> list[Row]:
    """ESCO skills as questions with the group's short name as the whole answer.

    The order goes round the groups, within a group by hash of the concept, so every beginning holds as many of each
    group as there are (the smallest group decides how long it is exactly balanced).

    Args:
        skills: rows with ``id``, ``label``, ``group`` (the concept) and ``group_code`` (S1 to S8; others are left out).

    Raises:
        DataError: no skill belongs to a group.

    Example:
        >>> skill_group_rows([{"id": "1", "label": "knit", "group": "c", "group_code": "S6"}])[0]["reference"]
        'handling'
    """
    names = list(ESCO_GROUPS.values())
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    by_group: dict[str, list[tuple[str, Row]]] = defaultdict(list)
    for skill in skills:
        answer = ESCO_GROUPS.get(str(skill["group_code"]))
        if answer is None:
            continue
        # The list comes first: what all prompts begin with is computed once for a whole batch.
        question = f'The skill groups are {listed}. Which group does the skill "{skill["label"]}" belong to?'
        row: Row = {
            "id": str(skill["id"]),
            "prompt": [{"role": "user", "content": question}],
            "completion": [{"role": "assistant", "content": answer}],
            "group": str(skill["group"]),
            "choices": list(names),
            "reference": answer,
        }
        by_group[answer].append((hashlib.sha256(f"{skill['group']}\0{skill['id']}".encode()).hexdigest(), row))
    if not by_group:
        raise DataError("no skill belongs to one of the eight groups", where="asset esco-skills")
    columns = [[row for _, row in sorted(by_group[name], key=lambda item: item[0])] for name in names]
    longest = max(len(column) for column in columns)
    return [column[at] for at in range(longest) for column in columns if at < len(column)]
