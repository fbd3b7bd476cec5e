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


def test_clusters_widen_the_interval_as_so_many_values_would():
    draw = np.random.default_rng(0)
    middles = draw.normal(size=60)
    values, labels = np.repeat(middles, 5), np.repeat(np.arange(60), 5)
    clustered, alone = quantile_interval(values, 0.5, labels), quantile_interval(middles, 0.5)
    naive = quantile_interval(values, 0.5)
    assert clustered.high - clustered.low > 1.5 * (naive.high - naive.low)
    assert clustered.high - clustered.low == pytest.approx(alone.high - alone.low, rel=0.35)
    assert (clustered.n, clustered.n_clusters) == (300, 60)
    assert clustered == quantile_interval(values, 0.5, labels)
    assert quantile_interval([1.0, 2.0], 0.5, ["x", "x"]).high == math.inf


def test_bad_input_is_refused():
    with pytest.raises(DataError, match="empty"):
        quantile_interval([], 0.5)
    with pytest.raises(RangeError, match="probability"):
        quantile_interval([1.0], 1.0)
    with pytest.raises(NumericalError):
        quantile_interval([math.nan], 0.5)
