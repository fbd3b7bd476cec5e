"""Which process runs a run, so that one that was killed can be told from one that works."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

import psutil

__all__ = ["is_dead", "this_process"]


def this_process() -> str:
    """``host/pid/start`` of this process; a later process with the same number starts at another time."""
    return f"{socket.gethostname()}/{os.getpid()}/{_start(os.getpid())}"


def is_dead(owner: str) -> bool:
    """True when the process named by :func:`this_process` surely ended; of other hosts nothing is known."""
    host, pid, start = owner.rsplit("/", 2)
    return host == socket.gethostname() and _start(int(pid)) != start


def _start(pid: int) -> str | None:
    """When a process started, in ticks since boot where the system says so: setting the clock does not move that."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    with suppress(psutil.Error):
        return f"{psutil.Process(pid).create_time():.0f}"
    return None
