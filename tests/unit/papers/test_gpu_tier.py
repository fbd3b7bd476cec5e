"""The tier for a GPU: refused before anything is run where there is none; its evidence lies beside the CPU's."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from tutelage.cli import app
from tutelage.errors import ConfigError, DataError
from tutelage.io import content_hash
from tutelage.papers.board import board, render_markdown
from tutelage.papers.catalogue import state
from tutelage.papers.device import device_of
from tutelage.papers.evidence import evidence_files, evidence_name, read_evidence
from tutelage.papers.lab.digits_versions import VersionSettings
from tutelage.papers.recipes import load_recipe

EVIDENCE = Path(__file__).parents[3] / "evidence"
SLUG = "stationary-representations"


@pytest.fixture
def found(monkeypatch):
    """Sets what the probe of the machine finds."""

    def see(name):
        monkeypatch.setattr("tutelage.papers.device.found_device", lambda: torch.device(name))

    return see


@pytest.fixture
def both(tmp_path):
    """A folder with evidence of the CPU, and the same as if a GPU had measured it."""
    shutil.copy(EVIDENCE / f"{SLUG}.json", tmp_path)
    value = json.loads((EVIDENCE / f"{SLUG}.json").read_text())
    value |= {"tier": "gpu", "config": value["config"] | {"tier": "gpu"}}
    value["rule_hash"] = content_hash({"claims": value["rules"], "config": value["config"]})
    value["command"] = value["command"].replace("--tier cpu", "--tier gpu")
    (tmp_path / f"{SLUG}.gpu.json").write_text(json.dumps(value))
    return tmp_path


def test_only_the_tier_gpu_asks_for_one(found):
    found("cuda")
    assert {tier: device_of(tier).type for tier in ("smoke", "cpu", "full", "gpu")} == {
        "smoke": "cpu",
        "cpu": "cpu",
        "full": "cpu",
        "gpu": "cuda",
    }
    found("cpu")
    with pytest.raises(ConfigError, match="torch sees none"):
        device_of("gpu")


@pytest.mark.parametrize("slug", ["raft", SLUG])
def test_refused_before_anything_is_run_without_one(slug, found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found("cpu")
    refused = CliRunner().invoke(app, ["papers", "run", slug, "--tier", "gpu"])
    assert isinstance(refused.exception, ConfigError)
    assert "--tier cpu" in refused.exception.hint
    assert list(tmp_path.iterdir()) == []
    plan = CliRunner().invoke(app, ["papers", "run", slug, "--tier", "gpu", "--dry-run", "--json"])
    assert json.loads(plan.output)["config"]["tier"] == "gpu"


@pytest.mark.slow
def test_a_run_goes_through_and_says_where_it_was(found, tmp_path, monkeypatch):
    found("meta")  # a device that is no CPU and computes nothing: how far it gets shows that it is used
    one = load_recipe(SLUG)
    config = replace(one.config("gpu", 5), versions=VersionSettings(epochs=1), gallery=60, query=40, resamples=200)
    with pytest.raises((NotImplementedError, RuntimeError), match="meta"):
        one.run(config, tmp_path / "meta")
    monkeypatch.setattr("tutelage.papers.folder.device_of", lambda tier: torch.device("cpu"))
    monkeypatch.setattr("tutelage.papers.folder.gpu_name", lambda device: "Made-up 100")
    evidence = one.run(config, tmp_path / "cpu")
    assert (evidence["tier"], evidence["versions"]["gpu"]) == ("gpu", "Made-up 100")
    assert "--tier gpu" in evidence["command"]


def test_board_has_both(both):
    assert [path.name for path in evidence_files(both)] == [f"{SLUG}.json", f"{SLUG}.gpu.json"]
    rows = board(both)
    assert [row.tier for row in rows] == ["cpu"] * 4 + ["gpu"] * 4
    page = render_markdown(rows)
    assert page.count("### [") == 2
    assert page.count("), on a GPU") == page.count("--tier gpu") == 1


def test_evidence_of_a_gpu_keeps_its_name(both):
    (both / f"{SLUG}.json").unlink()
    (both / f"{SLUG}.gpu.json").rename(both / f"{SLUG}.json")
    with pytest.raises(DataError, match="tier gpu") as caught:
        board(both)
    assert caught.value.hint == f"name it {SLUG}.gpu.json"
    told = state(SLUG, both)
    assert (told.status, told.verdict) == ("implemented", "")
    assert f"{SLUG}.gpu.json" in told.note


def test_the_catalogue_reads_both(both):
    alone = state(SLUG, EVIDENCE)
    told = state(SLUG, both)
    assert (told.verdict, told.evidence) == (alone.verdict, str(both / f"{SLUG}.json"))
    assert told.note == f"on a GPU: {alone.verdict} ({SLUG}.gpu.json)"
    (both / f"{SLUG}.json").unlink()
    told = state(SLUG, both)
    assert (told.status, told.verdict, told.evidence) == ("verdict", alone.verdict, str(both / f"{SLUG}.gpu.json"))
    assert evidence_name(SLUG, read_evidence(told.evidence)["tier"]) == f"{SLUG}.gpu.json"
