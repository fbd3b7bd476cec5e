"""Every page shows what library, evidence and store hold, and is sound HTML with names for everything."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest

from html_page import read
from made_up_site import EVIDENCE, MadeUpSite
from tutelage.papers.library import make_record

FOUND = json.loads(EVIDENCE.read_text(encoding="utf-8"))
CLAIMS = FOUND["claims"]
PAGES = [
    "/",
    "/search?q=lanterns",
    "/search?q=",
    "/search?q=zzzznothing",
    "/search?q=tide&family=tuning&status=planned&since=2020&until=2031-02&page=3",
    "/paper/raft",
    "/paper/clip",
    "/board",
    "/board?verdict=inconclusive&sort=seeds&order=down",
    "/runs",
    "/run/run-two",
    "/compare",
    "/compare?a=run-one&b=run-two",
    "/nowhere",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = MadeUpSite(tmp_path_factory.mktemp("site"))
    yield made
    made.close()


def text(site, address, status=200):
    answer = site.client.get(address)
    assert answer.status_code == status, address
    return read(answer.text).text


@pytest.mark.parametrize("address", PAGES)
def test_the_page_is_sound_and_everything_on_it_has_a_name(site, address):
    page = read(site.client.get(address).text)
    assert page.errors == []
    tags = [tag for tag, _ in page.elements]
    assert (tags.count("h1"), tags.count("main"), tags.count("title")) == (1, 1, 1)
    assert dict(page.elements)["html"]["lang"] == "en"
    ids = [attrs["id"] for _, attrs in page.elements if attrs.get("id")]
    assert len(ids) == len(set(ids))
    labels = {attrs.get("for") for tag, attrs in page.elements if tag == "label"}
    for tag, attrs in page.elements:
        if tag in ("input", "select") and attrs.get("type") != "hidden":
            assert attrs["id"] in labels
        assert tag not in ("script", "iframe", "object", "embed", "base", "style")
        assert "style" not in attrs  # the policy would drop it
        if tag == "svg":
            assert attrs.get("aria-label") or attrs.get("aria-hidden") == "true"
        if tag == "th":
            assert attrs["scope"] in ("col", "row")
        if tag == "a":
            assert attrs["href"].startswith(("/", "#")) or "noreferrer" in attrs["rel"]
        for name in ("aria-labelledby", "aria-describedby"):
            assert attrs.get(name) is None or attrs[name] in ids
    levels = [int(tag[1]) for tag in tags if re.fullmatch("h[1-6]", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_home_shows_the_newest_and_how_many(site):
    shown = text(site, "/")
    assert f"126 papers in your library, {len(CLAIMS)} claims measured here" in shown
    assert "Made-up study 27 of lanterns" in shown
    assert "2031-01-28" in shown


def test_search_finds_marks_and_pages(site):
    first = site.client.get("/search?q=lanterns").text
    assert "<mark>lanterns</mark>" in first
    names = re.findall(r'<h2 class="name"><a href="([^"]+)"', first)
    following = re.search(r'href="([^"]+)" rel="next"', first)[1].replace("&amp;", "&")
    more = re.findall(r'<h2 class="name"><a href="([^"]+)"', site.client.get(following).text)
    assert len(names) == len(more) == 20
    assert not set(names) & set(more)
    assert site.client.get(names[0]).status_code == 200


def test_search_by_filter_and_what_was_not_understood(site):
    shown = text(site, "/search?q=&status=imported")
    assert "Made-up study" in shown
    assert "imported" in shown
    shown = text(site, "/search?q=tide&family=nonsense&since=tomorrow")
    assert "no family “nonsense”" in shown
    assert "“tomorrow” is no date" in shown
    only = text(site, "/search?status=verdict")
    assert "RAFT" in only
    assert "Made-up study" not in only


def test_a_catalogued_paper_shows_claims_evidence_and_the_command(site):
    page = read(site.client.get("/paper/raft").text)
    assert FOUND["command"] in page.text
    for claim in CLAIMS:
        assert f"{claim['id']}: {claim['verdict']}" in page.text
        assert claim["statement"] in page.text
        for delta in (part["delta"] for part in claim["parts"]):
            low, high = (f"{delta[end]:.3f}".replace("-", "\u2212") for end in ("low", "high"))
            assert f"[{low}, {high}]" in page.text
    assert FOUND["notes"]
    assert all(" ".join(note.split()) in " ".join(page.text.split()) for note in FOUND["notes"])
    assert "What it claims" in page.text
    assert "Related papers" in page.text
    out = [attrs for tag, attrs in page.elements if tag == "a" and attrs["href"].startswith("https://arxiv.org/abs/")]
    assert out
    assert all("noreferrer" in attrs["rel"] for attrs in out)


def test_the_arms_of_a_run_are_described(site):
    told = {"main": "the <method> itself", "none": "the model before"}
    (site.evidence / "raft.json").write_text(json.dumps(FOUND | {"described": told, "notes": []}))
    try:
        page = read(site.client.get("/paper/raft").text)
        assert page.errors == []
        assert all(name in page.text and what in page.text for name, what in told.items())
        assert "does not show" not in page.text
    finally:
        (site.evidence / "raft.json").write_text(EVIDENCE.read_text(encoding="utf-8"))


def test_an_imported_paper_shows_its_abstract(site):
    found = site.library.search("harbour", limit=1).hits[0].record
    shown = text(site, f"/paper/{found.id}")
    assert "count lanterns until the tide" in shown
    assert "What it claims" not in shown


def test_links_that_are_no_web_pages_are_not_links(site):
    site.library.add([make_record("Bad link", url="javascript:alert(1)", id="bad-link")])
    page = site.client.get("/paper/bad-link").text
    assert "javascript:" not in page


def test_the_board_sorts_filters_and_names_unreadable_files(site):
    (site.evidence / "broken.json").write_text('{"slug": "raft"}')
    shown = text(site, "/board")
    assert f"{len(CLAIMS)} of {len(CLAIMS)} claims" in shown
    assert "Not shown: broken.json" in shown
    (site.evidence / "broken.json").unlink()
    assert "Not shown" not in text(site, "/board")
    assert 'aria-sort="descending"' in site.client.get("/board?sort=verdict&order=down").text
    assert 'aria-sort="ascending"' in site.client.get("/board").text


def test_a_run_shows_scores_curves_and_its_report(site):
    page = site.client.get("/run/run-two").text
    shown = read(page).text
    assert "Gained 9.0 points [1.0, 17.0]." in shown
    assert "domain/choice" in shown
    assert "0.700 [0.575, 0.801]" in shown  # 42 of 60 by Wilson's formula
    assert page.count('<svg class="curve"') == 1
    assert page.count("<polyline") == 2
    report = site.client.get("/run/run-two/report")
    assert b"made-up report" in report.content
    assert "sandbox" in report.headers["content-security-policy"]


def test_files_of_a_run_are_saved_not_shown(site):
    number = site.store.artifacts("run-two")[0].id
    answer = site.client.get(f"/run/run-two/file/{number}")
    assert answer.text == "notes of run-two"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["content-type"] == "application/octet-stream"


def test_comparing_shows_what_differs_and_only_that(site):
    page = site.client.get("/compare?a=run-one&b=run-two").text
    shown = read(page).text
    assert "+0.300 [" in shown
    assert "better" in shown
    assert "cannot tell" in shown  # the base, which did the same
    settings = shown[shown.index("Settings that differ") :]
    assert "methodsftraft" in settings
    assert "train.seed" not in settings
    assert page.count("<polyline") == 4
    turned = text(site, "/compare?a=run-two&b=run-one")
    assert "\u22120.300 [" in turned
    assert "worse" in turned


@pytest.mark.parametrize(
    "address", ["/paper/none", "/run/none", "/run/none/report", "/compare?a=none&b=run-one", "/x/y"]
)
def test_what_is_not_there_is_said_with_a_way_on(site, address):
    answer = site.client.get(address)
    assert answer.status_code == 404
    assert 'action="/search"' in answer.text
    assert "Traceback" not in answer.text


def test_health_answers_scripts(site):
    assert site.client.get("/health").json() == {"status": "ok", "papers": site.library.count(), "runs": 2}


def test_an_empty_site_says_how_to_fill_it(tmp_path):
    from starlette.testclient import TestClient

    from tutelage.papers.library import Library
    from tutelage.store import Store
    from tutelage.web import create_app

    with Library(tmp_path / "p.sqlite", encoder=None, entries=()) as library, Store(tmp_path / "s.sqlite") as store:
        client = TestClient(create_app(library, store, tmp_path / "none"), base_url="http://localhost:8765")
        assert "tutelage papers import" in client.get("/").text
        assert "no evidence yet" in client.get("/board").text
        assert "No run yet" in client.get("/runs").text
        assert "takes two runs" in client.get("/compare").text
