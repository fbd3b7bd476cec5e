"""Questions with several answers, of which the model must find the right one the likeliest."""

from __future__ import annotations

from tutelage import assets
from tutelage.measure.asking import Choosing
from tutelage.measure.retention.ranked import question
from tutelage.measure.retention.sizes import chosen
from tutelage.measure.suite import Suite, Task
from tutelage.measure.suites.mixing import in_turn
from tutelage.measure.suites.registry import count, suites

__all__ = ["knowledge"]

VERSION = "1"
_SOURCES = ("piqa", "openbookqa", "commonsenseqa", "siqa", "mmlu")
_EACH = {"smoke": 1, "quick": 40, "standard": 200, "full": 3000}  # of each source, or all it has
_NOTES = (
    "'correct' takes the answer of the highest log-probability, 'correct_norm' per character; the recorded choice is "
    "that of 'correct'",
    "models of the embedded size are at chance on MMLU; read the sources one by one",
)


@suites.register("knowledge", assets=_SOURCES)
def knowledge(size: str) -> Suite:
    """PIQA, OpenBookQA, CommonsenseQA, Social IQa and MMLU by log-probability, in equal parts."""
    share = count(_EACH, size)
    columns = [[question(name, row).item for row in chosen(assets.rows(name), share, "knowledge")] for name in _SOURCES]
    method = Choosing({"correct": "sum", "correct_norm": "per_character"})
    task = Task("knowledge", tuple(in_turn(columns)), method, VERSION)
    return Suite("knowledge", VERSION, (task,), "choice by log-probability", _SOURCES, _NOTES)
