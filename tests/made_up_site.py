"""A small site for tests of the page: a library, a store with runs and files, all made up, and one file of evidence."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import anyio
import numpy as np
from starlette.testclient import TestClient

from tutelage.papers.library import Library, make_record
from tutelage.store import Store
from tutelage.types import Scores
from tutelage.web import create_app

EVIDENCE = Path(__file__).parents[1] / "evidence" / "raft.json"
REPORT = b"<!doctype html><title>report</title><script>document.title = 'acted'</script><p>made-up report</p>"


def papers(library: Library, count: int = 60) -> None:
    """Made-up imported papers, the last the newest."""
    library.add(
        make_record(
            f"Made-up study {n} of lanterns and tides",
            date=f"2031-01-{1 + n % 28:02d}",
            authors=n % 9,
            comments=n % 4,
            abstract=f"We watch harbour number {n} and count lanterns until the tide forgets them.",
            url=f"https://papers.example/{n}",
            source="test",
        )
        for n in range(count)
    )


def add_run(store: Store, folder: Path, name: str, shift: float, *, method: str = "raft") -> None:
    """A finished run with curves, scores, a report and a file."""
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"id": name, "command": "tutelage tune", "created": "2031-01-01"}))
    (folder / "report.html").write_bytes(REPORT)
    (folder / "notes.txt").write_text(f"notes of {name}")
    store.create_run(
        name, "tune", folder, {"method": method, "train": {"seed": 0}}, "tutelage tune --out R", "2031-01-01"
    )
    store.log(name, [(s, f"{arm}/loss", 2.0 / s + shift) for arm in ("raft", "sft") for s in range(1, 30)])
    ids = tuple(f"i{n}" for n in range(60))
    right = (np.arange(60) % 10 < 4 + 10 * shift).astype(float)
    for arm, values in (("base", (np.arange(60) % 10 < 2).astype(float)), ("raft", right)):
        store.add_scores(name, arm, Scores("domain/choice", ids, values))
    store.add_artifact(name, "notes", folder / "notes.txt", "")
    store.update_run(name, status="done", summary={"sentence": "Gained 9.0 points [1.0, 17.0].", "next_step": "Look."})


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def ask(
    app, target: str, *, method: str = "GET", headers: tuple[tuple[str, str], ...] = (("host", "127.0.0.1"),)
) -> Answer:
    """The answer to a request line exactly as written: no client in between that would tidy the address.

    Args:
        app: an ASGI application.
        target: path and query, percent-encoded or not.
        method: of the request.
        headers: all of them.
    """
    raw, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(raw),
        "raw_path": raw.encode("utf-8", "surrogatepass"),
        "query_string": query.encode("utf-8", "surrogatepass"),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    messages = []
    coming = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive():
        if not coming:
            await anyio.sleep_forever()  # the visitor stays
        return coming.pop()

    async def send(message):
        messages.append(message)

    anyio.run(app, scope, receive, send)
    start = messages[0]
    body = b"".join(message.get("body", b"") for message in messages[1:])
    return Answer(start["status"], {k.decode(): v.decode() for k, v in start["headers"]}, body)


class MadeUpSite:
    """Everything that the page shows, under one folder; ``client`` asks it as a browser on this computer would."""

    def __init__(self, root: Path, count: int = 60) -> None:
        self.root, self.evidence = root, root / "evidence"
        self.library = Library(root / "papers.sqlite", encoder=None)
        papers(self.library, count)
        self.store = Store(root / "store.sqlite")
        add_run(self.store, root / "runs" / "one", "run-one", 0.0, method="sft")
        add_run(self.store, root / "runs" / "two", "run-two", 0.3)
        self.evidence.mkdir()
        shutil.copy(EVIDENCE, self.evidence)
        self.app = create_app(self.library, self.store, self.evidence)
        self.client = TestClient(self.app, base_url="http://127.0.0.1", follow_redirects=False)

    def close(self) -> None:
        """Close the files."""
        self.client.close()
        self.store.close()
        self.library.close()
