"""What reward models are trained and tested on in the world of chains: right and spoilt solutions with labelled steps.

The questions fall into two halves. The base model learns from one; what is labelled and what is tested comes from the
other, and nothing is both. Half of the texts that the base reads take a number back here and there ("5 + 3 = 9 no 8");
the others, right and wrong, have "true" or "false" at the end. A model that has only ever read right steps knows of no
wrong one, and no head finds it in a few thousand labels.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from rich.console import Console

from tutelage.data.steps import StepRow
from tutelage.models import LoadedModel
from tutelage.papers.lab.chain_models import step_texts, taken_back
from tutelage.papers.lab.chains import Chain, Worked, chains_of_half, spoil, worked
from tutelage.papers.lab.instructions import Exercise
from tutelage.papers.lab.pretraining import BaseSettings, pretrained
from tutelage.seeds import derive

__all__ = ["ChainRewards"]

TWO_MISTAKES = 0.3
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
        return chains_of_half(self.questions, self.lengths, 1, seed=self.draw, label="asked")

    def tested(self) -> dict[str, list[Worked]]:
        """Per question the solutions to choose from."""
        draw = random.Random(derive(self.draw, "reward", "candidates"))
        return {
            one.id: [_solution(one, draw.random() >= self.right, draw) for _ in range(self.candidates)]
            for one in self.asked()
        }

    def learnt(self, seed: int) -> list[Chain]:
        """The questions of the rows under this seed; none is asked in the test."""
        return chains_of_half(self.rows, self.lengths, 1, seed=seed, label="labelled", avoid=self.asked())

    def labelled(self, seed: int, flip: float) -> list[StepRow]:
        """Half of the solutions are wrong; of the labels of steps a share is flipped, outcomes are exact."""
        draw = random.Random(derive(seed, "reward", "rows"))
        noise = random.Random(derive(seed, "reward", "flips"))
        made = [_solution(one, draw.random() < 0.5, draw) for one in self.learnt(seed)]
        return [
            StepRow(
                one.chain.id,
                one.chain.question,
                step_texts(one.steps),
                tuple(label ^ int(noise.random() < flip) for label in one.labels),
                one.right,
            )
            for one in made
        ]

    def base(self, settings: BaseSettings, console: Console | None = None) -> LoadedModel:
        """The model that has read the texts on the first half, of chains of up to these lengths; trained once, kept."""
        count = min(settings.steps * settings.batch_size, DRAWN)
        found = chains_of_half(count, range(1, max(self.lengths) + 1), 0, seed=0, label="read", repeats=True)
        rows = [Exercise(one.id, "chain", one.question, _read(one)) for one in found]
        return pretrained("chains-read", rows, settings, spread=1 / math.sqrt(settings.width), console=console)


def _read(chain: Chain) -> str:
    """What the base reads about a chain: right with wrong numbers taken back at once, or marked at its end."""
    draw = random.Random(derive(0, "read", chain.id))
    if draw.random() < MARKED:
        solution = _solution(chain, draw.random() < 0.5, draw)
        return "".join(step_texts(solution.steps)) + (" true" if solution.right else " false")
    return taken_back(chain, draw)


def _solution(chain: Chain, wrong: bool, draw: random.Random) -> Worked:
    """The right solution, or one with a mistake or two at random places."""
    if not wrong:
        return worked(chain)
    mistakes = 2 if draw.random() < TWO_MISTAKES else 1
    places = draw.sample(range(len(chain.moves)), min(mistakes, len(chain.moves)))
    return spoil(chain, places, seed=draw.randrange(2**31))
