"""Training curves: what was logged at each optimizer step of an arm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Curve", "CurvePoint"]

_COLUMNS = {
    "loss": "loss",
    "sft": "sft/loss",
    "kl": "kl/loss",
    "weight": "kl/weight",
    "grad_norm": "grad_norm",
    "grad_norm_sft": "sft/grad_norm",
    "grad_norm_kl": "kl/grad_norm",
    "teacher_mass": "kl/teacher_mass",
    "student_mass_on_support": "kl/student_mass",
    "overlap": "kl/overlap",
    "learning_rate": "learning_rate",
    "truncated": "rollout/truncated",
}


@dataclass(frozen=True)
class CurvePoint:
    """One optimizer step.

    ``sft`` and ``kl`` are the unweighted parts (nats), ``weight`` is the lambda of ``kl`` in ``loss``. Gradient norms
    are before clipping. ``teacher_mass`` and ``student_mass_on_support`` are probabilities on the kept tokens,
    ``overlap`` the share of them that student and teacher have in common, ``truncated`` the share of rollouts that hit
    the cap. None where the arm has no such part.
    """

    step: int
    loss: float | None = None
    sft: float | None = None
    kl: float | None = None
    weight: float | None = None
    grad_norm: float | None = None
    grad_norm_sft: float | None = None
    grad_norm_kl: float | None = None
    teacher_mass: float | None = None
    student_mass_on_support: float | None = None
    overlap: float | None = None
    learning_rate: float | None = None
    truncated: float | None = None

    @classmethod
    def of(cls, row: Mapping[str, object]) -> CurvePoint:
        """From one row of ``metrics.jsonl``; columns that the page does not show are passed over.

        Example:
            >>> CurvePoint.of({"arm": "raft", "step": 3, "loss": 2.5, "kl/weight": 0.7}).weight
            0.7
        """
        values = {name: row[column] for name, column in _COLUMNS.items() if row.get(column) is not None}
        return cls(step=int(str(row["step"])), **{name: float(str(value)) for name, value in values.items()})


@dataclass(frozen=True)
class Curve:
    """All steps of one arm, in order."""

    arm: str
    points: tuple[CurvePoint, ...]
