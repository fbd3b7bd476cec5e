from __future__ import annotations

import json
import math
import os
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tutelage.errors import DataError, RangeError, StoreError
from tutelage.io import read_jsonl
from tutelage.store import Artifact, Scalar, ScoreSet, Store
from tutelage.store.schema import SCHEMA_VERSION
from tutelage.types import Scores

CREATED = "2026-01-02T03:04:05+00:00"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "sub" / "ä store.sqlite")
    made.create_run("r1", "tune", "runs/r1", {"seed": 0}, ["tutelage", "tune", "a b"], CREATED)
    return made


def query(store: Store, sql: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(store.path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


def test_a_run_and_its_life(store: Store) -> None:
    run = store.run("r1")
    assert (run.id, run.kind, run.folder, run.status) == ("r1", "tune", "runs/r1", "running")
    assert (run.config, run.command, run.created, run.ended, run.summary) == (
        {"seed": 0},
        "tutelage tune 'a b'",
        CREATED,
        None,
        {},
    )
    store.update_run("r1", status="done", summary={"gain": math.nan, "n": np.int64(3), "pair": (1, 2.5)})
    run = store.run("r1")
    assert run.status == "done"
    assert run.ended is not None
    assert datetime.fromisoformat(run.ended).tzinfo == UTC
    assert math.isnan(run.summary["gain"])
    assert (run.summary["n"], run.summary["pair"]) == (3, [1, 2.5])
    store.update_run("r1", status="running")
    assert (store.run("r1").ended, store.run("r1").summary["n"]) == (None, 3)


@pytest.mark.parametrize("field", ["id", "kind", "folder", "created"])
@pytest.mark.parametrize("half", map(chr, (0xD800, 0xDCFF)))
def test_half_a_character_is_refused_with_a_reason(store: Store, field: str, half: str) -> None:
    facts = {"id": "r2", "kind": "tune", "folder": "runs/r2", "created": CREATED, field: f"a{half}"}
    with pytest.raises(DataError, match="no Unicode text: character 2") as caught:
        store.create_run(config={}, command="tutelage", **facts)
    str(caught.value).encode()
    assert caught.value.where == str(store.path)
    assert [run.id for run in store.runs()] == ["r1"]
    with pytest.raises(DataError, match="no Unicode text"):
        store.run(half)
    store.create_run("r2", "tune", "runs/r2", {}, f"tutelage {half}", CREATED)
    assert store.run("r2").command == f"tutelage {ascii(half)[1:-1]}"


def test_runs_come_newest_first_whatever_the_clock_says(store: Store) -> None:
    store.create_run("r0", "compare", Path("x"), {}, "c", datetime(1999, 1, 1, tzinfo=UTC))
    store.create_run("r2", "tune", "x", {}, "c")
    assert [run.id for run in store.runs()] == ["r2", "r0", "r1"]
    assert [run.id for run in store.runs(kind="tune")] == ["r2", "r1"]
    assert store.run("r0").created == "1999-01-01T00:00:00+00:00"


def test_values_that_json_has_no_word_for_come_back(store: Store) -> None:
    config = {"a": math.inf, "b": [-math.inf], "$c": {"$float": "NaN"}, "$float": 1, "$$d": {"$": None}, "ü": "\ud800"}
    store.create_run("r2", "tune", "x", config, "c")
    assert store.run("r2").config == config


@pytest.mark.parametrize("value", [{1: 2}, {"a": {1}}, {"a": b"x"}, {"a": object()}])
def test_what_cannot_be_stored_is_refused(store: Store, value: dict[str, object]) -> None:
    with pytest.raises(DataError, match="cannot be stored") as caught:
        store.update_run("r1", summary=value)
    assert "r1" in str(caught.value.where)


def test_refusals(store: Store) -> None:
    with pytest.raises(StoreError, match="a run 'r1' already"):
        store.create_run("r1", "tune", "x", {}, "c")
    with pytest.raises(RangeError, match="no status 'finished'"):
        store.update_run("r1", status="finished")  # type: ignore[arg-type]
    store.create_run("tune-one", "tune", "x", {}, "c")
    for call in (
        lambda: store.run("tune-two"),
        lambda: store.log("tune-two", [(1, "a", 1.0)]),
        lambda: store.metrics("tune-two"),
        lambda: store.metric_names("tune-two"),
        lambda: store.update_run("tune-two", status="done"),
        lambda: store.scores("tune-two", "base", "m"),
        lambda: store.score_sets("tune-two"),
        lambda: store.artifacts("tune-two"),
        lambda: store.add_artifact("tune-two", "a", "b", "c"),
        lambda: store.add_scores("tune-two", "base", Scores("m", (), np.zeros(0))),
    ):
        with pytest.raises(StoreError, match="no run 'tune-two'") as caught:
            call()
        assert caught.value.hint == "did you mean 'tune-one'?"


def test_scalars_and_repeated_steps(store: Store) -> None:
    store.log("r1", [(2, "loss", 1.5), (1, "loss", 2), (1, "ä", np.float32(0.5)), Scalar(np.int64(3), "loss", -1e308)])
    store.log("r1", [])
    store.log("r1", [(2, "loss", 1.25)])
    assert store.metrics("r1", "loss") == [(1, "loss", 2.0), (2, "loss", 1.25), (3, "loss", -1e308)]
    assert store.metrics("r1") == [*store.metrics("r1", "loss"), (1, "ä", 0.5)]
    assert store.metric_names("r1") == ["loss", "ä"]
    assert store.metrics("r1", "nothing") == []


@pytest.mark.parametrize(
    "row",
    [
        (1.5, "a", 1.0),
        ("x", "a", 1.0),
        (1, 2, 1.0),
        (1, "a", "x"),
        (1, "a", None),
        (1, "a"),
        3,
        (2**63, "a", 1),
        (True, "a", 1),
    ],
)
def test_one_bad_scalar_refuses_the_batch(store: Store, row: object) -> None:
    with pytest.raises(DataError, match="is not"):
        store.log("r1", [(1, "loss", 1.0), row])  # type: ignore[list-item]
    assert store.metrics("r1") == []


def test_scores_keep_everything(store: Store) -> None:
    full = Scores(
        "acc", ("b", "a"), np.array([0.5, np.nan]), ("g", "g"), ("x\0y", ""), higher_is_better=False, version=3
    )
    store.add_scores("r1", "base", Scores("acc", ("old",), np.ones(1)))
    store.add_scores("r1", "base", full)
    store.add_scores("r1", "after", Scores("acc", (), np.zeros(0)))
    back = store.scores("r1", "base", "acc")
    assert (back.ids, back.clusters, back.outputs) == (full.ids, full.clusters, full.outputs)
    assert (back.metric, back.version, back.higher_is_better) == ("acc", 3, False)
    np.testing.assert_array_equal(back.values, full.values)
    assert back.values.dtype == np.float64
    assert store.scores("r1", "after", "acc").clusters is None
    assert store.score_sets("r1") == [ScoreSet("base", "acc", 3, 2), ScoreSet("after", "acc", 1, 0)]
    assert query(store, "SELECT count(*) FROM scores") == [(2,)]
    with pytest.raises(StoreError, match="no scores base/f1") as caught:
        store.scores("r1", "base", "f1")
    assert caught.value.hint == "there are: base/acc, after/acc"


def test_artifacts_are_known_by_number(store: Store) -> None:
    first = store.add_artifact("r1", "report", Path("runs/r1/report.html"), "00")
    second = store.add_artifact("r1", "model", "m", "11")
    assert store.add_artifact("r1", "report", "elsewhere", "22") == first
    assert store.artifacts("r1") == [Artifact(first, "report", "elsewhere", "22"), Artifact(second, "model", "m", "11")]


def test_settings_of_the_database(store: Store) -> None:
    assert query(store, "PRAGMA journal_mode") == [("wal",)]
    assert query(store, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    tables = [sql for (sql,) in query(store, "SELECT sql FROM sqlite_master WHERE type = 'table'")]
    assert len(tables) == 5
    assert all("STRICT" in str(sql) for sql in tables)


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 1000])
def test_a_store_from_the_future_is_refused_and_untouched(store: Store, version: int) -> None:
    store.close()
    connection = sqlite3.connect(store.path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    before = store.path.read_bytes()
    with pytest.raises(StoreError, match=rf"newer Tutelage \(schema {version}; this version reads up to 1\)") as caught:
        Store(store.path)
    assert "upgrade" in str(caught.value.hint)
    assert store.path.read_bytes() == before


def test_other_files_are_refused_and_untouched(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("not a database, but long enough to have a header " * 10)
    with pytest.raises(StoreError, match="damaged or not a SQLite file"):
        Store(text)
    other = tmp_path / "other"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE runs (id)")
    connection.close()
    before = other.read_bytes()
    with pytest.raises(StoreError, match="not a store of Tutelage"):
        Store(other)
    assert other.read_bytes() == before
    with pytest.raises(StoreError, match="cannot be opened"):
        Store(tmp_path)
    with pytest.raises(StoreError, match="name"):
        Store(tmp_path / ("n" * 300))


def test_a_damaged_store_is_named(store: Store) -> None:
    store.log("r1", [(i, "loss", float(i)) for i in range(5000)])
    store.close()
    data = bytearray(store.path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    store.path.write_bytes(data)
    with pytest.raises(StoreError, match="damaged") as caught, Store(store.path) as broken:
        broken.metrics("r1")
    assert caught.value.where == str(store.path)


def test_default_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    with Store() as store:
        assert store.path == tmp_path / "home" / "store.sqlite"
    assert store.path.exists()


def test_exports_hold_what_the_store_holds(store: Store, tmp_path: Path) -> None:
    store.create_run("r2", "compare", "x", {"a": [math.inf]}, "c", CREATED)
    values = [1.5, math.nan, math.inf, -math.inf, 5e-324]
    store.log("r2", [(i, "loss", value) for i, value in enumerate(values)])
    store.log("r1", [(0, "loss", 2.0)])
    store.add_scores("r1", "base", Scores("acc", ("b", "a"), np.array([1.0, np.nan]), None, ("ü\n", "")))
    store.add_artifact("r2", "report", "p", "00")
    names = ["runs", "metrics", "scores", "artifacts"]

    files = store.export_jsonl(tmp_path / "out")
    assert [file.name for file in files] == [f"{name}.jsonl" for name in names]
    lines = {file.stem: [line.value for line in read_jsonl(file)] for file in files}
    tables = {file.stem: pq.read_table(file).to_pylist() for file in store.export_parquet(tmp_path / "out")}
    assert list(tables) == names

    back = [(row["run"], row["step"], row["name"], float(row["value"])) for row in lines["metrics"]]
    expected = [("r1", 0, "loss", 2.0), *(("r2", i, "loss", value) for i, value in enumerate(values))]
    assert repr(back) == repr(expected)
    assert repr([tuple(row.values()) for row in tables["metrics"]]) == repr(
        [(run, name_step, name, value) for run, name_step, name, value in expected]
    )
    assert lines["metrics"][2]["value"] == "NaN"
    assert [row["id"] for row in lines["runs"]] == [row["id"] for row in tables["runs"]] == ["r1", "r2"]
    assert lines["runs"][1]["config"] == {"a": ["Infinity"]}
    assert json.loads(tables["runs"][0]["config"]) == {"seed": 0}
    for scores in (lines["scores"], tables["scores"]):
        assert [(row["item"], row["output"], row["group"]) for row in scores] == [("b", "ü\n", None), ("a", "", None)]
        assert repr([float(row["value"]) for row in scores]) == "[1.0, nan]"
    assert lines["artifacts"] == tables["artifacts"] == [{"run": "r2", "name": "report", "path": "p", "sha256": "00"}]


def test_exports_of_an_empty_store(tmp_path: Path) -> None:
    with Store(tmp_path / "s.sqlite") as store:
        assert [file.read_bytes() for file in store.export_jsonl(tmp_path)] == [b""] * 4
        assert [pq.read_table(file).num_rows for file in store.export_parquet(tmp_path)] == [0] * 4


def test_a_backup_is_one_whole_file(store: Store, tmp_path: Path) -> None:
    store.log("r1", [(1, "loss", 1.0)])
    store.backup(tmp_path / "copies" / "copy.sqlite")
    assert [p.name for p in (tmp_path / "copies").iterdir()] == ["copy.sqlite"]
    with Store(tmp_path / "copies" / "copy.sqlite") as copy:
        assert copy.metrics("r1") == [(1, "loss", 1.0)]


def test_runs_of_the_dead_are_marked(store: Store) -> None:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            store.create_run("dead", "tune", "x", {}, "c")
            store.create_run("ended", "tune", "x", {}, "c")
            store.update_run("ended", status="failed")
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    copied = "INSERT INTO runs SELECT ?, ?, kind, folder, status, config, command, created, ended, summary, ? FROM runs"
    (here,) = (str(owner) for (owner,) in query(store, "SELECT owner FROM runs WHERE id = 'r1'"))
    with sqlite3.connect(store.path) as connection:  # one of another host, one whose process number lives again
        connection.execute(f"{copied} WHERE id = 'r1'", (90, "far", "another-host/1/5"))
        connection.execute(f"{copied} WHERE id = 'r1'", (91, "reborn", here + "0"))
    connection.close()
    assert store.mark_interrupted() == ["dead", "reborn"]
    assert {run.id: run.status for run in store.runs()} == {
        "r1": "running",
        "dead": "interrupted",
        "ended": "failed",
        "far": "running",
        "reborn": "interrupted",
    }
    assert store.mark_interrupted() == []
    store.update_run("dead", status="running")
    assert store.mark_interrupted() == []


def test_threads_share_a_store(store: Store) -> None:
    def work(name: str) -> None:
        for step in range(30):
            store.log("r1", [(step, name, 1.0)])
            store.metrics("r1", name)

    threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.metrics("r1")) == 120


def test_both_sides_of_a_fork_go_on(store: Store) -> None:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            store.log("r1", [(1, "child", 1.0)])
            store.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(pid, 0)[1] == 0
    store.log("r1", [(1, "parent", 1.0)])
    assert store.metric_names("r1") == ["child", "parent"]
    assert query(store, "PRAGMA integrity_check") == [("ok",)]


def test_a_closed_store_opens_itself_again(store: Store) -> None:
    store.close()
    store.close()
    assert store.run("r1").id == "r1"


def test_curves_are_the_metrics_as_arrays(tmp_path):
    with Store(tmp_path / "s.sqlite") as store:
        for name in ("one", "two"):
            store.create_run(name, "tune", tmp_path, {}, "c", "2031-01-01")
        store.log("one", [(2, "loss", 0.5), (1, "loss", float("nan")), (3, "loss", float("-inf")), (7, "a/é", 1.0)])
        store.log("two", [(9, "loss", 9.0)])
        found = store.curves("one")
        assert list(found) == ["a/é", "loss"]
        assert found["loss"].steps.tolist() == [1, 2, 3]
        np.testing.assert_array_equal(found["loss"].values, [np.nan, 0.5, -np.inf])
        rows = [(step, name, value) for name, line in found.items() for step, value in zip(*line, strict=True)]
        assert repr([tuple(row) for row in store.metrics("one")]) == repr([(int(s), n, float(v)) for s, n, v in rows])
        with pytest.raises(StoreError, match="no run"):
            store.curves("none")
