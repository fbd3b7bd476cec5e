"""Verifiers under a time limit: run in a child process that is killed when it takes too long."""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from types import TracebackType

from tutelage.errors import RangeError
from tutelage.types import Chat, Verdict, Verifier

__all__ = ["Limited", "limited"]


class Limited:
    """A verifier that runs in a child process; a check that hangs or dies scores 0 and the next one gets a new child.

    One child serves many checks. Messages between the processes are JSON. The child is forked, so the verifier may
    be a closure; it must not use torch or threads of the parent. Calls from several threads take turns.

    Args:
        verifier: what to run.
        seconds: wall time that one check may take.

    Raises:
        RangeError: ``seconds`` is not a positive number.
    """

    def __init__(self, verifier: Verifier, seconds: float) -> None:
        if not (seconds > 0 and math.isfinite(seconds)):
            raise RangeError(f"seconds must be a positive number, not {seconds}")
        self.verifier, self.seconds = verifier, seconds
        self._lock = threading.Lock()
        self._child: BaseProcess | None = None
        self._pipe: Connection | None = None
        self._owner = 0

    def __call__(self, prompt: Chat, text: str, reference: str | None) -> Verdict:
        """The verifier's verdict, or 0 with a detail that starts with "error:"."""
        message = json.dumps([[dict(turn) for turn in prompt], text, reference]).encode()
        with self._lock:
            pipe = self._ready()
            try:
                pipe.send_bytes(message)
                if not pipe.poll(self.seconds):
                    self._stop()
                    return Verdict(0.0, f"error: stopped after {self.seconds:g} s")
                answer = json.loads(pipe.recv_bytes())
            except (EOFError, OSError):
                if self._child is not None:
                    self._child.join(1.0)  # let it leave its own exit code
                code = self._stop()
                return Verdict(0.0, f"error: the check died ({_exit(code)})")
        return Verdict(**answer)

    def close(self) -> None:
        """End the child process; the next call starts another."""
        with self._lock:
            self._stop()

    def __enter__(self) -> Limited:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self._stop()

    def _ready(self) -> Connection:
        """The pipe to a living child of this process."""
        if self._owner != os.getpid():  # this process is itself a fork: the child belongs to the parent
            self._child = self._pipe = None
        if self._child is None or self._pipe is None or not self._child.is_alive():
            self._stop()
            context = multiprocessing.get_context("fork")
            self._pipe, theirs = context.Pipe()
            self._child = context.Process(target=_serve, args=(self.verifier, theirs, self._pipe), daemon=True)
            self._child.start()
            self._owner = os.getpid()
            theirs.close()
        return self._pipe

    def _stop(self) -> int | None:
        """Kill the child, if there is one; its exit code."""
        child, pipe = self._child, self._pipe
        self._child = self._pipe = None
        if pipe is not None:
            pipe.close()
        if child is None or self._owner != os.getpid():
            return None
        died = child.exitcode
        child.kill()
        child.join()
        code = child.exitcode if died is None else died
        child.close()
        return code


def limited(verifier: Verifier, seconds: float = 5.0) -> Limited:
    """``verifier`` under a time limit, in a child process that is killed when it hangs.

    Args:
        verifier: what to run.
        seconds: wall time that one check may take.

    Raises:
        RangeError: ``seconds`` is not a positive number.

    Example:
        >>> def slow(prompt, text, reference):
        ...     while True:
        ...         pass
        >>> with limited(slow, seconds=0.1) as judge:
        ...     judge([], "x", None).detail
        'error: stopped after 0.1 s'
    """
    return Limited(verifier, seconds)


def _serve(verifier: Verifier, pipe: Connection, parents_end: Connection) -> None:
    """Answer checks until the parent goes away."""
    parents_end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    while True:
        try:
            prompt, text, reference = json.loads(pipe.recv_bytes())
        except (EOFError, OSError):
            return
        try:
            verdict = verifier(prompt, text, reference)
            answer = {"score": float(verdict.score), "detail": verdict.detail, "version": verdict.version}
        except (Exception, RecursionError) as error:
            answer = {"score": 0.0, "detail": f"error: {type(error).__name__}: {str(error)[:200]}", "version": 1}
        pipe.send_bytes(json.dumps(answer).encode())


def _exit(code: int | None) -> str:
    if code is None:
        return "no exit code"
    return f"signal {-code}" if code < 0 else f"exit code {code}"
