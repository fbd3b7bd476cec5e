"""Ctrl-C: once asks to stop at the next safe point, twice leaves at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stop_requests"]


@contextmanager
def stop_requests(say: Callable[[str], None]) -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether the user has asked to stop.

    The first SIGINT or SIGTERM only sets the flag; a second SIGINT raises KeyboardInterrupt where it falls, which is
    safe too, because every file is complete or absent. Outside the main thread, signals are left alone.

    Args:
        say: told once what is going to happen.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        say("stopping after this step, and saving; press Ctrl-C again to leave at once")

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
