"""Every system call of an atomic write is a place to die; the old state or the whole new one must be there after."""

from __future__ import annotations

import errno
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tutelage.errors import CheckpointError, StoreError
from tutelage.io import JsonlLog, atomic_folder, clean_stale, read_jsonl, verify_folder, write_bytes, write_jsonl

CALLS = ("write", "fsync", "replace")
OLD = b"old content"
NEW = b"new content, longer than the old"


def in_child(work: Callable[[], None], die_at: int = 0, half: bool = False) -> tuple[int, list[str]]:
    """Run ``work`` in a forked child that kills itself before the ``die_at``-th call, or, for a write, in the middle.

    Returns the child's wait status and the calls that it reached.
    """
    reader, writer = os.pipe()
    real_write = os.write
    pid = os.fork()
    if pid == 0:
        reached = 0

        def counting(name: str, real: Callable[..., object]) -> Callable[..., object]:
            def call(*args: object) -> object:
                nonlocal reached
                reached += 1
                real_write(writer, name.encode() + b"\n")
                if reached == die_at:
                    if half and name == "write":
                        real_write(args[0], bytes(args[1])[: len(args[1]) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*args)

            return call

        code = 1
        try:
            for name in CALLS:
                setattr(os, name, counting(name, getattr(os, name)))
            work()
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader) as stream:
        reached_calls = stream.read().split()
    return os.waitpid(pid, 0)[1], reached_calls


def test_the_order_is_write_flush_rename_flush(tmp_path: Path) -> None:
    status, calls = in_child(lambda: write_bytes(tmp_path / "a", NEW))
    assert status == 0
    assert calls == ["write", "fsync", "replace", "fsync"]


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("existed", [False, True])
def test_killed_at_every_call_of_a_file(tmp_path: Path, existed: bool, half: bool) -> None:
    target = tmp_path / "ä file.bin"
    _, calls = in_child(lambda: write_bytes(tmp_path / "dry", NEW))
    renamed = calls.index("replace") + 1
    for k in range(1, len(calls) + 1):
        target.unlink(missing_ok=True)
        if existed:
            target.write_bytes(OLD)
        status, _ = in_child(lambda: write_bytes(target, NEW), die_at=k, half=half)
        assert os.WTERMSIG(status) == signal.SIGKILL
        if k > renamed:
            assert target.read_bytes() == NEW
        else:
            assert (target.read_bytes() if target.exists() else None) == (OLD if existed else None)
        clean_stale(tmp_path)
        assert {p.name for p in tmp_path.iterdir()} <= {"dry", target.name}
        write_bytes(target, NEW)
        assert target.read_bytes() == NEW


def make_folder(target: Path) -> None:
    with atomic_folder(target) as folder:
        write_bytes(folder / "model.bin", NEW * 3)
        (folder / "sub").mkdir()
        (folder / "sub" / "state.json").write_text("{}")


def test_every_file_and_folder_is_flushed_before_the_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: set[int] = set()
    at_rename: list[set[int]] = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(handle: int) -> None:
        flushed.add(os.fstat(handle).st_ino)
        real_sync(handle)

    def replace(source: Path, target: Path) -> None:
        at_rename.append(set(flushed))
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "replace", replace)
    make_folder(tmp_path / "ck")
    inside = {path.stat().st_ino for path in [tmp_path / "ck", *(tmp_path / "ck").rglob("*")]}
    assert len(inside) == 5  # two files, the manifest, two folders
    assert inside <= at_rename[-1]
    assert tmp_path.stat().st_ino in flushed


@pytest.mark.parametrize("half", [False, True])
def test_killed_at_every_call_of_a_folder(tmp_path: Path, half: bool) -> None:
    status, calls = in_child(lambda: make_folder(tmp_path / "dry"))
    assert status == 0
    assert len(calls) >= 12  # two files and the manifest written, every file and folder flushed, one rename
    assert calls[-2:] == ["replace", "fsync"]
    complete = 0
    for k in range(1, len(calls) + 1):
        target = tmp_path / f"step-{k}"
        status, _ = in_child(lambda path=target: make_folder(path), die_at=k, half=half)
        assert os.WTERMSIG(status) == signal.SIGKILL
        if target.exists():
            verify_folder(target)
            complete += 1
        else:
            make_folder(target)
            verify_folder(target)
        assert all(stray.name.startswith(".tmp-") for stray in clean_stale(tmp_path))
        assert not list(tmp_path.glob(".tmp-*"))
    assert complete == 1  # only the flush of the parent folder comes after the rename


def test_killed_at_every_call_of_jsonl(tmp_path: Path) -> None:
    target = tmp_path / "rows.jsonl"
    write_jsonl(target, [{"old": 1}])
    rows = [{"row": i, "text": "x" * 1000} for i in range(1500)]  # two writes
    _, calls = in_child(lambda: write_jsonl(tmp_path / "dry", rows))
    assert calls.count("write") == 2
    for k in range(1, len(calls)):
        in_child(lambda: write_jsonl(target, rows), die_at=k, half=True)
        assert [line.value for line in read_jsonl(target)] == [{"old": 1}]


def test_log_killed_in_the_middle_of_a_row_loses_only_that_row(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"

    def work() -> None:
        with JsonlLog(path) as log:
            for step in range(10):
                log.append({"step": step})

    for k in range(1, 11):
        path.unlink(missing_ok=True)
        in_child(work, die_at=k, half=True)
        with JsonlLog(path) as log:
            assert log.torn == f'{{"step": {k - 1}}}\n'.encode()[:6]
            assert [line.value for line in log.rows()] == [{"step": step} for step in range(k - 1)]
            log.append({"step": "again"})
        assert [line.error for line in read_jsonl(path)] == [None] * k


def failing_write(code: int, after: int) -> Callable[..., int]:
    """An ``os.write`` that takes ``after`` bytes in all and then fails."""
    real, left = os.write, after

    def write(handle: int, data: bytes) -> int:
        nonlocal left
        if left <= 0:
            raise OSError(code, os.strerror(code))
        left -= (done := real(handle, bytes(data)[:left]))
        return done

    return write


@pytest.mark.parametrize("after", [0, 1, 10])
@pytest.mark.parametrize(
    ("code", "word"),
    [(errno.ENOSPC, "full"), (errno.EDQUOT, "quota"), (errno.EROFS, "read-only"), (errno.EIO, "input")],
)
def test_disk_fault_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, word: str, after: int
) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(OLD)
    monkeypatch.setattr(os, "write", failing_write(code, after))
    with pytest.raises(StoreError, match=word) as caught:
        write_bytes(target, NEW)
    assert caught.value.where == str(target)
    assert caught.value.hint
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
    assert target.read_bytes() == OLD


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_fault_after_the_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(OLD)

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(StoreError, match="full"):
        write_bytes(target, NEW)
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
    assert target.read_bytes() == OLD


def test_disk_full_inside_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(tmp_path / "step-1")
    monkeypatch.setattr(os, "write", failing_write(errno.ENOSPC, 40))
    with pytest.raises(StoreError, match="full"):
        make_folder(tmp_path / "step-2")
    assert [p.name for p in tmp_path.iterdir()] == ["step-1"]
    verify_folder(tmp_path / "step-1")


def test_disk_full_reported_by_another_writer_in_a_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="full") as caught, atomic_folder(tmp_path / "step-2"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.where == str(tmp_path / "step-2")
    assert list(tmp_path.iterdir()) == []


def test_disk_full_keeps_a_log_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with JsonlLog(tmp_path / "log.jsonl") as log:
        log.append({"step": 1})
        monkeypatch.setattr(os, "write", failing_write(errno.ENOSPC, 5))
        with pytest.raises(StoreError, match="full"):
            log.append({"step": 2})
        monkeypatch.undo()
        log.append({"step": 3})
        assert [line.value for line in log.rows()] == [{"step": 1}, {"step": 3}]


def test_a_real_limit_of_the_kernel(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(OLD)

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        with pytest.raises(StoreError, match="larger than"):
            write_bytes(target, b"x" * 10_000)

    status, calls = in_child(work)
    assert status == 0
    assert calls == ["write", "write"]  # the first one is cut at the limit, the second one fails
    assert [p.name for p in tmp_path.iterdir()] == ["a.bin"]
    assert target.read_bytes() == OLD


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="permission"):
            write_bytes(tmp_path / "a", NEW)
        with pytest.raises(StoreError, match="permission"), atomic_folder(tmp_path / "b"):
            pass
    finally:
        tmp_path.chmod(0o700)


def test_refusal_by_the_system_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StoreError, match="permission denied") as caught:
        write_bytes(tmp_path / "a", NEW)
    assert "may write" in str(caught.value)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, MemoryError])
def test_an_error_of_the_block_passes_and_leaves_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    def work() -> None:
        with atomic_folder(tmp_path / "a") as folder:
            (folder / "half").write_text("x")
            raise error

    with pytest.raises(error):
        work()
    assert list(tmp_path.iterdir()) == []


DAMAGES = {
    "missing": "is missing",
    "empty": "is truncated: 0 of",
    "cut": "is truncated",
    "bit": "was changed",
    "longer": "is longer",
    "link": "outside the folder",
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["model.bin", "sub/state.json"])
def test_every_damage_is_found_and_named(tmp_path: Path, name: str, damage: str) -> None:
    make_folder(tmp_path / "ck")
    file = tmp_path / "ck" / name
    data = bytearray(file.read_bytes())
    if damage == "bit":
        data[len(data) // 2] ^= 1
    changed = {"empty": b"", "cut": bytes(data[:-1]), "bit": bytes(data), "longer": bytes(data) + b" "}
    file.unlink()
    if damage == "link":
        (tmp_path / "elsewhere").write_bytes(bytes(data))
        file.symlink_to(tmp_path / "elsewhere")
    elif damage != "missing":
        file.write_bytes(changed[damage])
    with pytest.raises(CheckpointError) as caught:
        verify_folder(tmp_path / "ck")
    assert name in str(caught.value)
    assert DAMAGES[damage] in caught.value.what


def test_a_manifest_cut_anywhere_is_refused(tmp_path: Path) -> None:
    make_folder(tmp_path / "ck")
    marker = tmp_path / "ck" / "manifest.json"
    whole = marker.read_bytes()
    for size in range(len(whole) - 1):  # the last byte is only the line end
        marker.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match="manifest"):
            verify_folder(tmp_path / "ck")
