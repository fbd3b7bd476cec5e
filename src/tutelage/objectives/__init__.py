"""Objectives: outputs and batch in, a :class:`~tutelage.types.Loss` out."""

from tutelage.objectives.distillation import ContextDistillation
from tutelage.objectives.listwise import ConstraintRanking
from tutelage.objectives.objective import Objective, TokenBatch, objectives
from tutelage.objectives.supervised import SupervisedFineTuning

__all__ = [
    "ConstraintRanking",
    "ContextDistillation",
    "Objective",
    "SupervisedFineTuning",
    "TokenBatch",
    "objectives",
]
