"""A task of one step on a grid: which of the declared words moves you towards the goal?

Positions differ along one axis, so that one word is right. Everything is a row whose prompt declares the words.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from tutelage.papers.lab.instructions import Exercise
from tutelage.refine.instructions import COMMON_WORDS
from tutelage.seeds import derive
from tutelage.types import Row

__all__ = ["MOVE_WORDS", "SIDES", "WORDS", "general_exercises", "grid_rows", "reasoning"]

SIDES = ("north", "south", "west", "east")
MOVE_WORDS = ("up", "down", "left", "right")
"""The words of the fixed instruction, in the order of :data:`SIDES`."""
WORDS = (*COMMON_WORDS[::6], *MOVE_WORDS)
"""The words of this world: few, so that a small model learns in minutes to look them up."""
PROMPT = "go {declared} . you {r} {c} goal {gr} {gc}"
"""A word stands right after its side. In prompt and reply every word has a space before it: one token, one spelling."""


def grid_rows(count: int, *, low: int, high: int, seed: int, reach: int = 0) -> list[Row]:
    """Rows on coordinates ``low`` to ``high``; with ``reach`` only those of which some coordinate is at least that.

    ``reference`` is the right word, ``group`` the state.
    """
    draw, rows = random.Random(derive(seed, "grid")), list[Row]()
    declared = _declared(dict(zip(SIDES, MOVE_WORDS, strict=True)))
    while len(rows) < count:
        r, c, other = (draw.randint(low, high) for _ in range(3))
        vertical = draw.random() < 0.5
        goal = (other, c) if vertical else (r, other)
        if goal == (r, c) or max(r, c, other) < reach:
            continue
        side = (0 if other < r else 1) if vertical else (2 if other < c else 3)
        content = PROMPT.format(declared=declared, r=r, c=c, gr=goal[0], gc=goal[1])
        rows.append(
            Row(
                id=f"grid-{len(rows)}",
                prompt=[{"role": "user", "content": content}],
                completion=[{"role": "assistant", "content": f" {MOVE_WORDS[side]}"}],
                reference=MOVE_WORDS[side],
                group=content.rpartition(". ")[2],
            )
        )
    return rows


def reasoning(row: Row) -> str:
    """The steps that lead to the answer: which coordinate differs, which is larger, which side."""
    r, c, gr, gc = (int(part) for part in row["group"].split() if part.isdigit())
    side = SIDES[MOVE_WORDS.index(row["reference"])]
    mine, other = (r, gr) if r != gr else (c, gc)
    axis = "row" if r != gr else "column"
    return f" {axis} {mine} {'>' if mine > other else '<'} {other} so {side}"


def general_exercises(count: int, seed: int) -> list[Exercise]:
    """What the base model knows: on which side a goal lies, which word stands after which, and what follows from there.

    The words are declared in any order. What stands after a word is asked of any words, the sides among them: were it
    asked of the four sides alone, a small model would guess among the four declared words and learn no more.
    """
    draw = random.Random(derive(seed, "grid", "general"))
    states = grid_rows(count, low=0, high=9, seed=derive(seed, "grid", "states"))
    found = []
    for number, state in enumerate(states):
        kind = ("side", "lookup", "list", draw.choice(("list", "after")))[number % 4]
        side = SIDES[MOVE_WORDS.index(state["reference"])]
        if kind in ("side", "lookup"):
            names = dict(zip(draw.sample(SIDES, 4), draw.sample(WORDS, 4), strict=True))
            words, start = _declared(names).split(), side
        else:
            words = _words(draw, kind)
            start = words[draw.randrange(len(words) - 1 if kind == "after" else min(len(words) - 1, 4))]
        at = words.index(start)
        asked, reply = {
            "side": (f"side {state['group']}", side),
            "lookup": (f"word for {start}", words[at + 1]),
            "after": (f"word for {start}", words[at + 1]),
            "list": (f"from {start}", " ".join(words[at:])),
        }[kind]
        found.append(Exercise(f"{kind}-{number}", kind, f"go {' '.join(words)} . {asked}", f" {reply}"))
    return found


def _words(draw: random.Random, kind: str) -> list[str]:
    words = draw.sample(WORDS, draw.randint(4, 8) if kind == "after" else draw.randint(8, 20))
    if draw.random() < 0.6:
        words[:3] = draw.sample(SIDES, 3)
        draw.shuffle(words)
    return words


def _declared(names: Mapping[str, str]) -> str:
    return " ".join(f"{side} {word}" for side, word in names.items())
