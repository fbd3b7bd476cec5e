"""Logs of inspect in shapes that are hard to get from a small real run, made by hand; real ones are in another file."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tutelage.errors import DataError
from tutelage.measure.results import align_results, read_results


def header(**changes: Any) -> dict[str, Any]:
    spec = {"task": "quiz", "model": "m/one", "created": "2026-01-01", "config": {"epochs": changes.pop("epochs", 1)}}
    return {"version": 2, "status": "success", "eval": spec} | changes


def asked(name: object, value: Any = "C", **changes: Any) -> dict[str, Any]:
    return {
        "id": name,
        "epoch": 1,
        "input": f"question {name}",
        "target": "x",
        "output": {"choices": [{"message": {"role": "assistant", "content": f"answer {name}"}}]},
        "scores": {"match": {"value": value, "answer": "x"}},
        "metadata": {"topic": {"name": "law"}},
    } | changes


def document(folder: Path, *samples: dict[str, Any], name: str = "log.json", **changes: Any) -> Path:
    file = folder / name
    file.write_text(json.dumps(header(**changes) | {"samples": list(samples)}, indent=2))
    return file


def archive(folder: Path, *samples: dict[str, Any], members: dict[str, Any] | None = None, **changes: Any) -> Path:
    file = folder / "log.eval"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for sample in samples:
            packed.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
        for name, value in (members or {"header.json": header(**changes)}).items():
            packed.writestr(name, json.dumps(value))
    return file


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("C", 1), ("I", 0), ("P", 0.5), ("N", 0), ("yes", 1), ("No", 0), ("true", 1), ("FALSE", 0), ("0.25", 0.25),
        (True, 1), (False, 0), (7, 7), (0.5, 0.5), ("B+", np.nan), (None, np.nan), (float("nan"), np.nan),
        (float("inf"), np.nan), ("", np.nan), ("nan", np.nan),
    ],
)  # fmt: skip
def test_values_as_numbers(tmp_path: Path, value: Any, expected: float) -> None:
    table = read_results(document(tmp_path, asked("a"), asked("b", value))).tasks["quiz"]
    np.testing.assert_array_equal(table.values["match"], [1, expected])
    assert ("b" in table.missing) == np.isnan(expected)


def test_values_that_are_no_numbers_are_noted(tmp_path: Path) -> None:
    results = read_results(document(tmp_path, asked("a"), asked("b", "B+"), asked("c", "B+"), asked("d", "A")))
    assert any("3 values of match count as missing" in note and "'B+', 'A'" in note for note in results.notes)


def test_a_scorer_with_several_values_and_one_with_a_list(tmp_path: Path) -> None:
    scores = {"manners": {"value": {"polite": "C", "length": 3}}, "many": {"value": [1, 2]}}
    results = read_results(document(tmp_path, asked("a", scores=scores)))
    table = results.tasks["quiz"]
    assert {name: list(values) for name, values in table.values.items()} == {
        "manners.polite": [1],
        "manners.length": [3],
    }
    assert any("many left out" in note for note in results.notes)


def test_epochs_are_items_of_one_cluster(tmp_path: Path) -> None:
    samples = [asked(name, value, epoch=epoch) for name in ("a", "b") for epoch, value in ((1, "C"), (2, "I"))]
    table = read_results(archive(tmp_path, *samples, epochs=2)).tasks["quiz"]
    assert table.ids == ("a#1", "a#2", "b#1", "b#2")
    assert table.clusters == ("a", "a", "b", "b")
    assert table.asked is not None
    assert table.asked[0] == table.asked[1] != table.asked[2]


def test_broken_samples_are_missing_not_wrong(tmp_path: Path) -> None:
    results = read_results(
        document(
            tmp_path,
            asked("good"),
            asked("broken", scores=None, error={"message": "no network", "traceback": "..."}),
            asked("long", scores={}, limit={"type": "token", "limit": 10}),
            asked("void", invalidation={"reason": "leaked"}),
            asked("rescued", "I", error={"message": "late"}),
        )
    )
    table = results.tasks["quiz"]
    np.testing.assert_array_equal(table.values["match"], [1, np.nan, np.nan, np.nan, 0])
    assert table.missing == {
        "broken": "error: no network",
        "long": "stopped by the limit of token",
        "void": "declared invalid",
    }
    assert any("1 of 5 samples ended with an error" in note for note in results.notes)


@pytest.mark.parametrize(
    ("status", "said"), [("started", "never finished"), ("cancelled", "cancelled"), ("error", "boom")]
)
def test_logs_that_did_not_finish_say_so(tmp_path: Path, status: str, said: str) -> None:
    log = document(tmp_path, asked("a"), status=status, error={"message": "boom"} if status == "error" else None)
    assert any(said in note for note in read_results(log).notes)


def test_a_log_of_a_killed_run_has_only_a_journal(tmp_path: Path) -> None:
    start = {name: value for name, value in header().items() if name != "status"}
    results = read_results(archive(tmp_path, asked("a"), members={"_journal/start.json": start}))
    assert results.tasks["quiz"].ids == ("a",)
    assert any("never finished" in note for note in results.notes)


def test_the_last_of_two_members_of_one_name_counts(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        log = archive(tmp_path, asked("a", "I"), asked("a", "C"))
    np.testing.assert_array_equal(read_results(log).tasks["quiz"].values["match"], [1])


def test_a_sample_kept_in_parts(tmp_path: Path) -> None:
    """Large samples are a folder: a shell with the scores, and chunks of what happened."""
    shell = asked("big")
    del shell["metadata"]
    members = {
        "header.json": header(),
        "samples/big_epoch_1/sample.json": shell,
        "samples/big_epoch_1/metadata.json": {"topic": "art"},
        "samples/big_epoch_1/messages/0.json": [{"role": "user"}],
        "samples/big_epoch_1/events/stats.json": {},
    }
    results = read_results(archive(tmp_path, members=members), groups=["metadata.topic"])
    assert results.tasks["quiz"].ids == ("big",)
    assert results.tasks["quiz"].groups == {"topic": ("art",)}


def test_ids_with_slashes_are_ids(tmp_path: Path) -> None:
    assert read_results(archive(tmp_path, asked("a/b"), asked("a"))).tasks["quiz"].ids == ("a/b", "a")


def test_options_in_another_order_are_the_same_question(tmp_path: Path) -> None:
    def quiz(options: list[str], target: str, answer: str, name: str) -> Path:
        scores = {"choice": {"value": "C", "answer": answer}}
        return document(tmp_path, asked(1, choices=options, target=target, scores=scores), name=name)

    old = read_results(quiz(["iron", "water"], "A", "B", "old.json"))
    new = read_results(quiz(["water", "iron"], "B", "A", "new.json"))
    task = align_results(old, new).tasks[0]
    assert task.old.choices == task.new.choices == ("water",)
    assert task.old.targets == task.new.targets == ("iron",)
    other = read_results(quiz(["water", "iron"], "A", "A", "other.json"))
    with pytest.raises(DataError, match="asked different things"):
        align_results(old, other)


def test_texts_of_chats_parts_and_attachments(tmp_path: Path) -> None:
    chat = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "Why?"}]}]
    said = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "So."}]
    output = {"choices": [{"message": {"content": said}}]}
    log = document(
        tmp_path,
        asked("a", input=chat, output=output),
        asked("b", input="attachment://77", attachments={"77": "long text"}, output={"completion": "old log"}),
    )
    table = read_results(log).tasks["quiz"]
    assert table.prompts == ("system: Be brief.\nuser: Why?", "long text")
    assert table.outputs == ("[reasoning]\nSo.", "old log")


def test_metadata_as_breakdown(tmp_path: Path) -> None:
    log = document(tmp_path, asked("a"), asked("b", metadata={}))
    assert read_results(log).tasks["quiz"].groups == {}
    assert read_results(log, groups=["metadata.topic.name"]).tasks["quiz"].groups == {"name": ("law", "")}


def test_a_folder_of_logs(tmp_path: Path) -> None:
    document(tmp_path, asked("a", "I"), name="1.json")
    later = header() | {"samples": [asked("a", "C")]}
    later["eval"] = later["eval"] | {"created": "2026-03-01"}
    (tmp_path / "0.json").write_text(json.dumps(later, indent=2))
    results = read_results(tmp_path)
    np.testing.assert_array_equal(results.tasks["quiz"].values["match"], [1])
    assert any("passed over 1.json" in note for note in results.notes)
    later["eval"] = later["eval"] | {"model": "m/two", "task": "other"}
    (tmp_path / "2.json").write_text(json.dumps(later, indent=2))
    with pytest.raises(DataError, match="several models: m/one, m/two"):
        read_results(tmp_path)
