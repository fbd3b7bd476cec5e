"""Probes that let the model speak: rule-checked instructions and arithmetic."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from tutelage import assets, verify
from tutelage.measure.asking import Item, Speaking, each, share_of_commonest
from tutelage.measure.results.table import MetricFacts
from tutelage.measure.retention.constraints import CONSTRAINTS, Constraint, on_topic
from tutelage.measure.retention.sizes import VERSION, chosen
from tutelage.measure.suite import Task
from tutelage.seeds import derive
from tutelage.types import Completion, Engine, Sampling, Scores

__all__ = [
    "Instruction",
    "Problem",
    "arithmetic",
    "arithmetic_task",
    "instruction_items",
    "instructions",
    "instructions_task",
    "one_step_problem",
    "problems",
]

_ASDIV_SHARE = 8  # every eighth problem is a real one
_NAMES = ("Tom", "Ann", "Sam", "Mia", "Ben", "Eva", "Max", "Lea")
_THINGS = ("apples", "books", "coins", "pens", "cards", "eggs", "shells", "stamps")


@dataclass(frozen=True)
class Instruction:
    """A real question with one checkable constraint."""

    id: str
    question: str
    constraint: Constraint
    value: str

    @property
    def prompt(self) -> str:
        """The user's turn."""
        return f"{self.question} {self.constraint.instruction(self.value)}"


def instruction_items(n: int) -> list[Instruction]:
    """``n`` questions of TruthfulQA, going round the constraints and their values.

    Raises:
        AssetMissing: the questions are not installed.
    """
    kinds = list(CONSTRAINTS.values())
    items = []
    for k, row in enumerate(chosen(assets.rows("truthfulqa"), n, "instructions")):
        constraint = kinds[k % len(kinds)]
        value = constraint.values[k // len(kinds) % len(constraint.values)]
        items.append(Instruction(f"{constraint.name}:{row['id']}", row["question"], constraint, value))
    return items


def instructions_task(n: int, max_new_tokens: int) -> Task:
    """1 for each instruction that the greedy reply keeps to while it stays on the topic of the question.

    Args:
        n: items, see :func:`instruction_items`.
        max_new_tokens: cap on a reply; being cut off counts against the constraints that limit the length.

    Raises:
        AssetMissing: the questions are not installed.

    Source: own composition, after the verifiable instructions of IFEval (Zhou et al. 2023).
    """
    asked = {item.id: item for item in instruction_items(n)}

    def kept(item: Item, said: Completion) -> dict[str, float]:
        one = asked[item.id]
        met = one.constraint.met(one.question, said.text, one.value, finished=said.finish == "stop")
        return {"kept": float(met and on_topic(one.question, said.text))}

    facts = {"kept": MetricFacts(unit="share kept", version=VERSION)}
    method = Speaking(Sampling(max_new_tokens=max_new_tokens, temperature=0.0), facts, each(kept))
    items = [Item(i.id, i.prompt, groups={"constraint": i.constraint.name}) for i in asked.values()]
    return Task("instructions", tuple(items), method, str(VERSION))


def instructions(engine: Engine, n: int, max_new_tokens: int) -> Scores:
    """The scores of :func:`instructions_task`."""
    return instructions_task(n, max_new_tokens).measure(engine).only()


@dataclass(frozen=True)
class Problem:
    """A word problem and its answer, a whole number."""

    id: str
    question: str
    answer: int


def problems(n: int) -> list[Problem]:
    """``n`` one-step word problems with small numbers: seven made from templates to each real one of ASDiv.

    ASDiv is beyond the default model (0 of 20 right within 24 tokens; 2 of 20 even of the simplest), and a probe at the
    floor shows no loss. Hence the mixture, and of ASDiv only problems with two numbers up to 20 whose sum or difference
    is the answer.

    Raises:
        AssetMissing: ASDiv is not installed.
    """
    rows = [row for row in assets.rows("asdiv") if _is_one_step(row)]
    real = chosen(rows, n // _ASDIV_SHARE, "arithmetic")
    items = [Problem(f"asdiv:{row['id']}", row["question"], int(row["answer"])) for row in real]
    taken: set[str] = set()
    k = 0
    while len(items) < n:
        made = one_step_problem(k)
        if made.question not in taken:
            taken.add(made.question)
            items.append(made)
        k += 1
    return items


def _is_one_step(row: dict[str, Any]) -> bool:
    found = [int(x) for x in re.findall(r"(?<![\d.,])\d+(?![.,]?\d)", row["question"])]
    if len(found) != 2 or max(found) > 20 or len(row["question"]) > 170:
        return False
    return bool(row["answer"] in (sum(found), abs(found[0] - found[1])))


def one_step_problem(k: int) -> Problem:
    """The k-th problem made from templates: a sum, a difference or a product of small numbers."""
    rng = np.random.default_rng(derive(VERSION, "arithmetic", k))
    name, thing = _NAMES[rng.integers(len(_NAMES))], _THINGS[rng.integers(len(_THINGS))]
    if k % 3 == 0:
        a, b = int(rng.integers(2, 10)), int(rng.integers(1, 10))
        text = f"{name} has {a} {thing} and gets {b} more. How many {thing} does {name} have now?"
        return Problem(f"made:{k}", text, a + b)
    if k % 3 == 1:
        a, b = int(rng.integers(6, 16)), int(rng.integers(1, 6))
        text = f"{name} has {a} {thing} and gives away {b}. How many {thing} does {name} have left?"
        return Problem(f"made:{k}", text, a - b)
    a, b = int(rng.integers(2, 10)), int(rng.integers(2, 6))
    text = f"There are {a} boxes with {b} {thing} in each box. How many {thing} are there in total?"
    return Problem(f"made:{k}", text, a * b)


def arithmetic_task(n: int, max_new_tokens: int) -> Task:
    """1 for each word problem where the last number of the greedy reply is the answer.

    Args:
        n: items, see :func:`problems`.
        max_new_tokens: cap on a reply.

    Raises:
        AssetMissing: ASDiv is not installed.

    Source: ASDiv (Miao et al. 2020), evaluation only, and own templates.
    """
    judge = verify.get("number")
    method = Speaking(
        Sampling(max_new_tokens=max_new_tokens, temperature=0.0),
        {"correct": MetricFacts(unit="share right", version=VERSION)},
        each(lambda item, said: {"correct": judge(item.chat, said.text, item.target).score}),
        guess=lambda items: {"correct": share_of_commonest(items)},
    )
    items = [Item(p.id, p.question, str(p.answer), groups={"source": p.id.split(":")[0]}) for p in problems(n)]
    return Task("arithmetic", tuple(items), method, str(VERSION))


def arithmetic(engine: Engine, n: int, max_new_tokens: int) -> Scores:
    """The scores of :func:`arithmetic_task`."""
    return arithmetic_task(n, max_new_tokens).measure(engine).only()
