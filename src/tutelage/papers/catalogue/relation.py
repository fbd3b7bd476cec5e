"""Papers like a paper, by what they share: no encoder needed."""

from __future__ import annotations

from collections import Counter
from functools import cache
from math import log

from tutelage.errors import RangeError
from tutelage.papers.catalogue.entry_file import Entry
from tutelage.papers.catalogue.loading import entries, entry

__all__ = ["related"]


def related(slug: str, limit: int = 5) -> tuple[Entry, ...]:
    """The papers most like ``slug``, best first.

    Each keyword or family that two papers share counts ``log(N / n)``, with ``n`` of the ``N`` papers having it: the
    rarer, the more it says. Papers that share nothing are left out, so fewer than ``limit`` may come back.

    Args:
        slug: a paper of the catalogue.
        limit: at most how many.

    Raises:
        DataError: there is no such paper.
        RangeError: ``limit`` is negative.

    Source: own derivation (inverse document frequency).

    Example:
        >>> [one.slug for one in related("stability-gap", 2)]
        ['stability-gap-pretraining', 'lifelong-metrics']
    """
    if limit < 0:
        raise RangeError(f"limit is {limit}, below 0")
    own = _features(entry(slug))
    common = _frequencies()
    scored = []
    for place, other in enumerate(entries()):
        score = sum(log(len(entries()) / common[feature]) for feature in own & _features(other))
        if other.slug != slug and score > 0:
            scored.append((-score, place, other))
    return tuple(other for _, _, other in sorted(scored, key=lambda row: row[:2])[:limit])


def _features(one: Entry) -> frozenset[str]:
    return frozenset({f"family {one.family}", *(keyword.casefold() for keyword in one.keywords)})


@cache
def _frequencies() -> Counter[str]:
    return Counter(feature for one in entries() for feature in _features(one))
