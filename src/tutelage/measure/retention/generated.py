"""Probes that let the model speak: rule-checked instructions and arithmetic."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from tutelage import assets, verify
from tutelage.measure.retention.constraints import CONSTRAINTS, Constraint, on_topic
from tutelage.measure.retention.sizes import VERSION, chosen
from tutelage.seeds import derive
from tutelage.types import Engine, Sampling, Scores

__all__ = ["Instruction", "Problem", "arithmetic", "instruction_items", "instructions", "problems"]

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


def instructions(engine: Engine, n: int, max_new_tokens: int) -> Scores:
    """1 for each instruction that the greedy reply keeps to while it stays on the topic of the question.

    Args:
        engine: the model.
        n: items.
        max_new_tokens: cap on a reply; being cut off counts against the constraints that limit the length.

    Source: own composition, after the verifiable instructions of IFEval (Zhou et al. 2023).
    """
    items = instruction_items(n)
    sampling = Sampling(max_new_tokens=max_new_tokens, temperature=0.0)
    replies = engine.generate([[{"role": "user", "content": item.prompt}] for item in items], sampling=sampling)
    values = []
    for item, (reply, *_) in zip(items, replies, strict=True):
        met = item.constraint.met(item.question, reply.text, item.value, finished=reply.finish == "stop")
        values.append(float(met and on_topic(item.question, reply.text)))
    return Scores(
        "instructions",
        tuple(item.id for item in items),
        np.array(values, dtype=np.float64),
        outputs=tuple(reply[0].text for reply in replies),
        version=VERSION,
    )


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
        made = _made(k)
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


def _made(k: int) -> Problem:
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


def arithmetic(engine: Engine, n: int, max_new_tokens: int) -> Scores:
    """1 for each word problem where the last number of the greedy reply is the answer.

    Args:
        engine: the model.
        n: items, see :func:`problems`.
        max_new_tokens: cap on a reply.

    Source: ASDiv (Miao et al. 2020), evaluation only, and own templates.
    """
    items = problems(n)
    sampling = Sampling(max_new_tokens=max_new_tokens, temperature=0.0)
    replies = engine.generate([[{"role": "user", "content": item.question}] for item in items], sampling=sampling)
    judge = verify.get("number")
    values = [judge([], reply[0].text, str(item.answer)).score for item, reply in zip(items, replies, strict=True)]
    return Scores(
        "arithmetic",
        tuple(item.id for item in items),
        np.array(values, dtype=np.float64),
        outputs=tuple(reply[0].text for reply in replies),
        version=VERSION,
    )
