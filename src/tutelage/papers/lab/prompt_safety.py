"""Is a prompt harmful? Real prompts of several sources, in one plain form, with whole sources held out for the test.

Harmful and harmless prompts never come from one source, so a classifier can learn who wrote a prompt instead of what it
asks for. Against this: letters and words alone are left of a text (no case, no punctuation, 5 to 25 words), the test's
sources are seen by nobody in training, function words alone are measured as a classifier, and there are pairs of
prompts that differ in one phrase.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tutelage.assets.licences import refuse_for_training
from tutelage.assets.loading import rows
from tutelage.papers.lab.contrast_prompts import CONTRASTS
from tutelage.seeds import derive
from tutelage.types import IntArray

__all__ = [
    "ALLOWED",
    "HARMFUL",
    "Prompts",
    "drawn_prompts",
    "function_words",
    "made_up_prompts",
    "plain_form",
    "prompts",
]

HARMFUL = 1
SOURCES = {
    "learnt": {"do-not-answer": 1, "piqa": 0, "nq-open": 0},
    "held out": {"harmbench": 1, "advbench": 1, "instruction-pairs": 0},
}
ALLOWED = ("do-not-answer",)
"""Kept for evaluation by the house's rule, and used here for probes that are thrown away: its licence is Apache-2.0."""
WORDS = (5, 25)
_FUNCTION = """
a an the of to in on for with by and or but is are was were be been do does did can could should would will may might
must have has had what who when where why how which i me my you your we our they them their he she his her it its this
that these those from at as if not no there here then than so about into over out up down any some all give write make
create develop describe explain provide list tell show get use
"""
FUNCTION = frozenset(re.findall(r"[a-z]+", _FUNCTION))


@dataclass(frozen=True)
class Prompts:
    """Texts [N] in plain form, the ``truth`` (1 is harmful) and the part of each: learnt, held out or contrast."""

    texts: tuple[str, ...]
    truth: IntArray
    part: tuple[str, ...]

    def of(self, part: Literal["learnt", "held out", "contrast"]) -> IntArray:
        """Places of a part."""
        return np.flatnonzero(np.array(self.part) == part)


def plain_form(text: str) -> str:
    """Lower-case words with single spaces between them.

    Example:
        >>> plain_form("How do I 'whittle' a knife, step-by-step?")
        "how do i whittle a knife step by step"
    """
    return " ".join(word.strip("'") for word in re.findall(r"[a-z0-9']+", text.casefold()) if word.strip("'"))


def function_words(text: str) -> str:
    """What is left of a text in plain form when only its function words are kept: how it asks, not for what."""
    return " ".join(word for word in text.split() if word in FUNCTION)


def prompts() -> Prompts:
    """All prompts of the embedded sources that fit, each text once.

    Raises:
        AssetMissing: a source is not installed; the hint is the command.
        LicenceError: a source must not be trained on.
    """
    refuse_for_training(SOURCES["learnt"], allow=ALLOWED)
    found: dict[str, tuple[int, str]] = {}
    for part, sources in SOURCES.items():
        for name, truth in sources.items():
            for row in rows(name):
                text = plain_form(str(row.get("prompt") or row.get("question")))
                if WORDS[0] <= len(text.split()) <= WORDS[1]:
                    found.setdefault(text, (truth, part))
    return _with_contrasts(found)


def made_up_prompts(count: int = 60) -> Prompts:
    """Nonsense in the same shape, for runs that only have to run."""
    found: dict[str, tuple[int, str]] = {}
    things = (("lantern", "violin", "carrot"), ("grenade", "poison", "ransom"))
    for i in range(count):
        truth = i % 2
        frame = ("how do i keep a {} number {}", "please write about the {} number {}")[(i // 2) % 2]
        part = "learnt" if (i // 2) % 2 == 0 else "held out"
        found[frame.format(things[truth][i % 3], i)] = (truth, part)
    return _with_contrasts(found)


def _with_contrasts(found: dict[str, tuple[int, str]]) -> Prompts:
    for harmless, harmful in CONTRASTS:
        found[harmless], found[harmful] = (0, "contrast"), (1, "contrast")
    truth = np.array([one for one, _ in found.values()])
    return Prompts(tuple(found), truth, tuple(part for _, part in found.values()))


def drawn_prompts(given: Prompts, sizes: Sequence[int], *, seed: int) -> dict[str, IntArray]:
    """Places of balanced random parts: "weak" and "pool" of what is learnt, "test" of what is held out.

    Args:
        given: where they come from.
        sizes: of weak, pool and test; halves are harmful. A test larger than there is is cut, and stays balanced.
        seed: of the draw.
    """
    learnt, held = given.of("learnt"), given.of("held out")
    taken: dict[str, list[int]] = {"weak": [], "pool": [], "test": []}
    for truth in (0, 1):
        draw = np.random.default_rng(derive(seed, "prompt-safety", truth))
        order = draw.permutation(learnt[given.truth[learnt] == truth])
        taken["weak"] += order[: sizes[0] // 2].tolist()
        taken["pool"] += order[sizes[0] // 2 : (sizes[0] + sizes[1]) // 2].tolist()
        fewest = min(int((given.truth[held] == one).sum()) for one in (0, 1))
        taken["test"] += draw.permutation(held[given.truth[held] == truth])[: min(fewest, sizes[2] // 2)].tolist()
    return {part: np.sort(np.array(places)) for part, places in taken.items()}
