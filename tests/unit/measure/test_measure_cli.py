"""The command without a process of its own: what it shows, and what it refuses before torch is loaded."""

import json

import pytest
import typer
from typer.testing import CliRunner

from tutelage.cli.measure import measure
from tutelage.errors import TutelageError

app = typer.Typer()
app.command()(measure)


@pytest.fixture
def suite(tmp_path):
    file = tmp_path / "mine.jsonl"
    rows = [
        {"prompt": f"Name {k}?", "target": "x", "scorer": "contains", "groups": {"odd": str(k % 2)}} for k in range(4)
    ]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "MODEL is missing"),
        (["m", "--out", "x"], "--suite is missing"),
        (["m", "--suite", "maths"], "--out is missing"),
        (["m", "--suite", "mathz", "--out", "x"], "did you mean 'maths'"),
        (["m", "--suite", "nowhere.toml", "--out", "x"], "no such file"),
        (["m", "--suite", "maths", "--out", "x", "--size", "huge"], "'size' cannot be 'huge'"),
        (["m", "--suite", "maths", "--out", "x", "--set", "batchsize=1"], "batch_size"),
        (["m", "--suite", "maths", "--out", "x", "--max-items", "-1"], "must not be negative"),
        (["m", "--suite", "maths", "--out", "x"], "tutelage assets install"),
    ],
)
def test_bad_input(arguments, says, tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, TutelageError)
    assert done.exception.exit_code == 2
    assert says in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_the_table_and_the_files(tiny_model_dir, suite, tmp_path):
    out = tmp_path / "out"
    arguments = [str(tiny_model_dir), "--suite", suite, "--out", str(out), "--set", "threads=1", "--max-items", "3"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    for text in ("contains", "95 % interval", "odd: 0", "baseline", "3 questions asked"):
        assert text in done.output
    told = CliRunner().invoke(app, [*arguments, "--json"])
    assert json.loads(told.stdout) == json.loads((out / "results.json").read_text())
    assert json.loads(told.stdout)["cost"]["asked"] == 0


def test_the_list(made_up_rows):
    records = json.loads(CliRunner().invoke(app, ["--list", "--size", "smoke", "--json"]).stdout)
    assert [r["suite"] for r in records] == [
        *("format", "instructions", "knowledge", "maths", "reading", "retention", "safety")
    ]
    assert all(r["items"] > 0 and r["minutes"] >= 0 and r["licences"] for r in records)
    shown = CliRunner().invoke(app, ["--list", "--size", "smoke"])
    assert "knowledge" in shown.stdout
    assert "AFL-3.0" in shown.stdout
