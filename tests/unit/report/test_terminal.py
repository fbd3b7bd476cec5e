from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from example_report import example, minimal
from tutelage.errors import DataError
from tutelage.report import terminal
from tutelage.report.document import Document, Note, to_json


def shown(document: object, width: int = 140, path: str = "run/report.html") -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False, highlight=False)
    terminal.show(console, document, path)  # type: ignore[arg-type]
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_headline_arms_next_step_and_the_path() -> None:
    text = shown(example())
    assert example().headline.sentence in " ".join(text.replace("│", " ").split())
    for arm in example().arms:
        assert arm.label in text
        assert arm.domain.estimate is not None
        assert f"{100 * arm.domain.estimate.value:.1f} [" in text
    assert "Next:" in text
    assert text.rstrip().endswith("Report: run/report.html")


def test_json_gives_the_same_panel() -> None:
    assert shown(to_json(example())) == shown(example())


def test_what_is_no_report_is_refused() -> None:
    with pytest.raises(DataError):
        shown({"schema": "something/1"})


@pytest.mark.parametrize("width", [50, 72, 80, 100, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(len(line) for line in shown(example(), width).splitlines()) <= width


def test_a_long_path_stays_in_one_piece() -> None:
    path = "/" + "long/" * 60 + "report.html"
    assert f"Report: {path}" in shown(example(), 60, path)


@pytest.mark.parametrize("document", [minimal(), replace(minimal(), arms=())], ids=["minimal", "no arms"])
def test_nothing_measured(document: Document) -> None:
    assert "not measured" in shown(document)


def test_texts_can_neither_steer_the_terminal_nor_use_markup() -> None:
    nasty = "[red]x[/red] \x1b]0;title\x07\x1b[2J [/] [link=https://evil.example]y"
    arms = (example().arms[0], replace(example().arms[1], title=nasty))
    text = shown(replace(example(), arms=arms, notes=(Note(nasty),)), path=nasty)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]x[/red]" in text
