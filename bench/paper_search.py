"""How good and how fast is search in the library of papers?

Quality: judged queries over the catalogue's entries (``queries.papers.jsonl``: graded 3 the paper meant, 2 a good
answer, 1 related; written by one judge from the papers' content in other words than their titles), nDCG@10 with gain
2^grade - 1, 95 % bootstrap intervals over queries. With ``--page FILE`` the abstracts of a saved listing are added
first, as a user would; without it only the catalogue's own summaries are searched.

Speed: one query at a time, ours and ``sentence_transformers.util.semantic_search`` in turns. The papers of the large
library are made up: words drawn by a Zipf law, and random unit vectors, so this measures time and not quality. Both
sides start from the query's vector; ours ends with records and snippets read from SQLite, theirs with numbers. Times
are those of the processor in the calling thread, and, beside them, those of the clock, which other work on the machine
lengthens. Every query is another one, so that none is answered from memory; ``common`` are queries of three of the
twelve most frequent words. Before the queries the library is prepared, as ``tutelage serve`` does.

    python bench/paper_search.py [--page FILE] [--papers 100000] [--rounds 200]

Writes ``results/paper_search.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import sentence_transformers
import torch
from sentence_transformers.util import semantic_search

from tutelage.io import write_json
from tutelage.papers.importing import read_papers
from tutelage.papers.library import Filters, Library
from tutelage.stats import paired_bootstrap

HERE = Path(__file__).parent
MODES = {"keyword": "keyword", "meaning": "meaning", "fused": "auto"}
DEPTH = 10
WIDTH = 384
VOCABULARY = 30_000
WORDS = 150  # of an abstract


class RandomVectors:
    """An encoder whose vectors are random directions: right for time, meaningless for quality."""

    weights_hash = "random"

    def __init__(self) -> None:
        self.generator = np.random.default_rng(1)

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors [N, D]."""
        rows = self.generator.standard_normal((len(texts), WIDTH), dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def ndcg(found: Sequence[str], relevance: dict[str, int]) -> float:
    """Normalised discounted cumulative gain of the first ten."""
    discounts = 1 / np.log2(np.arange(2, DEPTH + 2))
    gains = [2.0 ** relevance.get(one, 0) - 1 for one in found[:DEPTH]]
    best = sorted((2.0**grade - 1 for grade in relevance.values()), reverse=True)[:DEPTH]
    return float(np.dot(gains, discounts[: len(gains)]) / np.dot(best, discounts[: len(best)]))


def quality(page: Path | None) -> dict[str, Any]:
    """nDCG@10 of the three ways to search, and what fusing adds to each."""
    judged = [json.loads(line) for line in (HERE / "queries.papers.jsonl").read_text().splitlines()]
    with tempfile.TemporaryDirectory() as folder, Library(Path(folder, "papers.sqlite")) as library:
        if page is not None:
            library.add(read_papers(page).records)
        scores = {
            name: np.array(
                [ndcg([h.record.id for h in library.search(q["query"], mode=mode, limit=DEPTH).hits], q["relevance"])
                 for q in judged]
            )
            for name, mode in MODES.items()
        }  # fmt: skip
    draws = np.random.default_rng(0).integers(0, len(judged), (10_000, len(judged)))
    told: dict[str, Any] = {"queries": len(judged), "abstracts": page is not None, "ndcg@10": {}, "difference": {}}
    for name, values in scores.items():
        low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
        told["ndcg@10"][name] = [round(float(x), 4) for x in (values.mean(), low, high)]
    for name in ("keyword", "meaning"):
        estimate = paired_bootstrap(scores[name], scores["fused"], seed=0).delta
        told["difference"][f"fused - {name}"] = [
            round(float(x), 4) for x in (estimate.value, estimate.low, estimate.high)
        ]
    told["worst for fused"] = [judged[n]["query"] for n in np.argsort(scores["fused"])[:5]]
    return told


def made_up(count: int) -> list[dict[str, Any]]:
    """Papers in the form of the site's JSON, of words drawn by a Zipf law."""
    generator = np.random.default_rng(0)
    weights = 1 / np.arange(1, VOCABULARY + 1)
    words = np.array([f"w{n:05d}" for n in range(VOCABULARY)])
    drawn = words[generator.choice(VOCABULARY, (count, WORDS + 8), p=weights / weights.sum())]
    return [
        {
            "paper": {"id": f"{2000 + n // 90_000:04d}.{10_000 + n % 90_000:05d}"},
            "title": f"{' '.join(row[:8])} {n}",
            "summary": " ".join(row[8:]),
            "publishedAt": f"20{10 + n % 16}-{1 + n % 12:02d}-{1 + n % 28:02d}",
        }
        for n, row in enumerate(drawn)
    ]


def timed(sides: dict[str, Callable[[int], object]], rounds: int) -> dict[str, Any]:
    """Milliseconds of every call, by the thread's processor time and by the clock, the sides in turns."""
    for work in sides.values():
        for n in range(5):
            work(-1 - n)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for n in range(rounds):
        order = list(sides.items())
        for name, work in order if n % 2 else order[::-1]:
            start = time.thread_time(), time.perf_counter()
            work(n)
            taken[name].append((1000 * (time.thread_time() - start[0]), 1000 * (time.perf_counter() - start[1])))
    return {name: np.array(times) for name, times in taken.items()}


def speed(count: int, rounds: int) -> dict[str, Any]:
    """Import, vectors and queries at ``count`` made-up papers."""
    told: dict[str, Any] = {"papers": count}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "page.json")
        papers = made_up(count)
        file.write_text(json.dumps(papers))
        with Library(Path(folder, "papers.sqlite"), entries=(), encoder=RandomVectors()) as library:
            marks = [time.perf_counter()]
            records = read_papers(file).records
            marks.append(time.perf_counter())
            library.add(records)
            marks.append(time.perf_counter())
            library.add(records)
            marks.append(time.perf_counter())
            library.index()
            marks.append(time.perf_counter())
            library.search("w00100 w00200")  # makes the matrix
            marks.append(time.perf_counter())
            library.prepare()
            marks.append(time.perf_counter())
            names = ("read", "import", "import again", "store random vectors", "first search", "prepare")
            told["seconds"] = {n: round(b - a, 3) for n, (a, b) in zip(names, pairwise(marks), strict=True)}
            told["seconds"]["file in MB"] = round(library.path.stat().st_size / 1e6, 1)
            told["query ms"] = queries(library, rounds)
    return told


def queries(library: Library, rounds: int) -> dict[str, Any]:
    """Milliseconds at the median and the 95th percentile, and our median over theirs."""
    with library._readers.lend() as connection:
        corpus = torch.from_numpy(np.array(library._search.vectors.matrix(connection)[1]))
    asked = [torch.from_numpy(RandomVectors().embed([""])[0]) for _ in range(8)]
    generator = np.random.default_rng(2)
    usual = [_text((generator.zipf(1.3, 6) - 1) % VOCABULARY) for _ in range(rounds + 5)]
    common = [_text(generator.choice(12, 3, replace=False)) + f" {n}" for n in range(rounds + 5)]  # no two the same
    ours = {name: (lambda n, mode=mode: library.search(usual[n], mode=mode)) for name, mode in MODES.items()}
    ours["fused, common"] = lambda n: library.search(common[n])
    ours["fused, since 2016"] = lambda n: library.search(usual[n], Filters(since="2016-01-01"))
    theirs = {"semantic_search": lambda n: semantic_search(asked[n % 8], corpus, top_k=20)}
    taken = timed(ours | theirs, rounds)
    base = np.median(taken["semantic_search"], axis=0)
    return {
        name: {
            "cpu": {f"p{p}": round(float(np.percentile(times[:, 0], p)), 2) for p in (50, 95)},
            "wall": {f"p{p}": round(float(np.percentile(times[:, 1], p)), 2) for p in (50, 95)},
            "cpu ratio": round(float(np.median(times[:, 0]) / base[0]), 3),
        }
        for name, times in taken.items()
    } | {"load": [round(one, 2) for one in os.getloadavg()]}


def _text(numbers: Sequence[int]) -> str:
    return " ".join(f"w{n:05d}" for n in numbers)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--papers", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--skip-quality", action="store_true")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "paper_search.json")
    options = parser.parse_args()
    torch.set_num_threads(1)
    versions = {"sqlite": sqlite3.sqlite_version, "torch": torch.__version__, "numpy": np.__version__}
    versions |= {"sentence-transformers": sentence_transformers.__version__, "python": platform.python_version()}
    told: dict[str, Any] = {"bench": "paper_search", "threads": 1, "cores": os.cpu_count()}
    told |= {"versions": versions, "load": [round(one, 2) for one in os.getloadavg()]}
    if not options.skip_quality:
        told["quality"] = [quality(None)] + ([quality(options.page)] if options.page else [])
    told["speed"] = [speed(count, options.rounds) for count in (66, options.papers)]
    print(json.dumps(told, indent=1))
    write_json(options.out, told)


if __name__ == "__main__":
    main()
