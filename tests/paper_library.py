"""A small made-up catalogue, an encoder of word counts, and a library over both."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from tutelage.papers.library import Library, make_record


class WordEncoder:
    """Unit vectors of word counts, hashed into 1024 places: texts that share words are near each other."""

    def __init__(self, name: str = "words") -> None:
        self.weights_hash, self.asked = name, 0

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.full((len(texts), 1024), 1e-3, dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in text.lower().split():
                row[zlib.crc32(word.strip(".,").encode("utf-8", "replace")) % 1024] += 1
        self.asked += len(texts)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def made_up_entry(slug: str, title: str, **facts: object) -> SimpleNamespace:
    values = {"date": "2025-01-01", "listed": "", "authors": 2, "arxiv": "", "links": {}, "family": "tuning"}
    values |= {
        "systems": (),
        "keywords": ("kites",),
        "summary": f"About {title}.",
        "claims": ("It flies.",),
        "comments": 0,
    }
    return SimpleNamespace(slug=slug, title=title, **(values | facts))


ENTRIES = (
    made_up_entry("kites", "Teaching Kites to Fly", arxiv="2501.00001", summary="A string is held until it is not."),
    made_up_entry("boats", "Boats, and Why They Float", date="2024-06-01", family="merging"),
)
STATUS = {"kites": "verdict", "boats": "planned"}

RECORDS = (
    make_record(
        "Gliders of Glass", date="2026-05-01", abstract="A glider made of glass breaks. Kites do not.", authors=3
    ),
    make_record("Paper Planes", date="2026-04-01", listed="2026-06-10", abstract="Folding paper planes.", comments=1),
    make_record("Undated Balloons", abstract="Nobody knows when balloons were filled with 弱监督学习."),
)


def made_up_library(folder: Path, *, encoder: object | None = None, entries: Sequence[object] = ENTRIES) -> Library:
    status = {**STATUS}
    return Library(
        folder / "papers.sqlite", entries=entries, status=lambda slug: status.get(slug, "planned"), encoder=encoder
    )
