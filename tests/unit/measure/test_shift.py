import numpy as np
import pytest

from tutelage.errors import DataError, RangeError
from tutelage.measure import ShiftReport, dual_metric, prompt_anchor_index
from tutelage.types import Scores


def scores(name, values, prefix="i"):
    return Scores(name, tuple(f"{prefix}{i}" for i in range(len(values))), np.array(values, dtype=float))


def test_the_index_is_a_ratio_with_an_interval_that_covers_it():
    draw = np.random.default_rng(0)
    missed = 0
    for seed in range(60):
        same = scores("same", draw.random(200) < 0.8)
        fake = scores("fake", draw.random(200) < 0.4, prefix="j")
        found = prompt_anchor_index(fake, same, resamples=400, seed=seed)
        assert found.value == pytest.approx(fake.values.mean() / same.values.mean())
        missed += not found.low <= 0.5 <= found.high
    assert missed <= 9  # 5 % of 60 are 3; nine or more have a chance below 1 %


def test_pairs_are_resampled_together():
    values = np.random.default_rng(1).random(100) < 0.5
    together = prompt_anchor_index(scores("fake", values), scores("same", values))
    assert (together.low, together.value, together.high) == (1.0, 1.0, 1.0)
    apart = prompt_anchor_index(scores("fake", values, "j"), scores("same", values))
    assert apart.low < 0.9


def test_a_model_that_is_never_right_has_a_finite_index():
    assert prompt_anchor_index(scores("fake", [0, 0]), scores("same", [0, 0])).value == 0.0
    with pytest.raises(DataError):
        prompt_anchor_index(scores("fake", []), scores("same", [1]))


def test_a_report_has_every_cell_with_its_interval():
    report = ShiftReport(
        scores("same", [1, 1, 1, 0]), {"symbols": scores("s", [1, 0])}, {"large": scores("l", [0, 0])}, scores("f", [1])
    )
    found = report.estimates()
    assert list(found) == ["same", "instruction/symbols", "difficulty/large", "fake"]
    assert [one.value for one in found.values()] == [0.75, 0.5, 0.0, 1.0]
    assert all(one.low <= one.value <= one.high for one in found.values())
    assert found["difficulty/large"].high > 0.3  # two failures prove little
    assert report.prompt_anchor_index().value == pytest.approx(1 / 0.75)
    with pytest.raises(DataError, match="probe"):
        ShiftReport(report.same).prompt_anchor_index()


def test_meaning_is_asked_only_of_what_is_well_formed():
    asked = []

    def semantic(item, text):
        asked.append(text)
        return float(text == "right")

    samples = {"a": ["right", "wrong", "broken", "wrong"], "b": ["broken"] * 4}
    found = dual_metric(samples, lambda item, text: float(text != "broken"), semantic, (1, 2))
    assert "broken" not in asked
    assert {name: one.values.tolist() for name, one in found.items()} == {
        "C@1": [0.75, 0.0], "C@2": [1.0, 0.0], "S@1": [0.25, 0.0], "S@2": [0.5, 0.0], "gap": [0.5, 0.0],
    }  # fmt: skip
    assert found["gap"].ids == ("a", "b")


def test_too_few_samples_or_none_are_refused():
    with pytest.raises(RangeError):
        dual_metric({"a": ["x"]}, lambda i, t: 1.0, lambda i, t: 1.0, (2,))
    with pytest.raises(DataError):
        dual_metric({}, lambda i, t: 1.0, lambda i, t: 1.0)
