"""What is written is what is read; and no bytes at all get more than a clear error."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tutelage.errors import TutelageError
from tutelage.measure.results import (
    MetricFacts,
    Results,
    TaskResults,
    align_results,
    read_native,
    read_results,
    write_native,
)

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
words = st.text(max_size=12)
names = st.text(min_size=1, max_size=8).filter(str.strip)
numbers = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.0, 1.0, math.nan]))


@st.composite
def tables(draw: st.DrawFn, label: st.SearchStrategy[str] = words) -> TaskResults:
    ids = tuple(draw(st.lists(names, min_size=1, max_size=6, unique=True)))
    n = len(ids)

    def column(of: st.SearchStrategy[str]) -> tuple[str, ...]:
        return tuple(draw(st.lists(of, min_size=n, max_size=n)))

    metrics = draw(st.lists(names, min_size=1, max_size=3, unique=True))
    texts = {
        key: column(label) if draw(st.booleans()) else None
        for key in ("prompts", "targets", "outputs", "choices", "clusters", "asked")
    }
    return TaskResults(
        task=draw(names),
        ids=ids,
        values={m: np.array(draw(st.lists(numbers, min_size=n, max_size=n)), dtype=float) for m in metrics},
        metrics={m: MetricFacts(draw(st.booleans()), draw(words), draw(st.integers(1, 9))) for m in metrics},
        version=draw(words),
        groups={name: column(label) for name in draw(st.lists(names, max_size=2, unique=True))},
        missing={item: draw(words) for item in ids if draw(st.booleans())},
        **texts,
    )


def same(a: TaskResults, b: TaskResults) -> None:
    for field in ("task", "ids", "metrics", "version", "groups", "missing"):
        assert getattr(a, field) == getattr(b, field), field
    for field in ("prompts", "targets", "outputs", "choices", "clusters", "asked"):
        assert getattr(a, field) == getattr(b, field), field
    assert a.values.keys() == b.values.keys()
    for metric, values in a.values.items():
        np.testing.assert_array_equal(values, b.values[metric])


@QUICK
@given(tables())
def test_native_is_read_as_written(tmp_path: Path, table: TaskResults) -> None:
    file = tmp_path / "t.jsonl"
    write_native(file, table, {"name": "m"})
    again, system = read_native(file)
    same(table, again)
    assert system == {"name": "m"}
    same(table, read_results(file).tasks[table.task])


# a header cell holds no line end, and no mark at the file's start
cells = st.text(st.characters(codec="utf-8", exclude_characters="\ufeff"), max_size=12)
scores = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5)


@QUICK
@given(st.lists(st.tuples(names, cells, cells, cells), min_size=1, max_size=5, unique_by=lambda row: row[0]), st.data())
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_csv_is_read_as_written(
    tmp_path: Path, separator: str, rows: list[tuple[str, ...]], data: st.DataObject
) -> None:
    values = data.draw(st.lists(numbers, min_size=len(rows), max_size=len(rows)))
    values[0] = 0.25
    file = tmp_path / "t.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=separator)
        writer.writerow(["id", "prompt", "output", "group.topic", "exact"])
        writer.writerows(
            [*row, "" if math.isnan(value) else repr(value)] for row, value in zip(rows, values, strict=True)
        )
    table = read_results(file).tasks["results"]
    assert table.ids == tuple(row[0] for row in rows)
    assert table.prompts == tuple(row[1] for row in rows)
    assert table.outputs == tuple(row[2] for row in rows)
    assert table.groups == {"topic": tuple(row[3] for row in rows)}
    np.testing.assert_array_equal(table.values["exact"], values)
    assert set(table.missing) == {row[0] for row, value in zip(rows, values, strict=True) if math.isnan(value)}


@QUICK
@given(st.binary(max_size=200), st.sampled_from([b"", b"{", b"[", b"PK\x03\x04", b"id,acc\n", b'{"doc_id": 0,']))
def test_no_bytes_are_a_traceback(tmp_path: Path, tail: bytes, start: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(start + tail)
    try:
        read_results(file)
    except TutelageError as error:
        str(error).encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
SHAPES = {
    "native": [
        {"format": "tutelage-results", "version": 1, "task": "t", "metrics": {"m": {}}, "items": 1, "system": {}},
        {"id": "a", "scores": {"m": 1.0}, "groups": {"g": "x"}},
    ],
    "lm-eval": [
        {"doc_id": 0, "arguments": {"gen_args_0": {"arg_0": "q", "arg_1": " a"}, "gen_args_1": {"arg_0": "q"}},
         "resps": [[["-1", "False"]], [["-2", "False"]]], "filtered_resps": [["-1", "False"], ["-2", "False"]],
         "filter": "none", "metrics": ["acc"], "doc_hash": "d", "target_hash": "t", "target": "a", "acc": 1.0},
    ],
    "inspect": [
        {"version": 2, "status": "success", "eval": {"task": "t", "model": "m", "config": {"epochs": 2}},
         "results": {"completed_samples": 1}, "error": {"message": "x"},
         "samples": [{"id": 1, "epoch": 1, "input": [{"role": "user", "content": "q"}], "choices": ["a"], "target": "A",
                      "output": {"choices": [{"message": {"content": "A"}}]}, "metadata": {},
                      "scores": {"s": {"value": {"p": 1}, "answer": "A"}}, "attachments": {}}]},
    ],
}  # fmt: skip


def places(value: object, path: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The path to everything inside ``value``."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [found for key, part in parts for found in places(part, (*path, key))]


@settings(QUICK, max_examples=120)
@given(st.sampled_from(sorted(SHAPES)), st.data())
def test_any_value_in_any_place_is_read_or_refused(tmp_path: Path, shape: str, data: st.DataObject) -> None:
    rows = json.loads(json.dumps(SHAPES[shape]))
    path = data.draw(st.sampled_from(places(rows)))
    inside = rows
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = data.draw(json_values)
    file = tmp_path / "file.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    try:
        for table in read_results(file).tasks.values():
            assert all(np.isfinite(v) | np.isnan(v) for values in table.values.values() for v in values)
    except TutelageError as error:
        str(error).encode()


@QUICK
@given(tables(), st.randoms())
def test_alignment_is_a_join_in_the_old_order(table: TaskResults, random: object) -> None:
    order = list(range(len(table.ids)))
    random.shuffle(order)  # type: ignore[attr-defined]
    kept = order[: max(1, len(order) - 1)]

    def taken(rows: list[int]) -> TaskResults:
        texts = {
            key: None if getattr(table, key) is None else tuple(getattr(table, key)[row] for row in rows)
            for key in ("prompts", "targets", "outputs", "choices", "clusters", "asked")
        }
        return TaskResults(
            task=table.task,
            ids=tuple(table.ids[row] for row in rows),
            values={name: values[rows] for name, values in table.values.items()},
            metrics=table.metrics,
            version=table.version,
            groups={name: tuple(labels[row] for row in rows) for name, labels in table.groups.items()},
            missing={table.ids[row]: table.missing[table.ids[row]] for row in rows if table.ids[row] in table.missing},
            **texts,
        )

    old, new = Results("o", "o", {table.task: table}), Results("n", "n", {table.task: taken(kept)})
    aligned = align_results(old, new).tasks[0]
    expected = taken(sorted(kept))
    same(aligned.old, expected)
    same(aligned.new, expected)
    assert set(aligned.only_old) == set(table.ids) - set(expected.ids)
    assert aligned.only_new == ()
