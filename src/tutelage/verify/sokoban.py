"""Sokoban played by an answer: does it solve the level, does one action lie on a shortest solution; by the exact rules.

A reference is the names of Up, Down, Left and Right, in this order, and below them the picture of the level.
"""

from __future__ import annotations

from functools import lru_cache

from tutelage.errors import DataError
from tutelage.functional.sokoban import MOVES, Level, Move, parse_level, solve
from tutelage.types import Chat, Verdict
from tutelage.verify.registry import verifiers

__all__ = ["sokoban", "sokoban_move"]

LONGEST = 1000
"""Moves; a longer answer is none."""


@verifiers.register("sokoban", paper="https://arxiv.org/abs/2510.00237")
def sokoban(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """1 when the actions of the text, in order, leave every box on a target.

    Actions are parted by spaces or commas. A move against a wall changes nothing; a word that is no action fails.

    Raises:
        DataError: the reference is not four names and a level.

    Example:
        >>> sokoban([], "Right", "Up Down Left Right\\n#####\\n#PXO#\\n#####").score
        1.0
    """
    del prompt
    meant, level = _read(reference)
    words = text.replace(",", " ").split()
    moves = [meant.get(word.casefold()) for word in words[: LONGEST + 1]]
    known = [move for move in moves if move is not None]
    if len(moves) > LONGEST or not moves or len(known) != len(moves):
        return Verdict(0.0, "no actions" if not moves else "too long" if len(moves) > LONGEST else "not an action")
    solved = level.after(known).solved
    return Verdict(float(solved), "" if solved else "not solved")


@verifiers.register("sokoban-move", paper="https://arxiv.org/abs/2510.00237")
def sokoban_move(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """1 when the last word of the text is an action that a shortest solution of the level begins with.

    Raises:
        DataError: the reference is not four names and a level.
        RangeError: the level is too large for the solver.

    Example:
        >>> sokoban_move([], "Let me go left.", "Up Down Left Right\\n#####\\n#PXO#\\n#####").detail
        'not on a shortest solution'
    """
    del prompt
    meant, level = _read(reference)
    move = meant.get((text.split() or [""])[-1].rstrip(".").casefold())
    if move is None:
        return Verdict(0.0, "not an action")
    best = _length(level)
    after = _length(level.step(move)) if best else None
    right = best is not None and after is not None and after == best - 1
    return Verdict(float(right), "" if right else "not on a shortest solution")


@lru_cache(maxsize=100_000)
def _length(level: Level) -> int | None:
    path = solve(level)
    return None if path is None else len(path)


@lru_cache(maxsize=4096)
def _read(reference: str | None) -> tuple[dict[str, Move], Level]:
    names, _, picture = (reference or "").partition("\n")
    meant = dict(zip((name.casefold() for name in names.split()), MOVES, strict=False))
    if len(names.split()) != len(MOVES) or len(meant) != len(MOVES):
        raise DataError(
            f"{names[:60]!r} are not the names of four moves",
            hint='write "Up Down Left Right" and the level below it',
        )
    return meant, parse_level(picture)
