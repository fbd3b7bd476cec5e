"""``tutelage match`` from folders to page and log, on our own example; and what it refuses."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from html_page import read
from tutelage.cli import app
from tutelage.errors import ConfigError, DataError
from tutelage.jobs.match import match
from tutelage.jobs.match_config import MatchConfig
from tutelage.jobs.match_verify import verify_decisions
from tutelage.matching import MatchSettings

EXAMPLE = Path(__file__).parents[3] / "examples" / "matching"
JOBS, RESUMES = EXAMPLE / "jobs", EXAMPLE / "resumes"
WORDS = MatchConfig(encoder="none", resamples=200)


def test_the_example_ranks_whom_a_reader_would(tmp_path):
    found = match(JOBS, RESUMES, tmp_path / "out", WORDS)
    first = {one.id: one.resumes[0].match.resume for one in found.report.rankings}
    assert first == {"data-engineer": "r1", "data-scientist": "r2", "web-developer": "r3"}
    assert found.passed
    assert {one.name for one in (tmp_path / "out").iterdir()} == {
        "decisions.jsonl", "decisions.jsonl.lock", "matches.jsonl", "report.html", "results.json",
    }  # fmt: skip
    text = (tmp_path / "out" / "report.html").read_text()
    page = read(text)
    assert not page.errors
    assert "nobody should be turned away" in page.text
    assert "<mark>Oracle Database</mark>" in text
    assert "<mark>C</mark>" not in text  # vitamin C
    told = json.loads((tmp_path / "out" / "results.json").read_text())
    assert told["head"] == found.report.head


def test_a_log_is_continued_and_every_score_comes_out_again(tmp_path):
    out = tmp_path / "out"
    match(JOBS, RESUMES, out, WORDS)
    head = match(JOBS, RESUMES, out, MatchConfig(encoder="none", score=MatchSettings(0.5))).report.head
    log = out / "decisions.jsonl"
    found = verify_decisions(log, JOBS, RESUMES, head=head)
    assert (found.records, found.same, found.other, found.passed, found.head) == (36, 36, 0, True, head)
    text = RESUMES / "r1.md"
    changed = tmp_path / "changed"
    changed.mkdir()
    for file in RESUMES.iterdir():
        (changed / file.name).write_text(file.read_text() + (" Perl code." if file.name == text.name else ""))
    assert verify_decisions(log, JOBS, changed).other == 36  # the weights of all words come from all texts
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join([lines[0].replace('"rank": 1', '"rank": 2'), *lines[1:]]))
    assert [one.line for one in verify_decisions(log, JOBS, RESUMES).faults] == [1]


def test_a_forged_score_in_a_whole_chain_is_found_by_computing_it_again(tmp_path):
    from tutelage.matching import DecisionLog
    from tutelage.matching.decision_log import read_log

    match(JOBS, RESUMES, tmp_path / "out", WORDS)
    records = [dict(one) for one in read_log(tmp_path / "out" / "decisions.jsonl")]
    records[4]["score"] += 0.25
    with DecisionLog(tmp_path / "forged.jsonl") as log:
        own = ("number", "time", "previous", "hash")
        log.append([{key: value for key, value in one.items() if key not in own} for one in records])
    found = verify_decisions(tmp_path / "forged.jsonl", JOBS, RESUMES)
    assert not found.faults
    assert len(found.differing) == 1
    assert not found.passed


def rows_of(path, rows):
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        csv.writer(stream).writerows(rows)
    return path


def test_groups_are_the_users_and_small_ones_are_refused(tmp_path):
    groups = rows_of(tmp_path / "g.csv", [["id", "group"], *[[f"r{n}", "x" if n < 4 else "y"] for n in range(1, 7)]])
    found = match(JOBS, RESUMES, tmp_path / "out", WORDS, groups=groups).report.fairness
    assert found.refused == {"x": 3, "y": 3}
    assert not found.groups
    few = MatchConfig(encoder="none", resamples=200, minimum_group=3)
    pairs = [["job", "resume", "qualified"]]
    pairs += [[job, f"r{n}", int(n < 5)] for job in ("data-engineer", "web-developer") for n in range(1, 7)]
    fit = rows_of(tmp_path / "q.csv", pairs)
    found = match(JOBS, RESUMES, tmp_path / "out", few, groups=groups, qualified=fit).report.fairness
    assert [one.rows for one in found.groups] == [9, 9]  # pairs that nobody judged have a rate of selection too
    assert "four-fifths rule" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["id", "group"], ["nobody", "x"]], "no resume 'nobody'"),
        ([["id", "group"], ["r1", "x"], ["r1", "y"]], "two groups"),
        ([["id", "team"], ["r1", "x"]], "no column 'group'"),
        ([["id", "group"], ["Jos\udce9", "x"]], "not UTF-8"),
    ],
)
def test_bad_groups_are_named(tmp_path, rows, message):
    with pytest.raises(DataError, match=message) as caught:
        match(JOBS, RESUMES, tmp_path / "out", WORDS, groups=rows_of(tmp_path / "g.csv", rows))
    assert "g.csv:" in caught.value.where


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (["data-engineer", "r1", "yes"], "qualified is 'yes'"),
        (["nothing", "r1", "1"], "no job ad 'nothing'"),
        (["data-engineer", "nobody", "1"], "no resume 'nobody'"),
        (["data-engineer", "r2", "0"], "judged 1 and 0"),
    ],
)
def test_bad_judgements_are_named(tmp_path, row, message):
    groups = rows_of(tmp_path / "g.csv", [["id", "group"], ["r1", "x"]])
    rows = [["job", "resume", "qualified"], ["data-engineer", "r2", "1"], row]
    with pytest.raises(DataError, match=message) as caught:
        match(JOBS, RESUMES, tmp_path / "out", WORDS, groups=groups, qualified=rows_of(tmp_path / "q.csv", rows))
    assert caught.value.where.endswith("q.csv:3")
    with pytest.raises(ConfigError, match="for groups only"):
        match(JOBS, RESUMES, tmp_path / "out", WORDS, qualified=tmp_path / "q.csv")


def test_what_a_reader_would_miss_is_said(tmp_path):
    folder = tmp_path / "resumes"
    folder.mkdir()
    for n in range(7):
        (folder / f"empty{n}.txt").write_text("")
    for name in ("ann", "ben"):
        (folder / f"{name}.txt").write_text(f"Python  and SQL{' ' if name == 'ben' else chr(10)}")
    (folder / "inner").mkdir()
    found = match(JOBS, folder, tmp_path / "out", MatchConfig(encoder="none", score=MatchSettings(top=1))).report
    notes = " ".join(found.notes)
    assert "8 resumes were not read and are in no ranking: empty0.txt: the text is empty" in notes
    assert "and 3 more" in notes
    assert "Resumes of one text, each in a place of its own: ann and ben." in notes
    assert "Places 1 and 2 have equal scores, and only ids decide who is among the first 1" in notes
    told = json.loads((tmp_path / "out" / "results.json").read_text())["unread"]
    assert (len(told), told[-1]) == (8, "inner: a folder, and folders in folders are not read")
    page = read((tmp_path / "out" / "report.html").read_text())
    assert "8 documents were not read" in page.text
    assert "empty6.txt" in page.text
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"id": "d", "text": "SQL", "skills": "SQL, Docker"}))
    notes = match(JOBS, rows, tmp_path / "out", WORDS).report.notes
    assert any("count for nothing: 'SQL, Docker' (d)" in one for one in notes)


def test_a_quotation_is_cut_only_where_there_is_more(tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "a.txt").write_text(
        "Python needed, as we write much of our own code for ourselves and for others."
    )
    (tmp_path / "cv.jsonl").write_text(json.dumps({"id": "x", "text": "Knows Python"}))
    match(tmp_path / "jobs", tmp_path / "cv.jsonl", tmp_path / "out", WORDS)
    text = (tmp_path / "out" / "report.html").read_text()
    assert 'dir="auto"><mark>Python</mark> needed' in text
    assert 'dir="auto">Knows <mark>Python</mark> <span' in text
    assert "… <span" in text


def test_records_that_cannot_be_recomputed_are_named_and_nothing_recomputed_is_no_pass(tmp_path):
    one = MatchConfig(encoder="none", score=MatchSettings(text_weight=0.0))
    match(JOBS, RESUMES, tmp_path / "out", one)
    log, changed = tmp_path / "out" / "decisions.jsonl", tmp_path / "changed"
    changed.mkdir()
    for file in RESUMES.iterdir():
        if file.stem != "r2":
            (changed / file.name).write_text(file.read_text() + (" Perl." if file.stem == "r1" else ""))
    found = verify_decisions(log, JOBS, changed)
    assert found.because["the resume r1 is another text"] == found.because["the resume r2 is not there"] == 3
    assert (found.other, found.same, found.passed) == (18, 0, False)  # the words of all texts weigh the others
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    assert not verify_decisions(empty, JOBS, RESUMES).passed


@pytest.mark.parametrize(
    "more", [["--out", "x", "--head", "abc"], ["--verify", "x", "--encoder", "none"], ["--verify", "x", "--set", "a=1"]]
)
def test_options_that_would_do_nothing_are_refused(more):
    failure = CliRunner().invoke(app, ["match", str(JOBS), str(RESUMES), *more]).exception
    assert isinstance(failure, ConfigError)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        match(JOBS, RESUMES, tmp_path, WORDS)


def test_the_command_prints_json_or_a_table_and_verifies(tmp_path):
    out = str(tmp_path / "out")
    call = ["match", str(JOBS), str(RESUMES)]
    done = CliRunner().invoke(app, [*call, "--out", out, "--encoder", "none", "--top", "2", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert [one["resumes"][0]["resume"] for one in told["rankings"]] == ["r1", "r2", "r3"]
    assert told["top"] == 2
    shown = CliRunner().invoke(app, [*call, "--out", out, "--encoder", "none"])
    assert "data-engineer" in shown.stdout
    assert "reasons add up" in shown.stdout
    log = ["--verify", f"{out}/decisions.jsonl"]
    assert CliRunner().invoke(app, [*call, *log]).exit_code == 0
    assert CliRunner().invoke(app, [*call, *log, "--head", "0" * 64, "--json"]).exit_code == 1
    assert isinstance(CliRunner().invoke(app, call).exception, ConfigError)


@pytest.mark.slow
@pytest.mark.needs_asset("all-minilm-l6-v2")
def test_meaning_is_used_where_it_is_installed_and_comes_out_again(tmp_path):
    found = match(JOBS, RESUMES, tmp_path / "out", MatchConfig())
    assert "minilm" in found.report.identity["space"].lower()
    assert verify_decisions(tmp_path / "out" / "decisions.jsonl", JOBS, RESUMES).same == 18
