"""The page of ``tutelage w2s``: one table of systems, the gap beside every share of it, and what they do not say."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2

from tutelage.report.page import environment, style

__all__ = ["LIMITS", "points", "ratio", "render"]

LIMITS = (
    "A share of a small gap can be anything: read the gap first. Where more than 5 % of the resamples leave no gap, "
    "the share has no interval.",
    "The ceiling is this student on this truth, not the best there could be.",
    "Intervals are over the test items of one split. Another split, another seed and other labels are not in them.",
    "Weak-to-strong needs a student that knew something before: a network trained from nothing only copies its "
    "supervisor, errors and all.",
)


def render(summary: Mapping[str, Any]) -> str:
    """The page from the content of ``results.json``."""
    template = _environment().get_template("w2s.html.jinja")
    return template.render(doc=summary, css=style("report.css"), limits=LIMITS)


def points(facts: Mapping[str, Any] | None, *, sign: bool = False) -> str:
    """An estimate of a share in per cent, with its interval."""
    return _told(facts, 100.0, "+.1f" if sign else ".1f")


def ratio(facts: Mapping[str, Any] | None) -> str:
    """A share of the gap with its interval; says why there is none."""
    return "no gap" if facts is None else _told(facts, 1.0, ".2f")


def _told(facts: Mapping[str, Any] | None, factor: float, how: str) -> str:
    if facts is None:
        return "no such item"
    low, high = (facts[end] for end in ("low", "high"))
    value = format(factor * facts["value"], how)
    if low is None or high is None:
        return f"{value} [no interval]"
    return f"{value} [{format(factor * low, how)}, {format(factor * high, how)}]"


@cache
def _environment() -> jinja2.Environment:
    return environment({"points": points, "ratio": ratio, "change": lambda one: points(one, sign=True)}, {})
