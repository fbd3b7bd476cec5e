"""Representations that stay comparable when the model behind them is replaced."""

from tutelage.compat.matrix import CompatibilityMatrix, Gain, compatibility_matrix
from tutelage.compat.simplex import HOCLoss, SimplexClassifier

__all__ = ["CompatibilityMatrix", "Gain", "HOCLoss", "SimplexClassifier", "compatibility_matrix"]
