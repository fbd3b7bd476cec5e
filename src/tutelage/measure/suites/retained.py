"""What of the general abilities is there: the suite that tuning measures before and after."""

from __future__ import annotations

from tutelage.measure import retention
from tutelage.measure.suite import Suite
from tutelage.measure.suites.registry import suites

__all__ = ["retained"]


@suites.register("retention", assets=retention.ASSETS)
def retained(size: str) -> Suite:
    """General abilities: instructions, arithmetic, knowledge, reading, loss on general text."""
    tasks = tuple(probe.task() for probe in retention.suite(size))
    used = tuple(name for name in retention.ASSETS if name not in ("chat", "nq-open"))  # those are for the distance
    return Suite("retention", str(retention.VERSION), tasks, "what tuning measures before and after", used)
