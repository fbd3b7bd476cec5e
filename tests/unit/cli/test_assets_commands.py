from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from made_up_assets import Kit
from tutelage import assets
from tutelage.cli.assets import app
from tutelage.errors import AssetError

runner = CliRunner()


def test_list_shows_the_state_of_every_asset(kit: Kit) -> None:
    assets.install("quiz")
    (assets.path("quiz") / "manifest.json").unlink()
    assets.install("encoder")
    listed = json.loads(runner.invoke(app, ["list", "--json"]).stdout)
    assert {entry["name"]: entry["state"] for entry in listed} == {
        "quiz": "damaged",
        "exam": "absent",
        "encoder": "installed",
    }
    assert listed[0]["sha256"] == assets.get("quiz").distribution.sha256
    text = runner.invoke(app, ["list"], env={"COLUMNS": "200"}).stdout
    assert "damaged" in text
    assert "no training" in text
    assert "tutelage assets install" in text


def test_install_says_what_it_did(kit: Kit) -> None:
    first = runner.invoke(app, ["install", "quiz", "--json"])
    assert first.exit_code == 0
    assert json.loads(first.stdout) == {"made": ["quiz"], "present": []}
    second = runner.invoke(app, ["install"])  # the small kit
    assert "installed 1; 1 there already" in second.stdout


def test_install_of_an_unknown_name_fails_with_the_nearest(kit: Kit) -> None:
    result = runner.invoke(app, ["install", "quizz"])
    assert isinstance(result.exception, AssetError)
    assert "'quiz'" in str(result.exception)


def test_licences(kit: Kit) -> None:
    records = json.loads(runner.invoke(app, ["licences", "--json"]).stdout)
    assert [(r["name"], r["spdx"], r["train_ok"]) for r in records] == [
        ("quiz", "MIT", True),
        ("exam", "CC-BY-NC-4.0", False),
        ("encoder", "Apache-2.0", True),
    ]
    assert "CC-BY-NC-4.0" in runner.invoke(app, ["licences", "exam"], env={"COLUMNS": "200"}).stdout


def test_doctor_ends_with_1_when_something_is_missing(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    import typer

    from tutelage.cli.doctor import doctor
    from tutelage.jobs import doctor as job

    single = typer.Typer()
    single.command()(doctor)
    for status, code in (("missing", 1), ("warn", 0), ("ok", 0)):
        check = job.Check("thing", status, "[found]", "[do] this")
        monkeypatch.setattr(job, "examine", lambda check=check, **_: [check])
        result = runner.invoke(single, ["--json"])
        assert result.exit_code == code
        assert json.loads(result.stdout)[0]["status"] == status
        assert "[do] this" in runner.invoke(single, []).stdout


def test_listing_needs_no_torch() -> None:
    code = (
        "import sys; import tutelage.assets, tutelage.cli.assets, tutelage.cli.doctor; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
