"""A table of skills: names, other names, and what is broader than what."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tutelage.errors import DataError, nearest
from tutelage.io import content_hash

__all__ = ["SAMPLE", "Skill", "SkillBase"]

SAMPLE = Path(__file__).with_name("skills.en.jsonl")
"""Our own small table; for people who work with software and data, and a few office skills."""


@dataclass(frozen=True)
class Skill:
    """One skill.

    Attributes:
        id: unique in its table.
        label: the preferred name.
        alternatives: other names.
        broader: ids of what is more general.
        kind: ``"skill"``, or ``"group"`` for an entry that only holds the tree together and is never linked.
        context: words of which one must stand near an ambiguous name; empty: the words of every skill.
    """

    id: str
    label: str
    alternatives: tuple[str, ...] = ()
    broader: tuple[str, ...] = ()
    kind: str = "skill"
    context: tuple[str, ...] = ()

    def record(self) -> list[object]:
        """What decides matching, for the hash of the table."""
        return [self.id, self.label, *map(list, (self.alternatives, self.broader, self.context)), self.kind]


@dataclass(frozen=True)
class SkillBase:
    """Skills by id.

    Raises:
        DataError: no skills, an id twice, or a broader skill that is not in the table.

    Example:
        >>> base = SkillBase.of([Skill("sql", "SQL", broader=("db",)), Skill("db", "databases")])
        >>> base.path("sql", "db")
        ('sql', 'db')
    """

    name: str
    skills: Mapping[str, Skill]
    notes: tuple[str, ...] = field(default=(), compare=False)

    @classmethod
    def of(cls, skills: Iterable[Skill], name: str = "skills", notes: tuple[str, ...] = ()) -> SkillBase:
        """A table of ``skills``."""
        table: dict[str, Skill] = {}
        for one in skills:
            if one.id in table:
                raise DataError(f"the skill id {one.id!r} stands twice", where=name, hint="ids must be unique")
            table[one.id] = one
        if not table:
            raise DataError("the table holds no skills", where=name)
        for one in table.values():
            for above in one.broader:
                if above not in table:
                    close = nearest(above, table)
                    raise DataError(
                        f"the broader skill {above!r} of {one.id!r} is not in the table",
                        where=name,
                        hint=f"did you mean {close!r}?" if close else "add it, or leave it out",
                    )
        return cls(name, table, notes)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> SkillBase:
        """The table at ``path``; see :func:`tutelage.matching.skill_files.read_skills`. None: :data:`SAMPLE`."""
        from tutelage.matching.skill_files import read_skills

        return read_skills(SAMPLE if path is None else Path(path))

    @cached_property
    def version(self) -> str:
        """SHA-256 of the content: the same table has the same version whatever its file."""
        return content_hash([self.skills[key].record() for key in sorted(self.skills)])

    @cached_property
    def _neighbours(self) -> Mapping[str, tuple[str, ...]]:
        found: dict[str, set[str]] = {key: set() for key in self.skills}
        for one in self.skills.values():
            for above in one.broader:
                found[one.id].add(above)
                found[above].add(one.id)
        return {key: tuple(sorted(near)) for key, near in found.items()}

    def near(self, skill: str, most: int) -> dict[str, tuple[str, ...]]:
        """Every skill at most ``most`` steps (broader or narrower) from ``skill``, with a shortest path to it.

        Raises:
            DataError: no such skill.
        """
        if skill not in self.skills:
            raise DataError(f"there is no skill {skill!r}", where=self.name)
        paths: dict[str, tuple[str, ...]] = {skill: (skill,)}
        waiting = deque([skill])
        while waiting:
            here = waiting.popleft()
            if len(paths[here]) > most:
                continue
            for there in self._neighbours[here]:
                if there not in paths:
                    paths[there] = (*paths[here], there)
                    waiting.append(there)
        return paths

    def path(self, first: str, second: str, most: int = 3) -> tuple[str, ...] | None:
        """A shortest path between two skills of at most ``most`` steps, or None."""
        return self.near(first, most).get(second)

    def label(self, skill: str) -> str:
        """The preferred name of a skill; the id itself for one that is not in the table."""
        return self.skills[skill].label if skill in self.skills else skill
