"""The one training loop, its checkpoints, and the methods that share it."""

from tutelage.training.methods import METHODS, Method, method
from tutelage.training.settings import BalanceSettings, DistillSettings, RolloutSettings, TrainSettings

__all__ = [
    "METHODS",
    "BalanceSettings",
    "DistillSettings",
    "Method",
    "RolloutSettings",
    "TrainSettings",
    "method",
]
