"""The board is what the evidence says, and the page in the repository is that board."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tutelage.cli import app
from tutelage.errors import ConfigError, DataError, RegistryError
from tutelage.papers.board import BEGIN, END, board, is_stale, render_markdown, write_board
from tutelage.papers.evidence import evidence_files, read_evidence

ROOT = Path(__file__).parents[3]
EVIDENCE = ROOT / "evidence"


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "papers.md").write_text(f"# Papers\n\n{BEGIN}\nout of date\n{END}\n\nmore\n")
    (tmp_path / "evidence").mkdir()
    for path in evidence_files(EVIDENCE):
        shutil.copy(path, tmp_path / "evidence")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_in_the_repository_is_up_to_date():
    assert not is_stale(board(EVIDENCE), ROOT / "docs" / "papers.md"), (
        "run `tutelage papers board --write docs/papers.md`"
    )


def test_every_claim_of_every_file_is_a_row_with_its_intervals():
    rows = board(EVIDENCE)
    files = [read_evidence(path) for path in evidence_files(EVIDENCE)]
    assert [(row.slug, row.claim_id) for row in rows] == [(f["slug"], c["id"]) for f in files for c in f["claims"]]
    for row, claim in zip(rows, [c for f in files for c in f["claims"]], strict=True):
        assert row.verdict == claim["verdict"]
        assert [one.low for one in row.interval] == [part["delta"]["low"] for part in claim["parts"]]
        assert len(row.measured) == len(claim["parts"])
        assert row.command.startswith(f"tutelage papers run {row.slug} ")
        assert row.cpu_seconds > 0


def test_a_cell_is_text_whatever_a_title_holds():
    row = board(EVIDENCE)[0]
    hostile = replace(row, title="a](javascript:x) | <script>", claim="| b |\nc", tier="smoke")
    table = render_markdown([hostile])
    assert "<script>" not in table
    assert "\\](javascript:x) \\|" in table
    assert "| \\| b \\| c |" in table
    assert "none (smoke run)" in table


def test_writing_makes_the_page_fresh_and_keeps_the_rest(place):
    rows, page = board("evidence"), place / "docs" / "papers.md"
    assert is_stale(rows, page)
    assert write_board(rows, page)
    assert not is_stale(rows, page)
    assert not write_board(rows, page)
    text = page.read_text()
    assert text.startswith("# Papers\n")
    assert text.endswith(f"{END}\n\nmore\n")
    assert "out of date" not in text
    page.write_text(text.replace("replicated", "proved", 1))
    assert is_stale(rows, page)


def test_a_page_without_place_is_refused(place):
    (place / "docs" / "papers.md").write_text("# Papers\n")
    with pytest.raises(DataError, match="no place"):
        write_board((), place / "docs" / "papers.md")
    with pytest.raises(DataError, match="missing"):
        is_stale((), place / "none.md")


def test_evidence_under_another_name_is_refused(place):
    shutil.move(place / "evidence" / "raft.json", place / "evidence" / "draft.json")
    with pytest.raises(DataError, match="'raft'"):
        board("evidence")


def call(*arguments):
    return CliRunner().invoke(app, ["papers", *arguments])


def test_commands_write_check_and_print(place):
    stale = call("board", "--check")
    assert (stale.exit_code, "stale" in stale.output) == (1, True)
    assert call("board", "--write", "docs/papers.md").exit_code == 0
    assert call("board", "--check").exit_code == 0
    rows = json.loads(call("board", "--json").output)
    found = {row["slug"]: row for row in rows}
    assert set(found) == {path.stem for path in Path("evidence").glob("*.json")} - {"statistics", "paired-comparison"}
    assert found["raft"]["interval"][0]["level"] == 0.95
    assert call("board").output == render_markdown(board("evidence"))


def test_validate_names_the_bad_file_and_exits_with_one(place):
    assert call("validate").exit_code == 0
    path = place / "evidence" / "raft.json"
    value = json.loads(path.read_text())
    value["claims"][0]["verdict"] = "replicated"
    path.write_text(json.dumps(value))
    found = call("validate", "--json")
    assert found.exit_code == 1
    told = {Path(one["file"]).stem: one for one in json.loads(found.output)}
    assert told["stationary-representations"]["valid"]
    assert "claim H1" in told["raft"]["error"]
    assert call("validate", str(place / "evidence" / "stationary-representations.json")).exit_code == 0


def test_a_plan_is_shown_without_running(place):
    found = call("run", "stationary-representations", "--dry-run", "--json")
    plan = json.loads(found.output)
    assert plan["rule_hash"] == read_evidence("evidence/stationary-representations.json")["rule_hash"]
    assert set(plan["controls"]) <= set(plan["arms"])
    assert not (place / "runs").exists()


def test_a_tool_is_used_from_the_command_line(place):
    whole = call("run", "orchestration-traces")
    assert (whole.exit_code, "passed" in whole.output) == (0, True)
    value = json.loads((ROOT / "src/tutelage/papers/recipes/orchestration_traces.json").read_text())
    value["edges"].append({"src": "page-a", "dst": "look-b", "type": "causal"})
    (place / "bad.json").write_text(json.dumps(value))
    bad = call("run", "orchestration-traces", "bad.json", "--json")
    assert bad.exit_code == 1
    one = json.loads(bad.output)["traces"][0]
    assert one["figures"]["tainted"] == {"look-b": "page-a"}
    assert [finding["rule"] for finding in one["findings"]] == ["in time"]


def test_what_cannot_be_run_is_told_before_anything_is_run(place):
    planned = call("run", "clip")
    assert isinstance(planned.exception, RegistryError)
    assert "no recipe yet" in str(planned.exception)
    assert "orchestration-traces" in planned.exception.hint
    typo = call("run", "rafft")
    assert "did you mean 'raft'" in typo.exception.hint
    for arguments in (["--seeds", "4"], ["--tier", "gpu"], ["x.jsonl"]):
        assert isinstance(call("run", "stationary-representations", *arguments).exception, ConfigError)
    assert not (place / "runs").exists()
