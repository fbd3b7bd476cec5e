"""Hands a mail to a server that the user names: certificates are checked, and no password goes out unencrypted."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple, NoReturn
from urllib.parse import unquote, urlsplit

from tutelage.errors import ConfigError, TutelageError
from tutelage.report.untrusted import one_line

__all__ = ["AUTHORITY_VARIABLE", "PASSWORD_VARIABLE", "send"]

PASSWORD_VARIABLE = "TUTELAGE_SMTP_PASSWORD"
AUTHORITY_VARIABLE = "TUTELAGE_SMTP_CA"
_TIMEOUT = 30.0
_USUAL = {"smtp": 587, "smtps": 465}
_TRUST = f"if you trust it, name the file of the authority that signed it: --smtp-ca FILE, or {AUTHORITY_VARIABLE}"
_PORTS = "check scheme and port: smtps:// is encrypted from the start (usually 465), smtp:// after STARTTLS (587)"
_RETRY = "nothing was delivered; check the server, port and addresses, and send again"


class _Server(NamedTuple):
    scheme: str
    host: str
    port: int
    user: str

    @property
    def where(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


class _Progress:
    """How far a delivery got: whether the whole mail was handed over."""

    handed_over = False

    def send(self, s: object) -> None:
        """Passes ``s`` on and notes the end of a mail."""
        super().send(s)  # type: ignore[misc]
        self.handed_over |= isinstance(s, bytes) and s.endswith(b"\r\n.\r\n")


class _Plain(_Progress, smtplib.SMTP):
    """A connection that begins in the clear."""


class _Encrypted(_Progress, smtplib.SMTP_SSL):
    """A connection that is encrypted from its first byte."""


def send(message: EmailMessage, server: str, authority: Path | None = None) -> None:
    """Hand a mail to a server.

    The connection is encrypted when the server offers it (``smtps://`` insists), and its certificate is checked: there
    is no falling back. A password is read from the environment variable ``TUTELAGE_SMTP_PASSWORD`` alone, and it is
    never sent unencrypted.

    Args:
        message: the mail.
        server: ``smtp://[user@]host[:port]`` or ``smtps://...``.
        authority: PEM file of a further authority to trust, or of the server's own certificate.

    Raises:
        ConfigError: the address of the server or the file of the authority is none, the password is missing or would
            be sent in the clear, or the certificate is not trusted.
        TutelageError: the server cannot be reached, refuses the mail or some of its recipients, or breaks off.
    """
    asked = _server(server)
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if asked.user and not password:
        raise ConfigError("the server asks for a password", where=asked.where, hint=f"set {PASSWORD_VARIABLE}")
    if not (asked.user + password).isascii():
        raise ConfigError("user and password of a mail server are ASCII", where=asked.where, hint="change the password")
    context = _context(authority)
    with _errors(asked):
        connection: _Plain | _Encrypted = (
            _Encrypted(asked.host, asked.port, timeout=_TIMEOUT, context=context)
            if asked.scheme == "smtps"
            else _Plain(asked.host, asked.port, timeout=_TIMEOUT)
        )
    with _errors(asked, connection), _closing(connection):
        _encrypt(connection, context)
        if asked.user:
            if not isinstance(connection.sock, ssl.SSLSocket):
                raise ConfigError(
                    "the server offers no encryption, and a password is not sent without",
                    where=asked.where,
                    hint="use smtps://, or leave the user out if the server asks for none",
                )
            connection.login(asked.user, password)
        refused = connection.send_message(message)
    if refused:
        raise TutelageError(
            f"the server refused {_recipients(refused)}", where=asked.where, hint="all other recipients got the mail"
        )


def _encrypt(connection: smtplib.SMTP, context: ssl.SSLContext) -> None:
    connection.ehlo_or_helo_if_needed()
    if not isinstance(connection.sock, ssl.SSLSocket) and connection.has_extn("starttls"):
        code, reply = connection.starttls(context=context)
        if code != 220:  # it goes on in the clear otherwise
            raise smtplib.SMTPResponseException(code, reply)
        connection.ehlo_or_helo_if_needed()


@contextmanager
def _closing(connection: smtplib.SMTP) -> Iterator[None]:
    """Says goodbye when all went well; a server that does not hear it has the mail all the same."""
    try:
        yield
        with suppress(smtplib.SMTPException, OSError):
            connection.quit()
    finally:
        connection.close()


@contextmanager
def _errors(server: _Server, progress: _Progress | None = None) -> Iterator[None]:
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise ConfigError(
            f"the certificate of the mail server is not trusted: {one_line(error.verify_message)}",
            where=server.where,
            hint=_TRUST,
        ) from error
    except ssl.SSLError as error:
        _unsent(server, f"no encrypted connection: {one_line(error.reason or str(error))}", _PORTS, error)
    except smtplib.SMTPServerDisconnected as error:
        if progress is not None and progress.handed_over:
            raise TutelageError(
                "the server broke off after it had got the whole mail, without saying whether it takes it",
                where=server.where,
                hint="look whether the mail has arrived before it is sent again",
            ) from error
        _unsent(server, f"the server broke off: {one_line(str(error))}", _PORTS, error)
    except (smtplib.SMTPException, OSError) as error:
        _unsent(server, _said(error), _RETRY, error)


def _unsent(server: _Server, why: str, hint: str, error: Exception) -> NoReturn:
    raise TutelageError(f"the mail was not sent: {why}", where=server.where, hint=hint) from error


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return f"the server refused {_recipients(error.recipients)}"
    if isinstance(error, smtplib.SMTPResponseException):
        return _reply(error.smtp_code, error.smtp_error)
    return one_line(str(error)) or type(error).__name__


def _recipients(refused: Mapping[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{one_line(who)} ({_reply(*reply)})" for who, reply in refused.items())


def _reply(code: int, text: bytes | str) -> str:
    return one_line(f"{code} {text.decode('utf-8', 'replace') if isinstance(text, bytes) else text}")


def _context(authority: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if authority is not None:
        try:
            context.load_verify_locations(authority)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(
                f"no certificates can be read here: {one_line(str(error))}", where=str(authority), hint="a PEM file"
            ) from error
    return context


def _server(text: str) -> _Server:
    try:
        parts = urlsplit(text)
        usual = _USUAL.get(parts.scheme, 0)
        port = (parts.port or usual) if usual else 0
    except ValueError:
        port, parts = 0, urlsplit("")
    if not port or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ConfigError(f"{one_line(text, 80)!r} is no mail server", where="--smtp", hint="smtp://host:port")
    if parts.password:
        raise ConfigError(
            "a password does not belong on the command line", where="--smtp", hint=f"set {PASSWORD_VARIABLE}"
        )
    return _Server(parts.scheme, parts.hostname, port, unquote(parts.username or ""))
