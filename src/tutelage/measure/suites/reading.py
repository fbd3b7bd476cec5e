"""Questions about a passage, and shortenings that are true to a text or not."""

from __future__ import annotations

from tutelage import assets
from tutelage.measure.asking import Choosing, Item
from tutelage.measure.retention.ranked import ranked_task, reading_items
from tutelage.measure.retention.sizes import chosen
from tutelage.measure.suite import Suite, Task
from tutelage.measure.suites.registry import count, suites

__all__ = ["reading"]

VERSION = "1"
_ASSETS = ("boolq", "factual-summary-pairs")
_BOOLQ = {"smoke": 3, "quick": 80, "standard": 400, "full": 3300}
_SUMMARIES = {"smoke": 3, "quick": 80, "standard": 360, "full": 360}
_LONGEST = 1200  # characters of a passage
_NOTES = (
    "yes/no answers are scored after subtracting what the model gives them without a question ('correct_calibrated'); "
    "without that, small models only show which of the two words they like better",
)


@suites.register("reading", assets=_ASSETS)
def reading(size: str) -> Suite:
    """BoolQ with its passages, calibrated, and faithful against unfaithful shortenings."""
    items = []
    rows = [row for row in assets.rows("boolq", "dev") if len(row["passage"]) <= _LONGEST]
    for row in chosen(rows, count(_BOOLQ, size), "reading"):
        lead = f"{row['passage']}\nQuestion: {row['question']}?\nAnswer:"
        answer = row["choices"][row["answer"]]
        items.append(Item(f"boolq:{row['id']}", lead, answer, tuple(row["choices"]), {"answer": answer}, row["group"]))
    method = Choosing({"correct_calibrated": "calibrated", "correct": "sum"})
    boolq = Task("boolq", tuple(items), method, VERSION)
    summaries = ranked_task("summaries", reading_items(count(_SUMMARIES, size)))
    tasks = (boolq, summaries)
    return Suite("reading", VERSION, tasks, "yes/no about a passage; faithful shortenings", _ASSETS, _NOTES)
