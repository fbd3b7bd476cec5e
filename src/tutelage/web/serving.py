"""What ``tutelage serve`` does: open everything, say where the page is, answer until interrupted."""

from __future__ import annotations

import ipaddress
import logging
import secrets
import socket
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread

import uvicorn

from tutelage.errors import ConfigError, TutelageError
from tutelage.papers import catalogue
from tutelage.papers.library import Library
from tutelage.store import Store
from tutelage.web.app import create_app
from tutelage.web.guard import LOOPBACK
from tutelage.web.reading import Papers
from tutelage.web.run_folders import read_run_folders

__all__ = ["serve"]

_ENCODER = "all-minilm-l6-v2"
_LOOK_SECONDS = 2.0  # between two looks whether the library has changed


def serve(
    *,
    host: str,
    port: int,
    library: Path | None,
    evidence: Path | None,
    runs: Sequence[Path],
    open_to_network: bool,
    say: Callable[[str], None],
) -> None:
    """Serve the page until interrupted.

    Args:
        host: to listen on.
        port: to listen on; 0 takes a free one.
        library: file of the library of papers; the user's own when None.
        evidence: folder of evidence; that of this installation when None.
        runs: folders of runs from elsewhere, or folders with such folders in them.
        open_to_network: allows a host that other computers can reach; a token is then asked for.
        say: prints a line.

    Raises:
        ConfigError: the host may be reached by others without ``open_to_network``, or cannot be listened on.
    """
    near = _is_loopback(host)
    if not near and not open_to_network:
        raise ConfigError(
            f"other computers could reach {host}",
            where="--host",
            hint="leave --host out, or add --open-to-network to serve with a password",
        )
    token = None if near else secrets.token_urlsafe(18)
    folder = catalogue.evidence_folder() if evidence is None else evidence
    with ExitStack() as stack:
        listening = stack.enter_context(_listen(host, port))
        store = stack.enter_context(Store())
        more = []
        if runs:
            place = stack.enter_context(tempfile.TemporaryDirectory(prefix="tutelage-serve-"))
            more.append(stack.enter_context(Store(Path(place) / "store.sqlite")))
            for problem in read_run_folders(runs, more[0]):
                say(problem)
        opened = partial(Library, library, status=lambda slug: catalogue.state(slug, folder).status)
        papers = stack.enter_context(opened(encoder=None))
        hosts = LOOPBACK | {host.strip("[]")} if near else None
        app = create_app(papers, store, folder, more_stores=more, hosts=hosts, token=token)
        over = Event()
        stack.callback(over.set)
        Thread(target=keep_ready, args=(app.state.site.papers, opened, over), daemon=True).start()
        name = f"[{host}]" if ":" in host else host
        say(f"http://{name}:{listening.getsockname()[1]}/")
        if token:
            say(f"warning: other computers can reach this page; any user name and this password open it: {token}")
        say("Ctrl-C ends it")
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        config = uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            ws="none",
            http="h11",
            h11_max_incomplete_event_size=65_536,
            limit_concurrency=64,
            timeout_keep_alive=30,
        )
        uvicorn.Server(config).run(sockets=[listening])


def keep_ready(papers: Papers, opened: Callable[..., Library], over: Event) -> None:
    """Have in memory what searches of a large library need, also after another process has changed the library.

    Args:
        papers: see :func:`prepare_meaning`.
        opened: see there.
        over: set when the page ends.
    """
    prepare_meaning(papers, opened)
    while not over.is_set():
        with suppress(TutelageError):  # a request says what is wrong
            papers.library.prepare()
        over.wait(_LOOK_SECONDS)


def prepare_meaning(papers: Papers, opened: Callable[..., Library]) -> None:
    """Load the encoder, which takes seconds, while the page already answers by keyword; then search by meaning too.

    Args:
        papers: receives the library that can search by meaning.
        opened: opens the library again; takes ``encoder``.
    """
    papers.mode, papers.note = "keyword", "By keyword; search by meaning will be ready in a moment."
    try:
        from tutelage.papers.library.encoding import open_encoder  # brings torch

        meaning = opened(encoder=open_encoder(_ENCODER))
        meaning.search("warm up", mode="auto", limit=1)
    except (TutelageError, ImportError):
        papers.note = f"By keyword only; `tutelage assets install {_ENCODER}` adds search by meaning."
        return
    papers.library, papers.mode, papers.note = meaning, "auto", ""


def _is_loopback(host: str) -> bool:
    name = host.strip("[]").lower()
    try:
        return name in LOOPBACK or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    name = host.strip("[]")
    try:
        family = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((name, port), family=family)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot listen on {host}, port {port}: {reason}", hint="choose another --port") from error
    return listening
