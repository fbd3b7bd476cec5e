"""ESCO skills: preferred and alternative labels with the groups they belong to."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator

from tutelage.assets.readers.record import Files, Item, Record

__all__ = ["SKILL_GROUPS", "esco"]

SKILL_GROUPS = tuple(f"S{i}" for i in range(1, 9))


def esco(data: Files) -> Iterator[Item]:
    """``label``, ``concept_id``, ``alternatives``, ``group_code``, ``group_name``, ``skill_groups``, ``hierarchy``.

    One row per preferred label. Split ``grouped`` (what ``rows`` gives unless asked otherwise) holds the labels that
    belong to exactly one of the skill groups S1 to S8; in split ``other`` ``group_code`` and ``group_name`` are empty.
    ``skill_groups`` lists the groups among S1 to S8, ``hierarchy`` every code of the concept (such as ``S4.2.1``).
    ``group`` is the concept id: an alternative label never leaves its concept in a split.

    Args:
        data: the CSV file under ``labels`` (id, description, hierarchy_levels, type) and the code names (JSON) under
            ``groups``.
    """
    names = json.loads(data["groups"][0].read_text(encoding="utf-8"))
    preferred: list[dict[str, str]] = []
    alternatives: dict[str, list[str]] = {}
    with data["labels"][0].open(encoding="utf-8", newline="") as stream:
        for record in csv.DictReader(stream):
            if record["type"] == "preferredLabel":
                preferred.append(record)
            elif record["type"] == "altLabels":
                alternatives.setdefault(record["id"], []).append(record["description"].strip())
    for record in preferred:
        paths = _paths(record["hierarchy_levels"])
        codes = sorted({code for path in paths for code in path if code})
        groups = [code for code in SKILL_GROUPS if code in codes]
        code = groups[0] if len(groups) == 1 else ""
        label = record["description"].strip()
        columns = {
            "label": label,
            "concept_id": record["id"],
            "group": record["id"],
            "alternatives": sorted(set(alternatives.get(record["id"], [])) - {label}),
            "group_code": code,
            "group_name": names[code] if code else "",
            "skill_groups": groups,
            "hierarchy": codes,
        }
        yield Record(f"concept {record['id']}", "grouped" if code else "other", (label, record["id"]), columns)


def _paths(text: str) -> list[list[str | None]]:
    """The paths through the hierarchy, given as a printed Python list of lists of plain codes and None."""
    if not text:
        return []
    paths: list[list[str | None]] = json.loads(text.replace("'", '"').replace("None", "null"))
    return paths
