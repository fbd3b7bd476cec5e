"""Verifiers that hang, die or fail: the item scores 0 with the reason, the child is gone, the run goes on."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from tutelage.errors import RangeError
from tutelage.types import Chat, Verdict
from tutelage.verify import exact, limited


def moody(prompt: Chat, text: str, reference: str | None) -> Verdict:
    """Does what the text says."""
    if text == "hang":
        while True:
            pass
    if text == "power":
        return Verdict(float(9**9**9 > 0))
    if text == "exit":
        os._exit(3)
    if text == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if text == "raise":
        raise ValueError("no such thing")
    if text == "deep":
        return moody(prompt, text, reference)
    if text == "process":
        return Verdict(1.0, str(os.getpid()))
    return exact(prompt, text, reference)


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("hang", "error: stopped after 0.3 s"),
        ("power", "error: stopped after 0.3 s"),
        ("exit", "error: the check died (exit code 3)"),
        ("kill", "error: the check died (signal 9)"),
        ("raise", "error: ValueError: no such thing"),
        ("deep", "error: RecursionError: "),
    ],
)
def test_bad_check_scores_zero_and_the_next_one_works(text: str, detail: str) -> None:
    with limited(moody, seconds=0.3) as judge:
        started = time.monotonic()
        verdict = judge([], text, "x")
        assert time.monotonic() - started < 5
        assert verdict.score == 0
        assert verdict.detail.startswith(detail)
        judge.seconds = 20.0  # a new child on a busy machine
        assert judge([{"role": "user", "content": "é"}], "x", "x").score == 1


def test_one_child_serves_many_checks_and_is_gone_at_the_end() -> None:
    with limited(moody, seconds=20.0) as judge:
        processes = {judge([], "process", None).detail for _ in range(5)}
        assert len(processes) == 1
        child = int(processes.pop())
        assert child != os.getpid()
    assert not psutil.pid_exists(child)


def test_hanging_child_is_killed() -> None:
    judge = limited(moody, seconds=20.0)
    child = int(judge([], "process", None).detail)
    judge.seconds = 0.2
    judge([], "hang", None)
    assert not psutil.pid_exists(child)
    judge.close()


def test_a_closure_with_large_texts() -> None:
    letters = "a" * 300_000
    with limited(lambda prompt, text, reference: Verdict(float(text == letters)), seconds=20.0) as judge:
        assert judge([], letters, None).score == 1


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_limit_must_be_a_positive_number(seconds: float) -> None:
    with pytest.raises(RangeError):
        limited(exact, seconds)
