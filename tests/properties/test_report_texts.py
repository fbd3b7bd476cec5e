from __future__ import annotations

import json
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from tutelage.report import numbers
from tutelage.report.codec import decode, encode
from tutelage.report.document import headline
from tutelage.report.headline import movement
from tutelage.report.untrusted import one_line, visible
from tutelage.types import Comparison, Estimate

anything = st.text(alphabet=st.characters(), max_size=60)
floats = st.floats(width=64)
finite = st.floats(-1, 1)


@given(anything)
def test_what_is_visible_is_visible_already(text: str) -> None:
    once = visible(text)
    assert visible(once) == once
    once.encode("utf-8")
    assert not any(ord(c) < 32 and c not in "\n\t" for c in once)


@given(anything, st.integers(1, 40))
def test_one_line_has_one_line_and_its_limit(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert len(line.splitlines()) <= 1


@given(
    st.builds(
        Estimate, floats, floats, floats, floats, anything, st.integers(), st.integers(), st.none() | st.integers()
    )
)
def test_estimates_come_back_from_json(estimate: Estimate) -> None:
    back = decode(Estimate, json.loads(json.dumps(encode(estimate), allow_nan=False)))
    assert repr(back) == repr(estimate)  # NaN included


@given(floats, st.integers(0, 4))
def test_numbers_read_back_as_what_they_were(value: float, digits: int) -> None:
    shown = numbers.number(value, digits)
    if not math.isfinite(value):
        assert shown == numbers.MISSING
        return
    read = float(shown.replace(",", "").replace("\u2212", "-"))
    assert abs(read - value) <= 0.5 * 10.0**-digits + abs(value) * 1e-12
    assert shown != "\u22120.0"


intervals = st.tuples(finite, finite, finite).map(sorted)
outcomes = st.sampled_from(["A>B", "B>A", "tied", "underpowered"])


@settings(max_examples=200)
@given(intervals, outcomes, st.booleans())
def test_nothing_is_called_a_movement_whose_interval_includes_zero(ends, outcome, higher) -> None:
    low, value, high = ends
    change = Comparison(Estimate(value, low, high, 0.95, "t", 9, 9), 0.5, 0.5, "t", 9, (0, 0), 0.1, outcome)
    moved = movement(change, higher_is_better=higher)
    if low <= 0 <= high:
        assert moved in ("none", "unclear")
    found = headline("raft", "m", change, change, higher_is_better=higher)
    assert found.gained is not None
    assert found.lost is not None
    assert found.gained.low <= found.gained.value <= found.gained.high
    assert found.lost.low <= found.lost.value <= found.lost.high
    if "no measurable" in found.sentence.lower():
        assert outcome == "tied"
