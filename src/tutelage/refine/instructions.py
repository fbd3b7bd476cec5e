"""Diverse instructions: the names that a prompt declares are drawn anew for every row, and its answer with them.

A model that has only ever seen "Up, Down, Left, Right" stops reading which names the prompt declares (Debunk, arXiv
2510.00237). Rows whose names differ cannot be answered without reading them.
"""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tutelage.errors import DataError, RangeError
from tutelage.seeds import derive
from tutelage.types import Message, Row

__all__ = ["COMMON_WORDS", "NAMED_VARIANTS", "InstructionVariants", "Renaming", "diversify", "probe_rows"]

_WORDS = (
    "apple arrow autumn badge ball bamboo banana basket beach bean bear bell bench berry bird blanket boat bone "
    "book bottle bowl box branch bread brick bridge brush bucket butter button cabin cable cake camel camera candle "
    "carpet castle cave cedar chain chair chalk cheese cherry chess circle clay clock cloud clover coat coin copper "
    "coral corn cotton cow crane crown crystal cup curtain daisy deer desk diamond dish dolphin donkey door dragon "
    "drum duck eagle engine feather fence fern field finger flag flame flute forest fork fountain fox frog garden "
    "garlic gate giant ginger glass globe glove goat gold goose grape grass guitar hammer harbor hat hazel helmet "
    "hill honey hook horse house ice iron island ivory jacket jade jar jewel juice jungle kettle key king kite "
    "kitten ladder lake lamp leaf lemon lily lion lizard lock magnet maple marble mask meadow melon mill mint "
    "mirror moon moss needle nest noodle oak oasis ocean olive onion otter owl paint panda paper parrot pearl "
    "pencil pepper piano pilot pine plum pocket pond potato prism puppet queen quilt rabbit radio raven ribbon ring "
    "river robot rocket rope saddle salmon salt sand scarf shell shield silk silver spoon star stone storm sugar "
    "summer swan table tent tiger tower train tulip turtle umbrella valley vase velvet violin wagon walnut water "
    "whale wheat wheel willow window winter wolf zebra"
)
COMMON_WORDS: tuple[str, ...] = tuple(_WORDS.split())
"""Common words, each once (the released pool has some twice)."""
NAMED_VARIANTS: Mapping[str, tuple[str, ...]] = {
    "alphabetical": ("A", "B", "C", "D"),
    "numerical": ("1", "2", "3", "4"),
    "symbols": ("*", "&", "1", "M"),
}
"""The unseen vocabularies of the paper's instruction shift, for four names."""


@dataclass(frozen=True)
class Renaming:
    """New names for old; whole words only, all at once, so that swapped names stay apart."""

    names: Mapping[str, str]

    def __call__(self, text: str) -> str:
        """``text`` under the new names.

        Example:
            >>> Renaming({"Up": "Down", "Down": "Up"})("Up = upwards, Down = downwards")
            'Down = upwards, Up = downwards'
        """
        return _words(self.names).sub(lambda match: self.names[match.group()], text)

    def row(self, row: Row, *, answer: bool = True) -> Row:
        """The row under the new names, its answer, choices and reference too unless ``answer`` is False."""
        found: Row = {**row, "prompt": self._turns(row["prompt"])}
        if answer:
            found["completion"] = self._turns(row["completion"])
            if "reference" in row:
                found["reference"] = self(row["reference"])
            if "choices" in row:
                found["choices"] = [self(choice) for choice in row["choices"]]
        return found

    def _turns(self, turns: Iterable[Message]) -> list[Message]:
        return [Message(role=turn["role"], content=self(turn["content"])) for turn in turns]


@dataclass(frozen=True)
class InstructionVariants:
    """Where new names come from: ``names`` as the rows have them, a ``pool`` of words, and words never to use.

    Raises:
        DataError: names that are not different, or too few words in the pool.
    """

    names: tuple[str, ...]
    pool: tuple[str, ...] = COMMON_WORDS
    held_out: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) != len(self.names):
            raise DataError(f"the names {list(self.names)} are not different from each other")
        if len(self.words()) < len(self.names):
            raise DataError(
                f"{len(self.words())} words are too few for {len(self.names)} names", hint="give a larger pool"
            )

    def words(self, avoid: Collection[str] = ()) -> list[str]:
        """The pool, each word once, without those held out or to be avoided; in the pool's order."""
        return [word for word in dict.fromkeys(self.pool) if word not in self.held_out and word not in avoid]

    def sample(self, seed: int, avoid: Collection[str] = ()) -> Renaming:
        """Different words, one for each name, drawn without replacement.

        Args:
            seed: the same words for the same seed.
            avoid: words that must not become names, such as those that the row has already.

        Raises:
            DataError: too few words are left.
        """
        words = self.words(avoid)
        if len(words) < len(self.names):
            raise DataError(f"{len(words)} words are left for {len(self.names)} names", hint="give a larger pool")
        drawn = random.Random(derive(seed, "names")).sample(words, len(self.names))
        return Renaming(dict(zip(self.names, drawn, strict=True)))

    def fixed(self, words: Sequence[str]) -> Renaming:
        """The names called ``words``, such as one of :data:`NAMED_VARIANTS`.

        Raises:
            DataError: not one different word for each name.
        """
        if len(words) != len(self.names) or len(set(words)) != len(words):
            raise DataError(f"{len(self.names)} names need as many different words, not {list(words)}")
        return Renaming(dict(zip(self.names, words, strict=True)))


def diversify(
    rows: Sequence[Row],
    variants: InstructionVariants,
    n_variants: int | Literal["per_sample"] = "per_sample",
    *,
    seed: int = 0,
) -> list[Row]:
    """Rows under new names, prompt and answer alike; ids and order stay.

    Args:
        rows: rows whose prompts declare ``variants.names``.
        variants: names, pool, and words held out for an evaluation.
        n_variants: how many different vocabularies there are in all, each row taking one at random; "per_sample" draws
            one for every row.
        seed: the same rows for the same seed.

    Raises:
        RangeError: fewer than one variant.
        DataError: a row whose prompt does not declare all names, or too few words.

    Source: Debunk (arXiv 2510.00237), official ``create_ultra_mixed_dataset.py``. Ours never gives a name that stands
        in the row as another word.

    Example:
        >>> row = {"id": "r", "prompt": [{"role": "user", "content": "Up or Down?"}],
        ...        "completion": [{"role": "assistant", "content": "Down"}]}
        >>> made = diversify([row], InstructionVariants(("Up", "Down"), ("oak", "elm")))[0]
        >>> made["completion"][0]["content"] in made["prompt"][0]["content"]
        True
    """
    if n_variants != "per_sample" and n_variants < 1:
        raise RangeError(f"{n_variants} variants", hint='at least 1, or "per_sample"')
    taken = frozenset(word for row in rows for word in _others(row, variants)) if n_variants != "per_sample" else None
    found = []
    for row in rows:
        _declares(row, variants)
        if n_variants == "per_sample":
            label = derive(seed, "variant", row["id"])
        else:
            label = derive(seed, "variant", derive(seed, "which", row["id"]) % n_variants)
        found.append(variants.sample(label, _others(row, variants) if taken is None else taken).row(row))
    return found


def probe_rows(rows: Sequence[Row], variants: InstructionVariants, words: Sequence[str]) -> list[Row]:
    """Rows whose prompt declares ``words`` while the answer keeps the old names: who is right here has not read it.

    Success on these rows is the share that ignores the prompt; lower is better.

    Raises:
        DataError: a row whose prompt does not declare all names, or not one word for each.

    Source: Debunk (arXiv 2510.00237), the "Fake" environments.
    """
    renaming = variants.fixed(words)
    for row in rows:
        _declares(row, variants)
    return [renaming.row(row, answer=False) for row in rows]


def _words(names: Iterable[str]) -> re.Pattern[str]:
    longest = sorted(names, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)")


def _text(row: Row) -> str:
    return "\n".join(turn["content"] for turn in [*row["prompt"], *row["completion"]])


def _others(row: Row, variants: InstructionVariants) -> set[str]:
    """Words of the row that are not names."""
    return set(re.findall(r"\w+", _text(row))) - set(variants.names)


def _declares(row: Row, variants: InstructionVariants) -> None:
    shown = "\n".join(turn["content"] for turn in row["prompt"])
    lacking = [name for name in variants.names if not _words([name]).search(shown)]
    if lacking:
        raise DataError(f"the prompt does not declare {', '.join(lacking)}", where=f"row {row['id']}")
