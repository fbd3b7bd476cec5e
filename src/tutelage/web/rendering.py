"""Templates of the pages, on the style, filters and safety of the reports."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import quote, urlsplit

import jinja2
from markupsafe import Markup
from starlette.responses import HTMLResponse

from tutelage.report.page import environment, style
from tutelage.web.highlight import highlight
from tutelage.web.pictures import interval_strip
from tutelage.web.run_reading import told

__all__ = ["STYLE_ADDRESS", "page", "style_sheet"]

_VERDICTS = {
    "replicated": "better",
    "not replicated": "worse",
    "refuted": "worse",
    "better": "better",
    "worse": "worse",
    "failed": "worse",
}


@cache
def style_sheet() -> bytes:
    """The reports' style and what pages add to it."""
    own = (resources.files("tutelage.web") / "templates" / "page.css").read_text(encoding="utf-8")
    return (style("report.css") + Markup(own)).encode()


STYLE_ADDRESS = f"/style-{hashlib.sha256(style_sheet()).hexdigest()[:12]}.css"


def page(template: str, /, *, code: int = 200, **facts: Any) -> HTMLResponse:
    """A page from a template.

    Args:
        template: its name, without the suffix.
        code: status of the answer.
        facts: what the template shows.
    """
    text = _environment().get_template(f"{template}.html.jinja").render(**facts)
    return HTMLResponse(text, code)


@cache
def _environment() -> jinja2.Environment:
    filters: dict[str, Callable[..., Any]] = {
        "part": _part,
        "web_address": _web_address,
        "marked": highlight,
        "tone": lambda word: _VERDICTS.get(word, ""),
    }
    made = environment(filters, {"style_address": STYLE_ADDRESS, "strip": interval_strip, "told": told})
    folder = resources.files("tutelage.web") / "templates"
    made.loader = jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8"))
    return made


def _part(text: str) -> str:
    """``text`` as one part of an address."""
    return quote(text.encode("utf-8", "replace"), safe="")


def _web_address(text: str) -> str:
    """``text`` if it is the address of a web page, else nothing: no ``javascript:``, no ``data:``."""
    try:
        parts = urlsplit(text)
        fit = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.username or parts.password)
    except ValueError:
        return ""
    return text if fit and text.isprintable() else ""
