"""A Daily Papers page as browsers save it gives the same papers as its text."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

import daily_page
from daily_page import PAPERS, as_html, as_text
from tutelage.errors import DataError
from tutelage.papers.importing import read_papers

SAVED = Path(__file__).parents[2] / "data" / "pages"
DAY = datetime(2026, 11, 26, 12, tzinfo=UTC).timestamp()


def read_page(folder, text, name="page"):
    """The papers of ``text`` in a file that was saved on a day of 2026."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.utime(path, (DAY, DAY))
    return read_papers(path)


def facts(found):
    return [(r.title, r.date, r.listed, r.authors, r.comments, r.abstract) for r in found.records]


def meant(papers=PAPERS):
    return [(p.title, p.date, daily_page.LISTED, p.authors, p.comments, p.abstract) for p in papers]


def test_the_text_of_the_page(tmp_path):
    assert facts(read_page(tmp_path, as_text())) == meant()


@pytest.mark.parametrize("path", sorted(SAVED.glob("*html")), ids=lambda path: path.name)
def test_a_page_that_chromium_saved(tmp_path, path):
    found = read_page(tmp_path, path.read_bytes(), path.name)
    assert found.format == "daily-papers-html"
    assert facts(found) == meant()
    assert [record.url for record in found.records] == [f"https://arxiv.org/abs/{one.id}" for one in PAPERS]


@pytest.mark.parametrize("data", [True, False])
@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("query", ["", "?ref=x&y=%2Fpapers%2F1111.11111"])
def test_the_page_as_it_is_sent(tmp_path, data, dated, query):
    assert facts(read_page(tmp_path, as_html(data, dated, query))) == meant()


def test_data_under_another_name_and_cards_that_came_later(tmp_path):
    page = as_html(dated=False)
    late = daily_page.card(replace(PAPERS[0], id="2606.11111", title="Later", comments=4), dated=False)
    page = page.replace('data-target="DailyPapers"', 'data-target="Listing"').replace("<!--]-->", late)
    found = facts(read_page(tmp_path, page))
    assert found[:-1] == meant()
    assert found[-1][:5] == ("Later", "2026-05-28", daily_page.LISTED, 5, 4)


def test_two_days_on_one_page(tmp_path):
    first, second = (daily_page.card(one, dated=False) for one in PAPERS[:2])
    page = f"<html><h2>Jun 10</h2><h2>Jun 8</h2>{first}<h2>Jun 9</h2>{second}<footer>Jan 1</footer></html>"
    assert [record.listed for record in read_page(tmp_path, page).records] == ["2026-06-10", "2026-06-09"]


@pytest.mark.parametrize(
    ("shown", "comments"),
    [
        ("<div>7</div>", 7),
        ("7 comments", 7),
        ("1,017", 1017),
        ("1.2k", 1200),
        ("12k", 12_000),
        ("", 0),
        ("7 of 9", 0),
        ("9" * 9, 0),
    ],
)
def test_numbers_of_comments(tmp_path, shown, comments):
    card = daily_page.card(replace(PAPERS[1], comments=0)).replace("</svg>\n</a>", f"</svg>\n{shown}</a>")
    assert read_page(tmp_path, f"<html>{card}</html>").records[0].comments == comments


@pytest.mark.parametrize(
    "link",
    ["/papers/2510.00002", "papers/2510.00002v3?a=b#c", "https://site.example/papers/2510.00002/#community",
     "https://arxiv.org/abs/2510.00002v1", "https://arxiv.org/pdf/2510.00002"],
)  # fmt: skip
def test_links_to_a_paper(tmp_path, link):
    page = f"<html><article><h3><a href='{link}'>Boats</a></h3></article></html>"
    assert read_page(tmp_path, page).records[0].url == "https://arxiv.org/abs/2510.00002"


@pytest.mark.parametrize("link", ["/papers", "/login?next=/papers/2510.00002", "https://[x/papers/2510.00002", "#2510"])
def test_links_elsewhere(tmp_path, link):
    page = f"<html><article><h3>Boats</h3><a href='{link}'>7</a></article></html>"
    [record] = read_page(tmp_path, page).records
    assert (record.url, record.comments) == ("", 0)


def line_of(text, mark):
    return text[: text.index(mark)].count("\n") + 1


BROKEN = (
    ('<h3 class="mb-1"><a href="/papers/2402.12345" class="line-clamp-3">Lanterns at Noon</a></h3>', "", "no title"),
    ("Feb&nbsp;29,&nbsp;2024", "Feb&nbsp;30,&nbsp;2024", "no calendar"),
)


@pytest.mark.parametrize(("old", "new", "why"), BROKEN)
def test_a_broken_card_is_refused_with_its_line(tmp_path, old, new, why):
    page = as_html(data=False, dated=False)
    assert old in page
    line = line_of(
        page, '<article class="relative flex flex-col overflow-hidden rounded-xl border"><a href="/papers/2402'
    )
    with pytest.raises(DataError, match=why) as caught:
        read_page(tmp_path, page.replace(old, new))
    assert caught.value.where == f"{tmp_path / 'page'}:{line}"


def test_a_broken_card_of_an_archive_is_refused_with_the_line_of_the_archive(tmp_path):
    page = (SAVED / "snapshot_cards.mhtml").read_bytes().decode()
    assert page.count("Lanterns at Noon<") == 1
    card = line_of(page, 'href=3D"http://127.0.0.1:8199/papers/2402.12345')
    found = page[: page.index("Lanterns at Noon<")].rindex("<h3")
    with pytest.raises(DataError, match="no title") as caught:
        read_page(
            tmp_path, page[:found] + page[found:].replace("<h3", "<p", 1).replace("</h3>", "</p>", 1), "page.mhtml"
        )
    line = int(caught.value.where.rsplit(":", 1)[1])
    assert line == line_of(page, "<article") + page[page.index("<article") :].split("2402.12345")[0].rsplit(
        "<article", 1
    )[0].count("\n")
    assert line <= card <= line + 2


@pytest.mark.parametrize("path", sorted(SAVED.glob("*html")), ids=lambda path: path.name)
def test_a_page_that_was_not_saved_to_its_end_is_refused_or_read_whole(tmp_path, path):
    data = path.read_bytes()
    for end in range(2000, len(data), 797):
        try:
            read = facts(read_page(tmp_path, data[:end]))
        except DataError as error:
            where, _, line = error.where.rpartition(":")
            read, told = [], (where, int(line) <= data[:end].count(b"\n") + 1)
        else:
            told = (str(tmp_path / "page"), True)
        assert read in ([], meant())
        assert told == (str(tmp_path / "page"), True)


def test_an_archive_in_another_encoding_and_without_a_day(tmp_path):
    card = daily_page.card(replace(PAPERS[1], title="B\u00e4te", markup="", abstract="\u00e4" * 50), dated=False)
    head = (
        "MIME-Version: 1.0\nContent-Type: multipart/related; boundary=b\n\n--b\n"
        "Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: 8bit\n\n"
    )
    page = (head + f"<html>{card}</html>\n--b--\n").replace("\u00b7", "-").encode("iso-8859-1")
    [record] = read_page(tmp_path, page).records
    assert (record.title, record.abstract, record.date) == ("B\u00e4te", "\u00e4" * 50, "2025-10-10")
