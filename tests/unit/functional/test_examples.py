import doctest
from importlib import import_module
from pkgutil import iter_modules

import pytest

import tutelage.functional

MODULES = [x.name for x in iter_modules(tutelage.functional.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_every_example_runs_as_printed(name):
    result = doctest.testmod(import_module(f"tutelage.functional.{name}"))
    assert result.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder()
    found = [x for name in MODULES for x in finder.find(import_module(f"tutelage.functional.{name}")) if x.examples]
    assert len(found) >= 12
