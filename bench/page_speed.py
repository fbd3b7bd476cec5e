"""How long a page takes with 100,000 papers: asked in process and over a socket, the 50th and 95th percentile.

Every kind of page is asked with other words, papers and filters each time, after the library has been prepared as
``tutelage serve`` prepares it, and one round of warming up. A figure is the time until the whole answer has been read;
beside it stands the processor time of page and asker together, which other work on the machine changes less.

The pages are asked twice: searching by keyword, and, when the encoder is installed, by keyword and meaning as ``serve``
does then. The encoder reads every query; the papers' vectors are random directions, which take the same time.

    python bench/page_speed.py [--papers 100000] [--rounds 100] [--library FILE] [--out FILE]

Writes ``results/page_speed.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import platform
import random
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tutelage.errors import TutelageError
from tutelage.io import write_json
from tutelage.papers.library import Library, make_record
from tutelage.papers.library.encoding import open_encoder
from tutelage.papers.library.search import ENCODER
from tutelage.papers.library.vectors import Embeds
from tutelage.store import Store
from tutelage.types import Scores
from tutelage.web import create_app

ROOT = Path(__file__).parents[1]
_PARTS = (
    "tar",
    "lum",
    "bri",
    "sco",
    "vel",
    "nim",
    "dra",
    "fos",
    "pil",
    "gan",
    "ow",
    "ent",
    "ax",
    "ice",
    "ur",
    "ond",
    "ea",
)
WORDS = ["".join(parts) for parts in itertools.product(_PARTS, repeat=3)]  # 4,913
SHARES = list(itertools.accumulate(1 / (n + 1) for n in range(len(WORDS))))  # as unequal as in texts (Zipf)
COMMON = ["model", "data", "training", "language", "method", "results", "learning", "task"]


class QueriesOnly:
    """Reads queries with the real encoder, and gives papers random directions: right for time, not for quality."""

    weights_hash = "random"

    def __init__(self, encoder: Embeds) -> None:
        self.encoder, self.generator = encoder, np.random.default_rng(1)
        self.width = encoder.embed(["width"]).shape[1]

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors [N, D]."""
        if len(texts) == 1:
            return self.encoder.embed(texts)
        rows = self.generator.standard_normal((len(texts), self.width), dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def papers(library: Library, count: int) -> None:
    """Made-up papers; every third word is one of eight that nearly every paper has."""
    draw = random.Random(0)

    def text(words: int) -> str:
        rare = draw.choices(WORDS, cum_weights=SHARES, k=words)
        return " ".join(draw.choice(COMMON) if n % 3 == 0 else word for n, word in enumerate(rare))

    library.add(
        make_record(
            f"{text(8).capitalize()} {n}",
            date=f"{2015 + n % 12}-{1 + n % 12:02d}-{1 + n % 28:02d}",
            authors=1 + n % 9,
            abstract=text(120),
            url=f"https://papers.example/{n}",
            source="bench",
        )
        for n in range(count)
    )


def runs(store: Store) -> list[str]:
    """Finished runs with curves of 2,000 steps and scores of 500 items."""
    noise = np.random.default_rng(0)
    names = [f"run-{n}" for n in range(20)]
    for name in names:
        store.create_run(name, "tune", f"/none/{name}", {"seed": name}, "tutelage tune", "2031-01-01T00:00:00Z")
        for metric in ("loss", "kl/loss", "grad_norm", "learning_rate"):
            store.log(name, [(s, f"raft/{metric}", float(noise.random())) for s in range(2_000)])
        ids = tuple(map(str, range(500)))
        store.add_scores(name, "raft", Scores("domain/choice", ids, (noise.random(500) < 0.6).astype(float)))
        store.add_scores(name, "raft", Scores("text_nll", ids, noise.random(500), higher_is_better=False))
        store.update_run(name, status="done", summary={"sentence": "Gained 9.0 points [1.0, 17.0]."})
    return names


def addresses(library: Library, names: list[str], draw: random.Random) -> dict[str, Callable[[], str]]:
    """One drawing of an address a kind of page."""
    some = [record.id for record in library.newest(500, 1_000)]

    def words(count: int) -> str:
        return quote(" ".join(draw.choices(WORDS, cum_weights=SHARES, k=count)))

    return {
        "home": lambda: "/",
        "search, three words": lambda: f"/search?q={words(3)}",
        "search, two common words": lambda: f"/search?q={quote(' '.join(draw.sample(COMMON, 2)))}",
        "search, dates and page 3": lambda: f"/search?q={words(2)}&since={draw.randint(2016, 2022)}&page=3",
        "newest, page 10": lambda: f"/search?since={draw.randint(2015, 2020)}&page=10",
        "paper": lambda: f"/paper/{draw.choice(some)}",
        "paper of the catalogue": lambda: f"/paper/{draw.choice(('raft', 'clip', 'muscle', 'deal'))}",
        "board": lambda: "/board",
        "runs": lambda: "/runs",
        "run": lambda: f"/run/{draw.choice(names)}",
        "compare": lambda: "/compare?a={}&b={}".format(*draw.sample(names, 2)),
    }


def measured(
    get: Callable[[str], httpx.Response], kinds: dict[str, Callable[[], str]], rounds: int
) -> dict[str, list[tuple[float, float]]]:
    """Milliseconds, passed and of the processor, of each kind of page; the kinds take turns."""
    times: dict[str, list[tuple[float, float]]] = {kind: [] for kind in kinds}
    for round_ in range(rounds + 1):
        for kind, address in kinds.items():
            target = address()
            started, busy = time.perf_counter(), time.process_time()
            answer = get(target)
            took = (1_000 * (time.perf_counter() - started), 1_000 * (time.process_time() - busy))
            if answer.status_code != 200:
                raise SystemExit(f"{target}: {answer.status_code}")
            if round_:
                times[kind].append(took)
    return times


@contextlib.contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The page over a socket, in a thread of this process."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", access_log=False, http="h11", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(5)


def encoder() -> Embeds | None:
    """The encoder of queries, when it is installed."""
    try:
        return QueriesOnly(open_encoder(ENCODER))
    except TutelageError:
        return None


def ways(path: Path, count: int, rounds: int) -> Iterator[tuple[str, float, dict[str, list[tuple[float, float]]]]]:
    """Every way of asking: its name, the seconds of preparation, and the milliseconds of each kind of page."""
    with tempfile.TemporaryDirectory() as place, Store(Path(place) / "store.sqlite") as store:
        names = runs(store)
        for how, encodes in {"keyword": None, "keyword and meaning": encoder()}.items():
            if how != "keyword" and encodes is None:
                continue
            with Library(path, encoder=encodes) as library:
                if library.count() < count:
                    papers(library, count)
                if encodes is not None:
                    library.index()
                started = time.perf_counter()
                library.prepare()
                prepared = time.perf_counter() - started
                kinds = addresses(library, names, random.Random(1))
                app = create_app(library, store, ROOT / "evidence")
                with TestClient(app, base_url="http://127.0.0.1") as client:
                    yield f"{how}, in process", prepared, measured(client.get, kinds, rounds)
                app = create_app(library, store, ROOT / "evidence")
                with served(app) as base, httpx.Client(base_url=base) as client:
                    yield f"{how}, over a socket", prepared, measured(client.get, kinds, rounds)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--papers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--library", type=Path, help="keep the made-up library here, to measure again")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "page_speed.json")
    asked = parser.parse_args()
    told: dict[str, Any] = {"bench": "page_speed", "papers": asked.papers, "rounds": asked.rounds}
    told |= {"cores": os.cpu_count(), "python": platform.python_version(), "numpy": np.__version__}
    told |= {"threads": os.environ.get("OMP_NUM_THREADS", "as many as cores"), "sqlite": sqlite3.sqlite_version}
    told |= {"load before": round(os.getloadavg()[0], 1)}
    told |= {"seconds to prepare": {}, "milliseconds": {}}
    with tempfile.TemporaryDirectory() as place:
        for way, prepared, times in ways(asked.library or Path(place) / "papers.sqlite", asked.papers, asked.rounds):
            told["seconds to prepare"][way.partition(",")[0]] = round(prepared, 1)
            told["milliseconds"][way] = {
                kind: {
                    f"{name}p{p}": round(float(np.percentile(took, p)), 1)
                    for name, took in zip(("", "processor "), zip(*both, strict=True), strict=True)
                    for p in (50, 95)
                }
                for kind, both in times.items()
            }
    told["load after"] = round(os.getloadavg()[0], 1)
    for way, kinds in told["milliseconds"].items():
        for kind, numbers in kinds.items():
            print(f"{way:34} {kind:26}", *(f"{name} {value:6.1f} " for name, value in numbers.items()))
    print({name: value for name, value in told.items() if name != "milliseconds"})
    write_json(asked.out, told)


if __name__ == "__main__":
    main()
