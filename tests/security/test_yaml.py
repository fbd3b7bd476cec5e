"""YAML that attacks: tags, bombs, depth, duplicate keys; and text that must be left alone."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tutelage.config import load
from tutelage.errors import ConfigError


@dataclass(frozen=True)
class Box:
    a: Any = None
    rate: float = 0.0
    name: str = ""
    names: list[str] = field(default_factory=list)
    many: dict[str, Any] = field(default_factory=dict)


def parse(tmp_path: Path, text: str) -> Box:
    file = tmp_path / "box.yaml"
    file.write_bytes(text.encode())
    return load(Box, file).value


def bomb(levels: int, width: int) -> str:
    lines = ["many:", "  l0: &l0 [x]"]
    lines += [f"  l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * width)}]" for level in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a: !!python/object/apply:os.system ['touch canary']", "tags"),
        ("a: !!python/name:os.system", "tags"),
        ("a: !!python/object/new:type {}", "tags"),
        ("a: !!str 3", "tags"),
        ("a: !local 3", "tags"),
        ("a: ! 3", "tags"),
        ("!!map {a: 1}", "tags"),
        ("%TAG ! tag:yaml.org,2002:python/\n---\na: !name:os.system", "tags"),
        (bomb(9, 9), "aliases"),
        (bomb(7, 8), "aliases"),
        ("a: &x [" + "1," * 3000 + "]\nmany: {k: [" + ",".join(["*x"] * 20) + "]}", "expand"),
        ("a: &x [*x]", "expand"),
        ("a: &x {b: *x}", "expand"),
        ("a: " + "[" * 100_000, "deep"),
        ("a: " + "{b: " * 40 + "1" + "}" * 40, "deep"),
        ("\n".join(" " * i + "- " for i in range(50)), "deep"),
        ("a: 1\na: 2", "twice"),
        ("many: {x: 1, 'x': 2}", "twice"),
        ("a: 1\n<<: {rate: 1}", "merge"),
        ("? [1, 2]\n: 3", "plain text"),
        ("- a", "key: value"),
        ("just text", "key: value"),
        ("a: 1\n---\na: 2", "not YAML"),
        ("a: [1", "not YAML"),
        ("a: *nowhere", "not YAML"),
        ("a: \x07", "not YAML"),
        ("\ta: 1", "not YAML"),
        ("a: '" + "x" * 300_000 + "'", "256 KiB"),
    ],
)
def test_attacks_and_mistakes_are_refused_quickly(tmp_path: Path, text: str, word: str) -> None:
    start = time.process_time()
    with pytest.raises(ConfigError) as caught:
        parse(tmp_path, text)
    assert word in str(caught.value)
    assert "box.yaml" in str(caught.value.where)
    assert time.process_time() - start < 10.0
    assert not Path("canary").exists()


@pytest.mark.parametrize("text", ["${HOME}", "$HOME", "%HOME%", "{{ env.HOME }}", "~/x", "`id`", "$(id)"])
def test_references_are_left_alone(tmp_path: Path, text: str) -> None:
    assert parse(tmp_path, f"name: '{text}'").name == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-5", 1e-5),
        ("1E5", 1e5),
        ("'1e-5'", 1e-5),
        ("-.5", -0.5),
        ("3", 3.0),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
    ],
)
def test_numbers_for_a_float(tmp_path: Path, text: str, value: float) -> None:
    assert parse(tmp_path, f"rate: {text}").rate == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("off", "off"),
        ("true", True),
        ("False", False),
        ("null", None),
        ("", None),
        ("~", None),
        ("12:30:45", "12:30:45"),
        ("2020-01-01", "2020-01-01"),
        ("010", "010"),
        ("0x1f", 31),
        ("1_000", 1000),
        ("-0", 0),
        ("1.", 1.0),
        ("'3'", "3"),
        ("|\n  3\n", "3\n"),
        ("=", "="),
        ("9" * 5000, "9" * 5000),
        ("[1, [a]]", [1, ["a"]]),
        ("{b: {c: 1}}", {"b": {"c": 1}}),
    ],
)
def test_plain_scalars_hold_no_surprise(tmp_path: Path, text: str, value: object) -> None:
    parsed = parse(tmp_path, f"a: {text}").a
    assert parsed == value
    assert type(parsed) is type(value)


def test_modest_anchors_work(tmp_path: Path) -> None:
    assert parse(tmp_path, "names: &n [x, y]\na: *n").a == ["x", "y"]


def test_an_empty_document_is_all_defaults(tmp_path: Path) -> None:
    for text in ("", "# nothing\n", "---\n"):
        assert parse(tmp_path, text) == Box()
