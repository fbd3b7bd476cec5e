"""Any query is safe, and hostile files expand, fetch and reveal nothing."""

from __future__ import annotations

import sys
import time

import pytest

from paper_library import RECORDS, WordEncoder, made_up_library
from tutelage.errors import DataError
from tutelage.papers.importing import read_papers
from tutelage.papers.library import Filters, make_record

QUERIES = (
    '"',
    '""',
    '"unclosed phrase',
    "kites AND",
    "NOT kites",
    "AND OR NOT NEAR",
    "NEAR(kites boats, 5)",
    "title:kites",
    "{title abstract}: kites",
    "- title : kites",
    "^kites",
    "kites*",
    "kites + boats",
    "(((((",
    ")",
    "'; DROP TABLE papers; --",
    '" OR 1=1 --',
    "kites\x00boats",
    "\x00",
    "🪁🦊",
    "\ud800",
    "弱监督学习",
    "ไม่มีเว้นวรรค",
    "مرحبا بالعالم",
    "e\u0301\u0301\u0301" * 500,
    "a" * 10_000,
    "kites " * 2_000,
    '"' * 10_000,
    " ".join(f"w{n}" for n in range(3_000)),
    "-" * 10_000,
    "a-" * 5_000,
    "\u202ekites",
    "%",
    "_",
    "\\",
)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    with made_up_library(tmp_path_factory.mktemp("library"), encoder=WordEncoder()) as made:
        made.add(RECORDS)
        made.index()
        yield made


@pytest.mark.parametrize("query", QUERIES, ids=range(len(QUERIES)))
def test_any_query_gives_an_answer(library, query):
    for mode in ("keyword", "meaning", "auto"):
        start = time.process_time()
        found = library.search(query, mode=mode)
        assert time.process_time() - start < 2
        assert len(found.hits) <= 5
    assert library.count() == 5


def test_operators_are_words(library):
    plain = {hit.record.id for hit in library.search("kites boats", mode="keyword").hits}
    assert plain == {hit.record.id for hit in library.search("kites NOT boats", mode="keyword").hits}
    assert library.search("title:nothing", mode="keyword").hits == ()
    assert library.search("kit*", mode="keyword").hits == ()


@pytest.mark.parametrize("value", ["' OR 1=1 --", "\x00", "\ud800", "%"])
def test_filters_and_ids_are_values(library, value):
    assert library.newest(9, 0, Filters(family=value)) == ()
    assert library.newest(9, 0, Filters(status=value)) == ()
    with pytest.raises(DataError):
        library.get(value)


def test_hostile_titles_come_back_as_text_on_one_line(tmp_path):
    titles = ["<script>alert(1)</script>", "a\x00b\x1b[31m\nc\u202ed", "\x02x\x03 \u200by", "🪁", "x" * 500]
    with made_up_library(tmp_path) as made:
        made.add([make_record(title, abstract="\x02kept\x03") for title in titles])
        shown = {record.title for record in made.newest(99)}
        assert "<script>alert(1)</script>" in shown
        assert not {c for title in shown for c in title if ord(c) < 32 or c in "\u202e\u200b"}
        ids = [record.id for record in made.newest(99)]
        assert all(set(one) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for one in ids)
        hit = made.search("kept", mode="keyword").hits[0]
        assert [piece.text for piece in hit.snippet if piece.marked] == ["kept"]


BOMB = '<!DOCTYPE f [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><feed><entry><title>&b;</title></entry></feed>'
OUTSIDE = '<?xml version="1.0"?>\n<!DOCTYPE feed SYSTEM "file:///etc/passwd"><feed/>'
ENTITY = '<!DOCTYPE feed [<!ENTITY x SYSTEM "file:///etc/passwd">]><feed><entry><title>&x;</title></entry></feed>'


@pytest.mark.parametrize("text", [BOMB, OUTSIDE, ENTITY])
def test_xml_with_a_document_type_is_refused(tmp_path, text):
    path = tmp_path / "feed.xml"
    path.write_text(text)
    with pytest.raises(DataError, match="document type"):
        read_papers(path)


def test_xml_nested_deeply_or_of_endless_text_is_refused(tmp_path):
    path = tmp_path / "feed.xml"
    path.write_text("<feed>" * 5000)
    with pytest.raises(DataError, match="nested"):
        read_papers(path)
    path.write_text("<feed><entry><title>" + "a" * 1_100_000 + "</title></entry></feed>")
    with pytest.raises(DataError, match="million"):
        read_papers(path)


@pytest.mark.parametrize(
    "text",
    [
        "@article{" * 20_000,
        "@article{a, title = " + "{" * 50_000,
        "<html>" + "<div>" * 50_000,
        "<html><article>" * 20_000,
        "[" + "{" * 50_000,
        "• 1 authors\n" * 20_000,
        "\n" * 100_000 + "x",
        '<html data-target="DailyPapers" data-props="' + "[" * 50_000 + '"></html>',
    ],
    ids=range(8),
)
def test_no_file_takes_long_or_overflows(tmp_path, text):
    path = tmp_path / "file"
    path.write_text(text)
    start = time.process_time()
    with pytest.raises(DataError):
        read_papers(path)
    assert time.process_time() - start < 5
    assert sys.getrecursionlimit() <= 10_000
