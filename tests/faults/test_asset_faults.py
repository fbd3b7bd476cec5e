"""Installs that are killed, run out of disk, or watch a client that moves its files about."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from made_up_assets import Kit
from tutelage import assets
from tutelage.assets import fetch, installation
from tutelage.assets.fetch import _reason, _size
from tutelage.errors import AssetError, StoreError

HOLDER = """
import sys, time
from tutelage.assets import installation
from tutelage.io.atomic import atomic_folder
from rich.console import Console
root = installation.assets_home()
with installation._lock(Console()), atomic_folder(root / "quiz") as folder:
    (folder / "half").write_text("x")
    print("holding", flush=True)
    time.sleep(60)
"""


def test_a_killed_installer_frees_the_lock_and_its_remains_are_cleared(kit: Kit) -> None:
    child = subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert child.stdout is not None
    assert child.stdout.readline() == "holding\n"
    root = kit.home / "assets"
    assert list(root.glob(".tmp-*"))
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert not assets.is_installed("quiz")
    started = time.monotonic()
    assert assets.install("quiz").made == ("quiz",)
    assert time.monotonic() - started < 20
    assert not list(root.glob(".tmp-*"))


@pytest.mark.parametrize("where", ["copyfileobj", "write_json"])
def test_a_full_disk_leaves_nothing_half_made(kit: Kit, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assets.install("exam")
    target = "tutelage.assets.archive.shutil.copyfileobj" if where == "copyfileobj" else "write_json"
    if where == "copyfileobj":
        monkeypatch.setattr(target, full)
    else:
        monkeypatch.setattr(installation, target, full)
    with pytest.raises(StoreError, match="disk is full"):
        assets.install("quiz")
    monkeypatch.undo()
    monkeypatch.setenv("TUTELAGE_HOME", str(kit.home))
    assert not (kit.home / "assets" / "quiz").exists()
    assert not list((kit.home / "assets").rglob(".tmp-*"))
    assert (kit.home / "assets" / "exam" / "manifest.json").is_file()


def test_a_home_that_is_a_file_is_named(kit: Kit) -> None:
    kit.home.parent.mkdir(exist_ok=True)
    kit.home.write_text("a file")
    with pytest.raises(StoreError, match=r"not a folder|is there already"):
        assets.install("quiz")


def test_counting_the_bytes_of_a_download_survives_vanishing_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"12345")
    assert _size(tmp_path) == 10
    real = os.scandir

    def vanishing(path):
        if os.fspath(path).endswith("b"):
            raise FileNotFoundError(errno.ENOENT, "gone", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", vanishing)
    assert _size(tmp_path) == 5


def test_a_client_that_brings_something_else_is_named(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUTELAGE_ASSETS")
    monkeypatch.setattr(fetch, "_download", lambda d, work, progress: (work / "other-9.whl").write_bytes(b"x"))
    with pytest.raises(AssetError, match=r"other-9\.whl came instead of made_up_quiz-1\.0-py3-none-any\.whl"):
        assets.install("quiz")


def test_a_client_that_brings_a_changed_file_is_refused(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUTELAGE_ASSETS")
    monkeypatch.setattr(fetch, "_download", lambda d, work, progress: (work / d.archive).write_bytes(b"changed"))
    with pytest.raises(AssetError, match="not the pinned archive") as caught:
        assets.install("quiz")
    assert assets.get("quiz").distribution.sha256 in str(caught.value)
    assert list((kit.home / "assets" / "archives").iterdir()) == []


def test_what_the_client_said_is_cut_to_what_matters() -> None:
    retry = "WARNING: Retrying after connection broken by 'Failed to resolve host': /simple/x/\n"
    said = _reason(retry * 5 + "ERROR: No matching distribution found for x==1\n")
    assert said == "the network did not answer; ERROR: No matching distribution found for x==1"
    assert _reason("one\ntwo\n\nthree\nfour") == "two; three; four"
    assert _reason("") == "it said nothing"
    assert len(_reason("ERROR " + "x" * 5000)) == 200


def test_a_conversion_that_fails_says_why(kit: Kit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "bad.gguf").write_bytes(b"not a model")
    monkeypatch.setattr(installation.sys, "executable", "/bin/false")
    with pytest.raises(AssetError, match="could not be converted \\(exit status 1\\)") as caught:
        installation._convert(assets.get("encoder"), tmp_path / "bad.gguf", tmp_path)
    assert caught.value.where == "encoder"
