"""Chains of sums, worked out step by step, and a way to spoil some of the steps."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from tutelage.papers.lab.instructions import Exercise
from tutelage.papers.lab.world import WORLD_SEED
from tutelage.seeds import derive

__all__ = ["SpoiledSum", "chain_sums", "last_number", "spoiled"]


@dataclass(frozen=True)
class SpoiledSum:
    """A sum whose working has wrong results. ``wrong`` are the places of the wrong words among ``reply.split()``."""

    exercise: Exercise
    wrong: tuple[int, ...]


def chain_sums(count: int, numbers: int, *, seed: int, label: str = "sum") -> list[Exercise]:
    """``count`` different sums of ``numbers`` numbers from 1 to 9; the reply works them out from left to right.

    Example:
        >>> chain_sums(1, 3, seed=0)[0].reply.count("=")
        2
    """
    found: dict[tuple[int, ...], Exercise] = {}
    draw = random.Random(derive(WORLD_SEED, "sums", label, numbers, seed))
    while len(found) < count:
        terms = tuple(draw.randrange(1, 10) for _ in range(numbers))
        if terms in found:
            continue
        total, steps = terms[0], []
        for term in terms[1:]:
            steps.append(f"{total} + {term} = {total + term}")
            total += term
        reply = "Sum: " + " ; ".join(steps) + f" ; Total {total}"
        found[terms] = Exercise(f"{label}-{numbers}-{len(found)}", label, "Add " + " ".join(map(str, terms)), reply)
    return list(found.values())


def spoiled(exercise: Exercise, share: float, *, seed: int) -> SpoiledSum:
    """Replace ``share`` of the results in the working by other numbers; the rest, and the total, stay right."""
    draw = random.Random(derive(seed, "spoil", exercise.id))
    words = exercise.reply.split()
    results = [i + 1 for i, word in enumerate(words) if word == "="]
    wrong = tuple(place for place in results if draw.random() < share)
    for place in wrong:
        right = int(words[place])
        words[place] = str(
            right + draw.choice([-7, -5, -3, -2, 2, 3, 5, 7]) if right > 7 else right + draw.randrange(2, 9)
        )
    reply = " ".join(words)
    return SpoiledSum(Exercise(exercise.id, exercise.kind, exercise.prompt, reply), wrong)


def last_number(text: str) -> int | None:
    """The last whole number in a text: the answer after the working.

    Example:
        >>> last_number("Sum: 2 + 3 = 5 ; Total 5"), last_number("none")
        (5, None)
    """
    found = re.findall(r"\d+", text)
    return int(found[-1]) if found and len(found[-1]) < 9 else None
