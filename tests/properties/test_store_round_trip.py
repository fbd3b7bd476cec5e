"""Whatever is a number or plain JSON goes into the store and comes out the same."""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tutelage.io import content_hash, read_jsonl, write_jsonl
from tutelage.store import Store
from tutelage.store.encoding import decode, encode, number_text, text_safe
from tutelage.types import Scores

floats = st.floats(allow_nan=True, allow_infinity=True)
texts = st.text(st.characters(), max_size=10)  # lone surrogates included
clean = st.text(max_size=10)
keys = texts | st.sampled_from(["$float", "$", "$$float", "float"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | texts,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(keys, part, max_size=4),
    max_leaves=15,
)


@settings(max_examples=60, deadline=None)
@given(values)
@example({"$float": "NaN"})
@example([{"$float": math.nan}, -0.0])
def test_encoding_loses_nothing(value: Any) -> None:
    text = encode(value, "here")
    assert text.isascii()
    assert repr(decode(text)) == repr(value)


@settings(max_examples=40, deadline=None)
@given(values)
def test_exports_are_strict_json(value: Any) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    json.loads(json.dumps(text_safe(value), allow_nan=False), parse_constant=refuse)


@given(floats)
def test_a_number_as_text_reads_back(value: float) -> None:
    assert repr(float(number_text(value))) == repr(value)


@settings(max_examples=15, deadline=None)
@given(st.dictionaries(st.tuples(st.integers(-(2**63) + 1, 2**63 - 1), clean), floats, max_size=20))
def test_scalars_come_back(rows: dict[tuple[int, str], float]) -> None:
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder, "s.sqlite")) as store:
        store.create_run("r", "t", "x", {}, "c")
        store.log("r", [(step, name, value) for (step, name), value in rows.items()])
        back = {(row.step, row.name): row.value for row in store.metrics("r")}
    assert back.keys() == rows.keys()
    np.testing.assert_array_equal([back[key] for key in rows], list(rows.values()))


@settings(max_examples=15, deadline=None)
@given(st.dictionaries(clean, st.tuples(floats, clean, clean), max_size=10), st.booleans(), st.booleans())
def test_scores_come_back(items: dict[str, tuple[float, str, str]], grouped: bool, spoken: bool) -> None:
    scores = Scores(
        "m",
        tuple(items),
        np.array([value for value, _, _ in items.values()], dtype=np.float64),
        tuple(group for _, group, _ in items.values()) if grouped else None,
        tuple(output for _, _, output in items.values()) if spoken else None,
    )
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder, "s.sqlite")) as store:
        store.create_run("r", "t", "x", {}, "c")
        store.add_scores("r", "base", scores)
        back = store.scores("r", "base", "m")
    assert (back.ids, back.clusters, back.outputs) == (scores.ids, scores.clusters, scores.outputs)
    np.testing.assert_array_equal(back.values, scores.values)


finite = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda part: st.lists(part, max_size=4) | st.dictionaries(texts, part, max_size=4),
    max_leaves=10,
)


@settings(max_examples=40, deadline=None)
@given(st.lists(finite, max_size=5))
def test_json_lines_come_back(rows: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_jsonl(Path(folder, "a"), rows)
        lines = list(read_jsonl(Path(folder, "a")))
    assert [line.number for line in lines] == list(range(1, len(rows) + 1))
    assert repr([line.value for line in lines]) == repr(rows)


@settings(max_examples=40, deadline=None)
@given(finite, finite)
def test_equal_hashes_mean_equal_values(one: Any, other: Any) -> None:
    canonical = [json.dumps(value, sort_keys=True) for value in (one, other)]
    assert (content_hash(one) == content_hash(other)) == (canonical[0] == canonical[1])
    assert content_hash(one) == content_hash(json.loads(json.dumps(one)))


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_read_line_by_line(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "a").write_bytes(data)
        lines = list(read_jsonl(Path(folder, "a")))
    assert len({line.number for line in lines}) == len(lines)
    if not data.startswith((b"\xff\xfe", b"\xfe\xff")):
        rest = data.removeprefix(b"\xef\xbb\xbf")
        assert len(lines) == sum(bool(part.strip()) for part in rest.split(b"\n"))
    assert all((line.error is None) or line.value is None for line in lines)
