"""Parallel texts on every level of a graded style: read, made, checked, and turned into rows to train on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tutelage.errors import DataError, RangeError
from tutelage.io import read_jsonl, write_jsonl
from tutelage.types import Row
from tutelage.verify.graded import FORMALITY, GradedScale, Rater, TextEncoder

__all__ = [
    "BUNDLED", "GradedTexts", "TripleChecks", "build_triples", "check_triples", "directed_rows", "read_triples",
    "write_triples",
]  # fmt: skip

BUNDLED = Path(__file__).with_name("formality.en.jsonl")
"""168 English messages, informal, casual and formal, written for this project. No human has rated them."""


@dataclass(frozen=True)
class GradedTexts:
    """One meaning on every level: ``texts`` by level."""

    id: str
    texts: Mapping[str, str]
    meaning_id: str = ""


@dataclass(frozen=True)
class TripleChecks:
    """Whether one meaning's texts may be used: ``reasons`` is empty when they may."""

    id: str
    levels: tuple[str, ...]
    similarities: Mapping[str, float]
    reasons: tuple[str, ...] = ()
    accepted: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "accepted", not self.reasons)


def read_triples(path: str | os.PathLike[str] = BUNDLED, *, scale: GradedScale = FORMALITY) -> list[GradedTexts]:
    """Read JSON lines with ``id`` and one key a level.

    Raises:
        DataError: a line that is not JSON, lacks a level, or repeats an id; names file and line.

    Example:
        >>> len(read_triples())
        168
    """
    found: dict[str, GradedTexts] = {}
    for line in read_jsonl(path):
        where = f"{Path(path).name}, line {line.number}"
        if line.error is not None or not isinstance(line.value, dict):
            raise DataError(line.error or "not an object", where=where)
        row = line.value
        missing = [key for key in ("id", *scale.levels) if not isinstance(row.get(key), str) or not row[key].strip()]
        if missing:
            raise DataError(f"no text for {missing[0]!r}", where=where, hint=f"needed: id, {', '.join(scale.levels)}")
        if row["id"] in found:
            raise DataError(f"the id {row['id']!r} stands twice", where=where)
        texts = {level: row[level] for level in scale.levels}
        found[row["id"]] = GradedTexts(row["id"], texts, str(row.get("meaning_id", row["id"])))
    return list(found.values())


def check_triples(
    rows: Sequence[GradedTexts], rater: Rater, encoder: TextEncoder | None = None, *, least_similarity: float = 0.7
) -> list[TripleChecks]:
    """Accept a row when its levels are rated in strict order and every two texts mean about the same.

    Args:
        rows: texts on every level of the rater's scale.
        rater: not the one that scores what is trained on the rows.
        encoder: for the cosines; None leaves them out.
        least_similarity: of every two texts of a row. 0.7 is the published value; it depends on the encoder, and
            slang lies far from its formal counterpart in most: look at what is refused.

    Raises:
        RangeError: a similarity outside [-1, 1].

    Source: 3LF (arXiv 2605.29365), acceptance by order and similarity.
    """
    if not -1.0 <= least_similarity <= 1.0:
        raise RangeError(f"least_similarity is {least_similarity}")
    levels = rater.scale.levels
    texts = [row.texts[level] for row in rows for level in levels]
    rated = rater.rate(texts)
    vectors = None
    if encoder is not None and texts:
        vectors = np.asarray(encoder.embed(texts), dtype=np.float64)
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    found, width = [], len(levels)
    for place, row in enumerate(rows):
        given = tuple(rated[place * width : (place + 1) * width])
        reasons = [] if rater.scale.strictly_rising(given) else [f"rated {' < '.join(given)}"]
        similar: dict[str, float] = {}
        if vectors is not None:
            own = vectors[place * width : (place + 1) * width]
            pairs = [(i, j) for i in range(width) for j in range(i + 1, width)]
            similar = {f"{levels[i]}-{levels[j]}": float(own[i] @ own[j]) for i, j in pairs}
            reasons += [f"similarity {k} is {v:.2f}" for k, v in similar.items() if v < least_similarity]
        found.append(TripleChecks(row.id, given, similar, tuple(reasons)))
    return found


Rewriter = Callable[[str, str], str]
"""(text, level) to the text on that level."""


def build_triples(
    sources: Mapping[str, str],
    generator: Rewriter,
    rater: Rater,
    encoder: TextEncoder | None = None,
    *,
    least_similarity: float = 0.7,
) -> tuple[list[GradedTexts], list[TripleChecks]]:
    """Have every source rewritten on every level, and keep what passes :func:`check_triples`.

    Args:
        sources: texts by id.
        generator: a model, asked for one level at a time.
        rater: judges what came out.
        encoder: for the similarities; None leaves them out.
        least_similarity: of every two texts of a row.

    Returns:
        The accepted rows, and the checks of all, refused ones with their reasons.
    """
    levels = rater.scale.levels
    made = [GradedTexts(name, {lv: generator(text, lv) for lv in levels}, name) for name, text in sources.items()]
    checks = check_triples(made, rater, encoder, least_similarity=least_similarity)
    return [row for row, check in zip(made, checks, strict=True) if check.accepted], checks


def directed_rows(
    rows: Iterable[GradedTexts],
    *,
    scale: GradedScale = FORMALITY,
    directions: Sequence[tuple[str, str]] | None = None,
    request: str = "Rewrite the message so that it is {level}. Keep its meaning.\n\n{text}",
) -> list[Row]:
    """Rows to fine-tune on, one a direction: with three levels six of each meaning, kept together by ``group``.

    Raises:
        DataError: a direction that leaves the scale.
    """
    wanted = scale.directions() if directions is None else list(directions)
    scale.ranks([level for pair in wanted for level in pair])
    return [
        Row(
            id=f"{row.id}:{source}-{target}",
            prompt=[{"role": "user", "content": request.format(level=target, text=row.texts[source])}],
            completion=[{"role": "assistant", "content": row.texts[target]}],
            group=row.meaning_id or row.id,
        )
        for row in rows
        for source, target in wanted
    ]


def write_triples(
    path: str | os.PathLike[str], rows: Sequence[GradedTexts], checks: Sequence[TripleChecks] = ()
) -> int:
    """Write rows as :func:`read_triples` reads them, with their checks where given; returns how many."""
    by_id = {one.id: one for one in checks}

    def record(row: GradedTexts) -> dict[str, Any]:
        found: dict[str, Any] = {"id": row.id, "meaning_id": row.meaning_id or row.id, **row.texts}
        if row.id in by_id:
            one = by_id[row.id]
            found["checks"] = {"level_pred": list(one.levels), **one.similarities}
        return found

    return write_jsonl(path, (record(row) for row in rows))
