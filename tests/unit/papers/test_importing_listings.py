"""Saved listings in every form give the same papers."""

from __future__ import annotations

import json
from datetime import date
from html import escape
from pathlib import Path

import pytest

from tutelage.errors import DataError
from tutelage.papers.importing import read_papers
from tutelage.papers.importing.dates import Day, page_year, parse_day

PAGE = """new

Get trending papers in your email inbox!

Subscribe

Daily Papers

byAK and the research community

Jun 10

Teaching Kites to Fly: a Study of Strings

Kites are hard to teach. We hold the string for them, and measure how long each stays up alone afterwards.

  • 5 authors
·
May 28

Are Authors, co-authors or Robots Enough? (N=1)

In one case, three people and 12 robots wrote this. It has 3 authors in its text and the date May 3 inside a line.

  • 1 authors
·
Oct 10, 2025 2

Listed by an Organisation

This paper has no line of authors on the page, as papers of organisations have none; its day is not known either.

A Paper After It

It follows the one without a last line, and the pairs of title and abstract still come out right for both of them.

  • 1,234 authors
·
Feb 29, 2024 17
"""


def write(folder: Path, text: str, name: str = "page") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def facts(record):
    return record.title, record.date, record.listed, record.authors, record.comments


def test_text_page(tmp_path):
    found = read_papers(write(tmp_path, PAGE))
    today = date.today()
    year = max(2026, today.year if (today.month, today.day) >= (6, 10) else today.year - 1)
    assert found.format == "daily-papers-text"
    assert [facts(record) for record in found.records] == [
        ("Teaching Kites to Fly: a Study of Strings", f"{year}-05-28", f"{year}-06-10", 5, 0),
        ("Are Authors, co-authors or Robots Enough? (N=1)", "2025-10-10", f"{year}-06-10", 1, 2),
        ("Listed by an Organisation", "", f"{year}-06-10", 0, 0),
        ("A Paper After It", "2024-02-29", f"{year}-06-10", 1234, 17),
    ]
    assert found.records[0].abstract.startswith("Kites are hard")
    assert found.records[0].abstract.endswith("afterwards.")
    assert any(str(year) in note for note in found.notes)
    assert any("1 papers have no authors" in note for note in found.notes)


def test_text_page_with_other_line_ends_and_two_listings(tmp_path):
    second = PAGE[PAGE.index("Jun 10") :].replace("Jun 10", "Jun 9").replace("Kites", "Boats").replace("A Paper", "One")
    second = second.replace("Are Authors", "Were Authors").replace("Listed by", "Shown by")
    found = read_papers(write(tmp_path, (PAGE + second).replace("\n", "\r\n")))
    assert len(found.records) == 8
    assert [record.listed[5:] for record in found.records] == ["06-10"] * 4 + ["06-09"] * 4


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (("May 28\n", "May 38\n"), 19),
        (("May 28\n", "yesterday\n"), 19),
        (("Teaching Kites to Fly: a Study of Strings\n", "\n"), 15),
        (("  • 5 authors\n", "  • 5 authors\n  • 5 authors\n"), 18),
        (("Kites are hard", "Kites\nare hard"), 16),
    ],
)
def test_broken_text_page_is_refused_with_its_line(tmp_path, change, line):
    assert change[0] in PAGE
    path = write(tmp_path, PAGE.replace(*change, 1))
    with pytest.raises(DataError) as caught:
        read_papers(path)
    assert caught.value.where == f"{path}:{line}"
    assert caught.value.hint


@pytest.mark.parametrize(
    "cut", ["  • 5 authors\n", "Are Authors, co-authors or Robots Enough? (N=1)\n", "authors\n·\n"]
)
def test_cut_page_is_refused(tmp_path, cut):
    with pytest.raises(DataError, match=r"page ends|pairs"):
        read_papers(write(tmp_path, PAGE[: PAGE.index(cut) + len(cut)]))


ITEMS = [
    {
        "paper": {
            "id": "2605.00001",
            "title": "Teaching Kites",
            "summary": 'Kites & "strings" <b>are</b>\nhard to teach, and that is why we hold the string for them here.',
            "publishedAt": "2026-05-28T00:00:00.000Z",
            "submittedOnDailyAt": "2026-06-10T11:00:00.000Z",
            "authors": [{"name": "A"}, {"name": "B"}],
        },
        "title": "Teaching Kites",
        "numComments": 3,
    },
    {
        "id": "2510.00002",
        "title": "Boats",
        "summary": "Boats float.",
        "publishedAt": "2025-10-01",
        "authors": ["A", "B", "C"],
    },
]


def test_json_listing(tmp_path):
    found = read_papers(write(tmp_path, json.dumps(ITEMS, indent=1)))
    assert [facts(record) for record in found.records] == [
        ("Teaching Kites", "2026-05-28", "2026-06-10", 2, 3),
        ("Boats", "2025-10-01", "", 3, 0),
    ]
    assert found.records[0].url == "https://arxiv.org/abs/2605.00001"
    assert "\n" not in found.records[0].abstract


def test_json_names_the_line_of_a_broken_paper(tmp_path):
    path = write(tmp_path, '[\n {"title": "A", "summary": "b"},\n {"summary": "no title"}\n]')
    with pytest.raises(DataError, match="without a title") as caught:
        read_papers(path)
    assert caught.value.where == f"{path}:3"


@pytest.mark.parametrize(
    "text", ["[", "[{}", "{}", '[{"title": 3}]', "[1]", "[]", "[" * 9000, '{"papers": 3}', '["a",]']
)
def test_json_that_is_no_listing_is_refused(tmp_path, text):
    with pytest.raises(DataError):
        read_papers(write(tmp_path, text))


def test_html_page_by_its_data(tmp_path):
    props = escape(json.dumps({"dateString": "2026-06-10", "dailyPapers": ITEMS}), quote=True)
    html = f'<!doctype html>\n<html><body><div class="contents" data-target="DailyPapers" data-props="{props}"></div>'
    found = read_papers(write(tmp_path, html + "</body></html>", "page.html"))
    assert [facts(record) for record in found.records] == [
        ("Teaching Kites", "2026-05-28", "2026-06-10", 2, 3),
        ("Boats", "2025-10-01", "2026-06-10", 3, 0),
    ]
    assert found.records[0].abstract.startswith('Kites & "strings" <b>are</b> hard')


CARD = """<article class="x"><div><a href="/papers/{id}"><img src="x"></a></div>
<div><h3><a href="https://site.example/papers/{id}">{title}</a></h3>
<p class="y">{abstract}</p>
<ul><li><svg><title>icon</title></svg></li><li>{authors} authors</li></ul> <span>·</span> <div>Published on {day}</div>
<a href="/papers/{id}#community"><svg></svg> {comments}</a></div></article>
"""


def test_html_page_by_its_cards(tmp_path):
    abstract = "Nothing here is <em>marked up</em> &amp; everything is shown; it is long enough to be an abstract."
    cards = CARD.format(
        id="2605.00001", title="Kites &lt;i&gt;", abstract=abstract, authors=4, day="May 28, 2026", comments=2
    )
    cards += CARD.format(id="2510.00002", title="Boats", abstract=abstract, authors=1, day="Oct 1, 2025", comments="")
    head = "<head><title>Daily</title><script>var a = '<article>';</script></head>"
    html = f"<!DOCTYPE html><html>{head}<body>{cards}</body></html>"
    found = read_papers(write(tmp_path, html, "page.html"))
    assert [facts(record) for record in found.records] == [
        ("Kites <i>", "2026-05-28", "", 4, 2),
        ("Boats", "2025-10-01", "", 1, 0),
    ]
    assert found.records[1].url == "https://arxiv.org/abs/2510.00002"
    assert found.records[0].abstract.startswith("Nothing here is marked up & everything")


def test_html_inside_a_mime_archive(tmp_path):
    card = CARD.format(id="2605.00001", title="Kites", abstract="x" * 50, authors=4, day="May 28, 2026", comments=2)
    text = (
        "From: <Saved by a browser>\nSubject: papers\nMIME-Version: 1.0\n"
        'Content-Type: multipart/related; type="text/html"; boundary="b"\n\n--b\nContent-Type: text/html\n'
        "Content-Transfer-Encoding: quoted-printable\n\n<html><body>"
        + card.replace("=", "=3D")
        + "</body></html>\n--b--\n"
    )
    assert [record.title for record in read_papers(write(tmp_path, text, "page.mhtml")).records] == ["Kites"]


@pytest.mark.parametrize(
    "html",
    [
        "<html><body><p>Not found</p></body></html>",
        "<html><body><article><p>no title here</p><a href='/papers/2605.00001'>x</a></article></body></html>",
        "<html><body><article><h3>Cut</h3><p>the page ends",
        '<html><div data-target="DailyPapers" data-props="{&quot;dailyPapers&quot;: ["></div></html>',
    ],
)
def test_html_without_papers_is_refused(tmp_path, html):
    with pytest.raises(DataError) as caught:
        read_papers(write(tmp_path, html, "page.html"))
    assert caught.value.where.rsplit(":", 1)[1].isdecimal()


def test_atom_listing(tmp_path):
    feed = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom"><title>query</title>
<entry><id>http://arxiv.org/abs/2605.00001v2</id><title>Kites
  &amp; strings</title><summary>  Hold &lt; them. </summary><published>2026-05-28T10:00:00Z</published>
<updated>2026-06-01T10:00:00Z</updated><author><name>A</name></author><author><name>B</name></author></entry>
<entry><id>http://arxiv.org/abs/cs/0112017</id><title>Old</title><summary>s</summary></entry></feed>"""
    found = read_papers(write(tmp_path, feed))
    assert [facts(record) for record in found.records] == [
        ("Kites & strings", "2026-05-28", "", 2, 0),
        ("Old", "", "", 0, 0),
    ]
    assert found.records[0].url == "https://arxiv.org/abs/2605.00001v2"
    assert found.records[0].abstract == "Hold < them."


BIBTEX = r"""% a comment with @nothing in it
@comment{ignored, title = {Ignored}}
@string{kj = "Journal of " # {Kites}}
@article{one,
  title = {{T}eaching {K}ites: a {$\alpha$}-Study by {\"O}zg{\"u}r},
  author = "Doe, Jane and {The Team of A and B} and M{\"u}ller, J{\'o}zef and others",
  journal = kj, year = 2024, month = sep,
  abstract = {Braces {inside} and 50\% more --- "quotes"}, eprint = {2409.12345}
}
@inproceedings(two, title = "No {"}Abstract{"}", year = {2023}, url = "https://example.org/x",)
@misc{three, note = {no title}}
"""


def test_bibtex(tmp_path):
    found = read_papers(write(tmp_path, BIBTEX, "x.bib"))
    assert [facts(record)[:2] for record in found.records] == [
        ("Teaching Kites: a α-Study by Özgür", "2024-09-01"),
        ('No "Abstract"', "2023-01-01"),
    ]
    assert found.records[0].abstract == 'Braces inside and 50% more — "quotes"'
    assert found.records[0].url == "https://arxiv.org/abs/2409.12345"
    assert found.records[1].url == "https://example.org/x"
    assert found.notes == ("1 entries without a title were left out",)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("@article{a,\n title = {open\n", 2),
        ('@article{a,\n\n title = "open\n}', 3),
        ("@article{a,\n title {x}}", 2),
        ("@article{a, title = {x}", 1),
        ("@article{a,}", 1),
    ],
)
def test_broken_bibtex_is_refused_with_its_line(tmp_path, text, line):
    path = write(tmp_path, text, "x.bib")
    with pytest.raises(DataError) as caught:
        read_papers(path)
    assert caught.value.where == f"{path}:{line}"


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("May 28", (Day(5, 28), 0)),
        ("Oct 10, 2025 2", (Day(10, 10, 2025), 2)),
        ("Feb 29", (Day(2, 29), 0)),
        ("May be", None),
    ],
)
def test_days(line, meant):
    assert parse_day(line) == meant


def test_year_rules():
    seen = date(2026, 7, 1)
    assert page_year([Day(6, 10)], [], seen)[0] == 2026
    assert page_year([Day(9, 10)], [], seen)[0] == 2025  # saved before September: of the year before
    assert (
        page_year([Day(6, 10), Day(3, 3, 2026)], [], seen)[0] == 2027
    )  # a year is only written out when it is not this
    assert page_year([Day(6, 10)], [(Day(6, 10), "2023-06-10")], seen)[0] == 2023  # the catalogue knows
    assert page_year([Day(6, 10)], [(Day(6, 10), "2023-06-11")], seen)[0] == 2026  # another day says nothing


def shown_page():
    abstract = "An abstract of more than forty characters, so that it is one."
    cards = [
        CARD.format(
            id=f"2605.0000{n}", title=f"Kites {n}", abstract=abstract, authors=4, day="May 28, 2026", comments=n
        )
        for n in (1, 2, 3)
    ]
    return f"<!DOCTYPE html>\n<html>\n<body>\n{''.join(cards)}</body>\n</html>\n"


def test_links_with_tracking_parameters(tmp_path):
    page = (
        shown_page().replace("#community", "?utm_source=mail&amp;x=1#community").replace('1">', '1?utm_source=mail">')
    )
    found = read_papers(write(tmp_path, page, "page.html"))
    assert [record.comments for record in found.records] == [1, 2, 3]
    assert [record.url[-10:] for record in found.records] == ["2605.00001", "2605.00002", "2605.00003"]


def test_a_page_that_was_cut_is_refused_wherever_that_was(tmp_path):
    page = shown_page()
    for end in range(page.index("<html"), page.index("</html>"), 7):
        with pytest.raises(DataError) as caught:
            read_papers(write(tmp_path, page[:end], "page.html"))
        assert int(caught.value.where.rsplit(":", 1)[1]) <= page.count("\n", 0, end) + 1
    cut = page[: page.rindex("<a href") + 4]
    with pytest.raises(DataError, match="inside a tag") as caught:
        read_papers(write(tmp_path, cut, "page.html"))
    assert caught.value.where.endswith(f":{cut.count(chr(10)) + 1}")
