"""Several writers at once, readers beside them, and writers killed in the middle."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tutelage.errors import StoreError
from tutelage.io import sqlite as module
from tutelage.store import Store

BATCH = 20


def start(work: Callable[[], object]) -> int:
    """Run ``work`` in a forked child; its process number."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return pid


def write_batches(path: Path, name: str, batches: int) -> None:
    with Store(path) as store:
        for batch in range(batches):
            store.log("r", [(batch * BATCH + i, name, float(batch)) for i in range(BATCH)])


def new_store(path: Path) -> Store:
    store = Store(path)
    store.create_run("r", "tune", "x", {}, "c")
    return store


def integrity(path: Path) -> str:
    connection = sqlite3.connect(path)
    try:
        return str(connection.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        connection.close()


@pytest.mark.parametrize("batches", [40, pytest.param(2000, marks=pytest.mark.slow)])
def test_four_processes_lose_nothing_and_a_reader_sees_whole_batches(tmp_path: Path, batches: int) -> None:
    path = tmp_path / "s.sqlite"
    with new_store(path) as store:
        writers = {start(partial(write_batches, path, f"w{i}", batches)) for i in range(4)}
        torn = looks = 0
        while writers:
            rows = store.metrics("r")
            torn += len(rows) % BATCH != 0
            looks += len(rows) < 4 * batches * BATCH
            for pid in list(writers):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    assert status == 0
                    writers.remove(pid)
        assert looks > 0
        assert torn == 0
        for i in range(4):
            assert [row.step for row in store.metrics("r", f"w{i}")] == list(range(batches * BATCH))
    assert integrity(path) == "ok"


def test_four_processes_may_make_the_store_together(tmp_path: Path) -> None:
    path = tmp_path / "s.sqlite"
    makers = [start(lambda i=i: Store(path).create_run(str(i), "t", "x", {}, "c")) for i in range(4)]
    assert [os.waitpid(pid, 0)[1] for pid in makers] == [0] * 4
    with Store(path) as store:
        assert sorted(run.id for run in store.runs()) == ["0", "1", "2", "3"]


def killed_after(path: Path, name: str, delay: float) -> None:
    """Fork a writer that logs batches without end, and kill it."""
    pid = start(partial(write_batches, path, name, 10**9))
    time.sleep(delay)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.mark.parametrize("rounds", [8, pytest.param(100, marks=pytest.mark.slow)])
def test_killed_writers_leave_whole_batches(tmp_path: Path, rounds: int) -> None:
    path = tmp_path / "s.sqlite"
    written = 0
    with new_store(path) as store:
        for k in range(rounds):
            killed_after(path, f"k{k}", 0.03 + 0.0017 * k)
            rows = store.metrics("r", f"k{k}")
            assert len(rows) % BATCH == 0
            assert [row.step for row in rows] == list(range(len(rows)))
            written += len(rows)
    assert written > 0
    assert integrity(path) == "ok"


def test_a_store_that_stays_busy_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.1)
    with new_store(tmp_path / "s.sqlite") as store:
        holder = sqlite3.connect(store.path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another process has kept the store busy"):
            store.log("r", [(1, "loss", 1.0)])
        assert store.metrics("r") == []  # readers are not held up
        holder.execute("ROLLBACK")
        holder.close()
        store.log("r", [(1, "loss", 1.0)])
        assert len(store.metrics("r")) == 1


def test_a_full_database_keeps_the_old_state(tmp_path: Path) -> None:
    with new_store(tmp_path / "s.sqlite") as store:
        store.log("r", [(1, "loss", 1.0)])
        connection = store._database._connection
        assert connection is not None
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match="disk is full"):
            store.log("r", [(i, "loss", 2.0) for i in range(100_000)])
        assert [tuple(row) for row in store.metrics("r")] == [(1, "loss", 1.0)]
        connection.execute("PRAGMA max_page_count = 1000000")
        store.log("r", [(2, "loss", 2.0)])
        assert len(store.metrics("r")) == 2
