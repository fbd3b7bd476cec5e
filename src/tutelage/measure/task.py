"""The domain test set: let the model answer, and check each answer by the metric that fits the data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, Protocol, get_args

import numpy as np

from tutelage import verify
from tutelage.errors import DataError, RangeError
from tutelage.types import Completion, Engine, FloatArray, Row, Sampling, Scores, Verifier
from tutelage.verify.numbers import numbers

__all__ = ["METRICS", "Embedder", "MetricName", "choose_metric", "domain", "reference_of", "without_quotes"]

MetricName = Literal["choice", "short_answer", "number", "free_text"]
METRICS: tuple[MetricName, ...] = get_args(MetricName)
VERSION = 1
_SHORT_WORDS = 6
_MOST = 0.95  # share of the rows that must be of a kind for the data to count as of that kind
_CAPS: dict[str, int] = {"choice": 64, "short_answer": 64, "number": 192, "free_text": 256}
_QUOTED = re.compile(r"[\"“”«»]([^\"“”«»\n]{2,200})[\"“”«»]")


class Embedder(Protocol):
    """A sentence encoder: unit rows [N, D], so that the dot product is the cosine."""

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """One row for each text."""
        ...


def reference_of(row: Row) -> str:
    """The gold answer of a row: ``reference``, or else the last completion turn.

    Raises:
        DataError: neither holds any text.
    """
    text = row.get("reference") or (row["completion"][-1]["content"] if row["completion"] else "")
    if not text.strip():
        raise DataError("a test row needs a gold answer", where=f"row {row['id']}", hint="give it a reference")
    return text


def choose_metric(rows: Sequence[Row]) -> MetricName:
    """The metric that fits the data.

    ``choice`` if every row lists two or more choices and its gold answer is one of them; otherwise, by at least 95 %
    of the gold answers: ``number`` if it is one number, perhaps with a unit (at most three words); ``short_answer`` if
    it is one line of at most six words; else ``free_text``.

    Raises:
        DataError: no rows, or one without a gold answer.

    Source: own derivation.

    Example:
        >>> row = {"id": "1", "prompt": [], "completion": [{"role": "assistant", "content": "$12.50"}]}
        >>> choose_metric([row])
        'number'
    """
    if not rows:
        raise DataError("no rows to measure")
    answers = [reference_of(row) for row in rows]
    if all(_is_choice(row, answer) for row, answer in zip(rows, answers, strict=True)):
        return "choice"
    if np.mean([len(numbers(a)) == 1 and len(a.split()) <= 3 for a in answers]) >= _MOST:
        return "number"
    if np.mean([len(a.split()) <= _SHORT_WORDS and "\n" not in a.strip() for a in answers]) >= _MOST:
        return "short_answer"
    return "free_text"


def _is_choice(row: Row, answer: str) -> bool:
    choices = row.get("choices") or []
    return len(choices) > 1 and any(c.strip().casefold() == answer.strip().casefold() for c in choices)


def domain(
    engine: Engine,
    rows: Sequence[Row],
    metric: str = "auto",
    *,
    max_new_tokens: int | None = None,
    encoder: Embedder | None = None,
    seed: int = 0,
) -> Scores:
    """One value for each test row: how good the model's own (greedy) answer is.

    ``choice``: 1 if the text names the right choice and no other. A text that names several is wrong even if the last
    is right: taking one of them would reward reciting the list, and which one is meant would be our guess. What the
    question has in quotation marks is its subject; repeating it names nothing. ``short_answer``: 1 if the gold answer
    stands in the text as whole words, case and punctuation apart. ``number``: 1 if the last number of the text is the
    gold one. ``free_text``: cosine of the sentence embeddings of text and gold answer, in [-1, 1]. Any other name is a
    verifier of :mod:`tutelage.verify`.

    Args:
        engine: the model.
        rows: the test set, with unique ids.
        metric: one of :data:`METRICS`, a verifier's name, or ``"auto"`` for :func:`choose_metric`.
        max_new_tokens: cap on an answer; None gives 64 for choices and short answers, 192 for numbers, 256 for text.
        encoder: for ``free_text``; None loads the embedded one.
        seed: passed on to the engine; greedy answers do not depend on it.

    Returns:
        Scores named ``domain/METRIC`` with the answers as outputs and the rows' groups as clusters.

    Raises:
        DataError: no rows, one without a gold answer, or without choices where they are needed.
        RegistryError: no such metric.
        AssetMissing: the encoder is not installed.

    Source: own derivation.
    """
    if max_new_tokens is not None and max_new_tokens < 1:
        raise RangeError(f"an answer needs at least one new token, not {max_new_tokens}")
    name = choose_metric(rows) if metric == "auto" else metric
    if not rows:
        raise DataError("no rows to measure")
    references = [reference_of(row) for row in rows]
    judges = [] if name == "free_text" else [_verifier(name, row) for row in rows]
    sampling = Sampling(max_new_tokens=max_new_tokens or _CAPS.get(name, 256), temperature=0.0)
    completions = engine.generate([row["prompt"] for row in rows], sampling=sampling, seed=seed)
    texts = [_only(found) for found in completions]
    if name == "free_text":
        values = _cosines(texts, references, encoder)
    else:
        judged = zip(judges, rows, texts, references, strict=True)
        values = np.array([j(r["prompt"], _shown(name, r, t), a).score for j, r, t, a in judged], dtype=np.float64)
    groups = [row.get("group") for row in rows]
    return Scores(
        metric=f"domain/{name}",
        ids=tuple(row["id"] for row in rows),
        values=values,
        clusters=tuple(str(g) for g in groups) if None not in groups else None,
        outputs=tuple(texts),
        version=VERSION,
    )


def without_quotes(text: str, question: str, keep: Sequence[str] = ()) -> str:
    """``text`` without what ``question`` has in quotation marks, whatever the case; not so for the texts in ``keep``.

    Example:
        >>> without_quotes('"Manage information" is in computers.', 'Which group is "manage information" in?')
        '" " is in computers.'
    """
    kept = {k.strip().casefold() for k in keep}
    for subject in dict.fromkeys(_QUOTED.findall(question)):
        if subject.strip() and subject.strip().casefold() not in kept:
            text = re.sub(rf"(?<!\w){re.escape(subject.strip())}(?!\w)", " ", text, flags=re.IGNORECASE)
    return text


def _verifier(name: str, row: Row) -> Verifier:
    if name != "choice":
        return verify.get({"short_answer": "contains"}.get(name, name))
    choices = row.get("choices")
    if not choices:
        raise DataError("a row without choices", where=f"row {row['id']}", hint="name another metric")
    return verify.get("choice", choices=choices)


def _shown(name: str, row: Row, text: str) -> str:
    """What of the answer the verifier sees."""
    if name != "choice":
        return text
    question = next((turn["content"] for turn in reversed(row["prompt"]) if turn["role"] == "user"), "")
    return without_quotes(text, question, keep=row.get("choices", []))


def _only(completions: Sequence[Completion]) -> str:
    return completions[0].text


def _cosines(texts: Sequence[str], references: Sequence[str], encoder: Embedder | None) -> FloatArray:
    if encoder is None:
        from tutelage.models.encoder import Encoder  # takes seconds to import, and few metrics need it

        encoder = Encoder("all-minilm-l6-v2")
    left = np.asarray(encoder.embed(list(texts)), dtype=np.float64)
    right = np.asarray(encoder.embed(list(references)), dtype=np.float64)
    cosines: FloatArray = np.clip((left * right).sum(axis=1), -1.0, 1.0)
    # An empty answer has an embedding like any other; it is similar to nothing.
    return np.where([bool(t.strip()) for t in texts], cosines, 0.0)
