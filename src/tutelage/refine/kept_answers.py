"""Sampled answers that survive a kill: a sampler that asks in batches and keeps what came back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from tutelage.errors import RangeError
from tutelage.io import JsonlLog, content_hash
from tutelage.refine.preferences import Sampler
from tutelage.types import Chat

__all__ = ["resumable"]


def resumable(sampler: Sampler, path: str | os.PathLike[str], *, identity: Any, batch_size: int = 16) -> Sampler:
    """``sampler``, asked ``batch_size`` prompts at a time; answered batches are kept in ``path`` and not asked again.

    Batches are cut from the prompts in their order whether or not some are known, so that what a killed call has left
    and what another adds are what one call alone would have given.

    Args:
        sampler: gives the answers.
        path: an append-only log; each batch is on the disk before the next is asked.
        identity: what else decides the answers, as JSON: the engine and how it draws. Another one asks anew.
        batch_size: prompts in one call.

    Raises:
        RangeError: ``batch_size`` below 1.
        StoreError: the log cannot be opened or written.

    Example:
        >>> import tempfile, pathlib
        >>> asked = []
        >>> def speak(prompts, m, seed):
        ...     asked.append(len(prompts))
        ...     return [["yes"] * m for _ in prompts]
        >>> log = pathlib.Path(tempfile.mkdtemp()) / "answers.jsonl"
        >>> prompts = [[{"role": "user", "content": str(n)}] for n in range(3)]
        >>> for _ in range(2):
        ...     answers = resumable(speak, log, identity="speak", batch_size=2)(prompts, 2, 0)
        >>> answers, asked
        ([['yes', 'yes'], ['yes', 'yes'], ['yes', 'yes']], [2, 1])
    """
    if batch_size < 1:
        raise RangeError(f"batch_size is {batch_size}, it must be at least 1")

    def kept(prompts: Sequence[Chat], m: int, seed: int) -> list[list[str]]:
        found: list[list[str]] = []
        with JsonlLog(path) as log:
            known = {row["key"]: row["answers"] for row in (line.value for line in log.rows()) if _complete(row)}
            for start in range(0, len(prompts), batch_size):
                batch = prompts[start : start + batch_size]
                key = content_hash([identity, [[dict(turn) for turn in one] for one in batch], m, seed])
                if key not in known:
                    known[key] = [list(some) for some in sampler(batch, m, seed)]
                    log.append({"key": key, "answers": known[key]}, sync=True)
                found += known[key]
        return found

    return kept


def _complete(row: Any) -> bool:
    return isinstance(row, dict) and isinstance(row.get("key"), str) and isinstance(row.get("answers"), list)
