"""Properties of importing and searching, over made-up papers."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from paper_library import made_up_library
from tutelage.errors import DataError
from tutelage.papers.importing import read_papers
from tutelage.papers.importing.latex import plain_text
from tutelage.papers.library import make_record, paper_id, title_key
from tutelage.papers.library.query import expression, terms
from tutelage.papers.library.snippet import snippets

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
TEXT = some.text(max_size=60)
KNOWN = ("kites", "boats", "fly", "float", "string", "glass", "learning", "学习", "é", "Ärger")
WORDS = some.lists(some.sampled_from(KNOWN), min_size=1, max_size=8)
JSON = some.recursive(some.none() | some.integers() | TEXT, lambda one: some.lists(one) | some.dictionaries(TEXT, one))
RECORDS = some.lists(
    some.builds(
        make_record,
        WORDS.map(" ".join),
        abstract=WORDS.map(" ".join),
        date=some.sampled_from(["", "2025-01-01", "2026-02-02"]),
        comments=some.integers(0, 5),
        url=some.sampled_from(["", "https://arxiv.org/abs/2601.00001", "https://arxiv.org/abs/2601.00002"]),
    ),
    max_size=12,
)


@QUICK
@given(RECORDS)
def test_importing_twice_changes_nothing_the_second_time(records):
    with tempfile.TemporaryDirectory() as folder, made_up_library(Path(folder)) as made:
        first = made.add(records)
        before = made.newest(99)
        second = made.add(records)
        assert (second.new, second.changed) == (0, 0)
        assert sum(first) == sum(second)
        assert made.newest(99) == before
        assert made.count() == 2 + first.new
        # the index of words says what the table says
        made._connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")


@QUICK
@given(TEXT, WORDS)
def test_any_query_is_a_valid_expression_and_any_word_of_a_text_finds_it(query, words):
    match = expression(terms(query))
    pieces = snippets([" ".join(words)], match)[0]
    assert "".join(piece.text for piece in pieces) == " ".join(words)
    found = snippets([" ".join(words)], expression(terms(words[0])))[0]
    assert any(piece.marked for piece in found)


@QUICK
@given(TEXT)
def test_keys_and_ids(title):
    record = make_record(title)
    assert title_key(record.title) == title_key(f"  {record.title.upper()} ") or not record.title.isascii()
    assert paper_id(record.title) == record.id
    assert 0 < len(record.id) <= 69
    assert "\n" not in plain_text(title)


def outcome(path):
    """How many papers a file has, or the error."""
    try:
        return len(read_papers(path).records)
    except DataError as error:
        return error


@QUICK
@given(JSON)
def test_any_json_is_read_or_refused(value):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "page.json")
        path.write_text(json.dumps([{"title": "t", "summary": "s"}, value]))
        found = outcome(path)
        assert found == 2 or found.where == f"{path}:1"


@settings(max_examples=150, deadline=None)
@given(some.text(alphabet='@{}"#=,ab \n<>/&;![]-•·1authorsMay 28:%\\', max_size=80))
def test_any_text_is_read_or_refused(text):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "page")
        path.write_text(text)
        found = outcome(path)
        assert isinstance(found, int) or str(path) in found.where
