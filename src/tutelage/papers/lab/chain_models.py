"""Models that write chains of clock arithmetic, and what they wrote read with exact labels of its steps.

A small model that has seen short chains only writes nothing readable about long ones. So the base has seen the *form*
of solutions of every length, with results drawn at random: it knows what a solution looks like and nothing of what is
right, as a large model has read much that nobody checked. What is right it learns from the solutions it is tuned on.
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

from tutelage.chat_template import render
from tutelage.data.steps import StepRow
from tutelage.models import LoadedModel
from tutelage.models.reward import RewardKind
from tutelage.papers.lab.arm import answers
from tutelage.papers.lab.chains import STEP, Chain, Worked, answer_of, chains, moved, step_is_wrong, worked
from tutelage.papers.lab.instructions import Exercise
from tutelage.papers.lab.pretraining import BaseSettings, pretrained
from tutelage.papers.lab.world import WORLD_SEED
from tutelage.seeds import derive
from tutelage.training.reward_heads import HeadRewardModel, ScalarHead

__all__ = [
    "SEPARATOR",
    "Written",
    "careless",
    "form_model",
    "read",
    "reply",
    "reward_head",
    "sampled",
    "supervised_texts",
]

SEPARATOR = " ;"
TOKENS_A_STEP = 6


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

    def row(self, name: str) -> StepRow | None:
        """The solution to train a reward model on; None when nothing was written."""
        if not self.lines:
            return None
        steps = tuple(f" {line}" for line in self.lines)
        return StepRow(name, self.chain.question, steps, self.labels, self.right)


def reply(solution: Worked) -> str:
    """A solution as models write it: a space before every word makes one spelling of it, also of the first."""
    return "".join(f" {line}{SEPARATOR}" for line in solution.steps)


def supervised_texts(given: Sequence[Chain]) -> list[tuple[str, str, str]]:
    """(id, question, right solution), to tune on."""
    return [(one.id, one.question, reply(worked(one))) for one in given]


def form_model(
    settings: BaseSettings,
    lengths: Sequence[int],
    *,
    careful: Sequence[float] = (0.0,),
    rows: int = 20_000,
    console: Any = None,
) -> LoadedModel:
    """The base: it has seen solutions of these lengths, of mixed quality and without labels. Trained once, then kept.

    Every text has an author, who makes each step rightly with a chance of ``careful`` and else writes any number. With
    authors of several kinds, how the next step will end depends on how careful the text was so far; so the base has a
    reason to notice mistakes. With (0,) it sees the form alone.

    Args:
        settings: size and budget.
        lengths: of the chains, in moves.
        careful: the authors, who write alike many texts.
        rows: texts at most.
        console: for the progress of training.
    """
    draw = random.Random(derive(WORLD_SEED, "chains", "form"))
    count = min(settings.steps * settings.batch_size, rows)
    found = []
    for one in chains(count, lengths, seed=0, label="form", repeats=True):
        author = draw.choice(careful)
        found.append(Exercise(one.id, "form", one.question, reply(careless(one, author, draw))))
    return pretrained("form", found, settings, spread=1 / math.sqrt(settings.width), console=console)


def careless(chain: Chain, careful: float, draw: random.Random) -> Worked:
    """What an author writes who makes a step rightly with this chance and else writes any number, the right one too."""
    value, results, wrong = chain.start, [], []
    for place, move in enumerate(chain.moves):
        right = moved(value, *move, chain.modulus)
        value = right if draw.random() < careful else draw.randrange(chain.modulus)
        results.append(value)
        if value != right:
            wrong.append(place)
    return Worked(chain, tuple(results), tuple(wrong))


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


def reward_head(base: LoadedModel, model: PreTrainedModel, kind: RewardKind, *, seed: int = 0) -> HeadRewardModel:
    """An untrained head on a copy of ``model``, which reads questions and steps as they were written."""
    torch.manual_seed(derive(seed, "reward head") % 2**31)
    owned = copy.deepcopy(model).requires_grad_(True)
    mark = "\x1a"
    before, after = render(base.tokenizer, [{"role": "user", "content": mark}], header=True).split(mark)

    def prompt(question: str) -> str:
        return before + question + after

    return HeadRewardModel(owned, base.tokenizer, ScalarHead(owned), kind, separator=SEPARATOR, prompt=prompt)
