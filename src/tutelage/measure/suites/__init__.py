"""The built-in suites, all of real data that comes inside packages, and suites of the user's own."""

from tutelage.measure.suites import instructions, knowledge, maths, reading, retained, safety, structured
from tutelage.measure.suites.opening import open_suite
from tutelage.measure.suites.registry import Builder, suites

__all__ = [
    "Builder",
    "instructions",
    "knowledge",
    "maths",
    "open_suite",
    "reading",
    "retained",
    "safety",
    "structured",
    "suites",
]
