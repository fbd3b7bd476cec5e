"""The examples in the documentation of matching and of what stands beside it print what they say."""

import doctest
from importlib import import_module

import pytest

MODULES = (
    "tutelage.matching.decision_log",
    "tutelage.matching.faithfulness",
    "tutelage.matching.linking",
    "tutelage.matching.meaning",
    "tutelage.matching.phrases",
    "tutelage.matching.skills",
    "tutelage.measure.rankings",
    "tutelage.stats.fairness",
)


@pytest.mark.parametrize("name", MODULES)
def test_every_example_runs_as_printed(name):
    result = doctest.testmod(import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
