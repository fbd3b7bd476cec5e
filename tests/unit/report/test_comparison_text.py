"""What stands on the terminal."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from example_comparison import example
from tutelage.report.comparison_text import show
from tutelage.report.comparison_words import about, amount, found, statement
from tutelage.types import Estimate


def printed(document, width=80, files=()) -> list[str]:
    stream = io.StringIO()
    show(Console(file=stream, width=width, color_system=None), document, files)
    return stream.getvalue().splitlines()


def test_the_first_line_is_the_answer_and_nothing_is_wider_than_the_terminal():
    lines = printed(example())
    assert " ".join(" ".join(lines[:3]).split()).startswith(example().answer.sentence)
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    for word in ("FAIL", "the domain gains", "broke", "worse", "Next: "):
        assert word in text


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_every_metric_has_its_line_at_any_width(width):
    text = " ".join("\n".join(printed(example(), width)).split())
    for one in example().metrics:
        assert one.title in text


def test_wide_terminals_show_the_intervals_of_levels():
    one = example().metrics[0]
    wide = "\n".join(printed(example(), 140))
    assert f"{100 * one.old.value:.1f} [{100 * one.old.low:.1f}, {100 * one.old.high:.1f}]" in wide


def test_names_and_cautions_cannot_steer_the_terminal():
    nasty = "\x1b[2Jname\u202e[red]x[/red]"
    document = replace(example(), cautions=(nasty,), metrics=tuple(replace(m, title=nasty) for m in example().metrics))
    text = "\n".join(printed(document, 200))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[red]x[/red]" in text


def test_files_are_named_at_the_end():
    assert printed(example(), files=[Path("a/b.html")])[-1] == "a/b.html"


def test_numbers_in_words():
    estimate = Estimate(-0.0607, -0.092, -0.03, 0.95, "t", 9, 9)
    assert found(estimate, "points") == "\u22126.1 points [\u22129.2, \u22123.0]"
    assert found(estimate, "") == "\u22120.061 [\u22120.092, \u22120.030]"
    assert (about(1), about(99), about(101), about(1841), about(120_001)) == (
        "about 1",
        "about 99",
        "about 110",
        "about 1,900",
        "about 130,000",
    )
    assert amount(0.05, "points") == "5.0 points"
    assert (
        statement("every-group", "t", 0.05, "points", "topic") == "no group of topic may lose more than 5.0 points on t"
    )
