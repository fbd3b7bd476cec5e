from __future__ import annotations

import json
import math
import threading
from pathlib import Path

import pytest

from tutelage.errors import DataError, StoreError
from tutelage.io import JsonlLog, append_jsonl, read_jsonl, write_jsonl
from tutelage.io import jsonl as module


def read(path: Path, data: bytes) -> list[tuple[int, object, str | None]]:
    path.write_bytes(data)
    return [(line.number, line.value, line.error) for line in read_jsonl(path)]


def test_good_lines_in_every_dress(tmp_path: Path) -> None:
    data = b'\xef\xbb\xbf{"a": 1}\r\n\n   \t\r\n[1, 2.5]\n"\xe2\x80\xa8 line separator inside"\nnull\n0'
    assert read(tmp_path / "a", data) == [
        (1, {"a": 1}, None),
        (4, [1, 2.5], None),
        (5, "\u2028 line separator inside", None),
        (6, None, None),
        (7, 0, None),
    ]
    assert read(tmp_path / "a", b"") == []


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e999}', "too large"),
        (b'{"a": ' + b"9" * 5000 + b"}", "4300"),
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b'{"b": {"c": 1, "c": 1}}', "'c' stands twice"),
        (b'{"a": "\xff"}', "not UTF-8: byte 0xff at position 7"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1} {"b": 2}', "Extra data"),
        (b'{"a": 1', "not JSON"),
        (b'"\x00"', "control character"),
        (b"\x00\x00", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_a_bad_line_is_named_and_its_neighbours_live(tmp_path: Path, line: bytes, reason: str) -> None:
    lines = read(tmp_path / "a", b"1\n" + line + b"\n3\n")
    assert [number for number, _, _ in lines] == [1, 2, 3]
    assert [value for _, value, _ in lines] == [1, None, 3]
    assert reason in str(lines[1][2])
    assert lines[0][2] is lines[2][2] is None


def test_a_torn_last_line_is_called_that(tmp_path: Path) -> None:
    assert "torn last line" in str(read(tmp_path / "a", b'{"a": 1}\n{"a": ')[1][2])
    assert "torn last line" in str(read(tmp_path / "a", '{"a": "ü'.encode()[:-1])[0][2])
    assert "torn" not in str(read(tmp_path / "a", b'{"a": \n')[0][2])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_other_encodings_never_pass_as_rows(tmp_path: Path, encoding: str) -> None:
    lines = read(tmp_path / "a", '\ufeff{"a": 1}\n{"b": 1}\n'.encode(encoding))
    assert lines
    assert all(error for _, _, error in lines)
    assert "UTF-16" in str(lines[0][2])


def test_an_endless_line_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINE_LIMIT", 100)
    monkeypatch.setattr(module, "_CHUNK", 7)
    exact = b'"' + b"x" * 97 + b'"\n'  # 100 bytes with its end
    lines = read(tmp_path / "a", exact + b"x" * 1000 + b"\n2\n" + b"y" * 101)
    assert [number for number, _, _ in lines] == [1, 2, 3, 4]
    assert [error is None for _, _, error in lines] == [True, False, True, False]
    assert "longer than" in str(lines[1][2])


def test_the_start_of_a_bad_line_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"bad \xff" + b"x" * 10_000 + b"\n")
    (line,) = read_jsonl(tmp_path / "a")
    assert line.raw.startswith("bad \ufffdxxx")
    assert len(line.raw) == 2000


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no such file"):
        list(read_jsonl(tmp_path / "missing"))


def test_write_and_read_back(tmp_path: Path) -> None:
    rows = [{"text": "ü\u2028\n\ud800", "n": [1, None, 2.5, -0.0]}, [], "x", None]
    assert write_jsonl(tmp_path / "sub" / "a", iter(rows)) == 4
    assert [line.value for line in read_jsonl(tmp_path / "sub" / "a")] == rows
    assert (tmp_path / "sub" / "a").read_bytes().count(b"\n") == 4
    assert write_jsonl(tmp_path / "sub" / "a", []) == 0
    assert (tmp_path / "sub" / "a").read_bytes() == b""


def test_a_bad_row_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_jsonl(path, [1])
    for write in (write_jsonl, append_jsonl):
        with pytest.raises(DataError, match="JSON"):
            write(path, [2, {"x": math.nan}])
    with JsonlLog(path) as log, pytest.raises(DataError, match="JSON"):
        log.append(2, math.inf)
    assert path.read_bytes() == b"1\n"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_append_ends_a_torn_line_first(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "a"
    append_jsonl(path, [1, 2])
    with path.open("ab") as stream:
        stream.write(b'{"to')
    append_jsonl(path, [])
    append_jsonl(path, [3], sync=True)
    assert path.read_bytes() == b'1\n2\n{"to\n3\n'


@pytest.mark.parametrize(
    ("found", "kept", "torn"),
    [
        (b"", b"", b""),
        (b"1\n", b"1\n", b""),
        (b"1\n{", b"1\n", b"{"),
        (b"{", b"", b"{"),
        (b"1\n{}", b"1\n{}\n", b""),
        (b"1\nx\n", b"1\nx\n", b""),
        (b"1\n" + b"x" * 3_000_000, b"1\n", b"x" * 3_000_000),
        ('1\n"ü'.encode()[:-1], b"1\n", b'"\xc3'),
    ],
)
def test_a_log_mends_its_end(tmp_path: Path, found: bytes, kept: bytes, torn: bytes) -> None:
    path = tmp_path / "log"
    path.write_bytes(found)
    with JsonlLog(path) as log:
        assert log.torn == torn
        assert path.read_bytes() == kept
        log.append({"a": 1}, {"b": 2})
        log.sync()
    assert path.read_bytes() == kept + b'{"a": 1}\n{"b": 2}\n'
    log.close()
    with pytest.raises(StoreError, match="closed"):
        log.append(1)


def test_rows_of_several_threads_do_not_mix(tmp_path: Path) -> None:
    def work(name: int) -> None:
        with JsonlLog(tmp_path / "log") as log:
            for i in range(50):
                log.append({"t": name, "i": i, "pad": "x" * 500})
                append_jsonl(tmp_path / "log", [{"t": name + 10, "i": i}])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = [(json.loads(line)["t"], json.loads(line)["i"]) for line in (tmp_path / "log").read_text().splitlines()]
    assert sorted(seen) == sorted((t + ten, i) for t in range(4) for ten in (0, 10) for i in range(50))
