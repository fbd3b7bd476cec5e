"""Sokoban levels at random, rows to learn moves or whole solutions from, and episodes played under any action names."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from tutelage.errors import DataError, RangeError
from tutelage.functional.sokoban import MOVES, Level, Move, parse_level, solve
from tutelage.seeds import derive
from tutelage.types import Row

__all__ = [
    "MOVES",
    "Episode",
    "Level",
    "Move",
    "generate_level",
    "level_rows",
    "move_rows",
    "parse_level",
    "play",
    "solve",
]


def generate_level(size: int = 6, boxes: int = 1, *, walls: float = 0.1, seed: int = 0) -> Level:
    """A solvable level that is not solved yet: walls, targets, boxes and player at random, drawn until it is one.

    Paper's sizes: training 6 and 1 box; harder 10 and 1, 6 and 2, 10 and 2.

    Args:
        size: cells on each side, the border of walls included.
        boxes: as many targets.
        walls: share of inner cells that are walls.
        seed: the same level for the same seed.

    Raises:
        RangeError: too small for its boxes, or a share outside [0, 0.5].

    Source: own derivation; the official environment plays backwards from a solved room.
    """
    inner = [(r, c) for r in range(1, size - 1) for c in range(1, size - 1)]
    if boxes < 1 or len(inner) < 2 * boxes + 3 or not 0 <= walls <= 0.5:
        raise RangeError(f"no level of {size} by {size} cells, {boxes} boxes and {walls:g} walls")
    border = {(r, c) for r in range(size) for c in range(size)} - set(inner)
    draw = random.Random(derive(seed, "sokoban", size, boxes))
    while True:
        built = {cell for cell in inner if draw.random() < walls}
        free = sorted(set(inner) - built)
        if len(free) < 2 * boxes + 1:
            continue
        placed = draw.sample(free, 2 * boxes + 1)
        sets = frozenset(border | built), frozenset(placed[:boxes]), frozenset(placed[boxes : 2 * boxes])
        level = Level(size, size, sets[0], sets[1], sets[2], placed[-1])
        if not level.solved and solve(level) is not None:
            return level


PROMPT = """You are the player in Sokoban: push every box (X) onto a target (O).
# wall, _ floor, O target, X box, √ box on target, P you, S you on target
{picture}
Actions: {names}
{answer}."""


def move_rows(levels: Sequence[Level], names: Mapping[Move, str] | None = None) -> Iterator[Row]:
    """State and action along a shortest solution of each level, as rows whose answer is the action's name.

    ``reference`` is the position for the verifier ``sokoban-move``: another first step may be as short.

    Args:
        levels: solvable levels; a row's group is its level.
        names: how the four moves are called; None calls them Up, Down, Left, Right.

    Raises:
        DataError: a level without solution, or names that are not four different ones.
    """
    named = _named(names)
    for number, level in enumerate(levels):
        for at, move in enumerate(_solution(level, number)):
            yield _row(f"sokoban-{number}-{at}", number, level, named, "Answer with one action", named[move])
            level = level.step(move)


def level_rows(levels: Sequence[Level], names: Mapping[Move, str] | None = None) -> Iterator[Row]:
    """Each level with a shortest solution, all actions in one answer; ``reference`` is for the verifier ``sokoban``.

    Args:
        levels: solvable levels.
        names: how the four moves are called.

    Raises:
        DataError: a level without solution, or names that are not four different ones.
    """
    named = _named(names)
    for number, level in enumerate(levels):
        answer = " ".join(named[move] for move in _solution(level, number))
        yield _row(f"sokoban-{number}", number, level, named, "Answer with all actions in order", answer)


@dataclass(frozen=True)
class Episode:
    """A game that was played: the moves made, whether it was solved, and how many answers were no action."""

    moves: tuple[Move, ...]
    solved: bool
    invalid: int


def play(
    levels: Sequence[Level],
    answer: Callable[[list[str]], Sequence[str]],
    declared: Mapping[Move, str] | None = None,
    *,
    accepted: Mapping[Move, str] | None = None,
    turns: int = 30,
) -> list[Episode]:
    """Play every level, one action a turn, until it is solved or its turns are over.

    The last word of an answer is the action. One that is no action, or that changes nothing, uses up its turn.

    Args:
        levels: the first positions.
        answer: one answer to each of the prompts; called once a turn with the games that are still open.
        declared: how the prompts call the four moves.
        accepted: what the game understands, None for ``declared``. When they differ the game is a probe of whether the
            prompt is read: success means that it was not.
        turns: of one game; the paper's 30.

    Raises:
        DataError: names that are not four different ones, or another number of answers than of prompts.

    Example:
        >>> room = parse_level("#####\\n#PXO#\\n#####")
        >>> play([room], lambda prompts: ["I go Right"] * len(prompts))
        [Episode(moves=('Right',), solved=True, invalid=0)]
    """
    names = _named(declared)
    meant = {name.casefold(): move for move, name in (_named(accepted) if accepted is not None else names).items()}
    now, moves, invalid = list(levels), [list[Move]() for _ in levels], [0] * len(levels)
    for _ in range(turns):
        still = [place for place, level in enumerate(now) if not level.solved]
        if not still:
            break
        said = answer([_prompt(now[place], names, "Answer with one action") for place in still])
        if len(said) != len(still):
            raise DataError(f"{len(said)} answers to {len(still)} prompts", hint="give one answer to each prompt")
        for place, text in zip(still, said, strict=True):
            move = meant.get((text.split() or [""])[-1].rstrip(".").casefold())
            if move is None:
                invalid[place] += 1
            else:
                moves[place].append(move)
                now[place] = now[place].step(move)
    return [Episode(tuple(m), level.solved, i) for m, level, i in zip(moves, now, invalid, strict=True)]


def _named(names: Mapping[Move, str] | None) -> dict[Move, str]:
    named: dict[Move, str] = dict(names) if names is not None else {move: move for move in get_args(Move)}
    if set(named) != set(MOVES) or len({name.casefold() for name in named.values()}) != len(MOVES):
        raise DataError("the four moves need four different names", hint=f"got {named}")
    return named


def _solution(level: Level, number: int) -> list[Move]:
    path = solve(level)
    if path is None:
        raise DataError("the level has no solution", where=f"level {number}")
    return path


def _prompt(level: Level, named: Mapping[Move, str], answer: str) -> str:
    declared = ", ".join(f"{named[move]} = {move.lower()}wards" for move in MOVES)
    return PROMPT.format(picture=level, names=declared, answer=answer)


def _row(name: str, group: int, level: Level, named: Mapping[Move, str], asked: str, answer: str) -> Row:
    return Row(
        id=name,
        prompt=[{"role": "user", "content": _prompt(level, named, asked)}],
        completion=[{"role": "assistant", "content": answer}],
        group=f"sokoban-{group}",
        reference="\n".join([" ".join(named[move] for move in MOVES), str(level)]),
    )
