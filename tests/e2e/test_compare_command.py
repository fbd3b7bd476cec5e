"""``tutelage compare`` as a user or a CI job runs it: exit codes, files, JSON, and input that cannot be used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from html_page import read
from made_up_results import paired, task
from tutelage.cli import main
from tutelage.measure.results import write_native

PASS, FAIL, OPEN = (1000, 5, 10, 985), (300, 40, 15, 57), (300, 20, 15, 77)
GATE = """
[[rules]]
name = "kept"
metric = "t"
require = "no-loss"
margin = 0.02
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("gate.toml").write_text(GATE)

    def write(counts, **more):
        for name, values in zip(("old", "new"), paired(*counts), strict=True):
            folder = Path(name)
            folder.mkdir(exist_ok=True)
            write_native(folder / "t.jsonl", task("t", values, **more), {"name": name})

    return write


def run(capsys, monkeypatch, *arguments) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["tutelage", "compare", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "80")
    try:
        main()
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else 0 if stopped.code is None else 1
    else:
        code = 0
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


@pytest.mark.parametrize(
    ("counts", "code", "first"),
    [
        (PASS, 0, "new may replace old: 1 of 1 rules pass"),
        (FAIL, 1, "new must not replace old: t lost 6.1 points ["),
        (OPEN, 3, "Not decided: 412 items, need about "),
    ],
)
def test_the_exit_code_and_the_first_line_are_the_answer(files, capsys, monkeypatch, counts, code, first):
    files(counts)
    found, out, _ = run(capsys, monkeypatch, "old", "new", "--gate", "gate.toml", "--out", "report")
    assert found == code
    assert out.startswith(first)
    assert max(map(len, out.splitlines())) <= 80
    suite = ElementTree.parse("report/comparison.xml").getroot()
    assert (suite.get("failures"), suite.get("skipped")) == (str(int(code == 1)), str(int(code == 3)))
    told = json.loads(Path("report/comparison.json").read_text())
    assert told["answer"]["decision"] == {0: "pass", 1: "fail", 3: "underpowered"}[code]
    assert read(Path("report/comparison.html").read_text()).errors == []


def test_without_a_gate_it_describes_and_ends_with_0(files, capsys, monkeypatch):
    files(FAIL)
    code, out, _ = run(capsys, monkeypatch, "old", "new")
    assert code == 0
    assert out.startswith("new is worse than old on t")


def test_json_is_all_that_is_printed_and_one_file_can_be_asked_for(files, capsys, monkeypatch):
    files(FAIL, groups={"topic": ("a", "b") * 206})
    code, out, _ = run(
        capsys, monkeypatch, "old/t.jsonl", "new/t.jsonl", "--gate", "gate.toml", "--json", "--junit", "ci/x.xml",
        "--level", "0.9", "--seed", "3", "--correction", "none", "--metric", "t/*", "--by", "topic",
        "--smallest-effect", "0.05", "--self-baseline", "old",
    )  # fmt: skip
    told = json.loads(out)
    assert code == 1
    assert told["schema"] == "tutelage.comparison/1"
    assert told["plan"]["level"] == told["metrics"][0]["change"]["delta"]["level"] == 0.9
    assert (told["plan"]["correction"], told["plan"]["seed"]) == ("none", 3)
    assert told["command"].startswith("tutelage compare old/t.jsonl")
    assert told["metrics"][0]["flips"]["self_rate"]["value"] == 0
    assert {group["group"] for group in told["groups"]} == {"a", "b"}
    assert ElementTree.parse("ci/x.xml").getroot().get("failures") == "1"
    assert not Path("report").exists()


@pytest.mark.parametrize(
    ("arguments", "gate", "message"),
    [
        (("nowhere", "new"), GATE, "no such file"),
        (("old", "new"), GATE.replace('"t"', '"other"'), "no metric is called 'other'"),
        (("old", "new"), GATE.replace("margin", "margn"), "did you mean 'rules[0].margin'"),
        (("old", "new"), GATE.replace("0.02", "2"), "larger than any score"),
        (("old", "new"), GATE + 'by = "topic"\n', "topic"),
        (("old", "new"), "not toml", "not TOML"),
        (("old", "new", "--metric", "x"), GATE, "no metric is called 'x'"),
        (("org/name", "new"), GATE, "is a model: say what to measure it on"),
        (("org/name", "new", "--suite", "retention"), GATE, "needs a folder"),
        (("gate.toml", "new"), GATE, "gate.toml"),
    ],
)
def test_input_that_cannot_be_used_ends_with_2(files, capsys, monkeypatch, arguments, gate, message):
    files(PASS)
    Path("gate.toml").write_text(gate)
    code, out, err = run(capsys, monkeypatch, *arguments, "--gate", "gate.toml")
    assert code == 2
    assert out == ""
    assert message in err


def test_two_systems_of_one_name_are_told_apart_by_their_paths(files, capsys, monkeypatch):
    files(FAIL)
    for name in ("old", "new"):
        text = Path(name, "t.jsonl").read_text().replace(f'"name":"{name}"', '"name":"same"')
        text = text.replace(f'"name": "{name}"', '"name": "same"')
        Path(name, "t.jsonl").write_text(text)
    _, out, _ = run(capsys, monkeypatch, "old/t.jsonl", "new/t.jsonl", "--gate", "gate.toml")
    assert out.startswith("new/t.jsonl must not replace old/t.jsonl")


@pytest.mark.slow
def test_the_installed_command(files):
    files(OPEN)
    command = [sys.executable, "-c", "from tutelage.cli import main; main()", "compare", "old", "new"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}
    done = subprocess.run(
        [*command, "--gate", "gate.toml"], env=environment, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.startswith("Not decided")


@pytest.mark.slow
def test_a_tuning_report_says_what_compare_says(tiny_model_dir, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    rows = [{"prompt": f"Name {i}?", "completion": "sky" if i % 3 else "pear"} for i in range(40)]
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    settings = ["refine_answers=false", "measure.retention=off", "measure.max_new_tokens=4", "run.threads=1"]
    settings += ["train.batch_size=4", "data.test_fraction=0.4"]
    sets = [part for setting in settings for part in ("--set", setting)]
    arguments = ["tune", "--model", str(tiny_model_dir), "--data", "rows.jsonl", "--out", "run", "--method", "sft"]
    monkeypatch.setattr(sys, "argv", ["tutelage", *arguments, "--max-steps", "8", *sets, "--json"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code in (0, None), capsys.readouterr().err
    report = json.loads(capsys.readouterr().out)
    code, out, err = run(capsys, monkeypatch, "run/measure/base", "run", "--smallest-effect", "0.02", "--json")
    assert code == 0, err
    (metric,) = json.loads(out)["metrics"]
    domain = next(arm["domain"] for arm in report["arms"] if arm["name"] == "sft")
    assert metric["change"]["delta"] == domain["change"]["delta"]
    assert metric["new"] == domain["estimate"]


@pytest.mark.slow
def test_models_are_measured_first_and_only_once(tiny_model_dir, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    suite = tmp_path / "suite.jsonl"
    rows = [{"id": f"q{i}", "prompt": f"How much is {i} plus 1?", "target": str(i + 1)} for i in range(5)]
    suite.write_text("".join(json.dumps(row | {"scorer": "exact"}) + "\n" for row in rows))
    arguments = (tiny_model_dir, tiny_model_dir, "--suite", suite, "--out", "report")
    code, out, err = run(capsys, monkeypatch, *arguments)
    assert code == 0, err
    assert "same file" in out
    kept = sorted(Path("report/old").glob("*.jsonl"))
    stamps = [file.stat().st_mtime_ns for file in kept]
    assert kept
    code, again, _ = run(capsys, monkeypatch, *arguments, "--json")
    assert code == 0
    assert json.loads(again)["metrics"][0]["n"] == 5
    assert len(stamps) == len(sorted(Path("report/old").glob("*.jsonl")))
