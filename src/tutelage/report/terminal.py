"""The panel at the end of a run: what was gained, what was lost, every arm, and where the report is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tutelage.report.document import ArmResult, Document, Measure, from_json
from tutelage.report.headline import Movement
from tutelage.report.numbers import MISSING, change, level, number, scaled
from tutelage.report.untrusted import one_line

__all__ = ["panel", "show"]

_STYLE: dict[Movement, str] = {"better": "green", "worse": "red", "none": "", "unclear": "yellow", "unmeasured": "dim"}


def show(console: Console, report: Document | Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Print the panel, and below it, on a line of its own, the path of the page.

    Args:
        console: where to.
        report: the document, or the content of ``report.json``.
        path: of the page.

    Raises:
        DataError: the content is not that of a report.
    """
    document = report if isinstance(report, Document) else from_json(report)
    console.print(panel(document, narrow=console.width < 90))
    line = Text.assemble(("Report: ", "bold"), one_line(str(Path(path)), 4_000))
    console.print(line, soft_wrap=True)


def panel(document: Document, *, narrow: bool = False) -> Panel:
    """The headline, cautions, a table of all arms, and the next step.

    Args:
        document: what the report says.
        narrow: put intervals below their numbers instead of beside them.
    """
    headline = document.headline
    bad = headline.gain in ("worse", "unmeasured") or headline.loss == "worse"
    sure = headline.gain == "better" and headline.loss in ("none", "better")
    parts: list[Any] = [Text(headline.sentence, style="bold")]
    parts += [Text(f"Caution: {text}", style="yellow") for text in headline.cautions]
    warnings = [one_line(note.text, 300) for note in document.notes if note.level == "warning"]
    parts += [Text(f"Note: {text}", style="yellow") for text in warnings]
    parts += ["", _table(document, narrow), "", Text.assemble(("Next: ", "bold"), headline.next_step)]
    arm = document.main
    title = Text(f" {one_line(arm.label if arm else headline.method, 40)} ", style="bold")
    return Panel(
        Group(*parts), title=title, border_style="green" if sure else "red" if bad else "yellow", padding=(1, 2)
    )


def _table(document: Document, narrow: bool) -> Table:
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1))
    table.add_column("")
    for column in ("Domain", "change", "General", "change"):
        table.add_column(column, justify="right", no_wrap=not narrow)
    for arm in document.arms:
        label = Text(one_line(arm.label, 24), style="bold" if arm.name == document.headline.method else "")
        table.add_row(label, *_cells(arm, arm.domain, narrow), *_cells(arm, arm.general, narrow))
    trivial = document.data.most_frequent_answer if document.data else None
    if trivial is not None:
        table.add_row(Text("Most frequent answer" if not narrow else "Trivial", style="dim"), number(100 * trivial))
    return table


def _cells(arm: ArmResult, measure: Measure | None, narrow: bool) -> tuple[Text, Text]:
    if measure is None:
        return Text(MISSING, style="dim"), Text("")
    digits = 1 if measure.unit == "points" else 3
    told = level(scaled(measure.estimate, measure.factor), digits)
    first = Text(_broken(told, narrow), style="dim" if told == MISSING else "")
    if arm.name == "base":
        return first, Text("–", style="dim")
    delta = measure.change.delta if measure.change else None
    moved = change(scaled(delta, measure.factor), digits)
    return first, Text(_broken(moved, narrow), style=_STYLE[measure.moved])


def _broken(text: str, narrow: bool) -> str:
    return text.replace(" [", "\n[", 1) if narrow else text
