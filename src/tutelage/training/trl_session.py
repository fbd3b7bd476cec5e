"""What every call of a TRL trainer needs around it: TRL itself, generators that are put back, no progress bars."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import numpy as np
import torch

from tutelage.errors import ConfigError

__all__ = ["generators_kept", "need_trl", "quiet"]


def need_trl(what: str) -> None:
    """Refuse ``what`` if the extra ``trl`` is not installed.

    Raises:
        ConfigError: it is not.
    """
    if find_spec("trl") is None:
        raise ConfigError(f"{what} runs through TRL, which is not installed", hint="pip install 'tutelage[trl]'")


@contextmanager
def generators_kept() -> Iterator[None]:
    """Global generators as they were, however the block ends."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - put back, not used
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars of datasets and transformers while TRL prepares its rows."""
    import datasets

    shown = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not shown:
            datasets.enable_progress_bars()
