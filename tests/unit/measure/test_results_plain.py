"""Files that users write, and how results find each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tutelage.errors import DataError
from tutelage.measure.results import MetricFacts, Results, TaskResults, align_results, read_results, write_native


def text(folder: Path, content: str, name: str = "r.csv") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode())
    return file


def jsonl(folder: Path, *rows: dict[str, Any], name: str = "r.jsonl") -> Path:
    return text(folder, "".join(json.dumps(row) + "\n" for row in rows), name)


@pytest.mark.parametrize(
    "content",
    [
        "id,exact,note\n1,1,x\n2,0,\n3,,y\n",
        "id;exact;note\n1;true;x\n2;False;\n3;;y\n",
        "id\texact\tnote\n1\t1.0\tx\n2\t0.0\t\n3\t \ty\n",
        "\ufeffid,exact,note\r\n1,TRUE,x\r\n2,0,\r\n3,,y\r\n",
        '"id","exact","note"\n"1","1","x, and\nmore ""so"""\n"2","0",""\n"3","","y"\n',
        "note,exact,ID\nx,1,1\n,0,2\ny,,3\n",
    ],
)
def test_dialects_of_csv(tmp_path: Path, content: str) -> None:
    results = read_results(text(tmp_path, content))
    table = results.tasks["results"]
    assert table.ids == ("1", "2", "3")
    np.testing.assert_array_equal(table.values["exact"], [1, 0, np.nan])
    assert table.missing == {"3": "no score of exact"}
    assert any("scores are exact" in note for note in results.notes)
    assert any("passed over: note" in note for note in results.notes)


def test_json_lines_and_an_array_say_the_same(tmp_path: Path) -> None:
    chat = [{"role": "user", "content": "hi"}]
    rows = [
        {"id": 1, "exact": True, "scores": {"f1": 0.5}, "groups": {"topic": "law"}, "output": chat},
        {"id": "b", "exact": False, "scores": {"f1": None}, "groups": {"topic": "art"}},
    ]  # fmt: skip
    first = read_results(jsonl(tmp_path, *rows)).tasks["results"]
    second = read_results(text(tmp_path, json.dumps(rows, indent=1), "r.json")).tasks["results"]
    for table in (first, second):
        assert table.ids == ("1", "b")
        assert list(table.values["exact"]) == [1, 0]
        np.testing.assert_array_equal(table.values["f1"], [0.5, np.nan])
        assert table.groups == {"topic": ("law", "art")}
        assert table.outputs == ("hi", "")


def test_what_is_a_score(tmp_path: Path) -> None:
    rows = [
        {
            "id": i,
            "acc": i % 2,
            "answer": 4,
            "index": i,
            "model": "m",
            "target": 7,
            "words": "3",
            "mixed": "x" if i else 1,
        }
        for i in range(4)
    ]
    results = read_results(jsonl(tmp_path, *rows))
    table = results.tasks["results"]
    assert tuple(table.metrics) == ("acc",)
    assert table.targets == ("7",) * 4
    assert any("passed over: answer, index, model, words, mixed" in note for note in results.notes)


def test_seeds_are_items_of_one_cluster(tmp_path: Path) -> None:
    table = read_results(text(tmp_path, "id,seed,acc\na,1,1\na,2,0\nb,1,1\n")).tasks["results"]
    assert table.ids == ("a#1", "a#2", "b#1")
    assert table.clusters == ("a", "a", "b")


def test_items_without_a_cluster_are_their_own(tmp_path: Path) -> None:
    table = read_results(text(tmp_path, "id,cluster,acc\na,x,1\nb,x,0\nc,,1\nd,,1\n")).tasks["results"]
    assert table.clusters == ("x", "x", "c", "d")


def test_tasks_of_one_file_have_their_own_scores(tmp_path: Path) -> None:
    content = "task,id,acc,f1\nmaths,1,1,\nmaths,2,0,\nwords,1,,0.5\n"
    results = read_results(text(tmp_path, content))
    assert {name: tuple(table.metrics) for name, table in results.tasks.items()} == {
        "maths": ("acc",),
        "words": ("f1",),
    }
    assert read_results(text(tmp_path, content), task="words").tasks.keys() == {"words"}


def test_names(tmp_path: Path) -> None:
    file = text(tmp_path, "id,acc\n1,1\n", "candidate.csv")
    assert read_results(file).name == "candidate"
    assert read_results(file, name="v2", task="maths").name == "v2"
    assert read_results(file, task="maths").tasks.keys() == {"maths"}
    text(tmp_path / "both", "id,acc\n1,1\n", "maths.csv")
    text(tmp_path / "both", "id,acc\n1,1\n", "words.csv")
    assert read_results(tmp_path / "both").tasks.keys() == {"maths", "words"}


def test_direction_can_be_said(tmp_path: Path) -> None:
    file = text(tmp_path, "id,loss,acc\n1,0.5,1\n")
    facts = read_results(file, lower_is_better=["loss"]).tasks["results"].metrics
    assert (facts["loss"].higher_is_better, facts["acc"].higher_is_better) == (False, True)
    with pytest.raises(DataError, match="no task has the metric 'los'") as caught:
        read_results(file, lower_is_better=["los"])
    assert "did you mean 'loss'" in str(caught.value)


def test_any_column_as_breakdown(tmp_path: Path) -> None:
    file = text(tmp_path, "id,acc,level,group.topic\n1,1,3,law\n2,0,4,art\n")
    table = read_results(file, groups=["level"]).tasks["results"]
    assert table.groups == {"topic": ("law", "art"), "level": ("3", "4")}
    assert tuple(table.metrics) == ("acc",)


def made(ids: tuple[str, ...], task: str = "t", **columns: Any) -> TaskResults:
    columns.setdefault("metrics", {"acc": MetricFacts()})
    values = {name: np.arange(len(ids), dtype=float) for name in columns["metrics"]}
    return TaskResults(task, ids, values, **columns)


def aligned(old: TaskResults, new: TaskResults) -> Any:
    return align_results(Results("o", "old.jsonl", {old.task: old}), Results("n", "new.jsonl", {new.task: new})).tasks[
        0
    ]


def test_a_folder_of_our_own(tmp_path: Path) -> None:
    write_native(tmp_path / "maths.jsonl", made(("1", "2"), "maths"), {"name": "model-a"})
    write_native(tmp_path / "words.jsonl", made(("1",), "words"), {"name": "model-a"})
    text(tmp_path, "{}", "results.json")
    text(tmp_path, "", "empty.json")
    text(tmp_path, "id,acc\n1,1\n", "other.csv")
    results = read_results(tmp_path)
    assert (results.name, sorted(results.tasks)) == ("model-a", ["maths", "words"])
    assert results.notes == (f"{tmp_path.name}: passed over empty.json, other.csv",)


def test_a_folder_that_is_not_finished_says_so(tmp_path: Path) -> None:
    write_native(tmp_path / "maths.jsonl", made(("1", "2"), "maths"))
    (tmp_path / "work").mkdir()
    assert any("stopped before its end" in note for note in read_results(tmp_path).notes)
    text(tmp_path, "{}", "results.json")
    assert read_results(tmp_path).notes == ()


def test_a_run_of_tune(tmp_path: Path) -> None:
    text(tmp_path, "{}", "run.json")
    text(tmp_path, 'method = "sft"\n', "config.toml")
    for arm, ids in (("base", ("1",)), ("sft", ("1", "2"))):
        write_native(tmp_path / "measure" / arm / "domain.jsonl", made(ids, "domain"), {"name": arm})
    assert read_results(tmp_path).tasks["domain"].ids == ("1", "2")
    assert read_results(tmp_path).name == f"{tmp_path.name}/sft"
    assert read_results(tmp_path / "measure" / "base").tasks["domain"].ids == ("1",)


def test_an_older_run_of_tune_is_told_apart(tmp_path: Path) -> None:
    text(tmp_path, "{}", "run.json")
    text(tmp_path, 'method = "sft"\n', "config.toml")
    old = {"metric": "x", "version": 1, "higher_is_better": True, "ids": ["a"], "values": [1.0], "clusters": None}
    text(tmp_path, json.dumps(old, indent=2), "measure/sft/domain.json")
    with pytest.raises(DataError, match="older Tutelage"):
        read_results(tmp_path)


def test_alignment_keeps_the_order_of_the_old_system() -> None:
    task = aligned(made(("a", "b", "c", "d"), missing={"c": "lost", "a": "x"}), made(("d", "c", "z", "b")))
    assert task.old.ids == task.new.ids == ("b", "c", "d")
    np.testing.assert_array_equal(task.old.values["acc"], [1, 2, 3])
    np.testing.assert_array_equal(task.new.values["acc"], [3, 1, 0])
    assert (task.only_old, task.only_new) == (("a",), ("z",))
    assert task.old.missing == {"c": "lost"}
    assert any("1 of 4 items (25%) of the old system" in note for note in task.notes)


def test_up_to_one_percent_unmatched_is_not_worth_a_note() -> None:
    ids = tuple(str(i) for i in range(200))
    quiet, loud = made(ids[:198]), made(ids[:197])
    assert not any("partner" in note for note in aligned(made(ids), quiet).notes)
    assert any("3 of 200 items (2%)" in note for note in aligned(made(ids), loud).notes)


IDS = tuple("abcdefgh")


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ({"asked": tuple("12345678")}, {"asked": tuple("12X45678")}, "1 of 8 items: 'c' (the fingerprints"),
        ({"asked": tuple("12345678")}, {"asked": tuple("87654321")}, "'a', 'b', 'c', 'd', 'e' and 3 more"),
        (
            {"prompts": tuple("pqrstuvw"), "targets": IDS},
            {"prompts": tuple("pqrstuvX"), "targets": IDS},
            "1 of 8 items: 'h' (prompt or target",
        ),
        ({"prompts": IDS, "targets": IDS}, {"prompts": IDS, "targets": tuple("Xbcdefgh")}, "1 of 8 items: 'a'"),
        (
            {"asked": IDS, "prompts": IDS},
            {"asked": IDS, "prompts": ("a", "b", "c", "d", "e", "f", "g", "other")},
            "1 of 8 items: 'h' (their prompts",
        ),
        (
            {"asked": tuple(f"lm-eval:{i}" for i in IDS), "prompts": IDS, "targets": IDS},
            {"prompts": tuple("Xbcdefgh"), "targets": IDS},
            "1 of 8 items: 'a' (prompt or target",
        ),
    ],
)
def test_other_questions_under_the_same_ids_are_refused(old: dict[str, Any], new: dict[str, Any], named: str) -> None:
    with pytest.raises(DataError, match="asked different things") as caught:
        aligned(made(IDS, **old), made(IDS, **new))
    assert named in str(caught.value)
    assert caught.value.where == "task t"


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        ({}, {}, "by id alone"),
        ({"prompts": IDS}, {"prompts": IDS}, "by id alone"),
        ({"asked": tuple(f"lm-eval:{i}" for i in IDS)}, {"asked": tuple(f"inspect:{i}" for i in IDS)}, "by id alone"),
        ({"asked": IDS, "prompts": IDS}, {"asked": IDS, "prompts": tuple("ABCDEFGH")}, "every prompt differs"),
        ({"version": "1"}, {"version": "2"}, "versions of the task differ: 1 and 2"),
        (
            {"metrics": {"acc": MetricFacts(version=1)}},
            {"metrics": {"acc": MetricFacts(version=2)}},
            "definition changed between the systems for 'acc'",
        ),
        (
            {"metrics": {"acc": MetricFacts(), "f1": MetricFacts()}},
            {"metrics": {"acc": MetricFacts()}},
            "only the old system has the metrics 'f1'",
        ),
    ],
)
def test_what_is_no_obstacle_is_noted(old: dict[str, Any], new: dict[str, Any], note: str) -> None:
    assert any(note in said for said in aligned(made(IDS, **old), made(IDS, **new)).notes)


def test_white_space_is_no_difference() -> None:
    old = made(("a",), prompts=("Why  so?\n",), targets=("x",))
    assert aligned(old, made(("a",), prompts=(" Why so?",), targets=("x ",))).notes == ()


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (made(("a",)), made(("b",)), "no item in common: ids are 'a' in old, 'b' in new"),
        (made(("a",)), made(("a",), "u"), "no task in common: old has 't', new has 'u'"),
        (made(("a",)), made(("a",), metrics={"f1": MetricFacts()}), "no metric in common"),
        (made(("a",)), made(("a",), metrics={"acc": MetricFacts(False)}), "better for one of the systems"),
    ],
)
def test_nothing_in_common_is_refused(old: TaskResults, new: TaskResults, says: str) -> None:
    with pytest.raises(DataError, match=says) as caught:
        aligned(old, new)
    assert caught.value.hint


def test_tasks_of_one_side_are_listed() -> None:
    old = Results("o", "o", {name: made(("a",), name) for name in ("x", "y")})
    new = Results("n", "n", {name: made(("a",), name) for name in ("z", "x")})
    alignment = align_results(old, new)
    assert ([task.task for task in alignment.tasks], alignment.only_old, alignment.only_new) == (["x"], ("y",), ("z",))
    assert alignment.notes[:2] == ("only the old system has: y", "only the new system has: z")
