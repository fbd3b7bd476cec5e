"""Who may ask and what: other names for this computer, methods, tokens, long and slow questions, what answers say."""

from __future__ import annotations

import base64
import logging
import re
import threading
import time
from urllib.parse import quote

import pytest

from html_page import read
from made_up_site import MadeUpSite, ask
from tutelage.errors import TookTooLong
from tutelage.web import create_app
from tutelage.web.guard import Guard

PAGES = ["/", "/search?q=tide", "/paper/raft", "/board", "/runs", "/run/run-one", "/compare?a=run-one&b=run-two"]
OTHERS = ["/nowhere", "/run/run-one/report", "/health", "/paper/none", "/run/none/file/1"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = MadeUpSite(tmp_path_factory.mktemp("site"), count=40)
    yield made
    made.close()


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8765", "localhost:1", "LOCALHOST", "[::1]:8765", "[::1]"])
def test_this_computer_is_answered(site, host):
    assert ask(site.app, "/", headers=(("host", host),)).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("host", "evil.example"),),
        (("host", "evil.example:8765"),),
        (("host", "127.0.0.1.evil.example"),),
        (("host", "localhost.evil.example"),),
        (("host", "evil.example#127.0.0.1"),),
        (("host", "127.0.0.1@evil.example"),),
        (("host", "127.0.0.1:80@evil.example"),),
        (("host", "[::1].evil.example"),),
        (("host", "[::1]evil.example"),),
        (("host", "127.0.0.1, evil.example"),),
        (("host", ""),),
        (("host", "0.0.0.0"),),
        (("host", "127.0.0.1"), ("host", "evil.example")),
        (("host", "evil.example"), ("x-forwarded-host", "127.0.0.1")),
    ],
)
@pytest.mark.parametrize("target", ["/", "/run/run-one/report", "/health"])
def test_another_name_for_this_computer_is_refused(site, headers, target):
    answer = ask(site.app, target, headers=headers)
    assert answer.status == 400
    assert b"made-up" not in answer.body
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
@pytest.mark.parametrize("target", [*PAGES, "/nowhere"])
def test_nothing_can_be_changed(site, method, target):
    assert ask(site.app, target, method=method).status in (404, 405)


def test_every_route_only_reads(site):
    assert all(route.methods == {"GET", "HEAD"} for route in site.app.routes)


@pytest.mark.parametrize("target", [*PAGES, *OTHERS])
def test_every_answer_has_the_safety_headers_and_no_cookie(site, target):
    answer = ask(site.app, target)
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["base-uri"] == "'none'"
    assert "script-src" not in policy
    assert "unsafe" not in policy["style-src"] or "sandbox" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "set-cookie" not in answer.headers
    assert "server" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


def test_no_page_asks_another_computer_for_anything(site):
    for target in PAGES:
        for tag, attrs in read(ask(site.app, target).text).elements:
            if tag in ("link", "img", "script", "use", "image", "source", "form"):
                for name in ("href", "src", "action", "srcset"):
                    assert re.match(r"/(?!/)|data:,$", attrs.get(name) or "/"), (target, tag, attrs)
    style = re.search(r'href="(/style-[^"]+)"', ask(site.app, "/").text)[1]
    sheet = ask(site.app, style).text
    assert "url(" not in sheet
    assert "@import" not in sheet


def basic(password, user="me"):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_page_for_the_network_needs_its_token(site):
    app = create_app(site.library, site.store, site.evidence, hosts=None, token="s3cret-token")
    host = ("host", "machine.lan")
    for header in ("", "Basic", "Basic !!!", f"Basic {basic('wrong')}", "Bearer s3cret-token", f"Basic {basic('')}"):
        answer = ask(app, "/", headers=(host, ("authorization", header)))
        assert answer.status == 401
        assert b"s3cret" not in answer.body
        assert answer.headers["www-authenticate"].startswith("Basic")
    for user in ("", "me", "a b"):
        assert ask(app, "/", headers=(host, ("authorization", f"Basic {basic('s3cret-token', user)}"))).status == 200
    with pytest.raises(ValueError, match="token"):
        Guard(site.app, None, None)


HOSTILE = [
    '"',
    "'",
    '" OR *',
    "NEAR(",
    "a AND",
    "title:x",
    "-x",
    "^",
    "*",
    "'; DROP TABLE papers; --",
    '"); DELETE FROM papers; --',
    "' UNION SELECT sql FROM sqlite_master --",
    "%",
    "_",
    "\0",
    "\U0001f9ea\U0001f680",
    "\u202etxt",
    "a" * 10_000,
    "lantern " * 1_200,
    '"' * 5_000,
    "(" * 5_000,
]


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_query_finds_or_does_not_and_changes_nothing(site, query):
    before = site.library.count()
    started = time.perf_counter()
    answer = ask(site.app, f"/search?q={quote(query)}")
    assert answer.status == 200
    assert read(answer.text).errors == []
    assert time.perf_counter() - started < 5
    assert site.library.count() == before
    if len(query) > 1_000:
        assert "Only the first 1,000 characters" in answer.text


def test_a_query_beyond_all_measure_is_refused(site):
    assert ask(site.app, "/search?q=" + "a" * 40_000).status == 414
    assert ask(site.app, "/search?" + "&".join(f"a{n}=1" for n in range(3_000))).status == 200


def test_a_slow_search_is_given_up_and_others_are_answered(site, monkeypatch):
    release = threading.Event()
    monkeypatch.setattr(site.library, "search", lambda *_, **__: release.wait(10))
    monkeypatch.setattr(site.app.state.site, "seconds", 0.2)
    monkeypatch.setattr(site.app.state.site, "_limiter", None)  # a limiter belongs to one event loop
    threading.Timer(1.0, release.set).start()
    started = time.perf_counter()
    answer = ask(site.app, "/search?q=tide")
    assert (answer.status, "took too long" in answer.text) == (503, True)
    assert time.perf_counter() - started < 5


def test_a_search_is_given_the_time_of_a_page_and_its_end_is_said(site, monkeypatch):
    given = []

    def searched(*_, seconds, **__):
        given.append(seconds)
        raise TookTooLong("the search was given up")

    monkeypatch.setattr(site.app.state.site, "_limiter", None)
    monkeypatch.setattr(site.app.state.site, "seconds", 3.5)
    monkeypatch.setattr(site.library, "search", searched)
    monkeypatch.setattr(site.library, "similar", searched)
    for target in ("/search?q=tide", "/paper/raft"):
        answer = ask(site.app, target)
        assert (answer.status, "took too long" in answer.text) == (503, True)
    assert given == [3.5, 3.5]


def test_a_defect_is_named_on_the_terminal_in_one_line_and_not_on_the_page(site, monkeypatch, caplog):
    def broken(*_):
        raise RuntimeError("secret detail\nsecond line \x1b[31m")

    monkeypatch.setattr(site.library, "get", broken)
    with caplog.at_level(logging.ERROR, "tutelage.web"):
        answer = ask(site.app, "/paper/a%1Bb")
    assert answer.status == 500
    assert "secret detail" not in answer.text
    assert "Traceback" not in answer.text
    assert len(caplog.records) == 1
    line = caplog.records[0].getMessage()
    assert "RuntimeError: secret detail" in line
    assert "\n" not in line
    assert "\x1b" not in line


def test_secrets_of_the_environment_are_on_no_page(site, monkeypatch):
    for name in ("HF_TOKEN", "OPENAI_API_KEY", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "hf_canarycanarycanary")
    for target in [*PAGES, *OTHERS]:
        assert b"canarycanary" not in ask(site.app, target).body
