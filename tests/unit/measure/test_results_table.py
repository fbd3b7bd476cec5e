"""The shared table refuses what does not fit together, and hands out one column at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tutelage.errors import DataError, ShapeError, StoreError
from tutelage.measure.results import MetricFacts, TaskResults, read_native, write_native


def made(**changes: Any) -> TaskResults:
    columns: dict[str, Any] = {
        "task": "maths",
        "ids": ("a", "b"),
        "values": {"exact": np.array([1.0, np.nan])},
        "metrics": {"exact": MetricFacts(higher_is_better=False, version=3)},
    }
    return TaskResults(**columns | changes)


def test_scores_of_a_metric() -> None:
    scores = made(clusters=("x", "x"), outputs=("1", "2")).scores("exact")
    assert scores.metric == "maths/exact"
    assert (scores.ids, scores.clusters, scores.outputs) == (("a", "b"), ("x", "x"), ("1", "2"))
    assert (scores.higher_is_better, scores.version) == (False, 3)
    np.testing.assert_array_equal(scores.values, [1, np.nan])


def test_an_unknown_metric_gets_the_nearest() -> None:
    with pytest.raises(DataError) as caught:
        made().scores("exakt")
    assert "did you mean 'exact'" in str(caught.value)
    with pytest.raises(DataError) as caught:
        made().scores("zzz")
    assert "it has exact" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"ids": ("a", "a")}, DataError, "stands twice"),
        ({"prompts": ("one",)}, ShapeError, "2 ids but 1 prompts"),
        ({"groups": {"topic": ("law",)}}, ShapeError, "1 groups.topic"),
        ({"values": {"exact": np.ones(3)}}, ShapeError, "shape"),
        ({"values": {"f1": np.ones(2)}}, DataError, "f1"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        made(**changes)


def test_a_score_that_json_cannot_say_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "maths.jsonl"
    write_native(file, made())
    with pytest.raises(DataError, match="cannot be written"):
        write_native(file, made(values={"exact": np.array([1.0, np.inf])}))
    np.testing.assert_array_equal(read_native(file)[0].values["exact"], [1, np.nan])


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StoreError):
        write_native(tmp_path / "taken" / "maths.jsonl", made())


def test_a_task_without_items_is_read_back(tmp_path: Path) -> None:
    empty = made(ids=(), values={"exact": np.zeros(0)})
    write_native(tmp_path / "maths.jsonl", empty)
    assert read_native(tmp_path / "maths.jsonl")[0].ids == ()
