"""The digest: which papers, how the mail looks, and that a real server gets it."""

from __future__ import annotations

import json
from datetime import date
from email import message_from_bytes
from email.policy import default
from html.parser import HTMLParser

import pytest

from paper_library import RECORDS, WordEncoder, made_up_library
from smtp_server import SmtpServer
from tutelage.errors import ConfigError
from tutelage.papers.delivery import send
from tutelage.papers.digest import compose, mail, parse_since, write_mail
from tutelage.papers.library import Filters, make_record


@pytest.fixture
def library(tmp_path):
    with made_up_library(tmp_path, encoder=WordEncoder()) as made:
        made.add(RECORDS)
        yield made


def parts(data):
    message = message_from_bytes(data, policy=default)
    text, html = (message.get_body((kind,)).get_content() for kind in ("plain", "html"))
    return message, text, html


def test_newest_since_a_day(library):
    made = compose(library, "2026-04-15")
    assert [item.record.title for item in made.items] == ["Gliders of Glass"]
    assert made.subject == "1 paper since 2026-04-15"
    assert compose(library, "2030-01-01").items == ()


def test_best_matches_and_filters(library):
    made = compose(library, "", "glider made of glass", Filters(status="imported"), 1)
    assert [item.record.title for item in made.items] == ["Gliders of Glass"]
    assert (made.items[0].family, made.items[0].status) == ("", "imported")


@pytest.mark.parametrize(("text", "day"), [("7d", "2026-06-03"), ("1W", "2026-06-03"), ("2026-01-31", "2026-01-31")])
def test_since(text, day):
    assert parse_since(text, date(2026, 6, 10)) == day


@pytest.mark.parametrize("text", ["", "soon", "7", "99999d 1", "2026-02-30", "-3d"])
def test_since_that_is_none(text):
    with pytest.raises(ConfigError):
        parse_since(text)


class Tags(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs


def test_hostile_texts_stay_texts(library, tmp_path):
    title = "<script>x</script> Subject: \r\nBcc: victim@example.org\u202e \x1b[31m"
    library.add([make_record(title, date="2026-06-01", abstract="<img src=//x> & more", url='javascript:alert("x")')])
    made = compose(library, "2026-05-20", "Bcc:\r\nBcc: victim@example.org script")
    message = mail(made, "me@example.org", ["you@example.org"])
    write_mail(message, tmp_path / "mail.eml")
    got, text, html = parts((tmp_path / "mail.eml").read_bytes())
    assert got["To"] == "you@example.org"
    assert got["Bcc"] is None
    assert {"Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"} == set(
        got.keys()
    )
    page = Tags(html)
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    assert not [value for name, value in page.attributes if name in ("src", "srcset") or "javascript" in value]
    assert "<script>x</script>" in text
    assert "\x1b" not in text + html
    assert "\u202e" not in text + html


@pytest.mark.parametrize("address", ["", "you", "a@b\r\nBcc: c@d", "a@b, c@d", "a b@c", "ü@example.org", "<a@b>"])
def test_addresses_that_are_none(library, address):
    made = compose(library, "2026-04-15")
    with pytest.raises(ConfigError):
        mail(made, "me@example.org", [address])
    with pytest.raises(ConfigError):
        mail(made, address, ["you@example.org"])


def test_a_server_gets_the_mail(library):
    message = mail(compose(library, "2026-01-01"), "me@example.org", ["you@example.org", "two@example.org"])
    with SmtpServer() as server:
        send(message, server.url)
    [(sender, recipients, data)] = server.mails
    assert (sender, recipients) == ("me@example.org", ["you@example.org", "two@example.org"])
    got, text, html = parts(data)
    assert got["Subject"] == "2 papers since 2026-01-01"
    assert max(len(line) for line in text.splitlines()) <= 76
    for body in (text, html):
        assert "Gliders of Glass" in body
        assert "Folding paper planes." in body
        assert "Undated" not in body


def test_command_line(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from tutelage.cli import app

    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    page = tmp_path / "page.json"
    page.write_text(json.dumps([{"title": "Kites of Tin", "summary": "Tin kites fall.", "publishedAt": "2026-06-01"}]))

    def call(*words):
        result = CliRunner().invoke(app, ["papers", *words])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert json.loads(call("import", str(page), "--json"))[0]["new"] == 1
    assert json.loads(call("import", str(page), "--json"))[0]["same"] == 1
    rows = json.loads(call("list", "--json"))
    assert len(rows) == 66
    assert set(rows[0]) == {"slug", "title", "date", "family", "status", "verdict", "recipe", "evidence"}
    assert len(json.loads(call("list", "--all", "--json"))) == 67
    words = ["search", "tin kites", "--mode", "keyword", "--json"]
    hits = json.loads(call(*words, "--save", "tin"))["hits"]
    assert hits[0]["title"] == "Kites of Tin"
    assert json.loads(call("search", "--saved", "tin", "--mode", "keyword", "--json"))["hits"] == hits
    told = json.loads(call("show", hits[0]["id"], "--json"))
    assert (told["status"], told["abstract"], told["claims"]) == ("imported", "Tin kites fall.", [])
    with SmtpServer() as server:
        mails = ["--smtp", server.url, "--mail-to", "you@example.org", "--to", str(tmp_path / "mail.eml")]
        said = json.loads(call("digest", "--since", "2026-06-01", "--json", *mails))
    assert said["sent"] == ["you@example.org"]
    assert [paper["title"] for paper in said["papers"]] == ["Kites of Tin"]
    assert parts((tmp_path / "mail.eml").read_bytes())[1] == parts(server.mails[0][2])[1]
    for words in (
        ["list"],
        ["show", "raft"],
        ["search", "tin", "--mode", "keyword"],
        ["digest", "--since", "2026-06-01"],
    ):
        shown = call(*words)
        assert max(len(line) for line in shown.splitlines()) <= 80
