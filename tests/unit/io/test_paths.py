from __future__ import annotations

import hashlib
import math
from pathlib import Path

import pytest

from tutelage.errors import DataError, StoreError
from tutelage.io import content_hash, file_sha256, home


def test_content_hash_is_the_hash_of_canonical_json() -> None:
    value = {"b": [1, 2.5, None, True], "a": "ü"}
    text = '{"a":"\\u00fc","b":[1,2.5,null,true]}'
    assert content_hash(value) == hashlib.sha256(text.encode()).hexdigest()
    assert content_hash(dict(reversed(value.items()))) == content_hash(value)
    assert content_hash((1, (2,))) == content_hash([1, [2]])


def test_content_hash_tells_values_apart() -> None:
    values = [None, False, 0, 0.0, "", "0", [], {}, [0], [[0]], {"0": 0}, {"a": 1, "b": 2}, {"a": 2, "b": 1}, "\ud800"]
    assert len({content_hash(value) for value in values}) == len(values)


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": {1}}, b"x", {1: 0, "a": 0}])
def test_content_hash_refuses_what_json_cannot_say(value: object) -> None:
    with pytest.raises(DataError, match="canonical"):
        content_hash(value)


def test_file_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 3_000_000)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(b"x" * 3_000_000).hexdigest()
    for bad in (tmp_path / "missing", tmp_path):
        with pytest.raises(StoreError, match="cannot read"):
            file_sha256(bad)


def test_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "  "):
        monkeypatch.setenv("TUTELAGE_HOME", value)
        assert home() == tmp_path / ".local" / "share" / "tutelage"
    monkeypatch.delenv("TUTELAGE_HOME")
    assert home() == tmp_path / ".local" / "share" / "tutelage"
    monkeypatch.setenv("TUTELAGE_HOME", "~/elsewhere")
    assert home() == tmp_path / "elsewhere"
    monkeypatch.setenv("TUTELAGE_HOME", "relative")
    assert home() == Path.cwd() / "relative"
    assert not (tmp_path / "elsewhere").exists()
