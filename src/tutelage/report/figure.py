"""Matplotlib figures as inline SVG: themed by the page, readable without it, the same bytes every time.

Figures are drawn in stand-in colours that become CSS variables with fallbacks, so one picture serves light and dark.
Text stays text, in the page's font. Ids are unique per picture, and nothing refers to anything outside it.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from tutelage.report.untrusted import visible

__all__ = ["ARMS", "BACKGROUND", "INK", "MUTED", "RULE", "Drawing", "arm_style", "drawing"]

INK, MUTED, RULE, BACKGROUND = "#0a0101", "#0a0102", "#0a0103", "#0a0104"
_THEME = {
    INK: "var(--ink, #1d2330)",
    MUTED: "var(--muted, #5b6474)",
    RULE: "var(--rule, #d5d9e0)",
    BACKGROUND: "var(--panel, #ffffff)",
}
# Okabe and Ito's colours, safe for the colour-blind; markers and dashes tell the arms apart without any colour.
ARMS: dict[str, tuple[str, str, str]] = {
    "base": ("#6b7280", "o", "-"),
    "raft": ("#0072b2", "o", "-"),
    "sft": ("#d55e00", "s", "--"),
    "sdft": ("#009e73", "^", "-."),
    "opd": ("#b5508a", "D", ":"),
}
_SPARE = (("#8a6d00", "v", "-"), ("#3c8dc5", "P", "--"), ("#7a4fb5", "X", "-."))
_VARIABLES = {"#0a02%02x" % n: name for n, name in enumerate(ARMS)}  # noqa: UP031 - a colour, not a sentence


def arm_style(name: str, place: int = 0) -> tuple[str, str, str]:
    """Colour (a stand-in where the arm is a known one), marker and line style of an arm.

    Args:
        name: of the arm.
        place: where an arm without a style of its own stands in the report.
    """
    if name in ARMS:
        stand_in = next(colour for colour, known in _VARIABLES.items() if known == name)
        return (stand_in, *ARMS[name][1:])
    return _SPARE[place % len(_SPARE)]


class Drawing:
    """A figure of ``width`` x ``height`` CSS pixels with axes in the report's look."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / 72, height / 72), dpi=72)
        FigureCanvasSVG(self.figure)
        self.figure.patch.set_alpha(0)

    def axes(self, left: float, bottom: float, right: float, top: float) -> Axes:
        """Axes with margins in pixels."""
        width, height = self.width, self.height
        axes = self.figure.add_axes(
            (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
        )
        axes.patch.set_alpha(0)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set_color(RULE)
        axes.tick_params(colors=MUTED, labelsize=11, length=0, pad=5)
        axes.grid(color=RULE, linewidth=0.6)
        axes.set_axisbelow(True)
        return axes

    def svg(self, name: str, title: str, description: str) -> str:
        """The picture as an ``<svg>`` element.

        Args:
            name: unique on the page; letters, digits and dashes.
            title: what it shows, for those who cannot see it.
            description: what it says, in words and numbers.
        """
        buffer, dropped = io.StringIO(), {"Date": None, "Creator": None, "Format": None, "Type": None}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing")  # text is set in the reader's font, not in this one
            self.figure.savefig(buffer, format="svg", transparent=True, metadata=dropped)
        return _inline(buffer.getvalue(), name, title, description, self.width, self.height)


@contextmanager
def drawing(width: float, height: float) -> Iterator[Drawing]:
    """A :class:`Drawing` under settings that make it deterministic and keep text from being read as formulas."""
    settings = {
        "svg.fonttype": "none",
        "svg.hashsalt": "tutelage",
        "text.parse_math": False,
        "text.usetex": False,
        "font.family": ["DejaVu Sans"],
        "font.size": 12,
        "text.color": INK,
        "axes.labelcolor": MUTED,
        "axes.labelsize": 12,
        "path.simplify": False,
        "axes.unicode_minus": True,
    }
    with mpl.rc_context(settings):  # type: ignore[arg-type]
        yield Drawing(width, height)


def _inline(text: str, name: str, title: str, description: str, width: float, height: float) -> str:
    """Only the drawing: no prologue, metadata, fixed size, namespaces, ids nobody refers to, or stand-in colours."""
    body = text[text.index("<svg") :]
    body = body[body.index(">") + 1 : body.rindex("</svg>")]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<!--.*?-->", "", body, flags=re.DOTALL)
    body = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", body, flags=re.DOTALL)  # would style the whole page
    body = re.sub(r'<path d="[^"]*" style="fill: none; opacity: 0"/>| transform="rotate\(-0 [^"]*"', "", body)
    body = body.replace("xlink:href", "href").replace("<g/>", "")
    used = set(re.findall(r'(?:href="|url\()#([\w.-]+)', body))
    body = re.sub(r' id="([^"]*)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", body)
    body = re.sub(r'(href="|url\()#([\w.-]+)', rf"\1#{name}-\2", body)
    body = body.replace("font-family: 'DejaVu Sans'", "font-family: var(--sans, system-ui, sans-serif)")
    body = re.sub(r"(font: [^;\"]*?)'DejaVu Sans'", r"\1var(--sans, system-ui, sans-serif)", body)
    for stand_in, variable in _THEME.items():
        body = body.replace(stand_in, variable)
    for stand_in, arm in _VARIABLES.items():
        body = body.replace(stand_in, f"var(--arm-{arm}, {ARMS[arm][0]})")
    body = re.sub(r'(?<= d=")[^"]*', lambda m: re.sub(r"(\.\d)\d+", r"\1", " ".join(m[0].split())), body)
    body = re.sub(r"\n\s*", "\n", body).strip()
    return (
        f'<svg class="plot" viewBox="0 0 {width:g} {height:g}" style="max-width:{width:g}px" role="img" '
        f'aria-labelledby="{name}-title {name}-desc">\n<title id="{name}-title">{escape(visible(title))}</title>\n'
        f'<desc id="{name}-desc">{escape(visible(description))}</desc>\n{body}\n</svg>'
    )
