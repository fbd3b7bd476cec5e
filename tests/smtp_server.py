"""A real, small SMTP server on loopback, in a thread of its own: it keeps what it is given, refuses, or breaks off."""

from __future__ import annotations

import asyncio
import base64
import shutil
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest


def make_certificate(folder: Path, names: str = "IP:127.0.0.1,DNS:localhost") -> tuple[Path, Path]:
    """A self-signed certificate for ``names``, and its key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("needs the openssl program")
    certificate, key = folder / "server.pem", folder / "server.key"
    kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    about = ["-subj", "/CN=made up", "-addext", f"subjectAltName={names}"]
    command = [program, *kind, *about, "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


@dataclass
class SmtpServer:
    """Use as ``with SmtpServer() as server``; ``mails`` holds (sender, recipients, bytes).

    ``clear`` is every line that came before encryption. ``drop`` is the command after which the connection ends; "."
    stands for the end of a mail, which is kept then, and "" at the greeting.
    """

    refuse: str = ""  # the command that is answered with an error; "RCPT two@example.org": only when it says that
    password: str = ""
    tls: Literal["never", "starttls", "always"] = "never"
    certificate: tuple[Path, Path] | None = None
    drop: str | None = None
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    clear: list[str] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> SmtpServer:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda *_: None)  # handshakes that clients refuse
        self._context = None
        if self.certificate is not None:
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.load_cert_chain(*self.certificate)
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    @property
    def url(self) -> str:
        return f"{'smtps' if self.tls == 'always' else 'smtp'}://127.0.0.1:{self.port}"

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        context = self._context if self.tls == "always" else None
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._talk(reader, writer)
        except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.drop == "":
            return
        writer.write(b"220 here\r\n")
        sender, recipients, private = "", [], self.tls == "always"
        while line := (await reader.readline()).decode():
            if not private:
                self.clear.append(line)
            verb, _, rest = line.strip().partition(" ")
            verb = verb.upper()
            if self.drop is not None and verb == self.drop:
                return
            if self.refuse and (verb == self.refuse or self._refuses(verb, rest)):
                writer.write(b"550 no\r\n")
            elif verb == "EHLO":
                offers = ["AUTH PLAIN"] * bool(self.password) + ["STARTTLS"] * (self.tls == "starttls" and not private)
                replies = ["here", *offers]
                last = len(replies) - 1
                writer.write(
                    "".join(f"250{' ' if n == last else '-'}{one}\r\n" for n, one in enumerate(replies)).encode()
                )
            elif verb == "STARTTLS":
                writer.write(b"220 go\r\n")
                await writer.drain()
                await writer.start_tls(self._context)
                sender, recipients, private = "", [], True
            elif verb == "AUTH":
                said = base64.b64decode(rest.split()[1]).decode().split("\0")[1:]
                self.logins.append(said[0])
                writer.write(b"235 in\r\n" if said[1] == self.password else b"535 wrong\r\n")
            elif verb == "MAIL":
                sender = rest[rest.index("<") + 1 : rest.index(">")]
                writer.write(b"250 ok\r\n")
            elif verb == "RCPT":
                recipients.append(rest[rest.index("<") + 1 : rest.index(">")])
                writer.write(b"250 ok\r\n")
            elif verb == "DATA":
                writer.write(b"354 go\r\n")
                body = b""
                while (part := await reader.readline()) != b".\r\n":
                    body += part[1:] if part.startswith(b"..") else part
                    if not part or (self.drop == "body" and len(body) > 200):
                        return
                self.mails.append((sender, recipients, body))
                if self.drop == ".":
                    return
                writer.write(b"250 kept\r\n")
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                await writer.drain()
                break
            else:
                writer.write(b"250 ok\r\n")

    def _refuses(self, verb: str, rest: str) -> bool:
        asked, _, said = self.refuse.partition(" ")
        return bool(said) and asked == verb and said in rest
