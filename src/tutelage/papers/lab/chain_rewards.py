"""What reward models are trained and tested on in the world of chains: right and spoilt solutions with labelled steps.

The questions fall into two halves. The base model learns from one; what is labelled and what is tested comes from the
other, and nothing is both. Half of the texts that the base reads take a number back here and there ("5 + 3 = 9 no 8");
the others, right and wrong, have "true" or "false" at the end. A model that has only ever read right steps knows of no
wrong one, and no head finds it in a few thousand labels.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from tutelage.data.steps import StepRow
from tutelage.errors import RangeError
from tutelage.models import LoadedModel
from tutelage.models.reward import RewardKind
from tutelage.papers.lab.chain_models import SEPARATOR, reward_head
from tutelage.papers.lab.chains import Chain, Worked, answer_of, chains, spoil, worked
from tutelage.papers.lab.instructions import Exercise
from tutelage.papers.lab.pretraining import BaseSettings, pretrained
from tutelage.seeds import derive
from tutelage.stats import select
from tutelage.stats.selection import Selection
from tutelage.training.reward_heads import HeadRewardModel

__all__ = ["ChainRewards", "half_of", "picked", "scorer", "step_texts"]

TWO_MISTAKES = 0.3
TAKEN_BACK = 0.2
MARKED = 0.5
DRAWN = 20_000


@dataclass(frozen=True)
class ChainRewards:
    """``questions`` with ``candidates`` each, of which a share ``right`` is right, and ``rows`` to learn from.

    ``draw`` is the seed of the tested questions and their candidates. Rows are other questions under every seed.
    """

    lengths: tuple[int, ...]
    questions: int
    candidates: int
    right: float
    rows: int
    draw: int

    def asked(self) -> list[Chain]:
        """The questions of the test."""
        return _drawn(self.questions, self.lengths, self.draw, "asked")

    def tested(self) -> dict[str, list[Worked]]:
        """Per question the solutions to choose from."""
        draw = random.Random(derive(self.draw, "reward", "candidates"))
        return {
            one.id: [_solution(one, draw.random() >= self.right, draw) for _ in range(self.candidates)]
            for one in self.asked()
        }

    def learnt(self, seed: int) -> list[Chain]:
        """The questions of the rows under this seed; none is asked in the test."""
        return _drawn(self.rows, self.lengths, seed, "labelled", avoid=self.asked())

    def labelled(self, seed: int, flip: float) -> list[StepRow]:
        """Half of the solutions are wrong; of the labels of steps a share is flipped, outcomes are exact."""
        draw = random.Random(derive(seed, "reward", "rows"))
        noise = random.Random(derive(seed, "reward", "flips"))
        made = [_solution(one, draw.random() < 0.5, draw) for one in self.learnt(seed)]
        return [
            StepRow(
                one.chain.id,
                one.chain.question,
                step_texts(one),
                tuple(label ^ int(noise.random() < flip) for label in one.labels),
                one.right,
            )
            for one in made
        ]

    def base(self, settings: BaseSettings, console: Console | None = None) -> LoadedModel:
        """The model that has read the texts on the first half, of chains of up to these lengths; trained once, kept."""
        count = min(settings.steps * settings.batch_size, DRAWN)
        found = _drawn(count, range(1, max(self.lengths) + 1), 0, "read", half=0, repeats=True)
        rows = [Exercise(one.id, "chain", one.question, _read(one)) for one in found]
        return pretrained("chains-read", rows, settings, spread=1 / math.sqrt(settings.width), console=console)


def step_texts(solution: Worked) -> tuple[str, ...]:
    """The steps as they are scored: what parts two steps stands before the later one.

    So a step ends in its result, the place where the model, if it had to go on, would take a wrong one back. One token
    further its opinion is gone: later places only see what its lower layers knew there.
    """
    return tuple(f"{SEPARATOR if place else ''} {line}" for place, line in enumerate(solution.steps))


def scorer(base: LoadedModel, kind: RewardKind) -> HeadRewardModel:
    """An untrained head on a copy of the base, for steps as :func:`step_texts` gives them."""
    model = reward_head(base, base.model, kind)
    model.separator = ""
    return model


def picked(tested: Mapping[str, Sequence[Worked]], scores: Sequence[float] | None, how: Selection) -> dict[str, float]:
    """Per question 1 if the choice by the scores of all solutions, in their order, is right."""
    found, start = {}, 0
    for name, row in tested.items():
        own = None if scores is None else scores[start : start + len(row)]
        chosen = select([answer_of(one.steps) for one in row], own, how)
        found[name] = float(chosen.index is not None and row[chosen.index].right)
        start += len(row)
    return found


def half_of(chain: Chain) -> int:
    """0: for the base model to learn from; 1: to be labelled or tested."""
    return derive(0, "half", chain.question) % 2


def _drawn(count: int, lengths: Sequence[int], seed: int, label: str, *, half: int = 1, **more: Any) -> list[Chain]:
    """As many chains of each length as can be, all of one half."""
    found = []
    for place, length in enumerate(lengths):
        share = len(range(place, count, len(lengths)))
        pool = [one for one in chains(3 * share + 20, [length], seed=seed, label=label, **more) if half_of(one) == half]
        if len(pool) < share:
            raise RangeError(f"there are not {share} chains of length {length} in this half")
        found += pool[:share]
    return found


def _read(chain: Chain) -> str:
    """What the base reads about a chain: right with wrong numbers taken back at once, or marked at its end."""
    draw = random.Random(derive(0, "read", chain.id))
    if draw.random() < MARKED:
        solution = _solution(chain, draw.random() < 0.5, draw)
        return "".join(step_texts(solution)) + (" true" if solution.right else " false")
    text = ""
    for step, value in zip(worked(chain).steps, chain.values[1:], strict=True):
        if draw.random() < TAKEN_BACK:
            wrong = (value + draw.randrange(1, chain.modulus)) % chain.modulus
            step = f"{step.removesuffix(str(value))}{wrong} no {value}"
        text += f" {step}{SEPARATOR}"
    return text


def _solution(chain: Chain, wrong: bool, draw: random.Random) -> Worked:
    """The right solution, or one with a mistake or two at random places."""
    if not wrong:
        return worked(chain)
    mistakes = 2 if draw.random() < TWO_MISTAKES else 1
    places = draw.sample(range(len(chain.moves)), min(mistakes, len(chain.moves)))
    return spoil(chain, places, seed=draw.randrange(2**31))
