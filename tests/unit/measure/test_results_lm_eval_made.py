"""Samples of lm-eval in the shapes that its releases and tasks have, made by hand; real ones are in another file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tutelage.errors import DataError
from tutelage.measure.results import read_results

EARLY, LATE = "2026-01-02T03-04-05.678901", "2026-02-02T03-04-05.678901"


def sample(doc_id: int, **changes: Any) -> dict[str, Any]:
    return {
        "doc_id": doc_id,
        "doc": {"topic": "law" if doc_id % 2 else "art"},
        "target": "x",
        "arguments": {"gen_args_0": {"arg_0": f"question {doc_id}", "arg_1": {"until": []}}},
        "resps": [["so it is 4"]],
        "filtered_resps": ["4"],
        "filter": "none",
        "metrics": ["acc"],
        "doc_hash": f"d{doc_id}",
        "prompt_hash": f"p{doc_id}",
        "target_hash": f"t{doc_id}",
        "acc": float(doc_id % 2),
    } | changes


def choice(
    *likelihoods: float, contexts: tuple[str, ...] = (), words: tuple[str, ...] = (" a", " b", " c", " d")
) -> dict:
    n = len(likelihoods)
    asked = contexts or ("q",) * n
    pairs = [[str(value), "False"] for value in likelihoods]
    return sample(
        0,
        arguments={f"gen_args_{i}": {"arg_0": asked[i], "arg_1": words[i % len(words)]} for i in range(n)},
        resps=[[pair] for pair in pairs],
        filtered_resps=pairs,
    )


def write(folder: Path, task: str, rows: list[dict[str, Any]], time: str = EARLY, **averages: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"samples_{task}_{time}.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    if averages:
        document = {"results": {}, "configs": {}, **averages}
        (folder / f"results_{time}.json").write_text(json.dumps(document, indent=2))
    return file


def test_filters_are_metrics_of_one_item(tmp_path: Path) -> None:
    rows = [sample(i, filter="strict", acc=0.0) for i in range(3)] + [sample(i, filter="loose") for i in range(3)]
    table = read_results(write(tmp_path, "gsm8k", rows)).tasks["gsm8k"]
    assert table.ids == ("0", "1", "2")
    np.testing.assert_array_equal(table.values["acc,strict"], [0, 0, 0])
    np.testing.assert_array_equal(table.values["acc,loose"], [0, 1, 0])
    assert table.outputs == ("so it is 4",) * 3


def test_a_filter_that_skips_an_item_leaves_it_missing(tmp_path: Path) -> None:
    rows = [sample(i, filter="strict") for i in range(3)] + [sample(2, filter="loose")]
    table = read_results(write(tmp_path, "t", rows)).tasks["t"]
    np.testing.assert_array_equal(table.values["acc,loose"], [np.nan, np.nan, 0])
    assert table.missing == {"0": "no score of acc,loose", "1": "no score of acc,loose"}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (choice(-3.0, -1.0, -2.0), "b"),
        (choice(float("-inf"), -9.0), "b"),
        (choice(-1.0, -1.0), "a"),
        (choice(-2.0, -1.0, contexts=("Ann", "Bob"), words=(" was late",)), "Bob"),
        (choice(-2.0, -1.0, -0.1, -3.0, contexts=("q", "q", "", "")) | {"acc_mutual_info": 1.0}, "b"),
        (choice(-2.0, -1.0, -0.1, -3.0, contexts=("q", "q", "", "")), "c"),
    ],
)
def test_the_likeliest_option_is_the_choice(tmp_path: Path, row: dict[str, Any], expected: str) -> None:
    table = read_results(write(tmp_path, "t", [row])).tasks["t"]
    assert table.choices == (expected,)
    assert table.outputs == (expected,)


def test_one_loglikelihood_is_no_choice(tmp_path: Path) -> None:
    assert read_results(write(tmp_path, "t", [choice(-1.0)])).tasks["t"].choices is None


def test_samples_of_releases_that_list_no_metrics(tmp_path: Path) -> None:
    """Up to 0.4.2: one array, no ``metrics``, no ``filter``, arguments as lists."""
    row = {"doc_id": 4, "doc": {}, "target": "x", "arguments": [["q", " a"], ["q", " b"]]}
    row |= {"resps": [[[-1.0, False]], [[-2.0, True]]], "filtered_resps": [[-1.0, False], [-2.0, True]], "acc": 0.0}
    file = tmp_path / "model_arc.jsonl"
    file.write_text(json.dumps([row], indent=2))
    table = read_results(file, task="arc").tasks["arc"]
    assert table.ids == ("4",)
    assert table.choices == ("a",)
    assert table.asked is None
    assert table.prompts == ("q",)
    assert tuple(table.metrics) == ("acc",)


def test_metrics_without_a_number_are_named(tmp_path: Path) -> None:
    names = ["acc", "word_perplexity", "bleu", "label", "worst"]
    rows = [
        sample(i, metrics=names, word_perplexity=[-3.0, 7], bleu=["a", "b"], label="A", worst=float("inf"))
        for i in range(2)
    ]
    results = read_results(write(tmp_path, "t", rows))
    assert tuple(results.tasks["t"].metrics) == ("acc",)
    for name in names[1:]:
        assert any(f"t: {name} left out" in note for note in results.notes), name


def test_nan_is_missing(tmp_path: Path) -> None:
    table = read_results(write(tmp_path, "t", [sample(0, acc=float("nan")), sample(1, acc=None), sample(2)])).tasks["t"]
    np.testing.assert_array_equal(table.values["acc"], [np.nan, np.nan, 0])
    assert table.missing == {"0": "lm-eval gave no acc", "1": "lm-eval gave no acc"}


def test_averages_tell_direction_and_version(tmp_path: Path) -> None:
    write(
        tmp_path / "org__model",
        "t",
        [sample(0)],
        model_name="org/model",
        higher_is_better={"t": {"acc": False}},
        versions={"t": 2.0},
        config={"limit": 1.0},
        **{"n-shot": {"t": 5}},
    )
    results = read_results(tmp_path)
    assert results.name == "org/model"
    assert not results.tasks["t"].metrics["acc"].higher_is_better
    assert results.tasks["t"].version == "2.0, 5-shot"
    assert any("limited to 1.0" in note for note in results.notes)
    by_averages = read_results(tmp_path / "org__model" / f"results_{EARLY}.json")
    np.testing.assert_array_equal(by_averages.tasks["t"].values["acc"], results.tasks["t"].values["acc"])


def test_without_averages_the_direction_is_noted(tmp_path: Path) -> None:
    assert any("more is taken to be better for acc" in n for n in read_results(write(tmp_path, "t", [sample(0)])).notes)


def test_of_each_task_the_newest_run(tmp_path: Path) -> None:
    write(tmp_path, "a_b", [sample(1)], EARLY)
    write(tmp_path, "a_b", [sample(0)], LATE)
    write(tmp_path, "c", [sample(1)], EARLY)
    results = read_results(tmp_path)
    assert list(results.tasks) == ["a_b", "c"]
    assert results.tasks["a_b"].ids == ("0",)
    assert any("1 older files" in note for note in results.notes)


def test_subtasks_of_nested_groups_are_one_task(tmp_path: Path) -> None:
    for task in ("law", "art", "sums"):
        write(tmp_path, task, [sample(0), sample(1)])
    write(
        tmp_path,
        "alone",
        [sample(0)],
        group_subtasks={"all": ["human", "sums"], "human": ["law", "art"], "alone": []},
        versions={"all": 1},
    )
    results = read_results(tmp_path)
    assert list(results.tasks) == ["all", "alone"]
    whole = results.tasks["all"]
    assert whole.ids == ("law/0", "law/1", "art/0", "art/1", "sums/0", "sums/1")
    assert whole.groups["task"] == ("law", "law", "art", "art", "sums", "sums")
    assert whole.groups["group"] == ("human", "human", "human", "human", "sums", "sums")
    np.testing.assert_array_equal(whole.values["acc"], [0, 1, 0, 1, 0, 1])
    assert whole.version == "1"
    assert read_results(tmp_path, task="alone").tasks.keys() == {"alone"}


def test_subtasks_without_a_common_metric_stay_apart(tmp_path: Path) -> None:
    write(tmp_path, "a", [sample(0)])
    write(tmp_path, "b", [sample(0, metrics=["f1"], f1=0.5)], group_subtasks={"both": ["a", "b"]})
    results = read_results(tmp_path)
    assert sorted(results.tasks) == ["a", "b"]
    assert any("both: its 2 subtasks have no metric in common" in note for note in results.notes)


def test_a_group_that_contains_itself_ends(tmp_path: Path) -> None:
    write(tmp_path, "a", [sample(0)])
    write(tmp_path, "b", [sample(0)], group_subtasks={"x": ["y", "a"], "y": ["y", "x", "b"]})
    assert read_results(tmp_path).tasks


def test_a_field_of_the_document_as_breakdown(tmp_path: Path) -> None:
    file = write(tmp_path, "t", [sample(0), sample(1)])
    assert read_results(file, groups=["doc.topic"]).tasks["t"].groups == {"topic": ("art", "law")}
    with pytest.raises(DataError, match=r"no item has 'doc\.colour'"):
        read_results(file, groups=["doc.colour"])


def test_an_unknown_task_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read_results(write(tmp_path, "gsm8k", [sample(0)]), task="gsm8")
    assert "did you mean 'gsm8k'" in str(caught.value)
