"""Objectives: outputs and batch in, a :class:`~tutelage.types.Loss` out."""

from tutelage.objectives.distillation import ContextDistillation
from tutelage.objectives.objective import Objective, Outputs, TokenBatch, objectives
from tutelage.objectives.supervised import SupervisedFineTuning

__all__ = [
    "ContextDistillation",
    "Objective",
    "Outputs",
    "SupervisedFineTuning",
    "TokenBatch",
    "objectives",
]
