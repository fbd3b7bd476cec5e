"""What every page of ours shares: the template environment, the style, and how untrusted texts come onto it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from tutelage.report import numbers
from tutelage.report.untrusted import cut, one_line, visible
from tutelage.types import Estimate

__all__ = ["beside", "environment", "missing", "said", "style"]

_LONGEST = 2_000  # characters of one text that are shown
_TALL = 700  # characters beyond which a text scrolls in its box
_INTERVAL = re.compile(r"(\[[^\[\]]{1,40}\])")


def environment(filters: Mapping[str, Callable[..., Any]], variables: Mapping[str, Any]) -> jinja2.Environment:
    """Templates of this folder: everything escaped, everything made visible, nothing undefined.

    Args:
        filters: of this page, beside those that all pages share.
        variables: known to its templates.
    """
    folder = resources.files("tutelage.report") / "templates"
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8")),
        autoescape=True,
        finalize=_shown,  # whatever is written out goes through here first
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shared: dict[str, Callable[..., Any]] = {
        "interval": numbers.interval,
        "number": numbers.number,
        "count": numbers.count,
        "p_value": numbers.p_value,
        "scaled": numbers.scaled,
        "said": said,
        "line": one_line,
        "quiet_intervals": _quiet_intervals,
    }
    made.filters.update(shared | dict(filters))
    made.globals.update(variables)
    return made


@cache
def style(*names: str) -> Markup:
    """The style sheets of that name in the templates folder, one after the other."""
    folder = resources.files("tutelage.report") / "templates"
    return Markup("".join((folder / name).read_text(encoding="utf-8") for name in names))


def _shown(value: Any) -> Any:
    """Texts made visible, None as "not measured"; markup of our own as it is."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return numbers.MISSING
    return visible(value) if isinstance(value, str) else value


def beside(value: str, estimate: Estimate | None, digits: int = 1) -> Markup:
    """A number with its interval set back; "not measured" where there is none."""
    if estimate is None or not numbers.known(estimate.value):
        return missing()
    interval = numbers.interval(estimate, digits)
    return Markup('<span class="n">{}</span> <span class="ci">{}</span>').format(value, interval)


def _quiet_intervals(sentence: str) -> Markup:
    """The sentence with its intervals set back, each unbroken."""
    parts = _INTERVAL.split(visible(sentence))
    marked = (
        Markup('<span class="ci">{}</span>').format(p) if n % 2 else Markup("{}").format(p) for n, p in enumerate(parts)
    )
    return Markup("").join(marked)


def missing() -> Markup:
    """The mark of what was not measured."""
    return Markup('<span class="missing">{}</span>').format(numbers.MISSING)


def said(text: str | None, longest: int = _LONGEST, kept_in: str = "report.json") -> Markup:
    """Untrusted text in a box of its own, with its own direction.

    Args:
        text: what a model or a data set said; None was not recorded.
        longest: characters shown.
        kept_in: where the rest is to be found.
    """
    if text is None:
        return missing()
    if not text.strip():
        return Markup('<p class="said empty">(nothing)</p>')
    start, left_out = cut(text, longest)
    more = (
        Markup('<span class="cut">… {} more characters, in {}</span>').format(numbers.count(left_out), kept_in)
        if left_out
        else ""
    )
    shown = visible(start)
    tall = len(shown) > _TALL or shown.count("\n") > _TALL // 50
    box = Markup(' tabindex="0"') if tall else ""  # scrolls, by keyboard too
    return Markup('<p class="said" dir="auto"{}>{}{}</p>').format(box, shown, more)
