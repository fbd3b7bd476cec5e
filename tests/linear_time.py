"""Does something take longer than in proportion to its text? Judged so that a busy machine or a full heap cannot."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

GROWTH = 8.0  # four times the text: 4 when linear, 16 when quadratic


def seconds(act: Callable[[], object]) -> float:
    """Processor time, so that a busy machine does not count, without collections of what other tests left in memory."""
    gc.disable()
    started = time.process_time()
    act()
    taken = time.process_time() - started
    gc.enable()
    return taken


def too_slow(act: Callable[[str], object], text: str, *, quick: float, never: float) -> bool:
    """Whether no one of four tries is quick or grows as it may: what is quadratic fails them all.

    Under ``quick`` seconds growth is not looked at; ``never`` may no text take, however it grows.
    """
    quarter = text[: len(text) // 4] + text[-2:]
    for _ in range(4):
        whole = seconds(lambda: act(text))
        if whole < quick or (whole < never and whole <= GROWTH * seconds(lambda: act(quarter))):
            return False
    return True
