"""A suite of the user's own: a TOML file of tasks, or JSON lines of items, read strictly."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tutelage import config as configuration
from tutelage.data.delimited import delimited_records, undecodable
from tutelage.errors import ConfigError, DataError
from tutelage.io import contained, content_hash, read_jsonl
from tutelage.measure.suite import Suite, Task
from tutelage.measure.suites.own_items import OwnItem, own_item
from tutelage.measure.suites.own_methods import AskingConfig, own_method
from tutelage.measure.suites.own_preferences import is_preference, preference_task

__all__ = ["SUFFIXES", "SuiteFile", "SuiteSection", "TaskSection", "read_suite"]

SUFFIXES = (".toml", ".jsonl", ".csv", ".tsv")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_TASKS = re.compile(r"\s*\[\[\s*tasks\s*\]\]")
_ITEMS = re.compile(r"\s*\[\[\s*tasks\s*\.\s*items\s*\]\]")


@dataclass(frozen=True)
class SuiteSection:
    """What the suite is called. ``version`` is to be raised whenever an item changes; the default follows the items."""

    name: str
    version: str = ""
    summary: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TaskSection(AskingConfig):
    """One task: how it is asked and scored, and its items, here or in a JSON-lines ``file`` beside."""

    name: str = ""
    items: list[dict[str, Any]] = field(default_factory=list)
    file: str = ""


@dataclass(frozen=True)
class SuiteFile:
    """A suite as a TOML file has it."""

    suite: SuiteSection
    tasks: list[TaskSection]


def read_suite(path: Path) -> Suite:
    """The suite in a file.

    A TOML file has a section ``[suite]`` (name, perhaps version, summary, notes) and tasks ``[[tasks]]`` (name,
    scorer, parameters, system, max_new_tokens, temperature, ..., and items or the name of a JSON-lines file beside it).
    A JSON-lines file holds one item a line and becomes a suite of one task, both named after the file.

    An item has a ``prompt`` (text or a list of messages) and, as its scorer needs, a ``target`` and ``choices``;
    perhaps ``scorer`` and ``parameters`` of its own, ``groups`` (labels by name), ``cluster``, ``id`` (default: a hash
    of what it asks). JSON lines of ``prompt``, ``chosen`` and ``rejected`` are a set of preference pairs: see
    :func:`tutelage.measure.suites.own_preferences.preference_task`. Such pairs may also be a CSV or TSV file.

    Args:
        path: a ``.toml``, ``.jsonl``, ``.csv`` or ``.tsv`` file in UTF-8.

    Raises:
        ConfigError: the file is missing or of another kind, or a key is unknown or of the wrong type.
        DataError: an item cannot be used; file and line are named.
        UnsafePathError: a file of items that would lie outside the suite's folder.
    """
    if path.suffix.lower() not in SUFFIXES:
        hint = "see examples/suite.toml, or examples/preferences.jsonl for pairs, which may also be .csv or .tsv"
        raise ConfigError("a suite is a .toml or a .jsonl file", where=str(path), hint=hint)
    if not path.is_file():
        hint = "`tutelage measure --list` shows the built-in suites"
        raise ConfigError("there is no such file", where=str(path), hint=hint)
    return _from_toml(path) if path.suffix.lower() == ".toml" else _from_lines(path)


def _from_toml(path: Path) -> Suite:
    given = configuration.load(SuiteFile, path).value
    _check_name(given.suite.name, "suite.name", path)
    if not given.tasks:
        raise ConfigError("a suite needs at least one task", where=str(path), hint="add a [[tasks]] section")
    names = [section.name for section in given.tasks]
    for name in names:
        _check_name(name, "tasks.name", path)
        if names.count(name) > 1:
            raise ConfigError(f"two tasks are called {name!r}", where=str(path), hint="give each a name of its own")
    tasks = tuple(_task(section, _places(path, k, section), path) for k, section in enumerate(given.tasks))
    return _suite(given.suite, tasks, path)


def _from_lines(path: Path) -> Suite:
    name = path.stem
    _check_name(name, "the file's name", path)
    places = _lines(path) if path.suffix.lower() == ".jsonl" else _pairs(path)
    if not places:
        hint = "one item a line with prompt and target, or preference pairs with prompt, chosen and rejected"
        raise DataError("the file has no items", where=str(path), hint=hint)
    versions = {str(value["version"]) for _, value in places if isinstance(value, Mapping) and "version" in value}
    if len(versions) > 1:
        raise DataError(f"the items are of several versions: {', '.join(sorted(versions))}", where=str(path))
    rows = [(where, _without_version(value)) for where, value in places]
    if rows and is_preference(rows[0][1]):
        task = preference_task(name, rows)
    else:
        task = _task(TaskSection(name=name, scorer="", items=[]), rows, path)
    return _suite(SuiteSection(name, next(iter(versions), "")), (task,), path)


def _suite(section: SuiteSection, tasks: tuple[Task, ...], path: Path) -> Suite:
    version = section.version or content_hash([task.version for task in tasks])[:12]
    versioned = tuple(replace(task, version=version) for task in tasks)
    return Suite(section.name, version, versioned, section.summary, (), tuple(section.notes), str(path))


def _without_version(value: Any) -> Any:
    return {k: v for k, v in value.items() if k != "version"} if isinstance(value, dict) else value


def _places(path: Path, number: int, section: TaskSection) -> list[tuple[str, Any]]:
    """Place and value of each item of the task with that number."""
    if section.file and section.items:
        raise ConfigError(
            "a task has items here or in a file, not both", where=f"{path}, task {section.name}", hint="leave one out"
        )
    if section.file:
        return _lines(contained(path.parent, section.file))
    starts = _headers(path.read_text(encoding="utf-8-sig"))
    lines = starts[number] if number < len(starts) else [1]
    if len(lines) == len(section.items) + 1:
        places = [f"{path}:{line}" for line in lines[1:]]
    else:  # written as inline tables
        places = [f"{path}:{lines[0]}, item {k}" for k in range(1, len(section.items) + 1)]
    return list(zip(places, section.items, strict=True))


def _headers(text: str) -> list[list[int]]:
    """Of each ``[[tasks]]`` its line and those on which its ``[[tasks.items]]`` begin."""
    found: list[list[int]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if _TASKS.match(line):
            found.append([number])
        elif _ITEMS.match(line) and found:
            found[-1].append(number)
    return found


def _lines(path: Path) -> list[tuple[str, Any]]:
    if not path.is_file():
        raise ConfigError("there is no such file", where=str(path), hint="check the name")
    places = []
    for line in read_jsonl(path):
        where = f"{path}:{line.number}"
        if line.error is not None:
            raise DataError(line.error, where=where, hint="one JSON object a line")
        places.append((where, line.value))
    return places


def _pairs(path: Path) -> list[tuple[str, Any]]:
    """Rows of a delimited file of preference pairs; empty cells are left out, and votes are numbers."""
    places = []
    for record in delimited_records(path, "\t" if path.suffix.lower() == ".tsv" else None):
        where = f"{path}:{record.line}"
        if record.problem is not None:
            raise DataError(record.problem[1], where=where, hint="check the quotes")
        if undecodable(record.value):
            raise DataError("not UTF-8", where=where, hint="save the file as UTF-8")
        if not is_preference(record.value):
            raise ConfigError(
                "a suite in CSV has the columns prompt, chosen and rejected", where=where, hint="other items: .jsonl"
            )
        row = {key: cell for key, cell in record.value.items() if cell != "" or key in ("prompt", "chosen", "rejected")}
        if "votes" in row:
            row["votes"] = _number(row["votes"])
        places.append((where, row))
    return places


def _number(cell: str) -> Any:
    try:
        return json.loads(cell)
    except ValueError:
        return cell


def _task(section: TaskSection, places: list[tuple[str, Any]], path: Path) -> Task:
    where = f"{path}, task {section.name}"
    if not places:
        raise DataError("the task has no items", where=where, hint='add [[tasks.items]], or file = "items.jsonl"')
    items: list[OwnItem] = [own_item(value, place, section) for place, value in places]
    seen: dict[str, str] = {}
    for one in items:
        if one.item.id in seen:
            raise DataError(
                f"the id {one.item.id!r} stands twice, first at {seen[one.item.id]}",
                where=one.where,
                hint="give each item an id of its own; without one, the same question twice is the same item",
            )
        seen[one.item.id] = one.where
    task = Task(section.name, tuple(one.item for one in items), own_method(section, items))
    scored = [[one.scorer, dict(one.parameters)] for one in items]
    return replace(task, version=content_hash([task.fingerprints(), scored])[:12])


def _check_name(name: str, key: str, path: Path) -> None:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{key} {name!r} cannot name a file",
            where=str(path),
            hint="use letters, digits, '_', '-' and '.', at most 64, beginning with a letter or digit",
        )
