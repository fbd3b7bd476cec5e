"""Chains of clock arithmetic, worked out step by step, and mistakes in them of exact number and place.

Numbers run from 0 to 9 and then begin again, so a wrong step never leaves the vocabulary, and the number of steps alone
makes a chain hard. Moves add or subtract: with these 180 facts a model of 170,000 parameters learns to work out every
chain of lengths it has seen in 3,000 steps of 32 chains; with times and a clock of 23 it learnt none in 700. A step is
wrong when it does not follow from the line before it: right arithmetic on a wrong number is no second mistake.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tutelage.errors import RangeError
from tutelage.papers.lab.world import WORLD_SEED
from tutelage.seeds import derive

__all__ = [
    "MODULUS",
    "Chain",
    "Worked",
    "answer_of",
    "chains",
    "chains_of_half",
    "half_of",
    "spoil",
    "spoil_set",
    "step_is_wrong",
    "worked",
]

MODULUS = 10
OPERATIONS = "+-"
STEP = re.compile(r"(\d{1,4}) ([-+*]) (\d{1,4}) = (\d{1,4})")


@dataclass(frozen=True)
class Chain:
    """Begin with ``start`` and make ``moves`` (operation, number), modulo ``modulus``; ``id`` is unique in its set."""

    id: str
    start: int
    moves: tuple[tuple[str, int], ...]
    modulus: int = MODULUS

    @property
    def question(self) -> str:
        """As it is asked."""
        return f"Begin {self.start} then " + " ".join(f"{sign} {number}" for sign, number in self.moves)

    @property
    def values(self) -> tuple[int, ...]:
        """The start and what is right after every move."""
        found = [self.start]
        for sign, number in self.moves:
            found.append(moved(found[-1], sign, number, self.modulus))
        return tuple(found)

    @property
    def answer(self) -> int:
        """What is right at the end."""
        return self.values[-1]

    def subtask(self, first: int, length: int) -> Chain:
        """The contiguous part of ``length`` moves from the move number ``first`` on: a problem of its own.

        Raises:
            RangeError: no such part.
        """
        if not 0 <= first < first + length <= len(self.moves):
            raise RangeError(f"moves {first} to {first + length} of {len(self.moves)}", where=f"chain {self.id}")
        name = f"{self.id}/{first}+{length}"
        return Chain(name, self.values[first], self.moves[first : first + length], self.modulus)


@dataclass(frozen=True)
class Worked:
    """A written solution. ``wrong`` are the places of steps that do not follow from the line before."""

    chain: Chain
    results: tuple[int, ...]
    wrong: tuple[int, ...] = ()

    @property
    def steps(self) -> tuple[str, ...]:
        """The lines."""
        before = (self.chain.start, *self.results[:-1])
        return tuple(
            f"{value} {sign} {number} = {result}"
            for value, (sign, number), result in zip(before, self.chain.moves, self.results, strict=True)
        )

    @property
    def labels(self) -> tuple[int, ...]:
        """1 for a right step, 0 for a wrong one."""
        return tuple(int(i not in self.wrong) for i in range(len(self.results)))

    @property
    def answer(self) -> int:
        """The number it ends in."""
        return self.results[-1]

    @property
    def right(self) -> bool:
        """Whether it ends in the right number."""
        return self.answer == self.chain.answer

    @property
    def propagated(self) -> int:
        """How many lines end in another number than they should, for whatever reason."""
        return sum(a != b for a, b in zip(self.results, self.chain.values[1:], strict=True))


def moved(value: int, sign: str, number: int, modulus: int) -> int:
    """One move on the clock."""
    return {"+": value + number, "-": value - number, "*": value * number}[sign] % modulus


def chains(
    count: int,
    lengths: Sequence[int],
    *,
    seed: int,
    label: str = "chain",
    avoid: Iterable[Chain] = (),
    repeats: bool = False,
    modulus: int = MODULUS,
) -> list[Chain]:
    """``count`` different chains, as many of each length as can be; numbers of moves from 1 to 9.

    Args:
        count: how many.
        lengths: in moves, taken in turn.
        seed: of the draw.
        label: another label, another draw; ids begin with it.
        avoid: chains that are not drawn, for instance those of a test.
        repeats: may one be drawn twice? There are only 180 chains of one move.
        modulus: of the clock.

    Raises:
        RangeError: no lengths, or more chains than there are.

    Example:
        >>> one = chains(1, [2], seed=0)[0]
        >>> len(one.moves), one.subtask(1, 1).answer == one.answer
        (2, True)
    """
    if not lengths or min(lengths) < 1:
        raise RangeError(f"lengths {list(lengths)} of chains", hint="one or more steps")
    draw = random.Random(derive(WORLD_SEED, "chains", label, seed))
    taken = {(one.start, one.moves) for one in avoid}
    found: list[Chain] = []
    tries = 0
    while len(found) < count:
        length = lengths[len(found) % len(lengths)]
        key = (draw.randrange(modulus), tuple((draw.choice(OPERATIONS), draw.randrange(1, 10)) for _ in range(length)))
        tries += 1
        if tries > 100 * count + 1000:
            raise RangeError(f"there are not {count} different chains of lengths {list(lengths)}")
        if key not in taken:
            found.append(Chain(f"{label}-{length}-{len(found)}", *key, modulus))
            if not repeats:
                taken.add(key)
    return found


def half_of(chain: Chain) -> int:
    """0: for base models to read; 1: to be labelled or tested."""
    return derive(0, "half", chain.question) % 2


def chains_of_half(
    count: int,
    lengths: Sequence[int],
    half: int,
    *,
    seed: int,
    label: str,
    avoid: Iterable[Chain] = (),
    repeats: bool = False,
) -> list[Chain]:
    """As many chains of each length as can be, all of one half (:func:`half_of`); arguments as :func:`chains`.

    Raises:
        RangeError: there are not so many of a length.
    """
    found, held = [], tuple(avoid)
    for place, length in enumerate(lengths):
        share = len(range(place, count, len(lengths)))
        drawn = chains(3 * share + 20, [length], seed=seed, label=label, avoid=held, repeats=repeats)
        pool = [one for one in drawn if half_of(one) == half]
        if len(pool) < share:
            raise RangeError(f"there are not {share} chains of length {length} in this half")
        found += pool[:share]
    return found


def worked(chain: Chain) -> Worked:
    """The right solution."""
    return Worked(chain, chain.values[1:])


def spoil(chain: Chain, places: Sequence[int], *, seed: int) -> Worked:
    """A solution that is wrong at exactly these steps and in its answer.

    Raises:
        RangeError: no places, or one that is no step.
    """
    chosen = sorted(set(places))
    if not chosen or chosen[0] < 0 or chosen[-1] >= len(chain.moves):
        raise RangeError(f"steps {list(places)} of {len(chain.moves)}", where=f"chain {chain.id}")
    draw = random.Random(derive(seed, "spoil", chain.id, *chosen))
    while True:  # mistakes may cancel, rarely: then others are made
        value, results = chain.start, []
        for place, (sign, number) in enumerate(chain.moves):
            value = moved(value, sign, number, chain.modulus)
            if place in chosen:
                value = (value + draw.randrange(1, chain.modulus)) % chain.modulus
            results.append(value)
        if results[-1] != chain.answer:
            return Worked(chain, tuple(results), tuple(chosen))


def spoil_set(given: Sequence[Chain], outcome_rate: float, step_rate: float, *, seed: int) -> list[Worked]:
    """Solutions of which exactly round(outcome_rate N) end wrong, with exactly round(step_rate S) wrong steps in all.

    The wrong solutions share the wrong steps at random, at least one each; the others are right in every step.

    Args:
        given: [N] chains, of S steps together.
        outcome_rate: share of solutions that end wrong.
        step_rate: share of steps that are wrong.
        seed: of who is wrong, where, and how.

    Raises:
        RangeError: fewer wrong steps than wrong solutions, or more than they have.
    """
    draw = random.Random(derive(seed, "spoil set", len(given)))
    steps = sum(len(one.moves) for one in given)
    bad, mistakes = round(outcome_rate * len(given)), round(step_rate * steps)
    chosen = draw.sample(range(len(given)), bad)
    room = sum(len(given[i].moves) for i in chosen)
    if not bad <= mistakes <= room:
        raise RangeError(
            f"{mistakes} wrong steps in {bad} wrong solutions",
            hint=f"with this outcome rate, a step rate from {bad / steps:.3f} to {room / steps:.3f}",
        )
    places = {i: {draw.randrange(len(given[i].moves))} for i in chosen}
    free = [(i, s) for i in chosen for s in range(len(given[i].moves)) if s not in places[i]]
    for i, s in draw.sample(free, mistakes - bad):
        places[i].add(s)
    return [spoil(one, sorted(places[i]), seed=seed) if i in places else worked(one) for i, one in enumerate(given)]


def step_is_wrong(before: int, move: tuple[str, int], line: str, modulus: int = MODULUS) -> bool:
    """Whether a written line does not make this move from this number, or makes it wrongly; unreadable lines are wrong.

    Example:
        >>> step_is_wrong(7, ("+", 5), "7 + 5 = 2"), step_is_wrong(7, ("+", 5), "7 + 5 = 12")
        (False, True)
    """
    found = STEP.fullmatch(line.strip())
    if found is None or (int(found[1]), found[2], int(found[3])) != (before, *move):
        return True
    return int(found[4]) != moved(before, *move, modulus)


def answer_of(lines: Sequence[str]) -> int | None:
    """The number in which a written solution ends; None when its last line cannot be read."""
    found = STEP.fullmatch(lines[-1].strip()) if lines else None
    return int(found[4]) if found else None
