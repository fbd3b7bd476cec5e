"""Supervision of hard chains: noisy solutions of the whole, clean ones of its parts, and another wording of the same.

The base model knows how to work out chains of one to three moves. Of longer ones it has seen the form only, with
results drawn at random, so that a student's answers can be read whatever it learns from.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tutelage.data.steps import StepRow
from tutelage.data.supervision import Supervised, TaskPair
from tutelage.models import LoadedModel
from tutelage.papers.lab.arm import answers
from tutelage.papers.lab.chain_models import TOKENS_A_STEP, read, reply
from tutelage.papers.lab.chains import Chain, Worked, chains, spoil, spoil_set, worked
from tutelage.papers.lab.instructions import Exercise
from tutelage.papers.lab.pretraining import BaseSettings, pretrained, tokenised
from tutelage.refine.subtasks import cuts
from tutelage.seeds import derive
from tutelage.training.task import Example

__all__ = [
    "TOKENS_A_STEP",
    "HardTask",
    "asked",
    "examples",
    "hard_tasks",
    "parts_in_place",
    "parts_of",
    "quality_rows",
    "reworded",
    "scores",
    "supervision_base",
]

FORM_SEED = 5  # of the results that stand in solutions of which only the form is learnt


@dataclass(frozen=True)
class HardTask:
    """A chain with a right and a wrong solution, asked in one of two wordings."""

    chain: Chain
    wrong: Worked
    wording: int = 0

    @property
    def pair(self) -> TaskPair:
        """As a task to train on."""
        name = f"{self.chain.id}:{self.wording}"
        return TaskPair(name, asked(self.chain, self.wording), reply(worked(self.chain)), reply(self.wrong))


def asked(chain: Chain, wording: int = 0) -> str:
    """The question, plainly or in other words.

    Example:
        >>> asked(Chain("a", 5, (("+", 3), ("-", 2))), 1)
        'From 5 go + 3 - 2'
    """
    return f"From {chain.start} go {chain.question.partition(' then ')[2]}" if wording else chain.question


def supervision_base(
    settings: BaseSettings, easy: Sequence[int], longer: Sequence[int], *, rows: int = 20_000, console: Any = None
) -> LoadedModel:
    """The base: right solutions of ``easy`` lengths, and as many of ``longer`` ones with results drawn at random.

    Both come in both wordings. Trained once, then kept.
    """
    draw = random.Random(FORM_SEED)
    half = min(settings.steps * settings.batch_size, rows) // 2
    made = []
    for number, one in enumerate(chains(half, easy, seed=0, label="learnt", repeats=True)):
        made.append(Exercise(one.id, "chain", asked(one, number // len(easy) % 2), reply(worked(one))))
    for number, one in enumerate(chains(half, longer, seed=0, label="form", repeats=True)):
        written = Worked(one, tuple(draw.randrange(one.modulus) for _ in one.moves))
        made.append(Exercise(one.id, "form", asked(one, number // len(longer) % 2), reply(written)))
    draw.shuffle(made)
    spread = 1 / math.sqrt(settings.width)
    return pretrained("chain-supervision", made, settings, spread=spread, console=console)


def hard_tasks(
    count: int, lengths: Sequence[int], steps_wrong: float, *, avoid: Sequence[Chain], seed: int
) -> list[HardTask]:
    """Hard chains; exactly the share ``steps_wrong`` of the steps of all wrong solutions together is wrong."""
    drawn = chains(count, lengths, seed=seed, label="hard", avoid=avoid)
    return [HardTask(one.chain, one) for one in spoil_set(drawn, 1.0, steps_wrong, seed=seed)]


def reworded(tasks: Sequence[HardTask]) -> list[HardTask]:
    """The same tasks and solutions, asked in other words."""
    return [replace(one, wording=1) for one in tasks]


def parts_of(tasks: Sequence[HardTask], least: int, most: int, *, seed: int) -> list[HardTask]:
    """Each chain cut into contiguous parts: chains of their own that say where they begin, every move in one."""
    found = []
    for one in tasks:
        for first, length in _cut(one.chain, least, most, seed):
            part = one.chain.subtask(first, length)
            found.append(HardTask(part, spoil(part, [0], seed=seed)))
    return found


def parts_in_place(
    tasks: Sequence[HardTask], least: int, most: int, tokenizer: PreTrainedTokenizerBase, *, seed: int
) -> list[Example]:
    """The same parts where they stand: the whole question, the right lines before them given, the part's own learnt."""
    found = []
    for task, whole in zip(tasks, _tokenised([one.pair for one in tasks], tokenizer), strict=True):
        chain, moves = task.chain, len(task.chain.moves)
        for first, length in _cut(chain, least, most, seed):
            before, until = (
                _count(reply(worked(chain.subtask(0, n))), tokenizer) if n else 0 for n in (first, first + length)
            )
            learnt = whole.completion[before:] if first + length == moves else whole.completion[before:until]
            prompt = (*whole.prompt, *whole.completion[:before])
            found.append(Example(f"{chain.id}/{first}+{length}", prompt, learnt))
    return found


def examples(rows: Sequence[Supervised], tokenizer: PreTrainedTokenizerBase) -> list[Example]:
    """What is trained on, as token ids."""
    texts = [(row.pair.id, row.pair.question, row.solution) for row in rows]
    return tokenised(texts, tokenizer)


def quality_rows(rows: Sequence[Supervised], tasks: Sequence[HardTask]) -> list[StepRow]:
    """The supervision as solutions with exact labels, for :func:`tutelage.measure.supervision.supervision_quality`."""
    known = {one.pair.id: one for one in tasks}
    found = []
    for row in rows:
        task = known[row.pair.id]
        solution = worked(task.chain) if row.correct else task.wrong
        found.append(StepRow(row.pair.id, row.pair.question, solution.steps, solution.labels, solution.right))
    return found


def scores(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, tested: Sequence[Chain]
) -> dict[str, dict[str, float]]:
    """By chain: ``accuracy`` (1: the right answer, with a line for every move) and ``steps``, the share of moves whose
    line follows from the one before; the same for the first four moves and for the later ones.
    """
    room = TOKENS_A_STEP * (max(len(one.moves) for one in tested) + 1)
    said = answers(model, tokenizer, [one.question for one in tested], max_new_tokens=room)
    found: dict[str, dict[str, float]] = {name: {} for name in ("accuracy", "steps", "steps_early", "steps_late")}
    for chain, text in zip(tested, said, strict=True):
        written, moves = read(chain, text), len(chain.moves)
        labels = [*written.labels[:moves], *[0] * max(0, moves - len(written.labels))]
        found["accuracy"][chain.id] = float(written.right and written.formed)
        for name, some in (("steps", labels), ("steps_early", labels[:4]), ("steps_late", labels[4:])):
            if some:
                found[name][chain.id] = sum(some) / len(some)
    return found


def _cut(chain: Chain, least: int, most: int, seed: int) -> list[tuple[int, int]]:
    return cuts(len(chain.moves), least, most, seed=derive(seed, "parts", chain.id))


def _tokenised(pairs: Sequence[TaskPair], tokenizer: PreTrainedTokenizerBase) -> list[Example]:
    return examples([Supervised(pair, True) for pair in pairs], tokenizer)


def _count(text: str, tokenizer: PreTrainedTokenizerBase) -> int:
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])
