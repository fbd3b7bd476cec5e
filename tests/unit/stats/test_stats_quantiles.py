"""The interval of a quantile: coverage by exact enumeration, and ends that no rank reaches."""

import doctest
import math

import numpy as np
import pytest
from scipy.stats import binom

import tutelage.stats.quantiles as module
from tutelage.errors import DataError, NumericalError, RangeError
from tutelage.stats.quantiles import quantile_interval


def test_the_example_runs_as_printed():
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("n", [3, 20, 97])
@pytest.mark.parametrize("probability", [0.05, 0.25, 0.5, 0.95])
def test_coverage_is_at_least_nominal_and_no_narrower_ranks_would_do(n, probability):
    """With values 1..n the ends are ranks l and u; the quantile lies in [x_l, x_u) when l <= B < u values are below."""
    found = quantile_interval(range(1, n + 1), probability)
    low = 0 if found.low == -math.inf else int(found.low)
    high = n + 1 if found.high == math.inf else int(found.high)
    below, above = binom.cdf(low - 1, n, probability), binom.sf(high - 1, n, probability)
    assert below <= 0.025
    assert above <= 0.025
    assert binom.cdf(low, n, probability) > 0.025
    assert binom.sf(high - 2, n, probability) > 0.025
    assert found.value == pytest.approx(np.quantile(range(1, n + 1), probability))


def test_bad_input_is_refused():
    with pytest.raises(DataError, match="empty"):
        quantile_interval([], 0.5)
    with pytest.raises(RangeError, match="probability"):
        quantile_interval([1.0], 1.0)
    with pytest.raises(NumericalError):
        quantile_interval([math.nan], 0.5)
