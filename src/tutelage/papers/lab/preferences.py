"""Pairs of a right and a wrong answer, said briefly or at length: either may be the longer one.

A model finds short answers likelier than long ones whatever they say, so pairs of this kind come in all difficulties:
from a right word against a wrong sentence, which any model orders well, to a right sentence against a wrong word.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

from tutelage.papers.lab.world import WORLD_SEED
from tutelage.seeds import derive

__all__ = ["FACTS", "STYLES", "PreferencePair", "preference_pairs"]

FACTS: Mapping[str, Mapping[str, str]] = {
    "What is the capital of {}?": {
        "France": "Paris", "Italy": "Rome", "Spain": "Madrid", "Germany": "Berlin", "Japan": "Tokyo", "Egypt": "Cairo",
        "Greece": "Athens", "Russia": "Moscow", "China": "Beijing", "Peru": "Lima", "Cuba": "Havana",
        "Austria": "Vienna", "Ireland": "Dublin", "Poland": "Warsaw", "Kenya": "Nairobi", "Norway": "Oslo",
    },
    "What is the opposite of {}?": {
        "hot": "cold", "big": "small", "fast": "slow", "early": "late", "light": "dark", "happy": "sad",
        "strong": "weak", "full": "empty", "old": "young", "dry": "wet", "rich": "poor", "loud": "quiet",
        "hard": "soft", "open": "closed", "thick": "thin", "near": "far",
    },
    "What do we call a young {}?": {
        "dog": "a puppy", "cat": "a kitten", "cow": "a calf", "horse": "a foal", "sheep": "a lamb", "bear": "a cub",
        "goose": "a gosling", "goat": "a kid", "deer": "a fawn", "frog": "a tadpole", "duck": "a duckling",
        "chicken": "a chick", "pig": "a piglet", "owl": "an owlet", "eagle": "an eaglet", "hare": "a leveret",
    },
    "Where does a {} work?": {
        "teacher": "in a school", "doctor": "in a hospital", "farmer": "on a farm", "sailor": "on a ship",
        "judge": "in a court", "miner": "in a mine", "baker": "in a bakery", "pilot": "in a plane",
        "chef": "in a kitchen", "librarian": "in a library", "banker": "in a bank", "actor": "in a theatre",
        "monk": "in a monastery", "florist": "in a flower shop", "chemist": "in a laboratory",
        "lifeguard": "on a beach",
    },
}  # fmt: skip
"""Questions with a gap, what fills it, and the right answer; the wrong ones are those to other fillings."""
STYLES = (
    " {}.",
    " The answer is {}.",
    " Good question! I am quite sure that the answer to it is {}.",
)
"""Frames of an answer, from about three tokens to about seventeen."""


@dataclass(frozen=True)
class PreferencePair:
    """A question as plain text, the answer that is preferred, and the one that is not; both begin with a space."""

    id: str
    prompt: str
    chosen: str
    rejected: str


def preference_pairs(count: int, *, seed: int) -> list[PreferencePair]:
    """``count`` different pairs: question, wrong answer and two different frames are drawn; the chosen answer is right.

    Args:
        count: at most 384: each question once with each pair of frames.
        seed: of the draw.

    Example:
        >>> one = preference_pairs(1, seed=0)[0]
        >>> one.prompt.startswith("Question: ") and one.prompt.endswith("\\nAnswer:")
        True
    """
    draw = random.Random(derive(WORLD_SEED, "preferences", seed))
    asked = [(question, filling) for question, answers in FACTS.items() for filling in answers]
    cells = [(q, f, a, b) for q, f in asked for a, b in permutations(range(len(STYLES)), 2)]
    found = []
    for question, filling, first, second in draw.sample(cells, count):
        right = FACTS[question][filling]
        wrong = draw.choice([one for other, one in FACTS[question].items() if other != filling])
        name = f"{filling}-{first}{second}"
        prompt = f"Question: {question.format(filling)}\nAnswer:"
        found.append(PreferencePair(name, prompt, STYLES[first].format(right), STYLES[second].format(wrong)))
    return found
