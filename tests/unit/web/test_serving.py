"""Starting the page: where it listens, what needs a flag, runs from folders, search by meaning when it is ready."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from made_up_site import MadeUpSite
from tutelage.cli import app
from tutelage.errors import ConfigError, StoreError
from tutelage.papers.library import Library
from tutelage.store import Store
from tutelage.web import serving
from tutelage.web.reading import Evidence, Papers
from tutelage.web.run_folders import read_run_folders
from tutelage.web.wanted import Wanted


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "machine.lan", "localhost.evil.example"])
def test_listening_for_others_needs_a_flag(host, tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path))
    found = CliRunner().invoke(app, ["serve", "--host", host, "--port", "0"])
    assert isinstance(found.exception, ConfigError)
    assert "--open-to-network" in found.exception.hint


def test_by_default_only_this_computer_is_listened_to(tmp_path, monkeypatch):
    started = _start(tmp_path, monkeypatch, host="127.0.0.1")
    assert started["listening"] == "127.0.0.1"
    assert started["said"][0].startswith("http://127.0.0.1:")
    assert not any("warning" in line for line in started["said"])
    assert started["guard"] == {"hosts": {"127.0.0.1", "localhost", "::1"}, "token": None}


def test_the_flag_brings_a_warning_and_a_password(tmp_path, monkeypatch):
    started = _start(tmp_path, monkeypatch, host="0.0.0.0", open_to_network=True)
    token = started["guard"]["token"]
    assert started["guard"]["hosts"] is None
    assert len(token) >= 20
    assert any("warning" in line and token in line for line in started["said"])


def _start(tmp_path, monkeypatch, *, host, open_to_network=False):
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path))
    monkeypatch.setattr(serving, "prepare_meaning", lambda *_: None)
    started = {"said": []}

    class Server:
        def __init__(self, config):
            started["guard"] = config.app.user_middleware[0].kwargs
            assert config.access_log is False

        def run(self, sockets):
            started["listening"] = sockets[0].getsockname()[0]

    monkeypatch.setattr(serving.uvicorn, "Server", Server)
    facts = {"library": tmp_path / "p.sqlite", "evidence": None, "runs": [], "open_to_network": open_to_network}
    serving.serve(host=host, port=0, say=started["said"].append, **facts)
    return started


def test_a_port_in_use_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path))
    with serving._listen("127.0.0.1", 0) as taken, pytest.raises(ConfigError, match="cannot listen"):
        serving._listen("127.0.0.1", taken.getsockname()[1])


def test_meaning_is_used_once_it_is_ready(tmp_path, monkeypatch):
    class Encoder:
        weights_hash = "made-up"

        def embed(self, texts):
            return np.ones((len(texts), 2), dtype=np.float32) / np.sqrt(2)

    from tutelage.papers.library import encoding

    path = tmp_path / "p.sqlite"
    papers = Papers(Library(path, encoder=None), Evidence(tmp_path))
    monkeypatch.setattr(encoding, "open_encoder", lambda name: Encoder())
    serving.prepare_meaning(papers, lambda encoder: Library(path, encoder=encoder))
    assert (papers.mode, papers.note) == ("auto", "")
    assert papers.listing(Wanted("anything at all")).cards


def test_without_an_encoder_it_is_said_how_to_get_it(tmp_path, monkeypatch):
    from tutelage.errors import AssetMissing
    from tutelage.papers.library import encoding

    def missing(name):
        raise AssetMissing("not installed")

    monkeypatch.setattr(encoding, "open_encoder", missing)
    papers = Papers(Library(tmp_path / "p.sqlite", encoder=None), Evidence(tmp_path))
    serving.prepare_meaning(papers, None)
    found = papers.listing(Wanted("forgetting"))
    assert found.cards
    assert "tutelage assets install" in found.note


def test_the_library_is_kept_ready_until_the_page_ends(monkeypatch):
    monkeypatch.setattr(serving, "prepare_meaning", lambda *_: None)
    monkeypatch.setattr(serving, "_LOOK_SECONDS", 0.01)
    over, asked = threading.Event(), []

    class Prepared:
        def prepare(self):
            asked.append(len(asked))
            if len(asked) == 1:
                raise StoreError("the disk is full")
            if len(asked) == 3:
                over.set()

    serving.keep_ready(SimpleNamespace(library=Prepared()), None, over)
    assert asked == [0, 1, 2]


def test_runs_in_folders_are_shown_too(tmp_path):
    folder = tmp_path / "elsewhere" / "one"
    folder.mkdir(parents=True)
    facts = {"id": "r1", "command": "tutelage tune", "created": "2031-01-01T00:00:00Z"}
    (folder / "run.json").write_text(json.dumps(facts))
    (folder / "config.toml").write_text('method = "raft"\n[model]\nrevision = { none = true }\n')
    (folder / "metrics.jsonl").write_text('{"arm": "raft", "step": 1, "loss": 2.5, "kl/loss": 0.5}\nbroken\n')
    (folder / "report.json").write_text('{"headline": {"sentence": "Gained."}}')
    with Store(tmp_path / "s.sqlite") as store:
        problems = read_run_folders([folder.parent, tmp_path / "none"], store)
        run = store.run("r1")
        assert problems == [f"{tmp_path / 'none'}: there is no run here"]
        assert (run.status, run.summary["sentence"]) == ("done", "Gained.")
        assert run.config == {"method": "raft", "model": {"revision": None}}
        assert [(s.name, s.value) for s in store.metrics("r1")] == [("raft/kl/loss", 0.5), ("raft/loss", 2.5)]


def test_a_folder_that_is_no_run_is_named_and_the_others_are_read(tmp_path):
    for name, text in (
        ("a", "{}"),
        ("b", "[1]"),
        ("c", "not JSON"),
        ("d", '{"id": "d", "command": "c", "created": "t"}'),
        ("e", '{"id": "e", "command": "c", "created": "t", "job": "w2s"}'),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(text)
    with Store(tmp_path / "s.sqlite") as store:
        problems = read_run_folders([tmp_path], store)
        assert [run.id for run in store.runs()] == ["d"]
        assert len(problems) == 3


def test_help_needs_no_web_packages():
    code = (
        "import sys; from typer.testing import CliRunner; from tutelage.cli import app;"
        "found = CliRunner().invoke(app, ['serve', '--help']); assert found.exit_code == 0;"
        "heavy = {'starlette', 'uvicorn', 'torch', 'scipy', 'anyio'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_run_that_goes_on_is_read_anew(tmp_path):
    made = MadeUpSite(tmp_path, count=0)
    made.store.create_run("live", "tune", "/none", {}, "c")
    made.store.log("live", [(1, "raft/loss", 1.0), (2, "raft/loss", 2.0)])
    assert "step 2" in made.client.get("/run/live").text
    made.store.log("live", [(77, "raft/loss", 2.0)])
    assert "step 77" in made.client.get("/run/live").text
    made.close()
