"""Models that write chains of clock arithmetic, and what they wrote read with exact labels of its steps.

A small model that has seen short chains only writes nothing readable about long ones. So the base has read chains of
every length, as a large model has read much that nobody labelled: right ones in which a wrong number is taken back here
and there ("5 + 3 = 9 no 8"), which gives it a reason to notice mistakes. Hasty texts are for those that write: in long
chains a minus is often taken for a plus, so that what they say is often wrong, and often wrong in the same way.
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from tutelage.data.steps import StepRow
from tutelage.models import LoadedModel
from tutelage.models.reward import RewardKind
from tutelage.papers.lab.arm import answers
from tutelage.papers.lab.chains import (
    STEP,
    Chain,
    Worked,
    answer_of,
    chains,
    chains_of_half,
    moved,
    step_is_wrong,
    worked,
)
from tutelage.papers.lab.instructions import Exercise
from tutelage.papers.lab.pretraining import BaseSettings, around_prompt, pretrained
from tutelage.papers.lab.world import WORLD_SEED
from tutelage.seeds import derive
from tutelage.training.reward_heads import HeadRewardModel, ScalarHead

__all__ = [
    "SEPARATOR",
    "TOKENS_A_STEP",
    "Haste",
    "Written",
    "corrected",
    "corrected_model",
    "hasty_texts",
    "read",
    "reply",
    "reward_head",
    "sampled",
    "step_texts",
    "supervised_texts",
    "taken_back",
    "trap",
]

SEPARATOR = " ;"
TOKENS_A_STEP = 6
ROWS = 20_000
TAKEN_BACK = 0.2


@dataclass(frozen=True)
class Written:
    """What a model wrote about ``chain``: its lines, a label for each (1: follows from the line before), its answer.

    ``answer`` is None where the last line cannot be read; then the solution is wrong.
    """

    chain: Chain
    lines: tuple[str, ...]
    labels: tuple[int, ...]
    answer: int | None

    @property
    def right(self) -> bool:
        """Whether it ends in the right number, by whatever way: what a grader of answers sees."""
        return self.answer == self.chain.answer

    @property
    def formed(self) -> bool:
        """Whether there is one readable line for every move."""
        return len(self.lines) == len(self.chain.moves) and all(map(STEP.fullmatch, self.lines))

    @property
    def steps(self) -> tuple[str, ...]:
        """The lines as heads score them."""
        return step_texts(self.lines)

    def row(self, name: str) -> StepRow | None:
        """The solution to train a reward model on; None when nothing was written."""
        if not self.lines:
            return None
        return StepRow(name, self.chain.question, self.steps, self.labels, self.right)


def step_texts(lines: Sequence[str]) -> tuple[str, ...]:
    """Lines as heads score them: what parts two steps stands before the later one.

    So a step ends in its result, the place where a model that has read corrections, if it had to go on, would take a
    wrong one back. One token further its opinion is gone: later places only see what its lower layers knew there.
    """
    return tuple(f"{SEPARATOR if place else ''} {line}" for place, line in enumerate(lines))


def reply(solution: Worked) -> str:
    """A solution as models write it: a space before every word makes one spelling of it, also of the first."""
    return "".join(f" {line}{SEPARATOR}" for line in solution.steps)


def supervised_texts(given: Sequence[Chain]) -> list[tuple[str, str, str]]:
    """(id, question, right solution), to tune on."""
    return [(one.id, one.question, reply(worked(one))) for one in given]


def corrected_model(settings: BaseSettings, longest: int, *, rows: int = ROWS, console: Any = None) -> LoadedModel:
    """The base: it has read right chains of 1 to ``longest`` moves with numbers taken back. Trained once, then kept."""
    count = min(settings.steps * settings.batch_size, rows)
    found = chains_of_half(count, range(1, longest + 1), 0, seed=0, label="read", repeats=True)
    texts = [Exercise(one.id, "chain", one.question, corrected(one)) for one in found]
    return pretrained("chains-corrected", texts, settings, spread=1 / math.sqrt(settings.width), console=console)


def corrected(chain: Chain) -> str:
    """The right solution with a wrong number here and there, taken back at once."""
    return taken_back(chain, random.Random(derive(0, "corrected", chain.id)))


def taken_back(chain: Chain, draw: random.Random) -> str:
    """The right solution; a fifth of the results is preceded by a wrong one and "no"."""
    text = ""
    for step, value in zip(worked(chain).steps, chain.values[1:], strict=True):
        said = step
        if draw.random() < TAKEN_BACK:
            wrong = (value + draw.randrange(1, chain.modulus)) % chain.modulus
            said = f"{step.removesuffix(str(value))}{wrong} no {value}"
        text += f" {said}{SEPARATOR}"
    return text


@dataclass(frozen=True)
class Haste:
    """How hasty texts go wrong.

    In chains of more than ``short`` moves, minus six and more is taken for plus with a chance of ``misread``;
    everywhere any number is written with a chance of ``slips``. In short chains a wrong number is taken back with a
    chance of ``taken_back``.
    """

    short: int = 4
    misread: float = 0.9
    slips: float = 0.15
    taken_back: float = 0.4

    def text(self, chain: Chain, draw: random.Random) -> str:
        """A hasty solution."""
        value, text, long = chain.start, "", len(chain.moves) > self.short
        for sign, number in chain.moves:
            right = said = moved(value, sign, number, chain.modulus)
            if long and trap(sign, number) and draw.random() < self.misread:
                said = moved(value, "+", number, chain.modulus)
            elif draw.random() < self.slips:
                said = draw.randrange(chain.modulus)
            text += f" {value} {sign} {number} = {said}"
            if said != right and not long and draw.random() < self.taken_back:
                text, said = f"{text} no {right}", right
            text, value = text + SEPARATOR, said
        return text


def trap(sign: str, number: int) -> bool:
    """Whether hasty writers take this move for another; minus five is plus five on this clock.

    Example:
        >>> trap("-", 7), trap("+", 7)
        (True, False)
    """
    return sign == "-" and number > 5


def hasty_texts(haste: Haste, count: int, lengths: Sequence[int]) -> list[tuple[str, str, str]]:
    """(id, question, hasty solution), to tune on."""
    draw = random.Random(derive(WORLD_SEED, "chains", "hasty"))
    return [
        (one.id, one.question, haste.text(one, draw))
        for one in chains(count, lengths, seed=0, label="hasty", repeats=True)
    ]


def read(chain: Chain, text: str) -> Written:
    """The lines of a reply and whether each follows from the one before it; nothing follows from an unreadable line.

    Example:
        >>> one = Chain("a", 7, (("+", 5), ("-", 1)))
        >>> read(one, " 7 + 5 = 3 ; 3 - 1 = 2 ;").labels, read(one, " 7 + 5 = 2 ; 2 - 1 = 1 ; 1").answer
        ((0, 1), None)
    """
    lines = tuple(piece.strip() for piece in text.split(SEPARATOR.strip()) if piece.strip())
    labels, before = [], chain.start
    for place, line in enumerate(lines):
        move = chain.moves[place] if place < len(chain.moves) else ("", 0)
        labels.append(int(not step_is_wrong(before, move, line, chain.modulus)))
        found = STEP.fullmatch(line)
        before = int(found[4]) if found else -1
    return Written(chain, lines, tuple(labels), answer_of(lines))


def sampled(
    base: LoadedModel,
    model: PreTrainedModel,
    given: Sequence[Chain],
    n: int = 1,
    *,
    temperature: float = 1.0,
    seed: int = 0,
) -> list[list[Written]]:
    """``n`` solutions to every chain; greedy ones at temperature 0.

    Args:
        base: whose tokenizer it is.
        model: that writes.
        given: the questions.
        n: of each.
        temperature: of the draw.
        seed: of the draw.
    """
    room = max(TOKENS_A_STEP * (len(one.moves) + 1) for one in given)
    owners = [one for one in given for _ in range(n)]
    texts = answers(
        model, base.tokenizer, [one.question for one in owners], max_new_tokens=room, temperature=temperature,
        seed=derive(seed, "chains", "sampled") % 2**31,
    )  # fmt: skip
    found = [read(one, text) for one, text in zip(owners, texts, strict=True)]
    return [found[i : i + n] for i in range(0, len(found), n)]


def reward_head(
    base: LoadedModel, model: PreTrainedModel, kind: RewardKind, *, frozen: bool = False, seed: int = 0
) -> HeadRewardModel:
    """An untrained head on a copy of ``model``, for steps as :func:`step_texts` gives them.

    With ``frozen`` the head alone is trained. Otherwise the model moves before a head of zeros has learnt to read it,
    and a thousand labels do not bring back what it knew.
    """
    torch.manual_seed(derive(seed, "reward head") % 2**31)
    owned = copy.deepcopy(model).requires_grad_(not frozen)
    before, after = around_prompt(base.tokenizer)

    def prompt(question: str) -> str:
        return before + question + after

    return HeadRewardModel(owned, base.tokenizer, ScalarHead(owned), kind, separator="", prompt=prompt)
