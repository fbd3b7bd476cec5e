"""Word problems with exact answers: real ones, and ones made from templates."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from tutelage import assets, verify
from tutelage.measure.asking import Item, Speaking, each, share_of_commonest
from tutelage.measure.results.table import MetricFacts
from tutelage.measure.retention.sizes import chosen
from tutelage.measure.suite import Suite, Task
from tutelage.measure.suites.mixing import in_turn
from tutelage.measure.suites.registry import count, suites
from tutelage.seeds import derive
from tutelage.types import Sampling

__all__ = ["TEMPLATES", "made_items", "maths"]

VERSION = "1"
_ASDIV = {"smoke": 4, "quick": 48, "standard": 200, "full": 2000}
_MADE = {"smoke": 4, "quick": 48, "standard": 200, "full": 600}
_TOKENS = {"smoke": 32, "quick": 64, "standard": 96, "full": 160}
_NAMES = ("Ada", "Bo", "Cleo", "Dan", "Elif", "Finn", "Gita", "Hugo")
_THINGS = ("apples", "tickets", "pencils", "stones", "plums", "badges", "lemons", "marbles")

Made = tuple[str, Fraction]
Numbers = Callable[[int, int], int]
"""A draw of a whole number from the first to the second, both included."""


def _add(name: str, thing: str, draw: Numbers) -> Made:
    a, b = draw(3, 40), draw(3, 40)
    return f"{name} has {a} {thing} and finds {b} more. How many {thing} does {name} have now?", Fraction(a + b)


def _take(name: str, thing: str, draw: Numbers) -> Made:
    a, b = draw(20, 60), draw(2, 19)
    return f"{name} has {a} {thing} and gives {b} away. How many {thing} are left?", Fraction(a - b)


def _times(name: str, thing: str, draw: Numbers) -> Made:
    a, b = draw(2, 12), draw(2, 12)
    return f"{name} packs {a} bags with {b} {thing} in each. How many {thing} is that in total?", Fraction(a * b)


def _share(name: str, thing: str, draw: Numbers) -> Made:
    a, b = draw(2, 12), draw(2, 9)
    return f"{name} shares {a * b} {thing} equally among {b} friends. How many does each friend get?", Fraction(a)


def _two_steps(name: str, thing: str, draw: Numbers) -> Made:
    a, b, c = draw(2, 9), draw(2, 9), draw(2, 20)
    text = f"{name} buys {a} boxes of {b} {thing} and is given {c} {thing} more. How many {thing} does {name} have?"
    return text, Fraction(a * b + c)


def _money(name: str, thing: str, draw: Numbers) -> Made:
    cents, n = 25 * draw(1, 12), draw(2, 9)
    price = f"{cents / 100:.2f}"
    text = f"One of the {thing} costs ${price}. How many dollars does {name} pay for {n} of them?"
    return text, Fraction(cents * n, 100)


TEMPLATES: dict[str, Callable[[str, str, Numbers], Made]] = {
    "addition": _add,
    "subtraction": _take,
    "multiplication": _times,
    "division": _share,
    "two steps": _two_steps,
    "money": _money,
}


def made_items(n: int) -> list[Item]:
    """``n`` different problems from templates, going round the kinds; always the same ones."""
    items: dict[str, Item] = {}
    k = 0
    while len(items) < n:
        kind = list(TEMPLATES)[len(items) % len(TEMPLATES)]
        rng = np.random.default_rng(derive(int(VERSION), "maths", k))
        name, thing = _NAMES[rng.integers(len(_NAMES))], _THINGS[rng.integers(len(_THINGS))]
        text, answer = TEMPLATES[kind](name, thing, _numbers(rng))
        items.setdefault(text, Item(f"made:{k}", text, _written(answer), groups={"source": "template", "kind": kind}))
        k += 1
    return list(items.values())


def _numbers(rng: np.random.Generator) -> Numbers:
    return lambda low, high: int(rng.integers(low, high + 1))


def _written(answer: Fraction) -> str:
    """A whole number or a short decimal, exactly."""
    return str(answer.numerator) if answer.denominator == 1 else f"{float(answer):.2f}"


def asdiv_items(n: int) -> list[Item]:
    """``n`` problems of ASDiv whose answer is one number.

    Raises:
        AssetMissing: ASDiv is not installed.
    """
    rows = chosen(assets.rows("asdiv"), n, "maths")
    return [
        Item(f"asdiv:{r['id']}", r["question"], f"{r['answer']:.12g}", groups={"source": "asdiv", "kind": "asdiv"})
        for r in rows
    ]


@suites.register("maths", assets=("asdiv",))
def maths(size: str) -> Suite:
    """ASDiv and problems from six templates; the last number of the reply must be the answer."""
    judge = verify.get("number")
    method = Speaking(
        Sampling(max_new_tokens=count(_TOKENS, size), temperature=0.0),
        {"correct": MetricFacts(unit="share right")},
        each(lambda item, said: {"correct": judge(item.chat, said.text, item.target).score}),
        guess=lambda items: {"correct": share_of_commonest(items)},
    )
    items = in_turn([asdiv_items(count(_ASDIV, size)), made_items(count(_MADE, size))])
    task = Task("maths", tuple(items), method, VERSION)
    notes = ("ASDiv is non-commercial and for evaluation only",)
    return Suite("maths", VERSION, (task,), "word problems, the last number counts", ("asdiv",), notes)
