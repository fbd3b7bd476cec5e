"""No verifier can be made slow by a hostile text: its time grows with the length, not faster; nothing is evaluated.

An absolute limit alone would judge the machine. So a text that takes under `QUICK` for 100 kB passes as it is, and one
that takes longer must take about a quarter of that for a quarter of the text: a quadratic pattern takes a sixteenth.
"""

from __future__ import annotations

import ast
import importlib
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from linear_time import too_slow
from tutelage import verify

SIZE = 100_000
QUICK = 0.05  # seconds for the whole text; below it growth is not looked at
NEVER = 5.0  # seconds: no text may take this long, however it grows
PIECES = [
    *("1", "1,", "1,111,", "1.", "1/", "-", "1 ", "1 1/2 ", ".", "e", "1e", "1x10^", "\\frac{1}{", "٣", "½", "$", "%"),
    *("a", "A", "Aa ", "a'", "a-", "A.", "a. ", "Ab. ", "!", '?"', "…", "\n", " ", "\t\n", "\n \n", " \n", "- ", "1. "),
    *("*", "**a", "*a ", "_", "a_", "`", "```\n", "[", "[a", "[]", "<<", "<<a", ">", '"', "“", "{", '{"a":', '["'),
    *("é", "日。", "@", "a@", "a@b.", "https://", "2024-", "1 March ", "March 1 ", "1/1/", "1.1.", "x" * 64 + "@", "–"),
    *("i can ", "i can't ", "i am ", "as an ai ", "i'm sorry ", "against my ", "the answer is ", "i can not x x "),
    *("section ", "p.s. ", "\u2009", "\u00a0", "ß", "i am x "),
]
PARAMETERS: dict[str, dict[str, Any]] = {
    "choice": {"choices": ["x", "i", "1 1", "1"]},
    "json-keys": {"keys": ["a"]},
    "includes": {"keywords": ["a", "a a", "-"]},
    "excludes": {"keywords": ["a", "i can"]},
    "letter": {"character": "a", "most": 3},
    "starts-with": {"phrase": "a"},
    "ends-with": {"phrase": "a."},
    "sections": {"marker": "Section"},
    "number-within": {"absolute": 1.0},
    "characters": {"most": 3},
    "json-schema": {"schema": {"type": "object"}},
    "label-path": {"parents": {"a": None, "1": "a"}},
    "language": {"code": "en"},
    "regex": {"pattern": "a"},
    **{name: {"most": 3} for name in ("words", "sentences", "lines", "paragraphs", "bullets", "capital-words")},
}
ROOM = "1 a x i\n#####\n#PXO#\n#####"
REFERENCES = {"countdown": "1 1 = 2", "sokoban": ROOM, "sokoban-move": ROOM, "final-answer": "[1, a, {1, 1}]"}


def patterns() -> dict[str, re.Pattern[str]]:
    """Every pattern that a module of the room holds."""
    found = {}
    for file in Path(verify.__file__).parent.glob("*.py"):
        module = importlib.import_module(f"tutelage.verify.{file.stem}")
        for name, value in vars(module).items():
            for place, pattern in enumerate(value if isinstance(value, tuple) else (value,)):
                if isinstance(pattern, re.Pattern):
                    found[f"{file.stem}.{name}.{place}"] = pattern
    return found


def hostile(piece: str) -> list[str]:
    body = (piece * (SIZE // len(piece) + 1))[:SIZE]
    return [body, f"{body[:-1]}!", f"a{body[:-2]}\n"]


def slow(act: Callable[[str], object], pieces: list[str], variants: int) -> list[str]:
    """The texts, by piece and ending, that `act` takes more than linear time for."""
    texts = [(piece, text) for piece in pieces for text in hostile(piece)[:variants]]
    return [f"{piece}...{text[-2:]}" for piece, text in texts if too_slow(act, text, quick=QUICK, never=NEVER)]


def judged(name: str) -> Callable[[str], object]:
    judge = verify.get(name, **PARAMETERS.get(name, {}))
    return lambda text: judge([{"role": "user", "content": text}], text, REFERENCES.get(name, "a 1"))


def exhausted(pattern: re.Pattern[str]) -> Callable[[str], object]:
    return lambda text: (sum(1 for _ in pattern.finditer(text)), pattern.match(text), pattern.fullmatch(text))


@pytest.mark.parametrize("name", patterns())
def test_no_pattern_is_slow(name: str) -> None:
    assert slow(exhausted(patterns()[name]), PIECES[::4], 1) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", patterns())
def test_no_pattern_is_slow_on_any_text(name: str) -> None:
    assert slow(exhausted(patterns()[name]), PIECES, 3) == []


@pytest.mark.parametrize("name", verify.names())
def test_no_verifier_is_slow(name: str) -> None:
    assert slow(judged(name), PIECES[::12], 1) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", verify.names())
def test_no_verifier_is_slow_on_any_text(name: str) -> None:
    assert slow(judged(name), PIECES, 3) == []


def test_a_quadratic_pattern_would_be_caught() -> None:
    """A fraction of the text is already too much for one."""
    assert too_slow(exhausted(re.compile(r"\s+$")), " " * (SIZE // 16) + "!", quick=QUICK, never=NEVER) is True


def test_a_slow_but_linear_judge_passes() -> None:
    """A machine or a judge that is slow throughout is not what this file looks for."""

    def judge(text: str) -> list[float]:
        return [math.sqrt(k) for _ in range(12) for k in range(len(text))]

    assert too_slow(judge, " " * SIZE, quick=QUICK, never=NEVER) is False


def test_nothing_in_the_room_evaluates() -> None:
    banned = {"eval", "exec", "compile", "__import__", "literal_eval"}
    for file in Path(verify.__file__).parent.glob("*.py"):
        calls = [node.func for node in ast.walk(ast.parse(file.read_text("utf-8"))) if isinstance(node, ast.Call)]
        names = {call.id for call in calls if isinstance(call, ast.Name)}
        names |= {call.attr for call in calls if isinstance(call, ast.Attribute)} - {"compile"}  # re.compile
        assert not names & banned, file.name
