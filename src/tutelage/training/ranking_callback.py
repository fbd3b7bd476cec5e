"""Ranking accuracy during preference training, logged beside the reward accuracy that it is easily taken for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from tutelage.errors import ConfigError, DataError, RangeError
from tutelage.models.scoring import score_sequences
from tutelage.models.sequence_logprobs import SequenceLogprobs, summed
from tutelage.stats import flip_table, length_only_accuracy, ranked_right
from tutelage.types import TokenSequence

__all__ = ["PairLogprobs", "RankingAccuracyCallback", "TokenPair", "pair_logprobs", "trl_pairs", "watch_rankings"]

TokenPair = tuple[TokenSequence, TokenSequence]
"""The preferred and the rejected response behind their prompt."""


@dataclass(frozen=True)
class PairLogprobs:
    """Sums and lengths of both responses of N pairs."""

    chosen: SequenceLogprobs
    rejected: SequenceLogprobs

    def right(self, *, normalised: bool = False) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """[N] whether each pair is ranked right, plain or per token."""
        lengths = (self.chosen.lengths, self.rejected.lengths) if normalised else (None, None)
        return ranked_right(self.chosen.sums, self.rejected.sums, *lengths)

    @property
    def difference(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """[N] by how much the preferred response is the likelier, nats."""
        return np.asarray(self.chosen.sums - self.rejected.sums, dtype=np.float64)


def pair_logprobs(model: Any, pairs: Sequence[TokenPair]) -> PairLogprobs:
    """Log-probabilities of both responses; pairs that share a prompt read it once."""
    scored = summed(score_sequences(model, [one for pair in pairs for one in pair]))
    first, second = (SequenceLogprobs(scored.sums[k::2], scored.lengths[k::2]) for k in (0, 1))
    return PairLogprobs(first, second)


def trl_pairs(rows: Iterable[Mapping[str, Any]]) -> list[TokenPair]:
    """The pairs of a data set as TRL's DPO trainer has tokenised it: ``trainer.train_dataset``.

    The end token is TRL's choice then: the end-of-text token after plain text, whatever the template writes after the
    answer of a chat. What TRL cuts off at ``max_length`` is not cut here.

    Raises:
        DataError: columns ``prompt_ids``, ``chosen_ids`` and ``rejected_ids`` are missing, or one of them is empty.
    """
    found = []
    for number, row in enumerate(rows):
        parts = [row.get(name) for name in ("prompt_ids", "chosen_ids", "rejected_ids")]
        if not all(parts):
            raise DataError(
                "a pair needs prompt_ids, chosen_ids and rejected_ids",
                where=f"row {number}",
                hint="give the trainer's own train_dataset, not the one it was made from",
            )
        prompt, chosen, rejected = (tuple(int(i) for i in part or ()) for part in parts)
        found.append((TokenSequence(prompt + chosen, len(prompt)), TokenSequence(prompt + rejected, len(prompt))))
    return found


class RankingAccuracyCallback(TrainerCallback):
    """For TRL's DPO trainer and any other of transformers that trains on preference pairs.

    Scores the pairs before the first step, every ``every`` steps and after the last one, without dropout and gradient.
    The next entry of the log then has ``ranking/accuracy`` (the preferred response is the likelier),
    ``ranking/accuracy_normalised`` (per token), ``ranking/length_only`` (what "shorter is likelier" would get),
    ``ranking/turned_right`` and ``ranking/turned_wrong`` (shares of all pairs that changed sides since the start).

    A reward accuracy near 1 beside a ranking accuracy that stays where it was is the usual picture: the difference of
    the two log-probabilities has grown, and has not changed its sign.

    Args:
        pairs: what to score (see :func:`trl_pairs`); a sample of some hundred will do.
        every: steps between two measurements.
        reference: log-probabilities of the reference model; None: of the model as training starts.

    Raises:
        RangeError: ``every`` below 1.
        DataError: no pairs.
        ConfigError: while training: it is resumed, and no reference was given.

    Source: arXiv 2405.19534, remark 2.5 and section 4.
    """

    def __init__(self, pairs: Sequence[TokenPair], every: int, reference: PairLogprobs | None = None) -> None:
        if every < 1:
            raise RangeError(f"every is {every}, it must be at least 1")
        if not pairs:
            raise DataError("there are no pairs to rank")
        self.pairs, self.every, self.reference = list(pairs), every, reference
        self.points: list[tuple[int, PairLogprobs]] = []
        self._unlogged: dict[str, float] = {}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Score the start."""
        if state.global_step and self.reference is None:
            raise ConfigError(
                "training is resumed, so the model is not the reference any more",
                hint="give RankingAccuracyCallback the reference's log-probabilities, from pair_logprobs",
            )
        self.points = []
        self._measure(state.global_step, kwargs["model"])

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Score when it is time."""
        if state.global_step % self.every == 0 or state.global_step >= state.max_steps:
            self._measure(state.global_step, kwargs["model"])

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Add what was measured since the last entry."""
        if not self._unlogged or "loss" not in kwargs.get("logs", {}):  # not an evaluation, not the run's summary
            return
        kwargs["logs"].update(self._unlogged)
        if state.log_history:
            state.log_history[-1].update(self._unlogged)
        self._unlogged = {}

    def _measure(self, step: int, model: Any) -> None:
        now = pair_logprobs(model, self.pairs)
        self.reference = self.reference or now
        self.points.append((step, now))
        table = flip_table(self.reference.right(), now.right())
        self._unlogged = {
            "ranking/accuracy": float(now.right().mean()),
            "ranking/accuracy_normalised": float(now.right(normalised=True).mean()),
            "ranking/length_only": length_only_accuracy(now.chosen.lengths, now.rejected.lengths).value,
            "ranking/turned_right": table.turned_right.share,
            "ranking/turned_wrong": table.turned_wrong.share,
        }


def watch_rankings(trainer: Any, every: int, *, most: int = 256) -> RankingAccuracyCallback:
    """Put a callback on the first ``most`` pairs of a TRL trainer, before those that report to other places.

    With ``DPOTrainer(..., callbacks=[...])`` the numbers are in ``trainer.state.log_history`` too, but services such as
    TensorBoard, which come first there, do not get them.

    Args:
        trainer: TRL's ``DPOTrainer``, made and not yet run.
        every: steps between two measurements.
        most: pairs to score; each measurement reads them all.

    Returns:
        The callback; ``points`` holds every measurement, pair by pair.
    """
    rows = [row for _, row in zip(range(most), trainer.train_dataset, strict=False)]
    callback = RankingAccuracyCallback(trl_pairs(rows), every)
    trainer.callback_handler.callbacks.insert(0, callback)
    return callback
