"""A word n-gram model with Kneser-Ney smoothing: how usual a text is beside texts of known quality."""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from tutelage.errors import DataError, RangeError

__all__ = ["KneserNey", "ngram_words"]

_WORD = re.compile(r"\w+|[^\w\s]")
_BEGIN, _END, _UNKNOWN = "<s>", "</s>", "<unk>"

Gram = tuple[str, ...]


def ngram_words(text: str) -> list[str]:
    """Words in lower case and single marks; the symbols of the model itself cannot come out of a text.

    Example:
        >>> ngram_words("It's <s> 3.")
        ['it', "'", 's', '<', 's', '>', '3', '.']
    """
    return _WORD.findall(text.casefold())


class KneserNey:
    r"""Interpolated Kneser-Ney with one discount an order.

    :math:`P(w \mid h) = \max(c(hw) - D, 0) / c(h) + D\,N_{1+}(h\cdot) / c(h)\; P(w \mid h')` with h' = h without its
    first word. c are counts at the highest order and numbers of distinct left neighbours below it;
    :math:`D = n_1 / (n_1 + 2 n_2)` from the n-grams of the order that were seen once and twice (0.75 where that is
    undefined or 0 or 1). Under the unigrams lies the uniform distribution over the words seen, the end and one unknown
    word, so that probabilities sum to 1. The end of a text is predicted, its beginning is not.

    Args:
        texts: what to learn from.
        order: n; 5 is usual with much text.

    Raises:
        RangeError: an order below 1.
        DataError: no text.

    Source: Kneser and Ney 1995; interpolated form: Chen and Goodman 1999, section 4.1.6. KenLM takes three discounts an
    order and plain counts for n-grams at the beginning of a text, which shifts values slightly and ranks alike.

    Example:
        >>> model = KneserNey(["the cat sat", "the dog sat", "a cat ran"], order=2)
        >>> model.perplexity("the cat sat") < model.perplexity("sat the ran dog")
        True
    """

    def __init__(self, texts: Iterable[str], order: int = 5) -> None:
        if order < 1:
            raise RangeError(f"order is {order}, it must be at least 1")
        self.order = order
        highest: Counter[Gram] = Counter()
        for text in texts:
            padded = _padded(ngram_words(text), order)
            highest.update(tuple(padded[i - order + 1 : i + 1]) for i in range(order - 1, len(padded)))
        if not highest:
            raise DataError("an n-gram model needs at least one text")
        self._counts: list[Counter[Gram]] = [highest]
        for _ in range(order - 1):
            self._counts.insert(0, Counter(gram[1:] for gram in self._counts[0]))  # distinct grams: left neighbours
        self._discounts = [_discount(counts) for counts in self._counts]
        self._after = [_after(counts) for counts in self._counts]
        self.vocabulary = frozenset(gram[-1] for gram in highest) | {_UNKNOWN}

    def probability(self, word: str, before: Sequence[str] = ()) -> float:
        """P(word | the last ``order - 1`` of ``before``); a word that was never seen counts as ``<unk>``."""
        history = tuple(before)[len(before) - self.order + 1 :] if len(before) >= self.order else tuple(before)
        found = 1.0 / len(self.vocabulary)
        for length in range(len(history) + 1):
            context = history[len(history) - length :]
            total, kinds = self._after[length].get(context, (0, 0))
            if total:
                count, discount = self._counts[length][*context, word], self._discounts[length]
                found = (max(count - discount, 0.0) + discount * kinds * found) / total
        return found

    def perplexity(self, text: str) -> float:
        """exp of the mean negative log-probability over the words of ``text`` and its end."""
        padded = _padded(ngram_words(text), self.order)
        first = self.order - 1
        logs = [
            math.log(self.probability(padded[i], padded[i - self.order + 1 : i])) for i in range(first, len(padded))
        ]
        return math.exp(-sum(logs) / len(logs))


def _padded(words: Sequence[str], order: int) -> list[str]:
    return [*[_BEGIN] * (order - 1), *words, _END]


def _discount(counts: Counter[Gram]) -> float:
    sizes = Counter(counts.values())
    once, twice = sizes[1], sizes[2]
    return once / (once + 2 * twice) if once and twice else 0.75


def _after(counts: Counter[Gram]) -> dict[Gram, tuple[int, int]]:
    """For each context the total of its counts and the number of distinct words after it."""
    totals: dict[Gram, int] = defaultdict(int)
    kinds: dict[Gram, int] = defaultdict(int)
    for gram, count in counts.items():
        totals[gram[:-1]] += count
        kinds[gram[:-1]] += 1
    return {context: (totals[context], kinds[context]) for context in totals}
