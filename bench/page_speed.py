"""How long a page takes with 100,000 papers: asked in process and over a socket, the 50th and 95th percentile.

Every kind of page is asked with other words, papers and filters each time, after one round of warming up. A figure is
the time until the whole answer has been read. The library searches by keyword here; meaning adds one product of the
query's vector with all others, measured in ``bench/`` of the search.

    python bench/page_speed.py [--papers 100000] [--rounds 40] [--library FILE] [--json FILE]
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import platform
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tutelage.papers.library import Library, make_record
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
) -> dict[str, list[float]]:
    """Milliseconds of each kind of page, its kinds taking turns."""
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for round_ in range(rounds + 1):
        for kind, address in kinds.items():
            target = address()
            started = time.perf_counter()
            answer = get(target)
            took = 1_000 * (time.perf_counter() - started)
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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--papers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--library", type=Path, help="keep the made-up library here, to measure again")
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        library = Library(asked.library or Path(place) / "papers.sqlite", encoder=None)
        if library.count() < asked.papers:
            papers(library, asked.papers)
        store = Store(Path(place) / "store.sqlite")
        kinds = addresses(library, runs(store), random.Random(1))
        app = create_app(library, store, ROOT / "evidence")
        with TestClient(app, base_url="http://127.0.0.1") as client:
            found = {"in process": measured(client.get, kinds, asked.rounds)}
        with served(app) as base, httpx.Client(base_url=base) as client:
            found["over a socket"] = measured(client.get, kinds, asked.rounds)
        count = library.count()
        store.close()
        library.close()
    rows = {
        way: {
            kind: {f"p{p}": round(float(np.percentile(took, p)), 1) for p in (50, 95)} for kind, took in times.items()
        }
        for way, times in found.items()
    }
    print(
        f"{count:,} papers, {asked.rounds} rounds, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; milliseconds"
    )
    for way, kinds_ in rows.items():
        for kind, numbers in kinds_.items():
            print(f"{way:14} {kind:26} p50 {numbers['p50']:7.1f}  p95 {numbers['p95']:7.1f}")
    if asked.json:
        facts = {"papers": count, "rounds": asked.rounds, "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1)}
        asked.json.write_text(
            json.dumps({**facts, "python": platform.python_version(), "milliseconds": rows}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
