"""Arithmetic written by a model: is it an expression, of which numbers, with which exact value; read, never evaluated.

Syntax and meaning are judged apart (Overlap, arXiv 2604.13515): ``expression`` asks whether a text parses at all,
``countdown`` whether it uses the given numbers, each once, and has the wanted value.
"""

from __future__ import annotations

import ast
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from tutelage.functional.numbers_game import read_numbers
from tutelage.types import Chat, Verdict
from tutelage.verify.registry import verifiers

__all__ = [
    "CARD_SCORES",
    "CardOutcome",
    "Expression",
    "card_outcome",
    "countdown",
    "expression",
    "parse_expression",
    "stated_formula",
]

LONGEST = 200
"""Characters; longer texts are no answers to a game of few numbers, and a parser's depth costs time."""
_PLAIN = re.compile(r"[0-9+\-*/() ]+")
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "[": "(", "]": ")"})
_FORMULA = re.compile(r'"formula"\s*:\s*"([^"\n]*)"')
_OPERATORS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
}

CardOutcome = Literal["correct", "partial", "no solution", "wrong number", "illegal formula"]
CARD_SCORES: dict[CardOutcome, int] = {
    "correct": 5,
    "partial": 1,
    "no solution": -1,
    "wrong number": -2,
    "illegal formula": -3,
}
"""The constants of the official scorer of General Points."""


@dataclass(frozen=True)
class Expression:
    """What an expression is made of: its numbers in order, and its exact value, None where it divides by zero."""

    numbers: tuple[int, ...]
    value: Fraction | None


def parse_expression(text: str) -> Expression | None:
    """Read ``text`` as an expression of whole numbers, ``+ - * /`` and brackets; None when it is none.

    The text is parsed into Python's syntax tree, of which only numbers and the four operations between two operands
    are accepted: no sign before a number, no power, no name. Nothing is evaluated but exact fractions.

    Args:
        text: at most 200 characters; the signs ``× ÷ −`` and square brackets are read too.

    Source: own derivation; the official scorer of General Points uses ``eval``.

    Example:
        >>> parse_expression("(8 - 4) * 6")
        Expression(numbers=(8, 4, 6), value=Fraction(24, 1))
        >>> parse_expression("8 +") is None
        True
    """
    plain = text.translate(_SIGNS).strip()
    if len(plain) > LONGEST or not _PLAIN.fullmatch(plain):
        return None
    try:
        found: list[int] = []
        value = _value(ast.parse(plain, mode="eval").body, found)
    except (SyntaxError, RecursionError, MemoryError):
        return None
    return None if value is _NONE else Expression(tuple(found), value)


_NONE = Fraction(-1)  # by identity: "no expression"


def _value(node: ast.expr, found: list[int]) -> Fraction | None:
    """Exact value, None after a division by zero, ``_NONE`` when the tree holds anything else."""
    if isinstance(node, ast.Constant) and type(node.value) is int:
        found.append(node.value)
        return Fraction(node.value)
    if not isinstance(node, ast.BinOp) or type(node.op) not in _OPERATORS:
        return _NONE
    left, right = _value(node.left, found), _value(node.right, found)
    if left is _NONE or right is _NONE:
        return _NONE
    if left is None or right is None or (isinstance(node.op, ast.Div) and right == 0):
        return None
    return _OPERATORS[type(node.op)](left, right)


def stated_formula(text: str) -> str:
    """The formula of an answer: the JSON field ``formula``, else the text itself; in both cases up to ``=``.

    Example:
        >>> stated_formula('{"cards": ["8"], "formula": "8*3=24"}'), stated_formula(" 8*3 = 24")
        ('8*3', '8*3')
    """
    try:
        made = json.loads(text)
        formula = made.get("formula") if isinstance(made, dict) else None
    except (ValueError, RecursionError):
        match = _FORMULA.search(text[-10_000:])
        formula = match.group(1) if match else None
    return (formula if isinstance(formula, str) else text).partition("=")[0].strip()


@verifiers.register("expression", paper="https://arxiv.org/abs/2604.13515")
def expression(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """1 when the text is an arithmetic expression (syntax only): whole numbers, + - * /, brackets."""
    del prompt, reference
    right = parse_expression(stated_formula(text)) is not None
    return Verdict(float(right), "" if right else "not an arithmetic expression")


@verifiers.register("countdown", paper="https://arxiv.org/abs/2604.13515")
def countdown(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """1 when the text is an expression of exactly the numbers of the reference ("8 3 = 24"), each once, of that value.

    Raises:
        DataError: the reference does not read "numbers = target".
    """
    del prompt
    numbers, target = read_numbers(reference)
    outcome = card_outcome(text, numbers, target)
    return Verdict(float(outcome == "correct"), "" if outcome == "correct" else outcome)


def card_outcome(text: str, numbers: Sequence[int], target: Fraction | int = 24) -> CardOutcome:
    """What an answer to General Points is; :data:`CARD_SCORES` has its score.

    In the official order: an illegal formula; a number that is not there, or not used as often as it is there; another
    value; the right value without its closing brackets ("partial"); the right value.

    Args:
        text: JSON with the field ``formula``, or the formula itself.
        numbers: of the cards, as the scorer counts them.
        target: the value to reach.

    Source: Debunk (arXiv 2510.00237), official ``gp_l.py``. Theirs calls a formula partial when it cannot be
        evaluated and one of the solver's written solutions begins with it.

    Example:
        >>> card_outcome('{"formula": "8/(3-8/3)"}', [3, 3, 8, 8]), card_outcome("8*3", [8, 3, 1])
        ('correct', 'wrong number')
    """
    formula = stated_formula(text).translate(_SIGNS)
    found, closed = parse_expression(formula), True
    if found is None:
        missing = formula.count("(") - formula.count(")")
        found, closed = parse_expression(formula + ")" * max(missing, 0)), False
    if found is None:
        return "illegal formula"
    if Counter(found.numbers) != Counter(numbers):
        return "wrong number"
    if found.value != target:
        return "no solution"
    return "correct" if closed else "partial"
