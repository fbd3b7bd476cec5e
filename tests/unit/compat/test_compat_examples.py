"""The examples in the documentation of compat, traces and the recipes' nouns print what they say."""

import doctest
from importlib import import_module

import pytest

MODULES = (
    "tutelage.compat.matrix",
    "tutelage.compat.simplex",
    "tutelage.measure.traces.checks",
    "tutelage.measure.traces.credit",
    "tutelage.papers.board",
    "tutelage.papers.claim",
)


@pytest.mark.parametrize("name", MODULES)
def test_every_example_runs_as_printed(name):
    result = doctest.testmod(import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
