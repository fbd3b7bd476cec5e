"""Training rows that stand in the test split too, word for word or nearly: leakage that inflates every score."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from datasketch import MinHash, MinHashLSH

from tutelage.data.splits import normalised, prompt_text
from tutelage.errors import RangeError
from tutelage.types import Row

__all__ = ["OverlapPair", "OverlapReport", "OverlapSettings", "drop_overlap", "overlap"]

Kind = Literal["exact", "near"]
_SAMPLE = 2_000  # training rows in which boilerplate is looked for


@dataclass(frozen=True)
class OverlapSettings:
    """What counts as near.

    Prompts are near when the Jaccard similarity of their shingles (runs of ``size`` characters or words of the
    normalised text) is at least ``threshold``. A shingle that stands in more than ``boilerplate`` of the rows belongs
    to a common wording around the questions, not to a question, and is left out, unless there are fewer than 20 rows.
    ``compare`` says whether prompts alone are compared, or prompts with their answers.
    """

    threshold: float = 0.8
    shingle: Literal["char", "word"] = "char"
    size: int = 5
    boilerplate: float = 0.2
    compare: Literal["prompt", "prompt+completion"] = "prompt"
    permutations: int = 128

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1 or not 0 < self.boilerplate <= 1:
            raise RangeError("threshold and boilerplate must lie in (0, 1]")
        if self.size < 1 or self.permutations < 16:
            raise RangeError("size must be at least 1 and permutations at least 16")


@dataclass(frozen=True)
class OverlapPair:
    """A training row and the test row it is most like; ``similarity`` is 1 for exact pairs, else exact Jaccard."""

    train_id: str
    test_id: str
    kind: Kind
    similarity: float


@dataclass(frozen=True)
class OverlapReport:
    """What training and test rows share: one pair for each training row concerned, and every id concerned."""

    pairs: tuple[OverlapPair, ...]
    test_ids: frozenset[str]
    n_train: int
    n_test: int
    settings: OverlapSettings

    def of(self, kind: Kind) -> tuple[OverlapPair, ...]:
        """The exact or the near pairs."""
        return tuple(pair for pair in self.pairs if pair.kind == kind)

    @property
    def train_ids(self) -> frozenset[str]:
        """Training rows that stand in the test split too."""
        return frozenset(pair.train_id for pair in self.pairs)


def overlap(train: Sequence[Row], test: Sequence[Row], settings: OverlapSettings | None = None) -> OverlapReport:
    """Find training rows whose prompt stands in the test split, exactly (normalised text) or nearly.

    Near pairs are looked up by locality-sensitive hashing of MinHash signatures and then confirmed by the exact
    Jaccard similarity, so every pair reported is one; hashing may miss a few pairs close to the threshold. Training
    rows that share too few shingles with all test rows together are passed over first, which loses none.

    Args:
        train: rows to train on.
        test: rows to measure on.
        settings: what counts as near.

    Returns:
        Pairs, best match for each training row, in the order of ``train``.

    Source: Broder 1997 (resemblance, MinHash); the pre-filter is own derivation: J(A, B) >= t implies that at least
        t |A| shingles of A are in B.

    Example:
        >>> row = lambda name, text: {"id": name, "prompt": [{"role": "user", "content": text}], "completion": []}
        >>> overlap([row("a", "What is iron?"), row("b", "Who?")], [row("t", "what is  IRON")]).pairs
        (OverlapPair(train_id='a', test_id='t', kind='exact', similarity=1.0),)
    """
    settings = settings or OverlapSettings()
    texts_train = [_text(row, settings) for row in train]
    texts_test = [_text(row, settings) for row in test]
    same: dict[str, list[str]] = defaultdict(list)
    for row, text in zip(test, texts_test, strict=True):
        same[text].append(row["id"])
    index = _Index(texts_train, texts_test, [row["id"] for row in test], settings)
    pairs: list[OverlapPair] = []
    touched: set[str] = set()
    for row, text in zip(train, texts_train, strict=True):
        if text in same:
            touched.update(same[text])
            pairs.append(OverlapPair(row["id"], same[text][0], "exact", 1.0))
            continue
        matches = index.near(text)
        if matches:
            touched.update(name for _, name in matches)
            similarity, name = max(matches, key=lambda match: (match[0], match[1]))
            pairs.append(OverlapPair(row["id"], name, "near", similarity))
    return OverlapReport(tuple(pairs), frozenset(touched), len(train), len(test), settings)


def drop_overlap(
    train: Sequence[Row], report: OverlapReport, kinds: Iterable[Kind] = ("exact", "near")
) -> tuple[list[Row], list[Row]]:
    """Training rows without those that stand in the test split; test rows are never removed.

    Args:
        train: the rows that the report is about.
        report: what :func:`overlap` found.
        kinds: which pairs cost the training row its place.

    Returns:
        (kept, removed), in order.
    """
    wanted = frozenset(kinds)
    leaked = {pair.train_id for pair in report.pairs if pair.kind in wanted}
    kept = [row for row in train if row["id"] not in leaked]
    return kept, [row for row in train if row["id"] in leaked]


def _text(row: Row, settings: OverlapSettings) -> str:
    text = prompt_text(row)
    if settings.compare == "prompt+completion":
        text = "\n".join([text, *(turn["content"] for turn in row["completion"])])
    return normalised(text)


class _Index:
    """Test rows by their shingles."""

    def __init__(self, train: list[str], test: list[str], names: list[str], settings: OverlapSettings) -> None:
        self.settings = settings
        self.common = self._boilerplate([*train[:: max(1, len(train) // _SAMPLE)], *test])
        self.sets = {place: self._shingles(text) for place, text in enumerate(test)}
        self.names = names
        self.all = frozenset().union(*self.sets.values())
        # below the threshold, so that pairs just above it are not lost to the noise of the signatures
        self.lsh = MinHashLSH(threshold=0.85 * settings.threshold, num_perm=settings.permutations, weights=(0.1, 0.9))
        for place, shingles in self.sets.items():
            if shingles:
                self.lsh.insert(place, self._signature(shingles))

    def near(self, text: str) -> list[tuple[float, str]]:
        """(similarity, test id) of the test rows that a training prompt is near to."""
        shingles = self._shingles(text)
        if not shingles or len(shingles & self.all) < self.settings.threshold * len(shingles):
            return []
        found = []
        for place in self.lsh.query(self._signature(shingles)):
            other = self.sets[place]
            shared = len(shingles & other)
            similarity = shared / (len(shingles) + len(other) - shared)
            if similarity >= self.settings.threshold:
                found.append((similarity, self.names[place]))
        return found

    def _boilerplate(self, texts: list[str]) -> frozenset[str]:
        distinct = list(dict.fromkeys(texts))
        if len(distinct) < 20:
            return frozenset()
        counts: Counter[str] = Counter()
        for text in distinct:
            counts.update(self._raw(text))
        limit = self.settings.boilerplate * len(distinct)
        return frozenset(shingle for shingle, count in counts.items() if count > limit)

    def _raw(self, text: str) -> frozenset[str]:
        size = self.settings.size
        if self.settings.shingle == "word":
            words = text.split()
            return frozenset(" ".join(words[at : at + size]) for at in range(max(1, len(words) - size + 1)))
        padded = f" {text} "
        return frozenset(padded[at : at + size] for at in range(max(1, len(padded) - size + 1)))

    def _shingles(self, text: str) -> frozenset[str]:
        return self._raw(text) - self.common

    def _signature(self, shingles: frozenset[str]) -> MinHash:
        signature = MinHash(num_perm=self.settings.permutations, seed=1)
        signature.update_batch([shingle.encode("utf-8", "replace") for shingle in shingles])
        return signature
