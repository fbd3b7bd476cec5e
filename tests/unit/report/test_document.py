from __future__ import annotations

import dataclasses
import json
import math

import pytest

from example_report import example, minimal
from tutelage.errors import DataError
from tutelage.report.codec import decode, encode
from tutelage.report.document import (
    AssetUse,
    CurvePoint,
    DataFacts,
    Document,
    Histogram,
    Refinement,
    from_json,
    to_json,
)
from tutelage.types import Estimate


@pytest.mark.parametrize("document", [example(), minimal()], ids=["example", "minimal"])
def test_round_trip_through_strict_json(document: Document) -> None:
    text = json.dumps(to_json(document), allow_nan=False)
    assert from_json(json.loads(text)) == document
    assert json.loads(text)["schema"] == "tutelage.report/1"


def test_nan_and_infinity_survive() -> None:
    estimate = Estimate(math.nan, -math.inf, math.inf, 0.95, "none", 0, 0)
    told = json.loads(json.dumps(encode(estimate), allow_nan=False))
    assert (told["value"], told["low"], told["high"]) == ("nan", "-inf", "inf")
    back = decode(Estimate, told)
    assert math.isnan(back.value)
    assert (back.low, back.high) == (-math.inf, math.inf)


def test_numpy_numbers_become_plain_ones() -> None:
    import numpy as np

    told = encode(Estimate(np.float64(0.5), 0.0, 1.0, 0.95, "t", 3, 3))
    assert type(told["value"]) is float


def _changed(path: str, value: object) -> dict[str, object]:
    told = to_json(example())
    place: object = told
    *parents, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    for part in parents:
        place = place[part]  # type: ignore[index]
    place[last] = value  # type: ignore[index]
    return told


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("schema", "tutelage.report/9", "report.schema"),
        ("run.sneed", 3, "report.run"),
        ("run.seed", "three", "report.run.seed"),
        ("run.seed", True, "report.run.seed"),
        ("run.model", [], "report.run.model"),
        ("arms.1.domain.estimate.value", "much", "report.arms[1].domain.estimate.value"),
        ("arms.1.domain.change.discordant", [1], "report.arms[1].domain.change.discordant"),
        ("arms.1.domain.change.outcome", "fine", "report.arms[1].domain.change.outcome"),
        ("arms", {}, "report.arms"),
        ("refinement.reasons", [], "report.refinement.reasons"),
        ("run.environment.cores", [2], "report.run.environment.cores"),
        ("headline.sentence", None, "report.headline.sentence"),
    ],
)
def test_what_does_not_fit_is_named_with_its_path(path: str, value: object, where: str) -> None:
    with pytest.raises(DataError) as caught:
        from_json(_changed(path, value))
    assert caught.value.where == where


def test_a_missing_key_is_named() -> None:
    told = to_json(minimal())
    del told["run"]["command"]
    with pytest.raises(DataError, match="'command' is missing"):
        from_json(told)


def test_a_key_with_a_default_may_be_missing() -> None:
    told = to_json(minimal())
    del told["curves"]
    assert from_json(told).curves == ()


def test_a_report_refuses_what_json_cannot_hold() -> None:
    with pytest.raises(DataError, match="set"):
        encode({"a": {1, 2}})


def test_curve_point_from_the_training_log() -> None:
    row = {
        "arm": "raft",
        "step": 7,
        "loss": 2.5,
        "sft/loss": 2.0,
        "kl/loss": 0.5,
        "kl/weight": 1.0,
        "sft/weight": 1.0,
        "kl/student_mass": float("nan"),
        "rollout/truncated": 0.25,
        "learning_rate": 1e-4,
    }
    point = CurvePoint.of(row)
    assert (point.step, point.loss, point.sft, point.kl, point.weight) == (7, 2.5, 2.0, 0.5, 1.0)
    assert (point.truncated, point.learning_rate, point.teacher_mass) == (0.25, 1e-4, None)
    assert point.student_mass_on_support is not None
    assert math.isnan(point.student_mass_on_support)


def test_refinement_from_the_refine_stage() -> None:
    from tutelage.refine.report import Example, RefineReport

    report = RefineReport(
        rows=3, kept=1, changed=2, dropped=0, fused=1, rewritten=1, reasons={"too far": 1}, prompts={},
        histogram={"edges": [0.0, 0.5, 1.0], "passed": [0, 2], "failed": [1, 0]}, mean_words={"original": 1.0},
        tokens_generated=30, seconds=1.5, examples=[Example("a", "q", "o", "r", "t", None, "fused", "fused")],
        warnings=["w"], settings={"tau": 0.8},
    )  # fmt: skip
    found = Refinement.of(report.to_dict())
    assert (found.rows, found.kept, found.fused, found.rewritten, found.threshold) == (3, 1, 1, 1, 0.8)
    assert found.histogram == Histogram((0.0, 0.5, 1.0), (0, 2), (1, 0))
    assert found.examples[0].refined == "r"
    assert found.reasons == {"too far": 1}


def test_data_facts_from_the_data_phase() -> None:
    facts = {
        "source": "d.jsonl", "assets": [], "format": "jsonl", "source_hash": "ab", "rows_read": 9,
        "rejected": {"empty": 1}, "conflicts": 0,
        "notes": ["n"], "train_rows": 6, "test_rows": 2, "test_from": "held out", "overlap_exact": 0,
        "overlap_near": 0, "overlap_removed": 0, "most_frequent_answer": 0.5,
    }  # fmt: skip
    found = DataFacts.of(facts)
    assert (found.rows_read, found.notes, found.rejected) == (9, ("n",), {"empty": 1})
    with pytest.raises(DataError, match="unknown key"):
        DataFacts.of({**facts, "colour": "red"})


def test_asset_use_from_a_licence_record() -> None:
    from tutelage import assets

    (record,) = assets.licence_report(["asdiv"])
    found = AssetUse.of(record, "measuring")
    assert (found.name, found.use, found.spdx, found.eval_only) == ("asdiv", "measuring", "CC-BY-NC-4.0", True)
    assert found.sha256 == record["sha256"]


def test_a_histogram_needs_a_count_for_every_bin() -> None:
    with pytest.raises(DataError):
        Histogram((0.0, 1.0), (1, 2), (0, 0))


def test_everything_in_a_document_is_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        example().run.seed = 3  # type: ignore[misc]
