"""Result files: what a system did, item by item, in our own format and in those of other evaluation tools."""

from tutelage.measure.results.native import read_native, write_native
from tutelage.measure.results.table import MetricFacts, Results, TaskResults

__all__ = ["MetricFacts", "Results", "TaskResults", "read_native", "write_native"]
