"""Maths on tensors: pure, unreduced, shape-checked. No model, no file, no print.

Import the module you need: ``from tutelage.functional.divergence import token_divergence``.
"""
