"""A made-up market of job ads and resumes whose fit is known: skills of our own table, said in other words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.matching import Document, SkillBase
from tutelage.matching.faithfulness import swaps
from tutelage.matching.linking import AMBIGUOUS
from tutelage.seeds import derive

__all__ = ["FIELDS", "Market", "market"]

FIELDS: dict[str, tuple[str, ...]] = {
    "web": ("prog", "web"),
    "data": ("data", "script"),
    "analysis": ("analysis", "script"),
    "learning": ("ai", "analysis"),
    "operations": ("infra", "quality"),
    "business": ("office", "design"),
}
"""Fields of work and the parts of the table that their skills come from."""
ADS = (
    "We are a team of {n} in {place}. ",
    "Our customers call on Mondays, and we like to answer. ",
    "There is fruit, a bicycle stand and a view of the river. ",
    "You start in {month}; part time is possible. ",
)
LIVES = (
    "I moved to {place} some years ago. ",
    "Before that I sold bread in my aunt's shop for {n} months. ",
    "On Sundays I row. ",
    "Free from {month}. ",
)
WORKED = ("I worked with {skill}.", "{skill} every day for {n} years.", "Projects: {skill}.", "Some {skill}, too.")
ASKED = ("You know {skill}.", "We use {skill}.", "Experience with {skill}.", "You bring {skill}.")
MONTHS = ("January", "March", "June", "September")


@dataclass(frozen=True)
class Market:
    """Ads and resumes with the skills that they were made from, and the field of each."""

    jobs: tuple[Document, ...]
    resumes: tuple[Document, ...]
    job_skills: tuple[tuple[str, ...], ...]
    resume_skills: tuple[tuple[str, ...], ...]
    job_fields: tuple[str, ...]
    resume_fields: tuple[str, ...]

    def fit(self, job: int, resume: int) -> float:
        """Share of the skills asked for that the resume was made from."""
        asked = set(self.job_skills[job])
        return len(asked & set(self.resume_skills[resume])) / len(asked)


def market(jobs: int, resumes: int, *, seed: int, asked: int = 5, known: int = 9) -> Market:
    """Ads that ask for ``asked`` skills of their field and resumes with ``known``, two of them of other fields.

    Every skill is named by its label or another name of the table, drawn each time, between sentences that say nothing.
    """
    base = SkillBase.load()
    draw = np.random.default_rng(derive(seed, "job market"))
    pools = {name: _below(base, roots) for name, roots in FIELDS.items()}
    everything = sorted({skill for pool in pools.values() for skill in pool})
    fields = list(FIELDS)
    names = [name.capitalize() for name, other in swaps().items() if other in swaps() and len(name) > 3]
    made: list[tuple[Document, tuple[str, ...], str]] = []
    for number in range(jobs + resumes):
        is_job = number < jobs
        field = fields[int(draw.integers(len(fields)))]
        pool = pools[field]
        count = asked if is_job else known - 2
        skills = [pool[int(k)] for k in draw.choice(len(pool), min(count, len(pool)), replace=False)]
        if not is_job:
            skills += [everything[int(k)] for k in draw.choice(len(everything), 2, replace=False)]
        skills = list(dict.fromkeys(skills))
        own = base.skills
        said = [
            [own[one].label, *own[one].alternatives][int(draw.integers(1 + len(own[one].alternatives)))]
            for one in skills
        ]
        key = f"job-{number:03d}" if is_job else f"resume-{number - jobs:03d}"
        head = "" if is_job else f"{names[int(draw.integers(len(names)))]}. "
        text = head + _text(said, ADS if is_job else LIVES, ASKED if is_job else WORKED, draw)
        made.append((Document(key, text), tuple(skills), field))
    documents, found, homes = zip(*made, strict=True)
    return Market(documents[:jobs], documents[jobs:], found[:jobs], found[jobs:], homes[:jobs], homes[jobs:])


def _below(base: SkillBase, roots: Sequence[str]) -> list[str]:
    """Every skill under one of ``roots`` whose name is not ambiguous: those are left to the linker's tests."""
    found = []
    for skill in base.skills.values():
        above, seen = list(skill.broader), set(skill.broader)
        while above:
            for one in base.skills[above.pop()].broader:
                if one not in seen:
                    seen.add(one)
                    above.append(one)
        plain = len(skill.label) > 2 and skill.label.lower() not in AMBIGUOUS
        if skill.kind == "skill" and seen & set(roots) and plain:
            found.append(skill.id)
    return sorted(found)


def _text(said: Sequence[str], filler: Sequence[str], frames: Sequence[str], draw: np.random.Generator) -> str:
    parts = [frames[int(draw.integers(len(frames)))].replace("{skill}", one) for one in said]
    parts += list(filler)
    places = ("Vienna", "Lagos", "Oslo", "Lima")
    order = [parts[int(k)].strip() for k in draw.permutation(len(parts))]
    text = " ".join(order)
    text = text.replace("{place}", places[int(draw.integers(4))]).replace("{month}", MONTHS[int(draw.integers(4))])
    return text.replace("{n}", str(int(draw.integers(2, 9))))
