"""Sokoban: the exact rules of a step, the picture of a level, and a shortest solution by A*. No tensor, no file."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from typing import Literal

from tutelage.errors import DataError, RangeError

__all__ = ["MOVES", "SYMBOLS", "Cell", "Level", "Move", "parse_level", "push_distances", "solve"]

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
        ahead = _beside(self.player, MOVES[move])
        if ahead in self.walls:
            return self
        if ahead not in self.boxes:
            return replace(self, player=ahead)
        behind = _beside(ahead, MOVES[move])
        if behind in self.walls or behind in self.boxes:
            return self
        return replace(self, player=ahead, boxes=self.boxes - {ahead} | {behind})

    def after(self, moves: Iterable[Move]) -> Level:
        """The position after several moves."""
        level = self
        for move in moves:
            level = level.step(move)
        return level

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


def push_distances(level: Level) -> dict[Cell, int]:
    """Pushes that bring a box from a cell to the nearest target when it is alone; cells it cannot leave are absent.

    From the targets backwards: a box is pulled to a cell where the player who pulls has room behind him.
    """
    found = dict.fromkeys(level.targets - level.walls, 0)
    queue = deque(found)
    while queue:
        cell = queue.popleft()
        for move in MOVES.values():
            before = _beside(cell, (-move[0], -move[1]))
            player = _beside(before, (-move[0], -move[1]))
            if before not in found and _free(level, before) and _free(level, player):
                found[before] = found[cell] + 1
                queue.append(before)
    return found


def solve(level: Level, *, states: int = _STATES) -> list[Move] | None:
    """A shortest solution in moves, by A*; None when there is none.

    A position is at least as many moves from the end as its boxes, each alone, are pushes from their nearest targets
    (:func:`push_distances`); one with a box that cannot reach any is left out.

    Raises:
        RangeError: more than ``states`` positions were seen; the level is too large for this search.

    Example:
        >>> solve(parse_level("######\\n#P___#\\n#_X_O#\\n######"))
        ['Down', 'Right', 'Right']
    """
    far = push_distances(level)
    if not level.boxes <= far.keys():
        return None
    start = (level.player, level.boxes)
    came: dict[tuple[Cell, frozenset[Cell]], tuple[Level, Move] | None] = {start: None}
    cost = {start: 0}
    heap = [(sum(far[box] for box in level.boxes), 0, level)]
    tie = 0
    while heap:
        bound, _, position = heappop(heap)
        key = (position.player, position.boxes)
        if position.solved:
            return _path(came, position)
        if bound > cost[key] + sum(far[box] for box in position.boxes):
            continue  # reached more shortly since it was queued
        for move in MOVES:
            after = position.step(move)
            seen = (after.player, after.boxes)
            if seen == key or not after.boxes <= far.keys() or cost[key] + 1 >= cost.get(seen, len(cost) + 2**31):
                continue
            cost[seen], came[seen] = cost[key] + 1, (position, move)
            tie += 1
            heappush(heap, (cost[seen] + sum(far[box] for box in after.boxes), tie, after))
        if len(cost) > states:
            raise RangeError(f"more than {states} positions", hint="give fewer boxes or a smaller level")
    return None


def _path(came: Mapping[tuple[Cell, frozenset[Cell]], tuple[Level, Move] | None], end: Level) -> list[Move]:
    moves: list[Move] = []
    while (step := came[end.player, end.boxes]) is not None:
        end, move = step
        moves.append(move)
    return moves[::-1]


def _beside(cell: Cell, move: Cell) -> Cell:
    return cell[0] + move[0], cell[1] + move[1]


def _free(level: Level, cell: Cell) -> bool:
    return 0 <= cell[0] < level.height and 0 <= cell[1] < level.width and cell not in level.walls
