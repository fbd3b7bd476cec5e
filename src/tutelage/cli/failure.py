"""How an error looks on the terminal."""

from __future__ import annotations

import errno
import os
import traceback

from rich.console import Console
from rich.markup import escape

from tutelage.errors import TutelageError

__all__ = ["show"]

_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EIO)  # of standard output: files have errors of their own


def show(error: BaseException) -> int:
    """Print ``error`` to standard error and return the exit code.

    Our own errors say what, where and what to do. Anything else is a defect of ours: it is shown in one line, with the
    traceback only under TUTELAGE_DEBUG.
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if isinstance(error, KeyboardInterrupt):
        console.print("interrupted")
        return 130
    if isinstance(error, TutelageError):
        where = f"{escape(error.where)}: " if error.where else ""
        console.print(f"[bold red]error[/] {where}{escape(error.what)}")
        if error.hint:
            console.print(f"      [dim]->[/] {escape(error.hint)}")
        return error.exit_code
    if isinstance(error, OSError) and error.errno in _OUTPUT:
        console.print(f"[bold red]error[/] cannot write what was asked for: {escape(str(error.strerror).lower())}")
        return 2
    if os.environ.get("TUTELAGE_DEBUG"):
        traceback.print_exception(error)
    console.print(f"[bold red]unexpected error[/] {type(error).__name__}: {escape(str(error))}")
    console.print(
        "      [dim]->[/] this is a defect of Tutelage; run again with TUTELAGE_DEBUG=1 and report the traceback"
    )
    return 1
