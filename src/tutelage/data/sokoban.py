"""Sokoban: the exact rules of a step, a shortest solution by breadth-first search, and rows to learn moves from."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from tutelage.errors import DataError, RangeError
from tutelage.seeds import derive
from tutelage.types import Row

__all__ = ["MOVES", "Level", "Move", "generate_level", "move_rows", "parse_level", "solve"]

Move = Literal["Up", "Down", "Left", "Right"]
Cell = tuple[int, int]
MOVES: Mapping[Move, Cell] = {"Up": (-1, 0), "Down": (1, 0), "Left": (0, -1), "Right": (0, 1)}
SYMBOLS = "#_OX√PS"
"""Wall, floor, target, box, box on a target, player, player on a target: the symbols of the official environment."""
_STATES = 200_000


@dataclass(frozen=True)
class Level:
    """A position. Cells are (row, column); everything that is no wall, box or player is floor."""

    height: int
    width: int
    walls: frozenset[Cell]
    targets: frozenset[Cell]
    boxes: frozenset[Cell]
    player: Cell

    @property
    def solved(self) -> bool:
        """Whether every box stands on a target."""
        return self.boxes <= self.targets

    def step(self, move: Move) -> Level:
        """The position after a move.

        The player goes one cell, unless a wall is there. A box there is pushed one cell further, unless a wall or
        another box is behind it. A move that is not possible changes nothing. Nothing is ever pulled.

        Example:
            >>> str(parse_level("#####\\n#PXO#\\n#####").step("Right")).splitlines()[1]
            '#_P√#'
        """
        down, right = MOVES[move]
        ahead = (self.player[0] + down, self.player[1] + right)
        if ahead in self.walls:
            return self
        if ahead not in self.boxes:
            return replace(self, player=ahead)
        behind = (ahead[0] + down, ahead[1] + right)
        if behind in self.walls or behind in self.boxes:
            return self
        return replace(self, player=ahead, boxes=self.boxes - {ahead} | {behind})

    def __str__(self) -> str:
        return "\n".join("".join(self._symbol((r, c)) for c in range(self.width)) for r in range(self.height))

    def _symbol(self, cell: Cell) -> str:
        on = cell in self.targets
        if cell in self.walls:
            return "#"
        if cell in self.boxes:
            return "√" if on else "X"
        if cell == self.player:
            return "S" if on else "P"
        return "O" if on else "_"


def parse_level(text: str) -> Level:
    """Read a level from its picture.

    Raises:
        DataError: a symbol that is none, not one player, more boxes than targets, or a border that is open.
    """
    lines = text.strip("\n").splitlines()
    cells = {(r, c): symbol for r, line in enumerate(lines) for c, symbol in enumerate(line)}
    where = {one: frozenset(cell for cell, symbol in cells.items() if symbol == one) for one in SYMBOLS}
    unknown = sorted(set(cells.values()) - set(SYMBOLS))
    if unknown or len({len(line) for line in lines}) != 1:
        raise DataError(f"no level: unknown symbols {unknown} or lines of different length", hint=f"use {SYMBOLS}")
    players, boxes, targets = where["P"] | where["S"], where["X"] | where["√"], where["O"] | where["√"] | where["S"]
    height, width = len(lines), len(lines[0])
    border = {cell for cell in cells if cell[0] in (0, height - 1) or cell[1] in (0, width - 1)}
    if len(players) != 1 or not boxes or len(boxes) > len(targets) or not border <= where["#"]:
        raise DataError("a level has one player, boxes, as many targets, and walls all around", where=text[:60])
    return Level(height, width, where["#"], targets, boxes, next(iter(players)))


def solve(level: Level, *, states: int = _STATES) -> list[Move] | None:
    """A shortest solution in moves, by breadth-first search; None when there is none.

    Raises:
        RangeError: more than ``states`` positions were seen; the level is too large for this search.
    """
    seen: dict[tuple[Cell, frozenset[Cell]], None] = {(level.player, level.boxes): None}
    queue: deque[tuple[Level, tuple[Move, ...]]] = deque([(level, ())])
    while queue:
        position, path = queue.popleft()
        if position.solved:
            return list(path)
        for move in MOVES:
            after = position.step(move)
            key = (after.player, after.boxes)
            if key not in seen:
                seen[key] = None
                queue.append((after, (*path, move)))
        if len(seen) > states:
            raise RangeError(f"more than {states} positions", hint="give fewer boxes or a smaller level")
    return None


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
Answer with one action."""


def move_rows(levels: Sequence[Level], names: Mapping[Move, str] | None = None) -> Iterator[Row]:
    """State and action along a shortest solution of each level, as rows whose answer is the action's name.

    Args:
        levels: solvable levels; a row's group is its level.
        names: how the four moves are called; None calls them Up, Down, Left, Right.

    Raises:
        DataError: a level without solution, or names that are not four different ones.
    """
    named: dict[Move, str] = dict(names) if names is not None else {move: move for move in get_args(Move)}
    if set(named) != set(MOVES) or len(set(named.values())) != len(MOVES):
        raise DataError("the four moves need four different names", hint=f"got {named}")
    declared = ", ".join(f"{named[move]} = {move.lower()}wards" for move in MOVES)
    for number, level in enumerate(levels):
        path = solve(level)
        if path is None:
            raise DataError("the level has no solution", where=f"level {number}")
        for at, move in enumerate(path):
            content = PROMPT.format(picture=level, names=declared)
            yield Row(
                id=f"sokoban-{number}-{at}",
                prompt=[{"role": "user", "content": content}],
                completion=[{"role": "assistant", "content": named[move]}],
                group=f"sokoban-{number}",
            )
            level = level.step(move)
