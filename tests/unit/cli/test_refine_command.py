import json

import pytest
import typer
from typer.testing import CliRunner

from scripted_engines import ScriptedEngine, WordEncoder, row_of
from tutelage.cli.refine import refine
from tutelage.errors import ConfigError
from tutelage.jobs import refine as job

app = typer.Typer()
app.command()(refine)


@pytest.fixture
def stand_ins(monkeypatch):
    monkeypatch.setattr(
        job, "_open_parts", lambda config: job.Parts(ScriptedEngine(), lambda name: None, lambda name: WordEncoder())
    )


@pytest.fixture
def data(tmp_path):
    file = tmp_path / "data.jsonl"
    file.write_text("".join(json.dumps(row_of(i)) + "\n" for i in range(3)))
    return str(file)


def test_the_report_is_the_only_output_under_json(tmp_path, data, stand_ins):
    out = str(tmp_path / "out")
    done = CliRunner().invoke(app, ["--data", data, "--out", out, "--set", "refine.tau=0.5", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["changed"] == 3


def test_counts_and_the_path_are_shown(tmp_path, data, stand_ins):
    done = CliRunner().invoke(app, ["--data", data, "--out", str(tmp_path / "out"), "--set", "refine.tau=1.0"])
    assert done.exit_code == 0, done.output
    assert "0 of 3 answers changed" in done.output
    assert "similarity" in done.output
    assert "warning" in done.output
    assert (tmp_path / "out" / "train.jsonl").exists()


def test_a_dry_run_shows_the_configuration_and_writes_nothing(tmp_path, data):
    out = tmp_path / "out"
    done = CliRunner().invoke(
        app, ["--data", data, "--out", str(out), "--method", "sdft_data", "--seed", "7", "--model", "m", "--dry-run"]
    )
    assert done.exit_code == 0, done.output
    for line in ('method = "sdft_data"', "seed = 7", 'model = "m"'):
        assert line in done.output
    assert not out.exists()


def test_an_unknown_setting_is_refused(tmp_path, data):
    done = CliRunner().invoke(app, ["--data", data, "--out", str(tmp_path / "out"), "--set", "refine.tua=0.5"])
    assert isinstance(done.exception, ConfigError)
    assert "tau" in str(done.exception)
