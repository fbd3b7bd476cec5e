"""The bootstrap's p value says what its interval says, and does not err more than 5 % with few items."""

import numpy as np
import pytest
from scipy import stats as scipy_stats

from tutelage.stats import paired_bootstrap


@pytest.mark.parametrize("n", [6, 10, 40])
def test_p_is_near_that_of_the_t_test(n):
    for seed in range(8):
        x = np.random.default_rng(seed).normal(0.4, 1, size=n)
        found = paired_bootstrap(np.zeros(n), x, resamples=4_000, seed=seed)
        assert found.p == pytest.approx(scipy_stats.ttest_1samp(x, 0).pvalue, abs=0.06)


def test_p_agrees_with_the_interval():
    differ = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = rng.normal(0.7, 1, size=10)
        found = paired_bootstrap(np.zeros(10), x, resamples=1_000, seed=seed)
        differ += (found.p < 0.05) != (found.delta.low > 0 or found.delta.high < 0)
    assert differ < 16  # resampled means of ten items are not quite symmetric


def test_the_plain_p_value_goes_with_the_percentile_interval():
    x = np.random.default_rng(1).normal(0.5, 1, size=8)
    plain = paired_bootstrap(np.zeros(8), x, method="percentile", resamples=999, seed=2)
    counts = np.random.default_rng(2).multinomial(8, np.full(8, 1 / 8), size=999)  # eight kinds of one item each
    means = counts @ np.sort(x) / 8
    assert plain.p == pytest.approx((1 + (np.abs(means - x.mean()) >= abs(x.mean()) - 1e-12).sum()) / 1000)
    expanded = paired_bootstrap(np.zeros(8), x, resamples=999, seed=2)
    assert plain.p < expanded.p
