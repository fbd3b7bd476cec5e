"""Behaviour in, one value per item out: suites of tasks, the domain test set, what of the general abilities is kept."""

from tutelage.measure import retention
from tutelage.measure.asking import Choosing, Item, Predicting, Speaking
from tutelage.measure.dual import dual_metric
from tutelage.measure.shift import ShiftReport, prompt_anchor_index
from tutelage.measure.suite import Suite, Task
from tutelage.measure.suites import open_suite
from tutelage.measure.task import METRICS, MetricName, choose_metric, domain, domain_task

__all__ = [
    "METRICS",
    "Choosing",
    "Item",
    "MetricName",
    "Predicting",
    "ShiftReport",
    "Speaking",
    "Suite",
    "Task",
    "choose_metric",
    "domain",
    "domain_task",
    "dual_metric",
    "open_suite",
    "prompt_anchor_index",
    "retention",
]
