"""One kind of file, opened by anybody at any time: made once, brought up to date once, refused when it is another's."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tutelage.errors import StoreError
from tutelage.io.sqlite import Schema

FIRST = Schema(
    "box of kites",
    0x4B495445,
    ("CREATE TABLE kites (name TEXT NOT NULL) STRICT",),
    damaged="buy new kites",
    hint="hold the string",
    settings=("PRAGMA foreign_keys = ON",),
    functions={"shout": str.upper},
)
COLOUR = "ALTER TABLE kites ADD COLUMN colour TEXT NOT NULL DEFAULT 'red'"
THIRD = replace(
    FIRST,
    tables=("CREATE TABLE kites (name TEXT NOT NULL, colour TEXT NOT NULL DEFAULT 'red', tail INTEGER) STRICT",),
    upgrades=((COLOUR,), ("ALTER TABLE kites ADD COLUMN tail INTEGER",)),
)


def columns(connection):
    return [row[1] for row in connection.execute("PRAGMA table_info (kites)")]


def test_settings_and_functions_are_of_every_connection(tmp_path):
    for _ in range(2):
        connection = FIRST.connect(tmp_path / "deep" / "kites")
        assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
        assert connection.execute("SELECT shout('ho')").fetchone() == ("HO",)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        connection.close()


def test_an_old_file_is_brought_up_to_date_and_keeps_its_rows(tmp_path):
    path = tmp_path / "kites"
    connection = FIRST.connect(path)
    connection.execute("INSERT INTO kites VALUES ('delta')")
    connection.close()
    for _ in range(2):
        connection = THIRD.connect(path)
        assert columns(connection) == ["name", "colour", "tail"]
        assert connection.execute("SELECT * FROM kites").fetchall() == [("delta", "red", None)]
        assert connection.execute("PRAGMA user_version").fetchone() == (3,)
        connection.close()
    with pytest.raises(StoreError, match=r"newer Tutelage \(schema 3; this version reads up to 1\)"):
        FIRST.connect(path)


def test_an_upgrade_that_fails_changes_nothing(tmp_path):
    path = tmp_path / "kites"
    FIRST.connect(path).close()
    broken = replace(THIRD, upgrades=((COLOUR, "ALTER TABLE boats ADD COLUMN sail"),))
    with pytest.raises(StoreError) as caught:
        broken.connect(path)
    assert caught.value.hint == "hold the string"
    connection = FIRST.connect(path)
    assert columns(connection) == ["name"]
    connection.close()


@pytest.mark.parametrize("old", [False, True])
def test_many_that_open_at_once_make_or_upgrade_it_once(tmp_path, old):
    path = tmp_path / "kites"
    if old:
        FIRST.connect(path).close()
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: THIRD.connect(path), range(8)))
    assert [columns(connection) for connection in opened] == [["name", "colour", "tail"]] * 8
    for connection in opened:
        connection.close()


def test_another_kind_of_file_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "kites"
    FIRST.connect(path).close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a box of boats of Tutelage"):
        replace(FIRST, name="box of boats", application=7).connect(path)
    assert path.read_bytes() == before
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreError, match="damaged") as caught:
        FIRST.connect(path)
    assert caught.value.hint == "buy new kites"


def test_a_transaction_is_kept_whole_or_not_at_all(tmp_path):
    path = tmp_path / "kites"
    connection = FIRST.connect(path)
    with FIRST.transaction(connection, path):
        connection.execute("INSERT INTO kites VALUES ('delta')")

    def stop():
        raise KeyboardInterrupt

    def broken(then):
        with FIRST.transaction(connection, path):
            connection.execute("INSERT INTO kites VALUES ('box')")
            then()

    with pytest.raises(KeyboardInterrupt):
        broken(stop)
    with pytest.raises(StoreError, match="no such table"):
        broken(lambda: connection.execute("INSERT INTO boats VALUES ('box')"))
    assert connection.execute("SELECT name FROM kites").fetchall() == [("delta",)]
    connection.close()
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)
