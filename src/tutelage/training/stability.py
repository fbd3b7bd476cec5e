"""Measure a model every few steps of its training, so that a dip right after a change of data is seen."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tutelage.errors import RangeError
from tutelage.io import write_json
from tutelage.io.documents import read_json
from tutelage.models.rollout import evaluating
from tutelage.stats import GapReport, stability_gap

__all__ = ["StabilityGapCallback"]


class StabilityGapCallback(TrainerCallback):
    """For any trainer of transformers, ours included: curves of what ``evals`` say of the model as it is trained.

    Measured before the first step, after every ``every``-th and after the last, without dropout and without gradient.
    With ``path`` the curves are on the disk after each measurement and taken up again when training is resumed;
    measurements after the step resumed from are made anew.

    Args:
        evals: by name, the model in and one number out (higher is better).
        every: steps between two measurements.
        path: JSON file of the curves.

    Raises:
        RangeError: ``every`` below 1, or nothing to measure.
    """

    def __init__(
        self, evals: Mapping[str, Callable[[Any], float]], every: int, path: str | os.PathLike[str] | None = None
    ) -> None:
        if every < 1 or not evals:
            raise RangeError("every must be at least 1, and there must be something to measure")
        self.evals, self.every = dict(evals), every
        self.path = Path(path) if path is not None else None
        self.curves: dict[str, list[tuple[int, float]]] = {name: [] for name in self.evals}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Take up the curves as far as training has come; measure the start."""
        told = read_json(self.path) if self.path is not None and self.path.exists() and state.global_step else {}
        self.curves = {
            name: [(int(step), float(value)) for step, value in told.get(name, []) if step <= state.global_step]
            for name in self.evals
        }
        if state.global_step == 0:
            self._measure(0, kwargs["model"])

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Measure when it is time."""
        if state.global_step % self.every == 0 or state.global_step >= state.max_steps:
            self._measure(state.global_step, kwargs["model"])

    def gaps(self) -> dict[str, GapReport]:
        """The stability gap of every curve, time in steps."""
        return {
            name: stability_gap([value for _, value in curve], [step for step, _ in curve])
            for name, curve in self.curves.items()
        }

    def _measure(self, step: int, model: Any) -> None:
        with evaluating(model), torch.no_grad():
            for name, evaluate in self.evals.items():
                self.curves[name].append((step, float(evaluate(model))))
        if self.path is not None:
            write_json(self.path, self.curves)
