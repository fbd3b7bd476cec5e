"""How far the answers of a data set are from what a model would say itself, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tutelage.errors import DataError
from tutelage.refine.dgr import parse_thinking
from tutelage.refine.similarity import Embedder
from tutelage.types import Engine, FloatArray, Refined, Row, Sampling, Scores

__all__ = ["distribution_gap", "gap_of_refinement"]


def distribution_gap(
    rows: Sequence[Row],
    engine: Engine,
    encoder: Embedder | None = None,
    *,
    max_new_tokens: int = 256,
    said: Sequence[str] | None = None,
) -> dict[str, Scores]:
    r"""Measures of shift for each row, of its answer y against the engine's own greedy reply z to the prompt x.

    ``nll``: :math:`-\frac1{|y|}\sum_t \log p(y_t \mid x, y_{<t})` in nats a token, the end of the turn left out;
    ``excess``: that of y minus that of z; ``cosine`` of their embeddings, with an encoder; ``length_ratio``:
    :math:`|y|/|z|` in tokens; ``format_match``: 1 where both think between marks or neither does. A row to which the
    engine says nothing has NaN for all but ``nll``: its value is missing, not zero.

    Args:
        rows: examples with one answer each.
        engine: of the model before it is tuned; it must give log-probabilities.
        encoder: of sentences.
        max_new_tokens: longest reply of its own.
        said: its own replies, where they are known already; None generates them.

    Raises:
        DataError: a row without an answer, no row, or another number of replies than of rows.
        EngineError: the engine cannot score.

    Source: own derivation; DGR (arXiv 2602.02136) speaks of shift by proxies of similarity that it does not define.
    """
    if not rows:
        raise DataError("there is no row to measure")
    targets = [_answer(row) for row in rows]
    prompts = [row["prompt"] for row in rows]
    if said is None:
        said = _own_replies(rows, engine, max_new_tokens)
    if len(said) != len(rows):
        raise DataError(f"{len(said)} replies for {len(rows)} rows", hint="one reply for each row")
    filled = [i for i, text in enumerate(said) if text.strip()]
    pairs = [*zip(prompts, targets, strict=True), *((prompts[i], said[i]) for i in filled)]
    scored = engine.score([engine.encode(prompt, text) for prompt, text in pairs])
    nll = np.array([-float(np.mean(one.logprobs, dtype=np.float64)) for one in scored])
    tokens = np.array([len(one.logprobs) for one in scored], dtype=np.float64)
    many = len(rows)
    ids = tuple(row["id"] for row in rows)

    def column(values: FloatArray) -> FloatArray:
        found = np.full(many, np.nan)
        found[filled] = values
        return found

    own, theirs = [said[i] for i in filled], [targets[i] for i in filled]
    same = [_thinks(a) == _thinks(b) for a, b in zip(own, theirs, strict=True)]
    columns = {
        "excess": column(nll[filled] - nll[many:]),
        "length_ratio": column(tokens[filled] / tokens[many:]),
        "format_match": column(np.array(same, dtype=np.float64)),
    }
    if encoder is not None:
        columns["cosine"] = column(_cosines(encoder, own, theirs))
    found = {"nll": Scores("nll", ids, nll[:many], higher_is_better=False)}
    for name, values in columns.items():
        better = name not in ("excess", "length_ratio")
        found[name] = Scores(name, ids, values, outputs=tuple(said), higher_is_better=better)
    return found


def gap_of_refinement(
    rows: Sequence[Row], refined: Sequence[Refined], engine: Engine, *, max_new_tokens: int = 256
) -> tuple[dict[str, dict[str, float]], list[dict[str, Any]]]:
    """:func:`distribution_gap` of the refusals that were to be restated, before and after.

    Args:
        rows: what was refined.
        refined: by :class:`tutelage.refine.DgrRefiner`, in the same order. Dropped rows and those that were no
            refusals are left out.
        engine: of the model that will be tuned.
        max_new_tokens: longest reply of its own.

    Returns:
        The means over rows, ``before`` and ``after``, by measure (a mean over no value is left out); and one record a
        row: ``id``, ``before``, ``after``. Both empty where no row is left.

    Raises:
        EngineError: the engine cannot score.
    """
    pairs = [(row, one.row) for row, one in zip(rows, refined, strict=True) if "fallback" in one.trace and one.row]
    if not pairs:
        return {}, []
    said = _own_replies([old for old, _ in pairs], engine, max_new_tokens)  # the prompts are the same after
    gaps = {
        name: distribution_gap(some, engine, said=said)
        for name, some in zip(("before", "after"), ([old for old, _ in pairs], [new for _, new in pairs]), strict=True)
    }
    means = {
        name: {what: float(np.nanmean(one.values)) for what, one in gap.items() if np.isfinite(one.values).any()}
        for name, gap in gaps.items()
    }
    records = [
        {
            "id": row["id"],
            **{
                name: {what: float(one.values[place]) for what, one in gap.items() if np.isfinite(one.values[place])}
                for name, gap in gaps.items()
            },
        }
        for place, (row, _) in enumerate(pairs)
    ]
    return means, records


def _own_replies(rows: Sequence[Row], engine: Engine, max_new_tokens: int) -> list[str]:
    prompts = [row["prompt"] for row in rows]
    return [one[0].text for one in engine.generate(prompts, sampling=Sampling(max_new_tokens, 0.0), n=1)]


def _answer(row: Row) -> str:
    text = row["completion"][-1]["content"] if row["completion"] else ""
    if not text.strip():
        raise DataError("the row has no answer", where=f"row {row['id']}")
    return text


def _thinks(text: str) -> bool:
    parsed = parse_thinking(text)
    return parsed is not None and bool(parsed[0])


def _cosines(encoder: Embedder, left: Sequence[str], right: Sequence[str]) -> FloatArray:
    if not left:
        return np.zeros(0)
    vectors = np.asarray(encoder.embed([*left, *right]), dtype=np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines: FloatArray = (vectors[: len(left)] * vectors[len(left) :]).sum(axis=1)
    return cosines
