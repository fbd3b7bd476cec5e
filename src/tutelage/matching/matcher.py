"""A job ad and resumes in, a ranking out in which every part of every score has its reason and place in the text."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Literal

from tutelage.errors import RangeError
from tutelage.io import content_hash
from tutelage.matching.documents import Document
from tutelage.matching.linking import SkillLinker
from tutelage.matching.links import Link, Linked
from tutelage.matching.phrases import Span, sentences
from tutelage.matching.texts import TextSpace, TextVectors, without_each

__all__ = ["Match", "MatchSettings", "Matcher", "Reason", "Required", "Sentence", "sum_of"]

State = Literal["matched", "partial", "missing"]
_ESSENTIAL = re.compile(
    r"\b(?:must|required|requires?|requirements?|essential|mandatory|need(?:ed|s)?)\b", re.IGNORECASE
)
_OPTIONAL = re.compile(
    r"\b(?:nice to have|optional|preferred|preferably|a plus|bonus|desirable|ideally)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class MatchSettings:
    r"""How scores are made.

    Attributes:
        text_weight: lambda, of the texts' likeness in the score; the skills have the rest.
        decay: gamma; a skill d steps away in the table counts gamma to the power d.
        steps: beyond so many steps skills are not related.
        essential: how much more a skill counts that the ad calls essential.
        top: candidates that a counterfactual has to get among.
        saliency: sentences that are shown with what they add.
    """

    text_weight: float = 0.3
    decay: float = 0.7
    steps: int = 2
    essential: float = 2.0
    top: int = 3
    saliency: int = 3

    def __post_init__(self) -> None:
        if not (0 <= self.text_weight <= 1 and 0 < self.decay < 1 and 0 <= self.steps <= 6):
            raise RangeError(
                f"text_weight {self.text_weight}, decay {self.decay}, steps {self.steps}",
                hint="text_weight in [0, 1], decay in (0, 1), steps from 0 to 6",
            )
        if self.essential < 1 or self.top < 1 or self.saliency < 0:
            raise RangeError("essential and top are at least 1, saliency at least 0")


@dataclass(frozen=True)
class Required:
    """A skill that a job ad names: its weight, whether it is called essential, and where it stands."""

    skill: str
    weight: float
    essential: bool
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Reason:
    """What one required skill adds to a score.

    Attributes:
        skill: that the ad asks for.
        label: its name.
        state: matched, partial (a related skill is there) or missing.
        similarity: of the nearest skill of the resume, in [0, 1].
        weight: in the ad.
        essential: whether the ad calls it so.
        contribution: to the score.
        most: what it could contribute.
        path: skills from the one asked for to the one found; empty when missing, or when only the labels are alike.
        found: the nearest skill of the resume, or None.
        job_spans: where the ad asks for it.
        resume_spans: where the resume says what was found.
    """

    skill: str
    label: str
    state: State
    similarity: float
    weight: float
    essential: bool
    contribution: float
    most: float
    path: tuple[str, ...]
    found: str | None
    job_spans: tuple[Span, ...]
    resume_spans: tuple[Span, ...]


@dataclass(frozen=True)
class Sentence:
    """What the text part of the score loses without one sentence of the resume."""

    span: Span
    loss: float


@dataclass(frozen=True)
class Match:
    """One resume under one job; ``score`` is the sum of ``text`` and of the reasons' contributions."""

    job: str
    resume: str
    score: float
    text: float
    reasons: tuple[Reason, ...]
    sentences: tuple[Sentence, ...] = ()
    rank: int = 0

    def of(self, state: State) -> tuple[Reason, ...]:
        """The reasons of one state."""
        return tuple(reason for reason in self.reasons if reason.state == state)

    def record(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def sum_of(match: Match) -> float:
    """Text part and contributions added up anew; equals the score."""
    return math.fsum([match.text, *(reason.contribution for reason in match.reasons)])


class Matcher:
    r"""Ranks resumes for jobs: :math:`s=\lambda\cos+(1-\lambda)\sum_k w_k\max_j sim(k,j)/\sum_k w_k`.

    k runs over the skills that the ad names and j over the resume's; sim is 1 for the same skill, gamma to the power of
    the steps between them in the table, and else the cosine of their labels where it reaches theta (with an encoder).
    The weight of a skill is its inverse document frequency over the ads, :math:`1+\ln((1+N)/(1+n_k))`, twice that when
    the ad calls it essential. An ad without a known skill is scored by text alone.

    Args:
        linker: finds skills.
        space: compares texts.
        jobs: all ads, for the weights.
        settings: of the score.

    Source: own derivation from the aim of TraceMatch (arXiv 2202.08960), which gives no formula.
    """

    def __init__(
        self, linker: SkillLinker, space: TextSpace, jobs: Sequence[Document], settings: MatchSettings | None = None
    ) -> None:
        self.linker, self.space = linker, space
        self.settings = settings or MatchSettings()
        self._links: dict[str, Linked] = {}
        self._vectors: dict[str, TextVectors] = {}
        self._near = lru_cache(maxsize=4096)(lambda skill: linker.base.near(skill, self.settings.steps))
        self._jobs = len(jobs)
        self._frequency = Counter(skill for job in jobs for skill in {link.skill for link in self.linked(job).links})

    @property
    def identity(self) -> dict[str, str]:
        """What decides a score beside the texts: table, encoder, settings, and the ads that the weights come from."""
        return {
            "skills": self.linker.base.version,
            "space": f"{self.space.name} {self.space.revision}".strip(),
            "linking": "names" if self.linker.labels is None else f"names, meaning from {self.linker.theta:g}",
            "settings": content_hash(asdict(self.settings)),
            "weights": content_hash([self._jobs, sorted(self._frequency.items())]),
        }

    def linked(self, document: Document) -> Linked:
        """The skills of a document; computed once."""
        if document.hash not in self._links:
            self._links[document.hash] = self.linker.link(document.text, document.skills)
        return self._links[document.hash]

    def vectors(self, document: Document) -> TextVectors:
        """The sentences of a document; computed once."""
        key = content_hash(document.text)
        if key not in self._vectors:
            self._vectors[key] = self.space.vectors(document.text)
        return self._vectors[key]

    def required(self, job: Document) -> tuple[Required, ...]:
        """What a job ad asks for, in the order of its text."""
        spans: dict[str, list[Span]] = {}
        for link in self.linked(job).links:
            spans.setdefault(link.skill, []).extend([link.span] if link.span else [])
        tone = _tones(job.text)
        found = []
        for skill, places in spans.items():
            essential = any(tone[_part(tone, place)][1] for place in places)
            rarity = 1 + math.log((1 + self._jobs) / (1 + self._frequency[skill]))
            weight = rarity * (self.settings.essential if essential else 1.0)
            found.append(Required(skill, weight, essential, tuple(places)))
        return tuple(found)

    def similarity(self, wanted: str, have: str) -> tuple[float, tuple[str, ...]]:
        """How far one skill stands for another, in [0, 1], with the path through the table."""
        path = self._near(wanted).get(have)
        if path is not None:
            return float(self.settings.decay ** (len(path) - 1)), path
        return (0.0 if self.linker.labels is None else self.linker.labels.likeness(wanted, have)), ()

    def match(self, job: Document, resume: Document) -> Match:
        """The score of one pair with its reasons."""
        wanted = self.required(job)
        share = self.settings.text_weight if wanted else 1.0
        ours, theirs = self.vectors(job), self.vectors(resume)
        text = share * self.space.likeness(ours, theirs)
        total = math.fsum(one.weight for one in wanted)
        have: dict[str, list[Link]] = {}
        for link in self.linked(resume).links:
            have.setdefault(link.skill, []).append(link)
        reasons = tuple(self._reason(one, (1 - share) / total, have) for one in wanted)
        score = math.fsum([text, *(reason.contribution for reason in reasons)])
        return Match(job.id, resume.id, score, text, reasons, self._salient(ours, theirs, share))

    def _reason(self, wanted: Required, unit: float, have: Mapping[str, list[Link]]) -> Reason:
        best, path, found = 0.0, tuple[str, ...](), None
        for skill in have:
            similarity, way = self.similarity(wanted.skill, skill)
            if similarity > best:
                best, path, found = similarity, way, skill
        spans = tuple(link.span for link in have.get(found or "", ()) if link.span)
        state: State = "matched" if best == 1.0 else "partial" if best > 0 else "missing"
        most = unit * wanted.weight
        label = self.linker.base.label(wanted.skill)
        return Reason(
            wanted.skill, label, state, best, wanted.weight, wanted.essential, most * best, most, path, found,
            wanted.spans, spans,
        )  # fmt: skip

    def _salient(self, job: TextVectors, resume: TextVectors, share: float) -> tuple[Sentence, ...]:
        losses = share * without_each(job, resume)
        order = sorted(range(len(losses)), key=lambda place: (-losses[place], place))
        return tuple(
            Sentence(resume.spans[place], float(losses[place]))
            for place in order[: self.settings.saliency]
            if losses[place] > 0
        )

    def rank(self, job: Document, resumes: Sequence[Document]) -> list[Match]:
        """All resumes under one job, best first; equal scores in the order of their ids."""
        found = sorted((self.match(job, one) for one in resumes), key=lambda one: (-one.score, one.resume))
        return [replace(one, rank=place) for place, one in enumerate(found, start=1)]


def _tones(text: str) -> list[tuple[Span, bool]]:
    """Every sentence of an ad, and whether what it asks for is essential: by its own words, or the heading's above."""
    found: list[tuple[Span, bool]] = []
    under = False
    for span in sentences(text):
        said = span.of(text)
        optional, essential = bool(_OPTIONAL.search(said)), bool(_ESSENTIAL.search(said))
        begins = any(pattern.match(said) for pattern in (_ESSENTIAL, _OPTIONAL))
        heading = len(said) <= 40 and said[-1] not in ".!?;" and (said[0] == "#" or said[-1] == ":" or begins)
        if heading:
            under = essential and not optional
        found.append((span, not optional and (essential or under)))
    return found


def _part(tones: list[tuple[Span, bool]], place: Span) -> int:
    """The sentence in which a span begins."""
    return max(0, bisect_right(tones, place.start, key=lambda one: one[0].start) - 1)
