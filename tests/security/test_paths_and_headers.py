"""Paths that try to leave their folder and files that try to be more than numbers."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest

from tutelage.errors import CheckpointError, UnsafePathError
from tutelage.io import contained
from tutelage.io.tensors import load_tensors

ESCAPES = [
    "",
    "..",
    "../x",
    "a/../../x",
    "a/..",
    "a/../b",
    "..\\x",
    "a\\..\\..\\x",
    "/etc/passwd",
    "//host/share",
    "\\\\host\\share",
    "\\x",
    "C:\\x",
    "c:/x",
    "C:x",
    "a\0b",
    "\0",
    "\ud800",
    "./../x",
    "link/secret",
    "link",
    "loop",
    "loop/x",
    "good/up/secret",
]
HARMLESS = [
    "a",
    "a/b/c",
    "a//b",
    "./a",
    "...",
    "..a",
    "a..",
    "a/..b",
    "%2e%2e/x",
    "..%2fx",
    "ü 🙂",
    "inner/good",
    "~",
    "$HOME",
    "-x",
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (root / "good").mkdir(parents=True)
    (root / "link").symlink_to(outside)
    (root / "good" / "up").symlink_to("../../outside")
    (root / "inner").symlink_to(root)
    (root / "loop").symlink_to(root / "loop")
    return root


@pytest.mark.parametrize("relative", ESCAPES)
def test_every_escape_is_refused(root: Path, relative: str) -> None:
    with pytest.raises(UnsafePathError):
        contained(root, relative)


@pytest.mark.parametrize("relative", HARMLESS)
def test_harmless_paths_stay_inside(root: Path, relative: str) -> None:
    path = contained(root, relative)
    assert path.is_relative_to(root.resolve())
    assert path.is_absolute()


def test_a_sibling_with_the_same_prefix_is_outside(tmp_path: Path) -> None:
    (tmp_path / "root-other").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link").symlink_to(tmp_path / "root-other")
    with pytest.raises(UnsafePathError, match="outside"):
        contained(tmp_path / "root", "link/x")


def header(value: object, body: bytes = b"") -> bytes:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return len(text).to_bytes(8, "little") + text + body


def entry(start: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0" * 7,
        (2**63).to_bytes(8, "little") + b"{}",
        (2**40).to_bytes(8, "little") + b"{}",
        header(b"not json"),
        header(b"\xff\xfe"),
        header([]),
        header(b'{"a":' * 20_000),
        header({"a": entry(0, 8, [2]), "b": entry(4, 12, [2])}, b"\0" * 12),  # overlap
        header({"a": entry(0, 8, [2]), "b": entry(12, 20, [2])}, b"\0" * 20),  # hole
        header({"a": entry(0, 4096, [1024])}, b"\0" * 8),  # beyond the end
        header({"a": entry(8, 0, [2])}, b"\0" * 8),
        header({"a": entry(0, 8, [3])}, b"\0" * 8),  # shape and size differ
        header({"a": entry(0, 8, [2**62, 2**62])}, b"\0" * 8),
        header({"a": entry(0, 8, [-2])}, b"\0" * 8),
        header({"a": entry(0, 8, [2], "PICKLE")}, b"\0" * 8),
        header({"a": {"dtype": "F32"}}, b"\0" * 8),
        header({}, b"surplus"),
    ],
)
def test_malformed_headers_are_refused_by_name(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        load_tensors(path)
    assert caught.value.where == str(path)


class Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_is_never_executed(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Canary(tmp_path / "canary"), protocol))
    with pytest.raises(CheckpointError):
        load_tensors(path)
    assert not (tmp_path / "canary").exists()
