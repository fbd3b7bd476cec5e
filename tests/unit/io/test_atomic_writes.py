from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tutelage.errors import CheckpointError, DataError, StoreError
from tutelage.io import (
    atomic_file,
    atomic_folder,
    clean_stale,
    verify_folder,
    write_bytes,
    write_json,
    write_text,
)


@pytest.mark.parametrize("name", ["plain", "with space", "ünï-文字-🙂", "a'b\"c;d", "-rf", "n" * 255, "é" * 127])
def test_names_that_a_file_system_takes(tmp_path: Path, name: str) -> None:
    write_text(tmp_path / name, "größe")
    assert (tmp_path / name).read_bytes() == "größe".encode()
    with atomic_folder(tmp_path / "folders" / name) as folder:
        write_text(folder / name, "x")
    verify_folder(tmp_path / "folders" / name)


@pytest.mark.parametrize("name", ["n" * 256, "é" * 128, "a\0b", "\ud800"])
def test_names_that_no_file_system_takes(tmp_path: Path, name: str) -> None:
    for write in (lambda p: write_bytes(p, b""), lambda p: atomic_folder(p).__enter__()):
        with pytest.raises(StoreError, match="name"):
            write(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_path_of_300_characters(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d" * 99] * 3)
    write_text(deep / "a", "x")
    assert (deep / "a").read_text() == "x"


def test_write_bytes_keeps_the_mode_and_replaces_a_link(tmp_path: Path) -> None:
    target, other = tmp_path / "a", tmp_path / "other"
    target.write_bytes(b"1")
    target.chmod(0o640)
    write_bytes(target, b"2")
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"2", 0o640)
    other.write_bytes(b"untouched")
    (tmp_path / "link").symlink_to(other)
    write_bytes(tmp_path / "link", b"3")
    assert not (tmp_path / "link").is_symlink()
    assert other.read_bytes() == b"untouched"


def test_new_files_follow_the_umask(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_bytes(tmp_path / "a", b"")
    finally:
        os.umask(old)
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o640


def test_a_folder_in_the_way_of_a_file_and_a_file_in_the_way_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="is a folder"):
        write_bytes(tmp_path / "folder", b"")
    with pytest.raises(StoreError, match="is a file"):
        write_bytes(tmp_path / "file" / "below", b"")
    with pytest.raises(StoreError, match="is a file"), atomic_folder(tmp_path / "file" / "below"):
        pass


def test_write_json_is_strict_and_keeps_the_order(tmp_path: Path) -> None:
    value = {"z": [1, 2.5, None, True], "a": {"ü": "\ud800"}}
    write_json(tmp_path / "a.json", value)
    back = json.loads((tmp_path / "a.json").read_bytes())
    assert back == value
    assert list(back) == ["z", "a"]


@pytest.mark.parametrize(
    ("value", "spot"),
    [
        ({"loss": [1.0, math.nan]}, ".loss[1]"),
        ({"a": {"b": math.inf}}, ".a.b"),
        ([{"x": {1, 2}}], "[0].x"),
        (-math.inf, "value"),
        ({"b": b"bytes"}, ".b"),
    ],
)
def test_what_json_cannot_say_is_named(tmp_path: Path, value: object, spot: str) -> None:
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(DataError) as caught:
        write_json(tmp_path / "a.json", value)
    assert caught.value.what.startswith(spot)
    assert caught.value.where == str(tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text() == "old"


def test_write_text_refuses_a_lone_surrogate(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="UTF-8"):
        write_text(tmp_path / "a", "\ud800")


def test_atomic_file_hands_out_a_sibling(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "sub" / "a") as temporary:
        assert temporary.parent == tmp_path / "sub"
        temporary.write_text("x")
        assert not (tmp_path / "sub" / "a").exists()
    assert (tmp_path / "sub" / "a").read_text() == "x"
    with pytest.raises(FileNotFoundError, match="elsewhere"), atomic_file(tmp_path / "b"):
        Path("/nonexistent/elsewhere").read_bytes()


def test_the_manifest_lists_every_file_with_its_hash(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "ck") as folder:
        (folder / "b" / "empty folder").mkdir(parents=True)
        (folder / "b" / "c").write_bytes(b"abc")
        (folder / "none").write_bytes(b"")
    manifest = json.loads((tmp_path / "ck" / "manifest.json").read_bytes())
    assert manifest == {
        "format": 1,
        "files": {
            "b/c": {"sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "bytes": 3},
            "none": {"sha256": hashlib.sha256().hexdigest(), "bytes": 0},
        },
    }
    assert (tmp_path / "ck" / "b" / "empty folder").is_dir()
    verify_folder(tmp_path / "ck")


@pytest.mark.parametrize("existing", ["empty folder", "full folder", "file", "dangling link"])
def test_atomic_folder_replaces_nothing(tmp_path: Path, existing: str) -> None:
    target = tmp_path / "ck"
    if existing == "file":
        target.write_text("x")
    elif existing == "dangling link":
        target.symlink_to(tmp_path / "nowhere")
    else:
        target.mkdir()
    if existing == "full folder":
        (target / "a").write_text("x")
    entered = False
    with pytest.raises(StoreError, match="there already"), atomic_folder(target):
        entered = True
    assert not entered
    assert [p.name for p in tmp_path.iterdir()] == ["ck"]


def test_a_folder_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    folder = atomic_folder(tmp_path / "ck")
    (folder.__enter__() / "mine").write_text("x")
    write_text(tmp_path / "ck" / "theirs", "y")
    with pytest.raises(StoreError, match="there already"):
        folder.__exit__(None, None, None)
    assert [p.name for p in (tmp_path / "ck").iterdir()] == ["theirs"]
    assert [p.name for p in tmp_path.iterdir()] == ["ck"]


def test_a_folder_takes_only_plain_files_and_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="plain files"), atomic_folder(tmp_path / "a") as folder:
        (folder / "link").symlink_to(tmp_path)
    with pytest.raises(StoreError, match="plain files"), atomic_folder(tmp_path / "a") as folder:
        os.mkfifo(folder / "pipe")
    with pytest.raises(StoreError, match="reserved"), atomic_folder(tmp_path / "a") as folder:
        (folder / "manifest.json").write_text("{}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"format": "1", "files": {}}',
        b'{"format": 2, "files": {}}',
        b'{"format": 1}',
        b'{"format": 1, "files": {"a": null}}',
        b'{"format": 1, "files": {"a": {"sha256": 3, "bytes": 1}}}',
        b'{"format": 1, "files": {"../outside": {"sha256": "", "bytes": 7}}}',
        b'{"format": 1, "files": {"/etc/hostname": {"sha256": "", "bytes": 7}}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_foreign_manifest_is_refused(tmp_path: Path, manifest: bytes) -> None:
    (tmp_path / "outside").write_text("outside")
    (tmp_path / "ck").mkdir()
    (tmp_path / "ck" / "manifest.json").write_bytes(manifest)
    with pytest.raises(CheckpointError, match="manifest"):
        verify_folder(tmp_path / "ck")


def test_missing_folder_and_missing_manifest(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such folder"):
        verify_folder(tmp_path / "a")
    (tmp_path / "a").mkdir()
    with pytest.raises(CheckpointError, match="no manifest"):
        verify_folder(tmp_path / "a")


def dead_process() -> int:
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    child.wait()
    return child.pid


def test_clean_stale_takes_the_strays_of_the_dead_only(tmp_path: Path) -> None:
    keep, outside = tmp_path / "keep", tmp_path / "outside"
    keep.write_text("x")
    outside.mkdir()
    (outside / "precious").write_text("x")
    dead = dead_process()
    (tmp_path / f".tmp-{dead}-aa").mkdir()
    (tmp_path / f".tmp-{dead}-aa" / "half").write_text("x")
    (tmp_path / f".tmp-{dead}-bb").write_text("x")
    (tmp_path / f".tmp-{dead}-link").symlink_to(outside)
    (tmp_path / f".tmp-{os.getpid()}-earlier-life").write_text("x")
    (tmp_path / ".tmp-odd").write_text("x")
    living = tmp_path / f".tmp-{os.getppid()}-cc"
    living.write_text("x")
    with atomic_folder(tmp_path / "new") as mine:
        removed = clean_stale(tmp_path)
        assert mine.is_dir()
    assert len(removed) == 5
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["keep", "outside", living.name, "new"])
    assert (outside / "precious").exists()
    assert clean_stale(tmp_path / "missing") == []
