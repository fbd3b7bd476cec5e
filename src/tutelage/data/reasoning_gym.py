"""Games of the reasoning-gym package as levels and rows of ours, to be judged by our verifiers.

The package's own scorers are not used: that of its four-number game does not compare the numbers with those given.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

from tutelage.data.cards import solve_numbers
from tutelage.errors import ConfigError, DataError, RangeError
from tutelage.functional.numbers_game import numbers_reference
from tutelage.functional.sokoban import Level, parse_level
from tutelage.types import Row

__all__ = ["gym_items", "gym_levels", "gym_number_rows"]

OURS = str.maketrans("+-X@$*%", "#_OX√PS")
"""Their picture of a level to ours: wall, floor, target, box, box on target, player, player on target."""
ROOM = set("+-X@$*%")


def gym_items(name: str, count: int, *, seed: int = 0, **settings: Any) -> list[Mapping[str, Any]]:
    """``count`` items of a reasoning-gym data set: question, answer, metadata; the same for the same seed.

    Args:
        name: of the data set, such as "sokoban" or "countdown".
        count: at least 1.
        seed: of the data set.
        settings: of the data set, as its documentation has them.

    Raises:
        ConfigError: the package is not installed.
        DataError: it has no such data set, or refuses the settings.
        RangeError: no items asked for.
    """
    if count < 1:
        raise RangeError(f"{count} items", hint="ask for at least one")
    try:
        package = import_module("reasoning_gym")
    except ImportError as error:
        raise ConfigError("reasoning-gym is not installed", hint="python -m pip install 'tutelage[games]'") from error
    try:
        found = package.create_dataset(name, size=count, seed=seed, **settings)
    except (AssertionError, TypeError, ValueError) as error:
        raise DataError(f"reasoning-gym refuses {name!r}: {error}", where=f"settings {settings}") from error
    return [found[place] for place in range(count)]


def gym_levels(items: Iterable[Mapping[str, Any]]) -> list[Level]:
    """The levels of its "sokoban" items, for :func:`tutelage.data.level_rows`, ``move_rows`` and ``play``.

    Raises:
        DataError: an item that holds no level, or one that is not closed, has no single player, or lacks a target.
    """
    levels = []
    for number, item in enumerate(items):
        text = item.get("metadata", {}).get("gamestr")
        if not isinstance(text, str):
            raise DataError("the item holds no level", where=f"item {number}", hint="take items of 'sokoban'")
        lines = ["".join(line.split()) for line in text.splitlines() if line.strip()]
        if set("".join(lines)) - ROOM:
            raise DataError(f"unknown symbols {sorted(set(''.join(lines)) - ROOM)}", where=f"item {number}")
        levels.append(parse_level("\n".join(lines).translate(OURS)))
    return levels


def gym_number_rows(items: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Rows of its "countdown" items; ``reference`` is "numbers = target" for the verifier ``countdown``.

    The answers are of :func:`tutelage.data.cards.solve_numbers`: theirs are simplified by a computer algebra system and
    may hold signs that join no two numbers, such as the first in ``-2 + 5``.

    Raises:
        DataError: an item without numbers and target, or without a solution.
        RangeError: more than six numbers.
    """
    rows = []
    for number, item in enumerate(items):
        facts = item.get("metadata", {})
        numbers, target = facts.get("numbers"), facts.get("target")
        if not isinstance(numbers, list) or not isinstance(target, int):
            raise DataError("the item has no numbers and target", where=f"item {number}", hint="take 'countdown'")
        answer = solve_numbers(numbers, target)
        if answer is None:
            raise DataError(f"no formula of {numbers} is {target}", where=f"item {number}")
        rows.append(
            Row(
                id=f"countdown-{number}",
                prompt=[{"role": "user", "content": item["question"].strip()}],
                completion=[{"role": "assistant", "content": answer}],
                reference=numbers_reference(numbers, target),
            )
        )
    return rows
