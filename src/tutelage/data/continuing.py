"""What to continue pre-training on: a subset of the domain's documents, several times, among others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from tutelage.data.ngrams import KneserNey, ngram_words
from tutelage.errors import DataError, RangeError
from tutelage.seeds import derive

__all__ = ["CptPlan", "CptSettings", "cpt_plan"]

DOMAIN = "domain"


@dataclass(frozen=True)
class CptSettings:
    """How much of what, how often.

    Attributes:
        subset_tokens: tokens of domain documents in one epoch.
        epochs: passes over them.
        select: ``random`` documents, or those of lowest perplexity by an ``ngram`` model of reference texts or by
            ``scores`` that are given.
        mixture: share of an epoch's tokens by source; ``domain`` is one of them.
        lower_cut: share of the documents with the lowest perplexities that is never taken: boilerplate.
        fresh: other documents of the other sources in each epoch, as far as there are any.
        order: n of the n-gram model.
    """

    subset_tokens: int
    epochs: int = 4
    select: Literal["ngram", "scores", "random"] = "random"
    mixture: Mapping[str, float] = field(default_factory=lambda: {DOMAIN: 1.0})
    lower_cut: float = 0.02
    fresh: bool = True
    order: int = 5

    def __post_init__(self) -> None:
        if self.subset_tokens < 1 or self.epochs < 1:
            raise RangeError("subset_tokens and epochs must be at least 1")
        if not 0 <= self.lower_cut < 1:
            raise RangeError(f"lower_cut is {self.lower_cut}, it must lie in [0, 1)")
        shares = self.mixture.values()
        if not math.isclose(sum(shares), 1.0, abs_tol=1e-6) or min(shares, default=0.0) < 0:
            raise RangeError(
                f"the shares of the mixture are {dict(self.mixture)}, together {sum(shares):g}",
                hint="shares are at least 0 and sum to 1",
            )
        if self.mixture.get(DOMAIN, 0.0) <= 0:
            raise RangeError("the mixture has no share for 'domain'")


@dataclass(frozen=True)
class CptPlan:
    """``epochs``: for each epoch the documents in order, as (source, place in the source's list).

    ``subset``: places of the domain documents taken; ``tokens``: by source over all epochs; ``duplicates`` and ``cut``:
    domain documents left out before the choice; ``perplexities`` of all domain documents, empty with ``random``.
    """

    epochs: tuple[tuple[tuple[str, int], ...], ...]
    subset: tuple[int, ...]
    tokens: Mapping[str, int]
    duplicates: int
    cut: int
    perplexities: tuple[float, ...] = ()


def cpt_plan(
    domain: Sequence[str],
    others: Mapping[str, Sequence[str]],
    settings: CptSettings,
    *,
    reference: Sequence[str] = (),
    scores: Sequence[float] = (),
    count: Callable[[str], int] = lambda text: len(ngram_words(text)),
    seed: int = 0,
) -> CptPlan:
    """Choose domain documents and mix them with other sources.

    Documents that are equal but for case, spacing and marks are taken once. With ``ngram`` or ``scores`` the lowest
    perplexities are taken after ``lower_cut`` of them, ties by place. A document is taken whole as long as the budget
    is not used up, so a source may exceed its tokens by less than one document. Each epoch is shuffled.

    Args:
        domain: the domain's documents.
        others: documents of the other sources of the mixture; short ones are repeated.
        settings: how much of what.
        reference: texts of known quality that the n-gram model learns from (``ngram``).
        scores: a perplexity of each domain document (``scores``), such as a model's own.
        count: tokens of a text; words and marks if it is left out.
        seed: of choice and order.

    Raises:
        DataError: too few domain tokens, a source without documents, no reference, or another number of scores.

    Source: stability gap in continual pre-training (arXiv 2406.14833), its three measures; deduplication and the lower
    cut are ours.

    Example:
        >>> texts = [f"patient {n} takes drug {n % 7}" for n in range(40)]
        >>> plan = cpt_plan(texts, {"web": ["some other text"]}, CptSettings(25, 2, mixture={"domain": 0.5, "web": .5}))
        >>> len(plan.subset), plan.tokens
        (5, {'domain': 50, 'web': 54})
    """
    known: dict[tuple[str, ...], int] = {}
    for place, text in enumerate(domain):
        known.setdefault(tuple(word for word in ngram_words(text) if word[0].isalnum()), place)
    distinct = list(known.values())
    perplexities = _perplexities(domain, settings, reference, scores)
    cut = int(settings.lower_cut * len(distinct)) if perplexities else 0
    if perplexities:
        ordered = sorted(distinct, key=lambda place: (perplexities[place], place))[cut:]
    else:
        ordered = _shuffled(distinct, seed, "subset")
    sizes = [count(text) for text in domain]
    subset = _filled(ordered, sizes, settings.subset_tokens)
    taken = sum(sizes[place] for place in subset)
    if taken < settings.subset_tokens:
        raise DataError(
            f"the domain has {taken} tokens left, {settings.subset_tokens} were asked for",
            hint=f"lower subset_tokens ({len(domain) - len(distinct)} documents were duplicates, {cut} cut)",
        )
    epochs, tokens = list[tuple[tuple[str, int], ...]](), {DOMAIN: taken * settings.epochs}
    streams = {name: _Stream(name, others.get(name, ()), count, seed) for name in settings.mixture if name != DOMAIN}
    for epoch in range(settings.epochs):
        chosen = [(DOMAIN, place) for place in subset]
        for name, stream in streams.items():
            wanted = round(settings.subset_tokens * settings.mixture[name] / settings.mixture[DOMAIN])
            places = stream.take(wanted, again=not settings.fresh)
            chosen += [(name, place) for place in places]
            tokens[name] = tokens.get(name, 0) + sum(stream.sizes[place] for place in places)
        order = np.random.default_rng(derive(seed, "cpt", "order", epoch)).permutation(len(chosen))
        epochs.append(tuple(chosen[i] for i in order))
    return CptPlan(tuple(epochs), tuple(subset), tokens, len(domain) - len(distinct), cut, tuple(perplexities))


class _Stream:
    """Documents of one source, in an order that begins anew when it is used up."""

    def __init__(self, name: str, texts: Sequence[str], count: Callable[[str], int], seed: int) -> None:
        self.sizes = [count(text) for text in texts]
        if sum(self.sizes) == 0:
            raise DataError(f"the mixture names {name!r}, of which there is no document", hint="give it in `others`")
        self.order, self.at = _shuffled(range(len(texts)), seed, name), 0

    def take(self, budget: float, *, again: bool) -> list[int]:
        """Documents for ``budget`` tokens, from the first one on with ``again``."""
        self.at = 0 if again else self.at
        found, total = list[int](), 0
        while total < budget:
            found.append(self.order[self.at % len(self.order)])
            total += self.sizes[found[-1]]
            self.at += 1
        return found


def _perplexities(
    domain: Sequence[str], settings: CptSettings, reference: Sequence[str], scores: Sequence[float]
) -> list[float]:
    if settings.select == "random":
        return []
    if settings.select == "scores":
        if len(scores) != len(domain):
            raise DataError(f"{len(scores)} scores for {len(domain)} documents")
        return [float(score) for score in scores]
    if not reference:
        raise DataError("selection by an n-gram model needs reference texts to learn from")
    model = KneserNey(reference, settings.order)
    return [model.perplexity(text) for text in domain]


def _filled(order: Sequence[int], sizes: Sequence[int], budget: float) -> list[int]:
    found, total = list[int](), 0
    for place in order:
        if total >= budget:
            break
        found.append(place)
        total += sizes[place]
    return found


def _shuffled(places: Sequence[int], seed: int, name: str) -> list[int]:
    found: list[int] = np.random.default_rng(derive(seed, "cpt", name)).permutation(list(places)).tolist()
    return found
