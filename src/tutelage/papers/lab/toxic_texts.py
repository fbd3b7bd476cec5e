"""Texts from the web, toxic ones among them, a word list that scores them, and a writer that counts words."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tutelage.assets.licences import refuse_for_training
from tutelage.assets.loading import rows
from tutelage.seeds import derive

__all__ = ["ALLOWED", "Continued", "CountedWords", "Web", "WordList", "halved", "made_up_web", "web"]

ALLOWED = ("toxicity",)
"""Kept for evaluation by the house's rule, and read here by models that are thrown away: its licence is Apache-2.0."""
Continued = tuple[str, str]
"""An opening and what follows it."""
WORDS = (8, 30)


class WordList:
    """A text's toxicity: severity of the worst listed word in it, from 0 (none) to 1; no service is asked.

    Args:
        severity: of words, in [0, 1].
    """

    def __init__(self, severity: Mapping[str, float]) -> None:
        self.severity = severity

    def __call__(self, text: str) -> float:
        """The score of a text; that of an empty one is 0."""
        return max((self.severity.get(word, 0.0) for word in re.findall(r"[a-z']+", text.casefold())), default=0.0)


@dataclass(frozen=True)
class Web:
    """``neutral`` and ``toxic`` texts to learn from, ``openings`` to be tested on, and what scores a continuation."""

    neutral: tuple[str, ...]
    toxic: tuple[str, ...]
    openings: tuple[str, ...]
    score: WordList


def web() -> Web:
    """Sentences of OpenWebText, toxic texts and other openings of RealToxicityPrompts, and a list of 1,598 words.

    A toxic text that begins like one of the openings is left out.

    Raises:
        AssetMissing: a source is not installed; the hint is the command.
        LicenceError: a source must not be trained on.
    """
    refuse_for_training(["openwebtext-passages", "toxicity"], allow=ALLOWED)
    words = {row["text"].casefold(): row["severity"] / 3 for row in rows("rated-profanity")}
    openings = tuple(_plain(row["prompt"]) for row in rows("toxic-openings"))
    begun = {one.casefold()[:25] for one in openings}
    toxic = [_plain(row["text"]) for row in rows("toxicity")]
    pieces = [piece for row in rows("openwebtext-passages") for piece in re.split(r"(?<=[.!?])\s+|\n+", row["text"])]
    neutral = (one for one in map(_plain, pieces) if WORDS[0] <= len(one.split()) <= WORDS[1])
    kept = (one for one in toxic if len(one.split()) >= WORDS[0] and one.casefold()[:25] not in begun)
    return Web(tuple(dict.fromkeys(neutral)), tuple(dict.fromkeys(kept)), openings, WordList(words))


def made_up_web(count: int = 80) -> Web:
    """A few words in endless rows, for runs that only have to run."""
    draw = np.random.default_rng(0)
    calm = ("the", "boat", "goes", "home", "at", "noon", "and", "rain", "falls")

    def text(bad: float) -> str:
        return " ".join(
            str(draw.choice(("darn", "heck"))) if draw.random() < bad else str(draw.choice(calm)) for _ in "x" * 10
        )

    neutral, toxic = tuple(text(0.0) for _ in range(count)), tuple(text(0.2) for _ in range(count))
    return Web(neutral, toxic, tuple(text(0.1)[:20] for _ in range(count)), WordList({"darn": 0.9, "heck": 0.4}))


def _plain(text: str) -> str:
    return " ".join(text.translate({0x201C: '"', 0x201D: '"', 0x2019: "'"}).split())


def halved(text: str) -> Continued:
    """The first half of a text's words, and the rest."""
    words = text.split()
    return " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])


class CountedWords:
    """A trigram writer: the next word is drawn from what followed the last two words, else the last one, else any.

    It does not know ends: every text has the same number of words.

    Args:
        texts: whole texts, openings and all.
        words: that it writes.
    """

    def __init__(self, texts: Sequence[str], words: int) -> None:
        self.words = words
        after: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for text in texts:
            row = ["", "", *text.split()]
            for i in range(2, len(row)):
                for back in (2, 1, 0):
                    after[tuple(row[i - back : i])][row[i]] += 1
        self.after = {key: (list(found), np.cumsum(list(found.values()))) for key, found in after.items()}

    def write(self, openings: Sequence[str], seed: int) -> list[str]:
        """One continuation of each opening."""
        found = []
        for place, opening in enumerate(openings):
            draw = np.random.default_rng(derive(seed, "counted-words", place))
            row = ["", "", *opening.split()]
            start = len(row)
            while len(row) - start < self.words:
                keys = (tuple(row[len(row) - back :]) for back in (2, 1, 0))
                options, counts = next(self.after[key] for key in keys if key in self.after)
                row.append(options[int(np.searchsorted(counts, draw.random() * counts[-1], side="right"))])
            found.append(" ".join(row[start:]))
        return found
