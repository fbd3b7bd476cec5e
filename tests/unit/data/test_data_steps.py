"""Steps by character offsets: naive search as oracle, tokens that cross borders, labels, TRL's form."""

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.data import steps as module
from tutelage.data.steps import (
    StepRow,
    first_error,
    from_trl,
    outcome_label,
    read_step_rows,
    segment,
    step_row,
    steps_text,
    to_trl,
    token_spans,
    until_first_error,
)
from tutelage.errors import DataError, RangeError

PLAIN = st.text(alphabet="ab\n .", max_size=40)


def row(labels, outcome=None, name="r"):
    return StepRow(name, "q", tuple(f"s{i}" for i in range(len(labels))), tuple(labels), outcome)


@given(PLAIN)
def test_segments_are_the_pieces_between_separators(text):
    pieces = [piece.strip() for piece in re.split(re.escape("\n\n"), text) if piece.strip()]
    assert [text[a:b] for a, b in segment(text)] == pieces


@given(st.text(alphabet="ab", max_size=5), st.lists(st.text(alphabet="ab ", min_size=1, max_size=6), max_size=5))
def test_laid_out_steps_stand_where_their_spans_say(prompt, steps):
    text, spans = steps_text(prompt, steps, "; ")
    assert [text[a:b] for a, b in spans] == [step + "; " for step in steps]
    assert text[: spans[0][0] if spans else None] == prompt


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_every_token_belongs_to_the_step_of_its_last_character(widths, lengths):
    ends = [sum(widths[: i + 1]) for i in range(len(widths))]
    offsets = list(zip([0, *ends[:-1]], ends, strict=True))
    borders = [sum(lengths[:i]) for i in range(len(lengths) + 1)]
    spans = list(pairwise(borders))
    owner = [next((s for s, (a, b) in enumerate(spans) if a <= end - 1 < b), None) for end in ends]
    if any(s not in owner for s in range(len(spans))):
        with pytest.raises(DataError, match="no token ends"):
            token_spans(offsets, spans)
        return
    found = token_spans(offsets, spans)
    assert found == [(owner.index(s), len(owner) - owner[::-1].index(s)) for s in range(len(spans))]


def test_special_tokens_belong_nowhere_and_a_merged_blank_line_does_not_matter(tiny):
    assert token_spans([(0, 0), (0, 2), (2, 2), (2, 4)], [(0, 2), (2, 4)]) == [(1, 2), (3, 4)]
    text, spans = steps_text("How much is 12 plus 30?\n\n", ["12 plus 30", "is 42"], "\n\n")
    offsets = tiny.tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)["offset_mapping"]
    for (first, end), (a, b) in zip(token_spans(offsets, spans), spans, strict=True):
        assert a < offsets[first][1]
        assert offsets[end - 1][1] == b


def test_spans_that_overlap_are_refused():
    with pytest.raises(DataError, match="rise"):
        token_spans([(0, 3), (3, 4)], [(0, 3), (2, 4)])
    with pytest.raises(RangeError, match="separator"):
        segment("a", "")


def test_the_first_error_ends_a_row():
    assert first_error([]) is None
    cut = until_first_error(row([1, -1, 0, 1, 0], False))
    assert (cut.steps, cut.labels, cut.outcome) == (("s0", "s1", "s2"), (1, -1, 0), False)
    whole = row([1, -1, 1])
    assert until_first_error(whole) is whole


@pytest.mark.parametrize(
    ("labels", "outcome", "expected"),
    [([0], True, 1), ([1], False, 0), ([1, 0], None, 0), ([1, 1], None, 1), ([1, -1], None, -1), ([-1, 0], None, 0)],
)
def test_the_outcome_is_what_was_checked_then_what_the_steps_say(labels, outcome, expected):
    assert outcome_label(row(labels, outcome)) == expected


def test_trl_rows_there_and_back():
    assert to_trl(row([1, 0])) == {"prompt": "q", "completions": ["s0", "s1"], "labels": [True, False]}
    assert from_trl(to_trl(row([1, 0])), "r") == row([1, 0])
    assert to_trl(row([1, -1, 0]))["labels"] == [True]
    with pytest.raises(DataError, match="first step"):
        to_trl(row([-1, 0]))
    for bad in ({}, {"prompt": "q", "completions": ["a"], "labels": [1]}, {"labels": [True], "completions": "a"}):
        with pytest.raises(DataError, match="'n'"):
            from_trl(bad, "n")


BAD = [
    {"id": "a", "question": "q", "steps": []},
    {"id": "a", "question": "q", "steps": [" "]},
    {"id": "a", "question": "q", "steps": ["s"], "labels": [1, 0]},
    {"id": "a", "question": "q", "steps": ["s"], "labels": [2]},
    {"id": "a", "question": "q", "steps": ["s"], "labels": [True]},
    {"id": "a", "question": "q", "steps": ["s"], "outcome": 1},
    {"id": 3, "question": "q", "steps": ["s"]},
    {"id": "a", "question": "q", "steps": ["s"], "answer": "4"},
    {"id": "a", "steps": ["s"]},
]


@pytest.mark.parametrize("record", BAD, ids=range(len(BAD)))
def test_a_bad_row_says_where(record):
    with pytest.raises(DataError) as caught:
        step_row(record, where="f:7")
    assert "f:7" in str(caught.value)


def test_a_file_is_read_with_its_bad_lines_set_aside(tmp_path):
    good = row([1, 0, -1], False)
    path = tmp_path / "steps.jsonl"
    path.write_text("\n".join([json.dumps(good.record()), "{", json.dumps(BAD[2]), "[1]"]) + "\n")
    rows, rejected = read_step_rows(path)
    assert rows == [good]
    assert [one.line for one in rejected] == [2, 3, 4]
    assert "labels" in rejected[1].detail
    path.write_text(json.dumps(good.record()) + "\n" + json.dumps(good.record()) + "\n")
    with pytest.raises(DataError, match="twice") as caught:
        read_step_rows(path)
    assert "steps.jsonl:2" in str(caught.value)


def test_the_examples_run():
    import doctest

    assert doctest.testmod(module).failed == 0
