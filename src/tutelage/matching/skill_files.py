"""Tables of skills from files: our own JSON lines, ESCO's CSV, O*NET's text files, and the embedded ESCO asset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tutelage.data.delimited import delimited_records
from tutelage.errors import DataError, nearest
from tutelage.io import read_jsonl
from tutelage.matching.skills import Skill, SkillBase

__all__ = ["from_asset", "read_skills"]

_KEYS = {"id", "label", "alt_labels", "broader", "type", "context"}
_HINT = "JSON lines with id, label, alt_labels, broader, type; ESCO's CSV files; or O*NET's text files"


def read_skills(path: Path) -> SkillBase:
    """A table of skills.

    ``.jsonl``: rows ``{"id", "label", "alt_labels", "broader", "type", "context"}``, the last four optional. ``.csv``:
    ESCO's ``skills_XX.csv`` (``conceptUri``, ``preferredLabel``, ``altLabels`` one a line). ``.txt``: O*NET's tables
    with ``Element ID`` and ``Element Name`` (the tree is in the ids) or ``Commodity Code`` and ``Example``. A folder:
    every such file in it as one table, with ESCO's ``broaderRelationsSkillPillar_XX.csv`` as the tree.

    Raises:
        DataError: no such path, none of these forms, or a bad row, with file and line.
    """
    if path.is_dir():
        files = sorted(one for one in path.iterdir() if one.suffix.lower() in (".csv", ".txt", ".jsonl"))
    elif path.is_file():
        files = [path]
    else:
        raise DataError("there is no such file or folder", where=str(path), hint=_HINT)
    table: dict[str, Skill] = {}
    places: dict[str, str] = {}
    above: list[tuple[str, str]] = []
    for file in files:
        for where, one in _rows(file):
            if isinstance(one, tuple):
                above.append(one)
            elif one.id not in table:
                table[one.id], places[one.id] = one, where
            elif file.suffix.lower() == ".jsonl":
                raise DataError(f"the skill id {one.id!r} stands twice", where=where, hint=f"first: {places[one.id]}")
    if all(one.kind == "group" for one in table.values()):
        raise DataError("no skills found", where=str(path), hint=_HINT)
    for one in table.values():
        lost = [name for name in one.broader if name not in table]
        if lost:
            close = nearest(lost[0], table)
            hint = f"did you mean {close!r}?" if close else "broader holds ids of other lines: add it, or leave it out"
            raise DataError(f"the broader skill {lost[0]!r} is not in the table", where=places[one.id], hint=hint)
    unknown = sum(child not in table or parent not in table for child, parent in above)
    notes = (f"{unknown} relations name skills that are not in the files and were left out",) if unknown else ()
    return SkillBase.of(_related(table, above), path.stem, notes)


def _related(table: Mapping[str, Skill], above: Iterable[tuple[str, str]]) -> Iterator[Skill]:
    parents: dict[str, list[str]] = {}
    for child, parent in above:
        if child in table and parent in table and child != parent:
            parents.setdefault(child, []).append(parent)
    for one in table.values():
        more = tuple(dict.fromkeys([*one.broader, *parents.get(one.id, ())]))
        yield Skill(one.id, one.label, one.alternatives, more, one.kind, one.context)


def _rows(file: Path) -> Iterator[tuple[str, Skill | tuple[str, str]]]:
    """Skills, or pairs (narrower, broader), each with its place."""
    if file.suffix.lower() == ".jsonl":
        for line in read_jsonl(file):
            if line.error is not None:
                raise DataError(line.error, where=f"{file}:{line.number}", hint=_HINT)
            where = f"{file}:{line.number}"
            yield where, _own(line.value, where)
        return
    separator = "\t" if file.suffix.lower() == ".txt" else ","
    seen: set[str] = set()
    for record in delimited_records(file, separator, json_cells=False):
        where = f"{file}:{record.line}"
        if record.problem is not None:
            raise DataError(record.problem[1], where=where)
        row: Mapping[str, str] = record.value
        if "broaderUri" in row and "conceptUri" in row:
            yield where, (row["conceptUri"], row["broaderUri"])
        elif "preferredLabel" in row and "conceptUri" in row:
            group = row.get("conceptType") == "SkillGroup"
            names = tuple(name.strip() for name in row.get("altLabels", "").split("\n") if name.strip())
            yield (
                where,
                Skill(row["conceptUri"], row["preferredLabel"].strip(), names, (), "group" if group else "skill"),
            )
        elif "Commodity Code" in row and "Example" in row:
            code, example = row["Commodity Code"], row["Example"].strip()
            kind = Skill(code, row.get("Commodity Title", code), kind="group")
            for one in (kind, Skill(f"{code} {example}", example, (), (code,))):
                if one.id not in seen:
                    seen.add(one.id)
                    yield where, one
        elif "Element ID" in row and "Element Name" in row:
            if row["Element ID"] not in seen:
                seen.add(row["Element ID"])
                yield where, Skill(row["Element ID"], row["Element Name"].strip())
                yield where, (row["Element ID"], row["Element ID"].rpartition(".")[0])
        else:
            raise DataError("the columns are those of no table of skills", where=str(file), hint=_HINT)


_LIKE = 'such as {"id": "sql", "label": "SQL"}'


def _own(row: Any, where: str) -> Skill:
    if not isinstance(row, dict) or not isinstance(row.get("id"), str) or not isinstance(row.get("label"), str):
        raise DataError("a skill needs id and label, both texts", where=where, hint=_LIKE)
    if not row["id"].strip() or not any(mark.isalnum() for mark in row["label"]):
        raise DataError("the id or the label of a skill is empty", where=where, hint=_LIKE)
    unknown = sorted(set(row) - _KEYS)
    if unknown:
        raise DataError(f"unknown key {unknown[0]!r}", where=where, hint=f"one of {', '.join(sorted(_KEYS))}")
    lists = [row.get(key, []) for key in ("alt_labels", "broader", "context")]
    if any(not isinstance(one, list) or any(not isinstance(name, str) for name in one) for one in lists):
        raise DataError("alt_labels, broader and context are lists of texts", where=where)
    if row.get("type", "skill") not in ("skill", "group"):
        raise DataError(f"the type {row['type']!r} is neither skill nor group", where=where)
    names, broader, context = map(tuple, lists)
    return Skill(row["id"], row["label"], names, broader, row.get("type", "skill"), context)


def from_asset(name: str = "esco-skills") -> SkillBase:
    """The embedded ESCO table; the codes of its hierarchy are the tree.

    Raises:
        AssetMissing: it is not installed; the hint is the command.
    """
    from tutelage import assets

    skills: list[Skill] = []
    codes: set[str] = set()
    for row in assets.rows(name, "all"):
        own = [code for code in row["hierarchy"] if code]
        codes.update(own)
        deepest = tuple(code for code in own if not any(one != code and _above(one) == code for one in own))
        skills.append(Skill(row["concept_id"], row["label"], tuple(row["alternatives"]), deepest))
    groups = [
        Skill(code, code, (), (above,) if (above := _above(code)) in codes else (), "group") for code in sorted(codes)
    ]
    return SkillBase.of([*groups, *skills], name)


def _above(code: str) -> str:
    """The code one level up: ``S4.2.1`` -> ``S4.2`` -> ``S4`` -> ``S``; ``K0811`` -> ``K081`` -> ``K08`` -> ``K``."""
    if "." in code:
        return code.rpartition(".")[0]
    return code[:1] if len(code) <= 2 or (code[0] == "K" and len(code) == 3) else code[:-1]
