"""Handing a mail to a server: encryption, trust, passwords, and servers that refuse or break off."""

from __future__ import annotations

import json
import ssl
from email.message import EmailMessage
from email.policy import SMTP

import pytest
from typer.testing import CliRunner

from smtp_server import SmtpServer, make_certificate
from tutelage.cli import app
from tutelage.errors import ConfigError, TutelageError
from tutelage.papers.delivery import AUTHORITY_VARIABLE, PASSWORD_VARIABLE, send

TO = ["you@example.org", "two@example.org"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("trusted"))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("foreign"), "DNS:elsewhere.example")


@pytest.fixture(autouse=True)
def no_password(monkeypatch):
    monkeypatch.delenv(PASSWORD_VARIABLE, raising=False)
    monkeypatch.delenv(AUTHORITY_VARIABLE, raising=False)


def message():
    made = EmailMessage(policy=SMTP)
    made["Subject"], made["From"], made["To"] = "Papers", "me@example.org", ", ".join(TO)
    made.set_content(".\r\nA line of its own, and more.\r\n" * 40)
    return made


def with_user(server):
    return server.url.replace("//", "//reader@")


@pytest.mark.parametrize("tls", ["starttls", "always"])
def test_encrypted_where_that_is_offered(pair, tls):
    with SmtpServer(tls=tls, certificate=pair) as server:
        send(message(), server.url, pair[0])
    [(sender, recipients, data)] = server.mails
    assert (sender, recipients) == ("me@example.org", TO)
    assert data.count(b"A line of its own") == 40
    assert [line.split()[0].upper() for line in server.clear] == (["EHLO", "STARTTLS"] if tls == "starttls" else [])


@pytest.mark.parametrize("tls", ["starttls", "always"])
def test_a_password_comes_from_the_environment_and_goes_out_encrypted(pair, tls, monkeypatch):
    with SmtpServer(tls=tls, certificate=pair, password="secret") as server:
        with pytest.raises(ConfigError, match="password") as caught:
            send(message(), with_user(server), pair[0])
        assert PASSWORD_VARIABLE in caught.value.hint
        monkeypatch.setenv(PASSWORD_VARIABLE, "wrong")
        with pytest.raises(TutelageError, match="not sent: 535 wrong"):
            send(message(), with_user(server), pair[0])
        monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
        send(message(), with_user(server), pair[0])
        with pytest.raises(ConfigError, match="command line"):
            send(message(), server.url.replace("//", "//reader:secret@"), pair[0])
        monkeypatch.setenv(PASSWORD_VARIABLE, "s\u00e9cret")
        with pytest.raises(ConfigError, match="ASCII"):
            send(message(), with_user(server), pair[0])
    assert len(server.mails) == 1
    assert server.logins == ["reader", "reader"]
    assert not [line for line in server.clear if line.upper().startswith("AUTH")]


def test_a_password_is_not_sent_in_the_clear(monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    with SmtpServer(password="secret") as server, pytest.raises(ConfigError, match="no encryption"):
        send(message(), with_user(server))
    assert [line.split()[0].upper() for line in server.clear] == ["EHLO"]
    assert (server.logins, server.mails) == ([], [])


def test_encryption_that_is_offered_and_then_refused(pair, monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    with SmtpServer(tls="starttls", certificate=pair, password="secret", refuse="STARTTLS") as server:
        for url in (server.url, with_user(server)):
            with pytest.raises(TutelageError, match="not sent: 550"):
                send(message(), url, pair[0])
    assert (server.logins, server.mails) == ([], [])


@pytest.mark.parametrize("tls", ["starttls", "always"])
def test_a_certificate_that_nobody_vouches_for_is_refused_with_the_cure(pair, foreign, tls, monkeypatch):
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    with SmtpServer(tls=tls, certificate=pair, password="secret") as server:
        for authority in (None, foreign[0]):
            with pytest.raises(ConfigError, match=r"not trusted: .*(self.signed|issuer)") as caught:
                send(message(), with_user(server), authority)
            assert "--smtp-ca" in caught.value.hint
            assert AUTHORITY_VARIABLE in caught.value.hint
            assert str(server.port) in caught.value.where
    assert (server.logins, server.mails) == ([], [])


@pytest.mark.parametrize("tls", ["starttls", "always"])
def test_a_certificate_for_another_server_is_refused(foreign, tls):
    with (
        SmtpServer(tls=tls, certificate=foreign) as server,
        pytest.raises(ConfigError, match=r"not trusted: .*127\.0\.0\.1"),
    ):
        send(message(), server.url, foreign[0])
    assert server.mails == []


def test_files_that_hold_no_certificate(tmp_path):
    (tmp_path / "text").write_text("none")
    for path in (tmp_path / "text", tmp_path / "missing", tmp_path):
        with pytest.raises(ConfigError, match="certificates") as caught:
            send(message(), "smtps://127.0.0.1:1", path)
        assert caught.value.where == str(path)


def test_the_wrong_scheme_is_told(pair):
    with (
        SmtpServer(tls="starttls", certificate=pair) as server,
        pytest.raises(TutelageError, match="encrypted") as said,
    ):
        send(message(), server.url.replace("smtp:", "smtps:"), pair[0])
    assert "587" in said.value.hint


@pytest.mark.parametrize("drop", ["", "EHLO", "MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize("tls", ["never", "starttls", "always"])
def test_a_server_that_breaks_off_before_it_has_the_mail(pair, drop, tls):
    with SmtpServer(tls=tls, certificate=pair, drop=drop) as server, pytest.raises(TutelageError, match="not sent"):
        send(message(), server.url, pair[0])
    assert server.mails == []


@pytest.mark.parametrize("tls", ["never", "starttls", "always"])
def test_a_server_that_breaks_off_after_it_has_the_mail(pair, tls):
    with SmtpServer(tls=tls, certificate=pair, drop=".") as server, pytest.raises(TutelageError, match="whole") as said:
        send(message(), server.url, pair[0])
    assert "arrived" in said.value.hint
    assert len(server.mails) == 1


def test_a_server_that_breaks_off_inside_the_mail():
    with SmtpServer(drop="body") as server, pytest.raises(TutelageError, match=r"not sent|without saying"):
        send(message(), server.url)  # what was on its way when the server left is not known here
    assert server.mails == []


def test_a_server_that_does_not_say_goodbye_has_the_mail():
    with SmtpServer(drop="QUIT") as server:
        send(message(), server.url)
    assert len(server.mails) == 1


@pytest.mark.parametrize("refused", ["MAIL", "RCPT", "DATA"])
def test_a_server_that_refuses(refused):
    with SmtpServer(refuse=refused) as server, pytest.raises(TutelageError, match="550 no"):
        send(message(), server.url)
    assert server.mails == []


def test_one_recipient_that_is_refused_is_named():
    with SmtpServer(refuse="RCPT two@example.org") as server, pytest.raises(TutelageError, match="two@example") as said:
        send(message(), server.url)
    assert "all other recipients" in said.value.hint
    assert [recipients for _, recipients, _ in server.mails] == [["you@example.org"]]


@pytest.mark.parametrize(
    "url", ["localhost:25", "http://x:1", "smtp://", "smtp://h:99999", "smtp://h:1/x", "smtp://[x"]
)
def test_servers_that_are_none(url):
    with pytest.raises(ConfigError):
        send(message(), url)


def test_no_server_there():
    with SmtpServer() as server:
        pass
    with pytest.raises(TutelageError, match="not sent"):
        send(message(), server.url)


def test_command_line(pair, tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    call = ["papers", "digest", "--since", "2017-01-01", "--limit", "3", "--mail-to", TO[0], "--json", "--smtp"]
    with SmtpServer(tls="starttls", certificate=pair, password="secret") as server:
        refused = CliRunner().invoke(app, [*call, with_user(server)])
        assert isinstance(refused.exception, ConfigError)
        assert isinstance(refused.exception.__cause__, ssl.SSLCertVerificationError)
        for words, variables in ((["--smtp-ca", str(pair[0])], {}), ([], {AUTHORITY_VARIABLE: str(pair[0])})):
            done = CliRunner().invoke(app, [*call, with_user(server), *words], env=variables)
            assert done.exit_code == 0, done.output
            assert json.loads(done.stdout)["sent"] == TO[:1]
            assert "secret" not in done.output
    assert len(server.mails) == 2


def test_without_papers_no_mail_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("TUTELAGE_HOME", str(tmp_path / "home"))
    with SmtpServer() as server:
        done = CliRunner().invoke(
            app,
            [
                "papers",
                "digest",
                "--since",
                "2199-01-01",
                "--smtp",
                server.url,
                "--mail-to",
                TO[0],
                "--to",
                "never.eml",
            ],
        )
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "no mail was made"
    assert (server.mails, server.clear) == ([], [])
