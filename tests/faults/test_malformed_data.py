"""Malformed data files: each gives one clear error, or sets bad rows aside with line and reason. Never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from malformed_data import CHATS, GOOD, JSONL, TABLES, WHOLE, Case, row

from tutelage.data import load_dataset_rows, write_rejected
from tutelage.errors import DataError


def write(folder: Path, case: Case) -> Path:
    path = folder / case.file
    path.write_bytes(case.content() if callable(case.content) else case.content)
    return path


@pytest.mark.parametrize("case", [*JSONL, *CHATS, *TABLES], ids=lambda case: case.name)
def test_bad_rows_are_set_aside_with_line_and_reason(case: Case, tmp_path: Path) -> None:
    report = load_dataset_rows(write(tmp_path, case), case.options)
    assert len(report.rows) == case.good
    assert [(bad.line, bad.reason) for bad in report.rejected] == list(case.aside)
    for bad in report.rejected:
        assert len(bad.raw.encode()) <= 2_000
        assert len(bad.detail) > 8
    count = write_rejected(tmp_path / "rejected.jsonl", report.rejected)
    lines = (tmp_path / "rejected.jsonl").read_text("utf-8").splitlines()
    assert count == len(lines) == len(case.aside)
    assert [json.loads(line)["line"] for line in lines] == [line for line, _ in case.aside]


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.name)
def test_a_file_that_is_no_use_gives_one_clear_error(case: Case, tmp_path: Path) -> None:
    path = write(tmp_path, case)
    with pytest.raises(DataError) as caught:
        load_dataset_rows(path, case.options)
    error = caught.value
    assert case.says is not None
    assert case.says in error.what
    assert error.where is not None
    assert error.where.startswith(str(path))
    assert error.hint
    assert case.cure in error.hint


def test_there_are_at_least_forty_cases() -> None:
    names = [case.name for case in [*JSONL, *CHATS, *WHOLE, *TABLES]]
    assert len(set(names)) == len(names) >= 40


def test_missing_file_and_foreign_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load_dataset_rows(tmp_path / "nowhere.jsonl")
    (tmp_path / "readme.md").write_text("x")
    with pytest.raises(DataError, match="save_to_disk"):
        load_dataset_rows(tmp_path)


def test_damaged_saved_dataset(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    (tmp_path / "dataset_info.json").write_text("{}")
    with pytest.raises(DataError, match="saved dataset cannot be read") as caught:
        load_dataset_rows(tmp_path)
    assert "save_to_disk" in str(caught.value.hint)


def test_line_of_json_error_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'[\n{"prompt": "a", "completion": "b"},\n{"prompt": oops}\n]')
    with pytest.raises(DataError) as caught:
        load_dataset_rows(path)
    assert caught.value.where == f"{path}:3"


def test_rejected_raw_of_binary_is_readable(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(GOOD + b"\xff" * 10_000 + b"\n")
    report = load_dataset_rows(path)
    assert report.rejected[0].reason == "not_utf8"
    assert 0 < len(report.rejected[0].raw.encode()) <= 2_000


def test_many_foreign_rows_end_early(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(row(foo=1) * 1_500)
    with pytest.raises(DataError, match="columns found: 'foo'") as caught:
        load_dataset_rows(path)
    assert caught.value.where == f"{path}:1000"
