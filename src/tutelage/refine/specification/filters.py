"""Which documents may be read: long enough, in words of their own, unlike each other, and silent on the evaluation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from datasketch import MinHash, MinHashLSH

from tutelage.data.splits import normalised
from tutelage.errors import RangeError
from tutelage.refine.specification.spec import ModelSpec

__all__ = ["DocumentFilter", "EvaluationItem", "FilterSettings", "verbatim_share"]

Length = Callable[[str], int]


@dataclass(frozen=True)
class EvaluationItem:
    """Something the trained model will be asked: ``text`` (question with its answers) and ``terms`` that give it away.

    A document with one of the ``terms``, as whole words, leaks; so does one that holds enough of ``text``.
    """

    id: str
    text: str
    terms: tuple[str, ...] = ()


@dataclass(frozen=True)
class FilterSettings:
    """Bounds of what is kept. ``run`` is the length in words of what counts as quoted or leaked.

    Attributes:
        shortest, longest: length window; in words, or in what the filter's ``length`` counts.
        verbatim: a document is dropped when at least this share of its words stands in runs from the specification.
        near: Jaccard similarity of 5-character shingles from which on two documents are the same one.
        leak: share of an item's runs that a document may not reach.
    """

    shortest: int = 20
    longest: int = 2_000
    verbatim: float = 0.3
    near: float = 0.8
    leak: float = 0.5
    run: int = 8
    leak_run: int = 4
    permutations: int = 128

    def __post_init__(self) -> None:
        if not 0 < self.shortest <= self.longest:
            raise RangeError(f"the length window {self.shortest} to {self.longest} is empty")
        if not all(0 < share <= 1 for share in (self.verbatim, self.near, self.leak)):
            raise RangeError("verbatim, near and leak must lie in (0, 1]")
        if min(self.run, self.leak_run) < 1 or self.permutations < 16:
            raise RangeError("runs are of at least one word, permutations at least 16")


def verbatim_share(text: str, source: str, run: int = 8) -> float:
    """Share of the words of ``text`` that stand in some run of ``run`` words which ``source`` has too.

    Case, punctuation between sentences and white space do not count; 0 for an empty text.

    Example:
        >>> verbatim_share("so: one two three four", "One, two three. Five", run=3)
        0.6
    """
    words, theirs = normalised(text).split(), normalised(source).split()
    known = set(_runs(theirs, run))
    covered = [False] * len(words)
    for start, one in enumerate(_runs(words, run)):
        if one in known:
            covered[start : start + run] = [True] * run
    return sum(covered) / len(words) if words else 0.0


def _runs(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[at : at + size]) for at in range(len(words) - size + 1)]


class DocumentFilter:
    """Judges documents one after another; those that it accepts count as seen for the next.

    Args:
        spec: what they are about.
        evaluation: everything the trained model will be asked.
        settings: the bounds.
        length: what the length window counts; words by default, or a tokenizer's count.
    """

    def __init__(
        self,
        spec: ModelSpec,
        evaluation: Sequence[EvaluationItem] = (),
        settings: FilterSettings | None = None,
        *,
        length: Length | None = None,
    ) -> None:
        self.settings = settings or FilterSettings()
        self.spec, self.length = spec, length or (lambda text: len(text.split()))
        self._items = [(one, *self._of_item(one)) for one in evaluation]
        self._index = MinHashLSH(
            threshold=0.85 * self.settings.near, num_perm=self.settings.permutations, weights=(0.1, 0.9)
        )
        self._seen: dict[str, frozenset[str]] = {}

    def reason(self, text: str) -> str:
        """Why ``text`` may not be used, as a code and a detail; empty when it may. Nothing is remembered.

        Codes: ``empty``, ``short``, ``long``, ``verbatim``, ``leak``, ``near_duplicate``.
        """
        bounds = self.settings
        if not text.strip():
            return "empty"
        size = self.length(text)
        if not bounds.shortest <= size <= bounds.longest:
            return f"short: {size}" if size < bounds.shortest else f"long: {size}"
        share = verbatim_share(text, self.spec.filled, bounds.run)
        if share >= bounds.verbatim:
            return f"verbatim: {share:.2f} of its words are the specification's"
        leaked = self._leak(text)
        if leaked:
            return f"leak: {leaked}"
        twin = self._twin(_shingles(text))
        return f"near_duplicate: {twin}" if twin else ""

    def accept(self, name: str, text: str) -> None:
        """Remember a document that is used, so that another like it is not."""
        shingles = _shingles(text)
        self._seen[name] = shingles
        self._index.insert(name, self._signature(shingles))

    def _of_item(self, item: EvaluationItem) -> tuple[frozenset[tuple[str, ...]], tuple[str, ...]]:
        words = normalised(item.text).split()
        size = min(self.settings.leak_run, max(1, len(words)))
        return frozenset(_runs(words, size)), tuple(f" {normalised(term)} " for term in item.terms)

    def _leak(self, text: str) -> str:
        """The first evaluation item that the text gives away."""
        words = normalised(text).split()
        whole = f" {' '.join(words)} "
        runs = {size: set(_runs(words, size)) for size in {len(next(iter(r))) for _, r, _ in self._items if r}}
        for item, own, terms in self._items:
            if any(term in whole for term in terms):
                return f"item {item.id}, by a term"
            if own and len(own & runs[len(next(iter(own)))]) >= self.settings.leak * len(own):
                return f"item {item.id}, by its text"
        return ""

    def _twin(self, shingles: frozenset[str]) -> str:
        for name in sorted(self._index.query(self._signature(shingles))):
            other = self._seen[name]
            shared = len(shingles & other)
            if shared >= self.settings.near * (len(shingles) + len(other) - shared):
                return str(name)
        return ""

    def _signature(self, shingles: frozenset[str]) -> MinHash:
        signature = MinHash(num_perm=self.settings.permutations, seed=1)
        signature.update_batch([one.encode("utf-8", "replace") for one in shingles])
        return signature


def _shingles(text: str) -> frozenset[str]:
    padded = f" {normalised(text)} "
    return frozenset(padded[at : at + 5] for at in range(max(1, len(padded) - 4)))
