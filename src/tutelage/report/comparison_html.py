"""A comparison as one HTML file: no script, no request to anywhere, nothing a model said can act."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import groupby
from typing import Any

import jinja2
from markupsafe import Markup

from tutelage.report import numbers
from tutelage.report.comparison import SHARES, Compared, ComparisonDocument, Decision, FlipFacts
from tutelage.report.comparison_plots import forests
from tutelage.report.comparison_words import amount, found
from tutelage.report.numbers import number, scaled
from tutelage.report.page import beside, environment, missing, said, style
from tutelage.types import Estimate

__all__ = ["render"]

_LONGEST = 5_000  # characters of one text that are shown
_CELLS = (
    ("both_right", "right both times"),
    ("broken", "broke"),
    ("mended", "mended"),
    ("both_wrong", "wrong both times"),
)
_DECISIONS: dict[Decision | None, tuple[str, str, str]] = {
    "pass": ("better", "✓", "Yes, it may replace the old one"),
    "fail": ("worse", "✗", "No, it must not replace the old one"),
    "underpowered": ("open", "?", "No answer yet"),
    None: ("none", "–", "No gate, so no answer"),
}
_RESULTS: dict[Decision, str] = {"pass": "passes", "fail": "fails", "underpowered": "not decided"}
_WORDS = {
    "better": "better",
    "worse": "worse",
    "none": "no difference that matters",
    "unclear": "cannot tell",
    "unmeasured": numbers.MISSING,
}
_READING = (
    (
        "Change",
        "New minus old on the same items, with its interval: the range of true changes that fits what was measured. If "
        "the interval includes 0, chance alone may explain the change. Two systems whose own intervals overlap can "
        "still differ for certain, because they answered the same questions: read the change, not the overlap.",
    ),
    (
        "Passes, fails, not decided",
        "A rule passes when the whole interval lies on the good side of its line, fails when the whole interval lies "
        "on the bad side, and is not decided otherwise. Not decided is not a pass: nothing was shown.",
    ),
    (
        "Need about n items",
        "How many items it would take for the same finding to pass four times out of five. It is a guess from this "
        "measurement, good to about a third.",
    ),
    (
        "p, corrected",
        "How often chance alone would give a change at least this large; corrected for the number of metrics looked at "
        "together (groups are a family of their own). It says nothing about the size of a change.",
    ),
    (
        "Would have seen",
        "The smallest true change that a comparison of this size finds four times out of five.",
    ),
    (
        "Broke and mended",
        "Items right before and wrong now, and the reverse. A better average can hide answers that people relied on. "
        "“Least possible” is the share that must break given both accuracies, “if unrelated” the share of two systems "
        "that have nothing to do with each other; the same system run twice may break some too (“old against itself”).",
    ),
    (
        "What this does not say",
        "Nothing about items of another kind, other prompts, or people's preferences. Margins chosen after looking at "
        "the numbers decide nothing.",
    ),
)


def render(document: ComparisonDocument) -> str:
    """The page.

    Everything from the document is escaped and made visible (see :mod:`tutelage.report.untrusted`); long texts are cut
    with a note. The page states a content security policy that forbids everything but its own style.

    Args:
        document: what the comparison says.

    Returns:
        A complete HTML document, the same for the same document.
    """
    kind, sign, word = _DECISIONS[document.answer.decision]
    return (
        _environment()
        .get_template("comparison.html.jinja")
        .render(
            doc=document,
            kind=kind,
            sign=sign,
            word=word,
            css=style("report.css", "comparison.css"),
            forest=_pictures(document.metrics, document, "metrics"),
            breakdowns=_breakdowns(document),
            flipped=[one for one in document.metrics if one.flips is not None],
            reading=_READING,
        )
    )


@cache
def _environment() -> jinja2.Environment:
    filters: dict[str, Callable[..., Any]] = {
        "level": _level,
        "change": _change,
        "found": found,
        "amount": amount,
        "share": _share,
        "told": lambda text: said(text, _LONGEST, "the result file"),
        "cells": _cells,
    }
    variables = {"results": _RESULTS, "words": _WORDS, "shares": SHARES}
    return environment(filters, variables)


def _pictures(compared: tuple[Compared, ...], document: ComparisonDocument, name: str) -> list[tuple[Markup, Markup]]:
    """Every forest wide and narrow; made by figure.py, which escapes all text."""
    wide = forests(compared, document.rules, name=f"{name}-wide")
    narrow = forests(compared, document.rules, width=350, name=f"{name}-narrow")
    return [(Markup(one), Markup(two)) for one, two in zip(wide, narrow, strict=True)]


def _breakdowns(document: ComparisonDocument) -> list[tuple[str, list[Compared], list[tuple[Markup, Markup]]]]:
    """One entry for each metric and breakdown: its title, its groups, worst first, and their pictures."""
    found_groups = []
    keyed = groupby(document.groups, key=lambda one: (one.title or one.name, one.breakdown))
    for place, ((title, breakdown), groups) in enumerate(keyed):
        listed = sorted(groups, key=lambda one: one.change.delta.value * (1 if one.higher_is_better else -1))
        pictures = _pictures(tuple(listed), document, f"groups-{place}")
        found_groups.append((f"{title} by {breakdown}", listed, pictures))
    return found_groups


def _digits(unit: str) -> int:
    return 1 if unit in SHARES else 3


def _level(estimate: Estimate | None, unit: str = "points") -> Markup:
    shown = scaled(estimate, 100 if unit in SHARES else 1)
    return beside(number(shown.value, _digits(unit)), shown, _digits(unit)) if shown else missing()


def _change(estimate: Estimate | None, unit: str = "points") -> Markup:
    shown = scaled(estimate, 100 if unit in SHARES else 1)
    return beside(number(shown.value, _digits(unit), sign=True), shown, _digits(unit)) if shown else missing()


def _share(value: float | None) -> str:
    return f"{number(100 * value)} %" if numbers.known(value) and value is not None else numbers.MISSING


def _cells(flips: FlipFacts) -> list[tuple[str, str, int, int | None, float]]:
    """Key, words, items, items with the same answer, and share in percent of the four cells."""
    return [
        (key, words, cell.items, cell.same, 100 * cell.items / max(1, flips.n))
        for key, words in _CELLS
        if (cell := flips.quadrants.get(key)) is not None
    ]
