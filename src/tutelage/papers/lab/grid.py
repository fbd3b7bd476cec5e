"""A task of one step on a grid: which of the declared words moves you towards the goal?

Positions differ along one axis, so that one word is right. Everything is a row whose prompt declares the words.
"""

from __future__ import annotations

import random

from tutelage.papers.lab.instructions import Exercise
from tutelage.refine.instructions import COMMON_WORDS
from tutelage.seeds import derive
from tutelage.types import Row

__all__ = ["MOVE_WORDS", "SIDES", "WORDS", "general_exercises", "grid_rows", "reasoning"]

SIDES = ("north", "south", "west", "east")
MOVE_WORDS = ("up", "down", "left", "right")
"""The words of the fixed instruction, in the order of :data:`SIDES`."""
WORDS = (*COMMON_WORDS[::12], *MOVE_WORDS)
"""The words of this world: few, so that a small model learns in minutes to look them up."""
PROMPT = "{declared} . you {r} {c} goal {gr} {gc}"
"""The words stand in the order of :data:`SIDES`."""


def grid_rows(count: int, *, low: int, high: int, seed: int, reach: int = 0) -> list[Row]:
    """Rows on coordinates ``low`` to ``high``; with ``reach`` only those of which some coordinate is at least that.

    ``reference`` is the right word, ``group`` the state.
    """
    draw, rows = random.Random(derive(seed, "grid")), list[Row]()
    declared = " ".join(MOVE_WORDS)
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
                completion=[{"role": "assistant", "content": MOVE_WORDS[side]}],
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
    return f"{axis} {mine} {'>' if mine > other else '<'} {other} so {side}"


def general_exercises(count: int, seed: int) -> list[Exercise]:
    """What the base model knows: on which side a goal lies, which word is declared for a side, all declared words."""
    draw = random.Random(derive(seed, "grid", "general"))
    states = grid_rows(count, low=0, high=9, seed=derive(seed, "grid", "states"))
    found = []
    for number, state in enumerate(states):
        kind = ("side", "lookup", "list", "list")[number % 4]
        values = draw.sample(WORDS, 4)
        declared = " ".join(values)
        side = SIDES[MOVE_WORDS.index(state["reference"])]
        if kind == "side":
            prompt, reply = f"{declared} . side {state['group']}", f"{side} ."
        elif kind == "lookup":
            prompt, reply = f"{declared} . word for {side}", f"{values[SIDES.index(side)]} ."
        else:
            prompt, reply = f"{declared} . words", " ".join(values)
        found.append(Exercise(f"{kind}-{number}", kind, prompt, reply))
    return found
