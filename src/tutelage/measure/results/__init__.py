"""Result files: what a system did, item by item, in our own format and in those of other evaluation tools."""

from tutelage.measure.results.matching import AlignedTask, Alignment, align_results
from tutelage.measure.results.native import read_native, write_native
from tutelage.measure.results.reading import read_results
from tutelage.measure.results.table import MetricFacts, Results, TaskResults

__all__ = [
    "AlignedTask",
    "Alignment",
    "MetricFacts",
    "Results",
    "TaskResults",
    "align_results",
    "read_native",
    "read_results",
    "write_native",
]
