"""Whether explanations say what made the score: sums, deletions, and texts in which only the person is another."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from tutelage.io.documents import read_json
from tutelage.matching.documents import Document
from tutelage.matching.matcher import Match, Matcher, Reason, sum_of
from tutelage.seeds import derive

__all__ = ["Faithfulness", "check_faithfulness", "deleted", "deletion_test", "swapped", "swaps"]

_SWAPS = Path(__file__).with_name("swaps.en.json")
_DELETED = 3
_DRAWS = 5
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Faithfulness:
    """What the checks found over all pairs.

    Attributes:
        additivity: the largest difference between a score and the sum of its parts.
        deletion_passed: matches whose score falls further without the three main reasons than without three drawn ones.
        deletion_tried: matches with more than three reasons whose words can be deleted.
        swap_largest: the largest change of a score when names, pronouns and places are replaced.
        swap_changed: resumes that hold such a word at all.
        pairs: matches looked at.
    """

    additivity: float
    deletion_passed: int
    deletion_tried: int
    swap_largest: float
    swap_changed: int
    pairs: int


def check_faithfulness(
    matcher: Matcher,
    jobs: Mapping[str, Document],
    resumes: Mapping[str, Document],
    matches: Sequence[Match],
    *,
    pairs: Mapping[str, str] | None = None,
    seed: int = 0,
) -> Faithfulness:
    """All checks on ``matches``.

    Args:
        matcher: that made them.
        jobs: by id.
        resumes: by id.
        matches: to be checked.
        pairs: words and what stands for them in the swap test; None: :func:`swaps`.
        seed: of the random deletions.

    Source: the deletion test is the comprehensiveness of ERASER (arXiv 1911.03429) against random deletions; the swap
        test is own derivation from TraceMatch (arXiv 2202.08960).
    """
    pairs = swaps() if pairs is None else pairs
    others = {key: replace(one, text=swapped(one.text, pairs)) for key, one in resumes.items()}
    tried = passed = 0
    additivity = largest = 0.0
    for match in matches:
        job, resume = jobs[match.job], resumes[match.resume]
        additivity = max(additivity, abs(match.score - sum_of(match)))
        verdict = deletion_test(matcher, job, resume, match, seed=seed)
        tried += verdict is not None
        passed += bool(verdict)
        other = others[match.resume]
        if other.text != resume.text:
            largest = max(largest, abs(matcher.match(job, other).score - match.score))
    changed = sum(others[key].text != one.text for key, one in resumes.items())
    return Faithfulness(additivity, passed, tried, largest, changed, len(matches))


def deletion_test(matcher: Matcher, job: Document, resume: Document, match: Match, *, seed: int = 0) -> bool | None:
    """Whether the score falls further without the words of the three main reasons than without those of three others.

    The words are deleted from the resume and the pair is scored anew, linking and likeness of texts included. The
    others are drawn five times and their mean counts. None: the reasons rest on fewer than four skills of the resume.
    """
    spoken = sorted((one for one in match.reasons if one.resume_spans), key=lambda one: -one.contribution)
    if len({one.found for one in spoken}) <= _DELETED:
        return None
    main = _fall(matcher, job, resume, match, spoken[:_DELETED])
    rng = np.random.default_rng(derive(seed, "deletion", match.job, match.resume))
    falls = []
    for _ in range(_DRAWS):
        drawn = rng.choice(len(spoken), size=_DELETED, replace=False)
        falls.append(_fall(matcher, job, resume, match, [spoken[int(one)] for one in drawn]))
    return main > float(np.mean(falls))


def _fall(matcher: Matcher, job: Document, resume: Document, match: Match, reasons: Sequence[Reason]) -> float:
    return match.score - matcher.match(job, deleted(resume, reasons)).score


def deleted(resume: Document, reasons: Sequence[Reason]) -> Document:
    """The resume without the words that ``reasons`` rest on; other characters stay."""
    marks = [True] * len(resume.text)
    for reason in reasons:
        for span in reason.resume_spans:
            marks[span.start : span.end] = [False] * (span.end - span.start)
    return replace(resume, text="".join(mark for mark, keep in zip(resume.text, marks, strict=True) if keep))


@cache
def swaps() -> Mapping[str, str]:
    """Our own list of given names, pronouns and places, each with what stands for it in the swap test."""
    told = read_json(_SWAPS)
    found = dict(told["pronouns"])
    for pairs in (told["names"], told["places"]):
        for first, second in pairs:
            found[first], found[second] = second, first
    return found


def swapped(text: str, pairs: Mapping[str, str]) -> str:
    """``text`` with every word of ``pairs`` (lower case) replaced, in the case that it was written in.

    Example:
        >>> swapped("She likes her team.", {"she": "he", "her": "his"})
        'He likes his team.'
    """

    def other(match: re.Match[str]) -> str:
        word = match[0]
        new = pairs.get(word.lower())
        if new is None:
            return word
        return new.upper() if word.isupper() and len(word) > 1 else new.capitalize() if word[:1].isupper() else new

    return _WORD.sub(other, text)
