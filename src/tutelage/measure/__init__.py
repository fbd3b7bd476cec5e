"""Behaviour in, one value per item out: the domain test set and what of the general abilities is kept."""

from tutelage.measure import retention
from tutelage.measure.task import METRICS, MetricName, choose_metric, domain

__all__ = ["METRICS", "MetricName", "choose_metric", "domain", "retention"]
