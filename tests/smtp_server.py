"""A real, small SMTP server on loopback, in a thread of its own: it keeps what it is given, or refuses."""

from __future__ import annotations

import asyncio
import base64
import threading
from dataclasses import dataclass, field


@dataclass
class SmtpServer:
    """Use as ``with SmtpServer() as server``; ``mails`` holds (sender, recipients, bytes)."""

    refuse: str = ""  # the command that is answered with an error
    password: str = ""
    mails: list[tuple[str, list[str], bytes]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> SmtpServer:
        self._loop = asyncio.new_event_loop()
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
        return f"smtp://127.0.0.1:{self.port}"

    def _run(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        sender, recipients = "", []
        while line := (await reader.readline()).decode():
            verb, _, rest = line.strip().partition(" ")
            verb = verb.upper()
            if verb == self.refuse:
                writer.write(b"550 no\r\n")
            elif verb == "EHLO":
                writer.write(b"250-here\r\n250 AUTH PLAIN\r\n" if self.password else b"250 here\r\n")
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
                self.mails.append((sender, recipients, body))
                writer.write(b"250 kept\r\n")
            elif verb == "QUIT":
                writer.write(b"221 bye\r\n")
                await writer.drain()
                break
            else:
                writer.write(b"250 ok\r\n")
        writer.close()
