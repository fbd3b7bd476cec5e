"""Matches with their reasons as one HTML file: no script, no request, nothing that a resume says can act."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from tutelage.matching.counterfactual import Counterfactual
from tutelage.matching.faithfulness import Faithfulness
from tutelage.matching.matcher import Match
from tutelage.matching.phrases import Span
from tutelage.report import numbers
from tutelage.report.codec import encode
from tutelage.report.page import beside, environment, missing, style
from tutelage.report.untrusted import one_line, visible
from tutelage.stats.fairness import FairnessReport
from tutelage.types import Estimate

__all__ = ["LIMITS", "MOST", "SCHEMA", "JobRanking", "MatchReport", "RankedResume", "render", "to_json"]

SCHEMA = "tutelage.match/1"
MOST = 20
"""Resumes of one job that the page shows; the others are in ``matches.jsonl``."""
_AROUND = 40  # characters before and after a quotation
_QUOTED = 3  # quotations of one reason
_LISTED = 500  # documents that were not read

LIMITS = (
    "A score says how far the words of a resume meet the words of an ad under the rules below. It does not say whether "
    "a person can do the work, and nobody should be turned away because of it: let a person read.",
    "What a resume does not name in words that the table knows is not seen. People who write differently, in another "
    "language, or with the help of a template are scored differently for the same skills.",
    "A claim in a resume is taken as it stands. Years, level and depth of a skill are not weighed.",
    "Groups are those that you gave. Nothing about a person is inferred, so nothing is said about groups that you did "
    "not give. Small groups are refused, and a difference that is not shown may still be there.",
    "The exchange of names, pronouns and places touches only words of our own short list. Other traces of who somebody "
    "is stay in the text, such as schools, clubs or gaps between jobs.",
    "Laws on hiring differ and may ask for more than these checks, or forbid scoring altogether.",
)


@dataclass(frozen=True)
class RankedResume:
    """One resume under a job, its text, and the fewest skills that would have lifted it among the first."""

    match: Match
    text: str
    lift: Counterfactual
    lift_labels: tuple[str, ...]


@dataclass(frozen=True)
class JobRanking:
    """A job ad and the best resumes for it; ``labels`` names the skills that occur."""

    id: str
    text: str
    required: tuple[str, ...]
    unknown: tuple[str, ...]
    resumes: tuple[RankedResume, ...]
    ranked: int
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class MatchReport:
    """Everything that the page says; ``unread`` has a line for every document that could not be used."""

    command: str
    created: str
    rankings: tuple[JobRanking, ...]
    resumes: int
    top: int
    checks: Faithfulness
    fairness: FairnessReport | None
    identity: Mapping[str, str]
    head: str
    notes: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    limits: tuple[str, ...] = LIMITS
    schema: str = SCHEMA


def to_json(report: MatchReport) -> dict[str, Any]:
    """The report as JSON values, without the texts and with ranks, scores and what is missing of every resume shown."""
    told: dict[str, Any] = encode(report)
    told["rankings"] = [
        {
            "job": ranking.id,
            "required": list(ranking.required),
            "unknown": list(ranking.unknown),
            "ranked": ranking.ranked,
            "resumes": [
                {
                    "resume": one.match.resume,
                    "rank": one.match.rank,
                    "score": one.match.score,
                    "text": one.match.text,
                    "matched": [reason.label for reason in one.match.of("matched")],
                    "partial": [reason.label for reason in one.match.of("partial")],
                    "missing": [reason.label for reason in one.match.of("missing")],
                    "would_need": None if one.lift.skills is None else list(one.lift_labels),
                }
                for one in ranking.resumes
            ],
        }
        for ranking in report.rankings
    ]
    return told


def render(report: MatchReport) -> str:
    """The page; everything of the documents is escaped and made visible, and quoted only around what was found."""
    template = _environment().get_template("match.html.jinja")
    return template.render(doc=report, css=style("report.css"))


@cache
def _environment() -> jinja2.Environment:
    filters: dict[str, Callable[..., Any]] = {"quotes": _quotes, "share": _share, "ratio": _ratio, "gap": _gap}
    return environment(filters, {"missing": missing, "most": MOST, "listed": _LISTED})


def _quotes(spans: tuple[Span, ...], text: str) -> Markup:
    """The characters of every span, marked, with some of what stands around them."""
    shown = []
    for span in spans[:_QUOTED]:
        start, end = max(0, span.start - _AROUND), span.end + _AROUND
        before = ("…" if start else "") + visible(text[start : span.start]).replace("\n", " ")
        after = visible(text[span.end : end]).replace("\n", " ") + ("…" if end < len(text) else "")
        quote = Markup('<span class="sub" dir="auto">{}<mark>{}</mark>{} <span class="muted at">{}–{}</span></span>')
        shown.append(quote.format(before, one_line(span.of(text), 120), after, span.start, span.end))
    return Markup("").join(shown)


def _share(estimate: Estimate | None) -> Markup:
    shown = numbers.scaled(estimate, 100)
    return beside(numbers.number(shown.value), shown) if shown else missing()


def _ratio(estimate: Estimate | None) -> Markup:
    return beside(numbers.number(estimate.value, 2), estimate, 2) if estimate else missing()


def _gap(estimate: Estimate | None) -> Markup:
    shown = numbers.scaled(estimate, 100)
    return beside(numbers.number(shown.value, sign=True), shown) if shown else missing()
