"""``tutelage papers`` as somebody uses it who has nothing yet: a fresh home, an empty folder, a narrow terminal."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from tutelage.cli import app, papers_recipes
from tutelage.cli.papers_runs_text import show_board
from tutelage.errors import DataError, RegistryError
from tutelage.papers.board import board

EVIDENCE = Path(__file__).parents[3] / "evidence"


@pytest.fixture(autouse=True)
def nothing_yet(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")


def call(*words):
    return CliRunner().invoke(app, ["papers", *words])


@pytest.mark.parametrize(
    "words",
    [
        ["list"],
        ["list", "--status", "imported"],
        ["show", "muscle"],
        ["search", "forgetting", "--mode", "keyword"],
        ["search", "--like", "raft"],
        ["digest"],
        ["digest", "--since", "2017-01-01"],
        ["board"],
        ["board", "--evidence", str(EVIDENCE)],
        ["run", "stationary-representations", "--dry-run"],
        ["run", "orchestration-traces"],
    ],
)
def test_every_command_as_json_and_on_eighty_columns(words):
    made = call(*words, "--json")
    assert made.exit_code == 0, made.output
    json.loads(made.stdout)
    shown = call(*words)
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.strip()
    if words[0] not in ("board", "run"):  # Markdown; paths
        assert max(map(len, shown.stdout.splitlines())) <= 80


def test_a_paper_that_is_not_there_is_answered_with_the_nearest():
    for words, hint in ((["run", "mscle"], "muscle"), (["run", "raftt"], "raft"), (["show", "mscle"], "muscle")):
        assert hint in call(*words).exception.hint
    without = call("run", "muscle-of-mine-that-nobody-wrote").exception
    assert isinstance(without, RegistryError)
    assert "raft" in without.hint


def test_nothing_found_is_said():
    assert "no paper fits" in call("digest").stdout
    assert call("list", "--status", "imported").stdout == "no paper fits\n"
    assert "no paper found" in call("search", "xyzzy", "--mode", "keyword").stdout


def test_a_board_without_evidence(monkeypatch, tmp_path):
    monkeypatch.setattr("tutelage.papers.catalogue.evidence_folder", lambda: tmp_path / "none")
    assert call("board").stdout == "No evidence yet.\n"
    assert json.loads(call("board", "--json").stdout) == []
    assert isinstance(call("board", "--evidence", "none").exception, DataError)
    assert isinstance(call("validate").exception, DataError)


@pytest.mark.parametrize("width", [80, 120])
def test_the_board_on_a_terminal(width):
    rows = board(EVIDENCE)
    console = Console(width=width, record=True, file=StringIO())
    show_board(console, rows)
    shown = console.export_text()
    for row in rows:
        assert row.claim_id + ":" in shown
        assert all(part.split(":")[0][:30] in shown for part in row.measured)
    assert shown.count("replicated") + shown.count("inconclusive") >= len(rows)
    written = [line for line in shown.splitlines() if not line.startswith("tutelage ")]  # commands stay whole
    assert max(map(len, written)) <= width
    assert "<br>" not in shown


def test_an_interrupted_run_says_how_to_go_on(monkeypatch):
    def interrupted(config, place):
        raise KeyboardInterrupt

    chosen = papers_recipes._recipe_of("stationary-representations")
    monkeypatch.setattr(papers_recipes, "_recipe_of", lambda slug: dataclasses.replace(chosen, run=interrupted))
    done = call("run", "stationary-representations", "--tier", "smoke")
    assert done.exit_code == 130
    assert "--resume" in done.stderr


def program(words, **streams):
    code = "import sys; from tutelage.cli import main; sys.argv[0] = 'tutelage'; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *words], stderr=subprocess.PIPE, text=True, timeout=120, **streams
    )


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_no_defect():
    with Path("/dev/full").open("w") as full:
        done = program(["papers", "list", "--json"], stdout=full)
    assert (done.returncode, "cannot write" in done.stderr, "defect" in done.stderr) == (2, True, False)


@pytest.mark.slow
def test_a_reader_that_leaves_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    done = program(["papers", "list"], stdout=writing)
    os.close(writing)
    assert done.stderr == ""
