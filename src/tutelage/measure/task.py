"""The domain test set: let the model answer, and check each answer by the metric that fits the data."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, Protocol, get_args

import numpy as np

from tutelage import verify
from tutelage.errors import DataError, RangeError
from tutelage.measure.asking import Item, Speaking
from tutelage.measure.results.table import MetricFacts
from tutelage.measure.suite import Task
from tutelage.types import Completion, Engine, FloatArray, Row, Sampling, Scores, Verifier
from tutelage.verify.answers import named_choices, normalised_answer
from tutelage.verify.numbers import numbers

__all__ = [
    "METRICS",
    "Embedder",
    "MetricName",
    "choose_metric",
    "cosines",
    "domain",
    "domain_task",
    "named_option",
    "reference_of",
    "without_quotes",
]

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


def domain_task(
    rows: Sequence[Row],
    metric: str = "auto",
    *,
    max_new_tokens: int | None = None,
    encoder: Embedder | None = None,
) -> Task:
    """The domain test set as a task: how good the model's own (greedy) answer to each row is.

    ``choice``: 1 if the text names the right choice and no other. A text that names several is wrong even if the last
    is right: taking one of them would reward reciting the list, and which one is meant would be our guess. What the
    question has in quotation marks is its subject; repeating it names nothing. ``short_answer``: 1 if the gold answer
    stands in the text as whole words, case and punctuation apart. ``number``: 1 if the last number of the text is the
    gold one. ``free_text``: cosine of the sentence embeddings of text and gold answer, in [-1, 1]. Any other name is a
    verifier of :mod:`tutelage.verify`.

    Args:
        rows: the test set, with unique ids.
        metric: one of :data:`METRICS`, a verifier's name, or ``"auto"`` for :func:`choose_metric`.
        max_new_tokens: cap on an answer; None gives 64 for choices and short answers, 192 for numbers, 256 for text.
        encoder: for ``free_text``; None loads the embedded one.

    Returns:
        A task named ``domain`` with one metric, and the rows' groups as clusters.

    Raises:
        DataError: no rows, one without a gold answer, or without choices where they are needed.
        RegistryError: no such metric.

    Source: own derivation.
    """
    if max_new_tokens is not None and max_new_tokens < 1:
        raise RangeError(f"an answer needs at least one new token, not {max_new_tokens}")
    name = choose_metric(rows) if metric == "auto" else metric
    if not rows:
        raise DataError("no rows to measure")
    grouped = all(row.get("group") is not None for row in rows)
    items = tuple(_item(row, grouped) for row in rows)
    judges = {} if name == "free_text" else {row["id"]: _verifier(name, row) for row in rows}

    def judge(items: Sequence[Item], said: Sequence[Completion]) -> dict[str, FloatArray]:
        texts = [one.text for one in said]
        if name == "free_text":
            return {name: cosines(texts, [item.target for item in items], encoder)}
        judged = [judges[i.id](i.chat, _shown(name, i, t), i.target).score for i, t in zip(items, texts, strict=True)]
        return {name: np.array(judged, dtype=np.float64)}

    sampling = Sampling(max_new_tokens=max_new_tokens or _CAPS.get(name, 256), temperature=0.0)
    unit = "cosine" if name == "free_text" else "share right"
    method = Speaking(
        sampling,
        {name: MetricFacts(unit=unit, version=VERSION)},
        judge,
        taken=(lambda item, text: named_option(_shown(name, item, text), item.choices)) if name == "choice" else None,
    )
    return Task("domain", items, method, str(VERSION))


def domain(
    engine: Engine,
    rows: Sequence[Row],
    metric: str = "auto",
    *,
    max_new_tokens: int | None = None,
    encoder: Embedder | None = None,
    seed: int = 0,
) -> Scores:
    """One value for each test row, named ``domain/METRIC``; see :func:`domain_task`.

    Args:
        engine: the model.
        rows: see :func:`domain_task`, as the rest.
        metric: which metric.
        max_new_tokens: cap on an answer.
        encoder: for ``free_text``.
        seed: passed on to the engine; greedy answers do not depend on it.

    Raises:
        DataError, RegistryError: see :func:`domain_task`.
        AssetMissing: the encoder is not installed.
    """
    found = domain_task(rows, metric, max_new_tokens=max_new_tokens, encoder=encoder).measure(engine, seed=seed)
    return found.scores(next(iter(found.values)))


def _item(row: Row, grouped: bool) -> Item:
    choices = tuple(row.get("choices") or ())
    cluster = str(row["group"]) if grouped else None
    return Item(row["id"], tuple(row["prompt"]), reference_of(row), choices, cluster=cluster)


def named_option(text: str, choices: Sequence[str]) -> str:
    """The one choice that a text names, or nothing.

    Example:
        >>> [named_option(text, ["caring", "handling"]) for text in ("It is handling.", "caring or handling")]
        ['handling', '']
    """
    options = {normalised_answer(choice): choice for choice in choices}
    named = named_choices(text, list(options))
    return options[next(iter(named))] if len(named) == 1 else ""


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


def _shown(name: str, item: Item, text: str) -> str:
    """What of the answer the verifier sees."""
    if name != "choice":
        return text
    question = next((turn["content"] for turn in reversed(item.chat) if turn["role"] == "user"), "")
    return without_quotes(text, question, keep=item.choices)


def cosines(texts: Sequence[str], references: Sequence[str], encoder: Embedder | None = None) -> FloatArray:
    """Cosine of the sentence embeddings of each text and its reference, in [-1, 1]; 0 for an empty text.

    Args:
        texts: [N].
        references: [N].
        encoder: None loads the embedded one.

    Raises:
        AssetMissing: the encoder is not installed.
    """
    if encoder is None:
        from tutelage.models.encoder import Encoder  # takes seconds to import, and few metrics need it

        encoder = Encoder("all-minilm-l6-v2")
    left = np.asarray(encoder.embed(list(texts)), dtype=np.float64)
    right = np.asarray(encoder.embed(list(references)), dtype=np.float64)
    found: FloatArray = np.clip((left * right).sum(axis=1), -1.0, 1.0)
    # An empty answer has an embedding like any other; it is similar to nothing.
    return np.where([bool(t.strip()) for t in texts], found, 0.0)
