"""The report as one HTML file: no script, no request to anywhere, nothing a model said can act."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import jinja2
from markupsafe import Markup

from tutelage.report import numbers, plots
from tutelage.report.document import ArmResult, Document, Measure
from tutelage.report.figure import ARMS, arm_style
from tutelage.report.numbers import scaled
from tutelage.report.page import beside, environment, missing, style

__all__ = ["render"]

_CASES = 8  # regressions shown of one suite
_EXAMPLES = 12  # refined rows shown
_WORDS = {
    "better": "better",
    "worse": "worse",
    "none": "no measurable change",
    "unclear": "cannot tell",
    "unmeasured": numbers.MISSING,
}


def render(document: Document) -> str:
    """The page.

    Everything from the document is escaped and made visible (see :mod:`tutelage.report.untrusted`), texts longer than
    2,000 characters are cut with a note; the whole texts stay in ``report.json``. The page states a content security
    policy that forbids everything but its own style.

    Args:
        document: what the report says.

    Returns:
        A complete HTML document, the same for the same document.

    Example:
        >>> from tutelage.report.document import ArmResult, Measure, ModelFacts, RunFacts, headline
        >>> run = RunFacts("r", "tutelage tune", "2026-01-01T00:00:00Z", ModelFacts("tiny"))
        >>> arms = (ArmResult("base", Measure("domain", "Domain")),)
        >>> page = render(Document(run, headline("raft", "choice", None, None), arms))
        >>> page.startswith("<!doctype html>"), "<script" in page
        (True, False)
    """
    template = _environment().get_template("report.html.jinja")
    return template.render(doc=document, picture=_pictures(document), css=style("report.css"), words=_WORDS)


@cache
def _environment() -> jinja2.Environment:
    filters: dict[str, Callable[..., Any]] = {
        "level": _level,
        "change": _change,
        "duration": numbers.duration,
        "memory": numbers.memory,
        "share": _share,
        "arm_class": _arm_class,
        "phase_name": lambda name: name.replace("-", ": ", 1).replace("_", " "),
    }
    variables = {"cases_shown": _CASES, "examples_shown": _EXAMPLES, "swatch": _swatch}
    return environment(filters, variables | {"all_of": _all_of, "same": _same, "level_of": _level_of})


def _pictures(document: Document) -> dict[str, Any]:
    """Every plot, drawn wide and, where its text would get too small, once more for a narrow screen."""
    trusted = partial(map, Markup)  # made by figure.py, which escapes all text
    wide, narrow = trusted(
        [plots.gain_retention(document), plots.gain_retention(document, width=350, name="gain-small")]
    )
    dots, dots_narrow = trusted(
        [plots.before_after(document), plots.before_after(document, width=350, name="before-small")]
    )
    told = document.refinement
    bars = plots.similarity(told.histogram, told.threshold) if told is not None and told.histogram is not None else ""
    curves = [(title, meaning, Markup(svg)) for title, meaning, svg in plots.curve_panels(document)]
    return {
        "gain": wide,
        "gain_small": narrow,
        "before": dots,
        "before_small": dots_narrow,
        "similarity": Markup(bars),
        "curves": curves,
    }


def _level(measure: Measure | None) -> Markup:
    """A measured level with its interval."""
    if measure is None:
        return missing()
    estimate = scaled(measure.estimate, measure.factor)
    return beside(numbers.number(estimate.value, _digits(measure)) if estimate else "", estimate, _digits(measure))


def _change(measure: Measure | None) -> Markup:
    """A measured change with its interval."""
    if measure is None or measure.change is None:
        return missing()
    delta = scaled(measure.change.delta, measure.factor)
    return beside(numbers.number(delta.value, _digits(measure), sign=True) if delta else "", delta, _digits(measure))


def _digits(measure: Measure) -> int:
    return 1 if measure.unit == "points" else 3


def _share(value: float | None, whole: float | None = None) -> str:
    """A share as a percentage; of ``whole`` if that is given."""
    if value is None or (whole is not None and not whole):
        return numbers.MISSING
    percent = 100 * value / whole if whole else 100 * value
    return f"{numbers.number(percent)} %" if numbers.known(percent) else numbers.MISSING


def _arm_class(name: str) -> str:
    """A class for the arm's colour; names that are not ours get none."""
    return f"arm-{name}" if name in ARMS else "arm-other"


def _swatch(arm: ArmResult | str, place: int = 0) -> Markup:
    """A line sample with the arm's colour, dashes and marker."""
    name = arm if isinstance(arm, str) else arm.name
    colour, marker, dashes = arm_style(name, place)
    pattern = {"-": "", "--": "6 3", "-.": "6 2 1.5 2", ":": "1.5 2"}[dashes]
    shape = {
        "s": '<rect x="10" y="2" width="8" height="8"/>',
        "^": '<path d="M14 1l5 9h-10z"/>',
        "D": '<path d="M14 1l5 5-5 5-5-5z"/>',
    }.get(marker, '<circle cx="14" cy="6" r="4.2"/>')
    paint = f"var(--arm-{name})" if name in ARMS else colour
    return Markup(
        f'<svg class="swatch" viewBox="0 0 28 12" width="28" height="12" aria-hidden="true" style="color:{paint}">'
        f'<path d="M0 6h28" stroke="currentColor" stroke-width="2" stroke-dasharray="{pattern}"/>'
        f'<g fill="currentColor">{shape}</g></svg>'
    )


def _all_of(arm: ArmResult) -> list[Measure]:
    """Everything measured of an arm, in the order of the page."""
    found = (arm.domain, arm.general, *arm.abilities, arm.text_nll, arm.kl_to_base)
    return [measure for measure in found if measure is not None]


def _same(arm: ArmResult | None, name: str) -> Measure | None:
    """The measure of that name of another arm."""
    return next((m for m in _all_of(arm) if m.name == name), None) if arm is not None else None


def _level_of(document: Document) -> str:
    """The confidence level of the intervals shown, as a percentage."""
    estimates = (document.headline.gained, document.headline.lost)
    level = next((e.level for e in estimates if e is not None), 0.95)
    return f"{100 * level:g} %"
