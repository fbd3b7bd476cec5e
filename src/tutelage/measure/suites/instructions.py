"""Instructions whose keeping a rule can check."""

from __future__ import annotations

from tutelage.measure.retention.generated import instructions_task
from tutelage.measure.suite import Suite
from tutelage.measure.suites.registry import count, suites

__all__ = ["instructions"]

VERSION = "1"
_ITEMS = {"smoke": 12, "quick": 96, "standard": 360, "full": 816}  # multiples of the twelve kinds
_TOKENS = {"smoke": 24, "quick": 64, "standard": 64, "full": 96}


@suites.register("instructions", assets=("truthfulqa",))
def instructions(size: str) -> Suite:
    """Real questions, each with one of twelve kinds of instruction that a rule checks."""
    task = instructions_task(count(_ITEMS, size), count(_TOKENS, size))
    return Suite("instructions", VERSION, (task,), "does the reply keep to a checkable instruction?", ("truthfulqa",))
