"""A comparison on the terminal: the answer, what a reader must know, rules, metrics, groups that stand out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tutelage.report.comparison import SHARES, Compared, ComparisonDocument, Decision
from tutelage.report.comparison_words import found
from tutelage.report.headline import Movement
from tutelage.report.numbers import MISSING, count, known, level, number, p_value, scaled
from tutelage.report.untrusted import one_line

__all__ = ["show"]

_GROUPS = 5  # of each kind that are printed; the page has all
_WIDE = 110  # columns from which levels get their intervals too
_COLOUR: dict[Decision | None, str] = {"pass": "green", "fail": "red", "underpowered": "yellow", None: ""}
_WORD: dict[Decision, str] = {"pass": "pass", "fail": "FAIL", "underpowered": "not decided"}
_CORRECTED = {"holm": "Holm-corrected", "bh": "Benjamini-Hochberg-corrected", "none": "not corrected"}
_MOVED: dict[Movement, tuple[str, str]] = {
    "better": ("better", "green"),
    "worse": ("worse", "red"),
    "none": ("same", ""),
    "unclear": ("unclear", "yellow"),
    "unmeasured": (MISSING, "dim"),
}


def show(console: Console, document: ComparisonDocument, files: Sequence[Path] = ()) -> None:
    """Print the comparison.

    Args:
        console: where to; from 110 columns on levels are shown with their intervals.
        document: what there is to say.
        files: written reports, named at the end.
    """
    answer = document.answer
    console.print(Text(answer.sentence, style=f"bold {_COLOUR[answer.decision]}".strip()))
    for text in document.cautions:
        console.print(Text.assemble(("Note: ", "bold yellow"), one_line(text, 400)))
    wide = console.width >= _WIDE
    worst = sorted(document.groups, key=_rank)[:_GROUPS]
    more = len(document.groups) - len(worst)
    if document.rules:
        console.print("", _rules(document))
    console.print("", _metrics(document.metrics, "metric", wide=wide))
    if worst:
        title = f"{len(worst)} worst of {len(document.groups)} groups" if more else "group, worst first"
        console.print("", _metrics(worst, title, wide=wide))
    plan = document.plan
    told = f"{100 * plan.level:g} % intervals of the paired difference; p {_CORRECTED.get(plan.correction, '')}"
    console.print()
    console.print(Text(f"{told}; −/+ = items that broke and were mended", style="dim"))
    console.print()
    console.print(Text.assemble(("Next: ", "bold"), answer.next_step))
    for file in files:
        console.print(Text(one_line(str(file), 4_000), style="dim"), soft_wrap=True)


def _table() -> Table:
    return Table(box=SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1), header_style="bold")


def _rules(document: ComparisonDocument) -> Table:
    table = _table()
    table.add_column("rule", overflow="fold", ratio=2)
    table.add_column("result", no_wrap=True)
    table.add_column("found", overflow="fold", ratio=3)
    for rule in document.rules:
        word = Text(_WORD[rule.decision], style=_COLOUR[rule.decision])
        table.add_row(Text(one_line(rule.name, 60)), word, Text(one_line(rule.sentence, 240)))
    return table


def _metrics(compared: Sequence[Compared], title: str, *, wide: bool) -> Table:
    table = _table()
    table.add_column(title, overflow="fold")
    if wide:
        table.add_column("old", justify="right", no_wrap=True)
        table.add_column("new", justify="right", no_wrap=True)
    else:
        table.add_column("old > new", justify="right", no_wrap=True)
    for name in ("change", "p", "−/+"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for one in compared:
        word, colour = _MOVED[one.moved]
        flips = f"{count(one.flips.broken)}/{count(one.flips.mended)}" if one.flips else "–"
        told = found(one.change.delta, "%" if one.unit in SHARES else "").replace(" %", "", 1)
        p = p_value(one.change.p_adjusted).replace("< ", "<")
        table.add_row(Text(_title(one)), *_levels(one, wide), Text(told), p, flips, Text(word, style=colour))
    return table


def _title(one: Compared) -> str:
    title = one_line(one.title or one.name, 48)
    return f"{title}: {one_line(one.group or '(none)', 32)}" if one.breakdown else title


def _levels(one: Compared, wide: bool) -> list[str]:
    digits = 1 if one.unit in SHARES else 3
    if wide:
        return [level(scaled(e, one.factor), digits) for e in (one.old, one.new)]
    return [" > ".join(number(one.factor * e.value, digits) for e in (one.old, one.new))]


def _rank(one: Compared) -> float:
    """Worst first: by how the change stands to the noise of its group."""
    delta = one.change.delta
    half = (delta.high - delta.low) / 2
    size = delta.value / half if known(half) and half > 0 else 0.0
    return size if one.higher_is_better else -size
