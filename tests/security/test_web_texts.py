"""Whatever papers, runs, scores and queries are called, a page keeps its shape and nothing on it acts."""

from __future__ import annotations

import re
from urllib.parse import quote

import numpy as np
import pytest
from test_report_untrusted import ATTACKS, shape_of

from html_page import read
from made_up_site import MadeUpSite, ask
from tutelage.papers.library import make_record
from tutelage.types import Scores

_RAW = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)
PLAIN = "plain words"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = MadeUpSite(tmp_path_factory.mktemp("site"), count=3)
    for name, text in {**ATTACKS, "plain": PLAIN}.items():
        made.library.add([make_record(f"{name} {text}", date="2032-01-01", abstract=f"lorem {text}", id=f"p-{name}")])
        _add_run(made, name, text)
    yield made
    made.close()


def _add_run(made, name, text):
    text = text.encode("utf-8", "replace").decode()  # what cannot be written cannot be stored
    run = f"{name} {text}".encode("utf-8", "replace").decode()
    config = {f"k{text}": text, "nested": {f"x{text}": {"y": text}}}
    made.store.create_run(run, text, f"/none/{text}", config, f"tutelage {text}", text)
    made.store.log(run, [(s, f"q{text}", 1.0 / s) for s in (1, 2, 3)])
    made.store.add_scores(run, f"arm{text}", Scores(f"m{text}", ("a", "b"), np.array([0.0, 1.0])))
    made.store.add_artifact(run, f"file{text}", f"/none/{text}", "")
    summary = {"sentence": text or "x", "next_step": text, "cautions": [text]}
    made.store.update_run(run, status="done", summary=summary)


def _run(name, text):
    return quote(f"{name} {text}".encode("utf-8", "replace").decode(), safe="")


def check(page, where):
    found = read(page)
    assert found.errors == [], where
    assert not _RAW.search(page), where
    for tag, attrs in found.elements:
        assert tag not in ("script", "iframe", "img", "object", "embed", "base", "style", "foreignobject"), where
        assert not any(name.startswith("on") for name in attrs), where
        for name in ("href", "action", "src"):
            value = attrs.get(name)
            assert value is None or re.match(r"/(?!/)|#|https://|data:,$", value), (where, value)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_paper_with_hostile_texts(site, name):
    page = ask(site.app, f"/paper/p-{name}").text
    check(page, name)
    if name == "template":
        assert "{{ 7 * 7 }}" in page
    found = [(tag, sorted(attrs)) for tag, attrs in read(page).elements]
    plain = [(tag, sorted(attrs)) for tag, attrs in read(ask(site.app, "/paper/p-plain").text).elements]
    head = next(n for n, (tag, _) in enumerate(plain) if tag == "article" or tag == "ol")
    assert found[:head] == plain[:head]  # what follows are related papers


@pytest.mark.parametrize("name", ATTACKS)
def test_a_run_with_hostile_texts(site, name):
    text = ATTACKS[name]
    answer = ask(site.app, f"/run/{_run(name, text)}")
    assert answer.status == 200
    check(answer.text, name)
    plain = ask(site.app, f"/run/{_run('plain', PLAIN)}").text
    shapes = [[one for one in shape_of(page) if one[0] != "option"] for page in (answer.text, plain)]
    if "/" not in text:  # where there is one, the quantity's first part could be an arm
        assert shapes[0] == shapes[1]


def test_lists_with_hostile_texts(site):
    for target in ("/", "/search?q=lorem", "/search?status=imported&page=2", "/runs", "/board", "/compare"):
        answer = ask(site.app, target)
        assert answer.status == 200, target
        check(answer.text, target)


@pytest.mark.parametrize("name", ATTACKS)
def test_comparing_runs_with_hostile_names(site, name):
    target = f"/compare?a={_run(name, ATTACKS[name])}&b={_run('plain', PLAIN)}"
    answer = ask(site.app, target)
    assert answer.status == 200
    check(answer.text, name)


@pytest.mark.parametrize("name", ATTACKS)
@pytest.mark.parametrize(
    "parameter", ["q", "family", "status", "since", "until", "page", "a", "b", "sort", "verdict", "x"]
)
def test_hostile_parameters_come_back_escaped(site, name, parameter):
    value = quote(ATTACKS[name].encode("utf-8", "replace"), safe="")
    for path in ("/search", "/board", "/runs", "/compare"):
        answer = ask(site.app, f"{path}?{parameter}={value}&{value}={value}")
        assert answer.status in (200, 404), path
        check(answer.text, (path, name))


@pytest.mark.parametrize("name", ATTACKS)
def test_hostile_addresses_come_to_a_sound_page(site, name):
    value = quote(ATTACKS[name].encode("utf-8", "replace"), safe="")
    for target in (f"/{value}", f"/paper/{value}", f"/run/{value}", f"/run/{value}/report"):
        answer = ask(site.app, target)
        assert answer.status == 404
        check(answer.text, (target, name))
