"""Power and size: published operating points, inverses, and simulation."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from tutelage.errors import RangeError
from tutelage.stats import (
    PairedCounts,
    mcnemar,
    mcnemar_power,
    minimum_detectable_effect,
    pairs_needed,
    simulated_power,
    unpaired_detectable_effect,
)


@pytest.mark.parametrize(
    ("n", "delta", "exact", "midp"),
    [
        (50, 0.0, 0.022, 0.041),
        (100, 0.0, 0.029, 0.046),
        (200, 0.0, 0.035, 0.048),
        (500, 0.0, 0.039, 0.049),
        (100, 0.05, 0.143, 0.188),
        (200, 0.05, 0.298, 0.349),
        (500, 0.05, 0.676, 0.709),
        (100, 0.10, 0.544, 0.618),
        (200, 0.10, 0.875, 0.903),
    ],
)
def test_operating_points_of_mcnemar(n, delta, exact, midp):
    chances = (0.2 + delta) / 2, (0.2 - delta) / 2
    assert round(mcnemar_power(n, *chances, test="exact"), 3) == exact
    assert round(mcnemar_power(n, *chances), 3) == midp


@pytest.mark.parametrize("test", ["midp", "exact", "chi2"])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_enumeration_equals_every_table_one_by_one(test, level):
    n, only_a, only_b = 14, 0.15, 0.4
    total = 0.0
    for x, y in itertools.product(range(n + 1), repeat=2):
        if x + y <= n and mcnemar(PairedCounts(0, x, y, n - x - y), method=test) <= 1 - level:
            ways = math.comb(n, x) * math.comb(n - x, y)
            total += ways * only_a**x * only_b**y * (1 - only_a - only_b) ** (n - x - y)
    assert mcnemar_power(n, only_a, only_b, level=level, test=test) == pytest.approx(total, abs=1e-12)


def test_mid_p_keeps_its_level_where_the_exact_test_wastes_it():
    for n, share in itertools.product((50, 100, 200, 500, 5_000), (0.05, 0.2, 0.5)):
        midp, exact = (mcnemar_power(n, share / 2, share / 2, test=test) for test in ("midp", "exact"))
        assert exact <= midp <= 0.055
        assert exact <= 0.05
    assert mcnemar_power(1_000_000, 0.05, 0.05) == pytest.approx(0.05, abs=1e-3)


def test_power_at_the_edges():
    assert mcnemar_power(0, 0.1, 0.2) == 0.0
    assert mcnemar_power(50, 0.0, 0.0) == 0.0
    assert mcnemar_power(50, 0.0, 1.0) == pytest.approx(1.0)
    for bad in ((-1, 0.1, 0.1), (10, -0.1, 0.1), (10, 0.6, 0.6), (10, math.nan, 0.1)):
        with pytest.raises(RangeError):
            mcnemar_power(*bad)
    with pytest.raises(RangeError, match="McNemar"):
        mcnemar_power(10, 0.1, 0.1, test="wald")


@pytest.mark.parametrize("more", [{"discordant_share": 0.2}, {"discordant_share": 0.02}, {"deviation": 0.7}])
def test_pairs_needed_is_the_inverse_of_the_detectable_effect(more):
    for effect in (0.01, 0.05, 0.2):
        n = pairs_needed(effect, **more)
        assert minimum_detectable_effect(n, **more) <= effect
        assert minimum_detectable_effect(n - 1, **more) > effect


def test_pairs_needed_by_connors_formula():
    z = 1.959964, 0.841621
    for delta, psi in ((0.05, 0.2), (0.1, 0.3)):
        n = (z[0] * math.sqrt(psi) + z[1] * math.sqrt(psi - delta**2)) ** 2 / delta**2
        assert pairs_needed(delta, discordant_share=psi) == math.ceil(n)
        power = mcnemar_power(math.ceil(n), (psi + delta) / 2, (psi - delta) / 2)
        assert power == pytest.approx(0.8, abs=0.01)


def test_pairs_needed_of_means_has_the_power_it_promises():
    n = pairs_needed(0.5, deviation=1.0)
    power = [scipy_stats.nct.sf(scipy_stats.t.ppf(0.975, m - 1), m - 1, 0.5 * math.sqrt(m)) for m in (n - 1, n)]
    assert power[0] < 0.8 < power[1] + 0.01
    assert pairs_needed(0.1, deviation=0.0) == 2


def test_sizes_that_make_no_sense():
    for effect in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(RangeError):
            pairs_needed(effect, deviation=1.0)
    for more in ({}, {"deviation": 1.0, "discordant_share": 0.1}, {"deviation": -1.0}):
        with pytest.raises(RangeError):
            pairs_needed(0.1, **more)
    with pytest.raises(RangeError):
        pairs_needed(1.5, discordant_share=0.2)
    with pytest.raises(RangeError, match="10\\^12"):
        pairs_needed(1e-9, deviation=1.0)


@pytest.mark.parametrize(("n", "effect"), [(500, 0.089), (1000, 0.063)])
def test_unpaired_detectable_effect(n, effect):
    assert round(unpaired_detectable_effect(n, deviation=0.5), 3) == effect
    assert effect > minimum_detectable_effect(n, discordant_share=0.2)


def test_unpaired_detectable_effect_at_the_edges():
    assert unpaired_detectable_effect(0, deviation=0.5) == math.inf
    assert unpaired_detectable_effect(9, deviation=0.0) == 0.0
    with pytest.raises(RangeError):
        unpaired_detectable_effect(-1, deviation=0.5)
    with pytest.raises(RangeError):
        unpaired_detectable_effect(5, deviation=math.nan)


def test_simulated_power_agrees_with_enumeration():
    def sampler(n, rng):
        kind = rng.choice(4, p=[0.5, 0.05, 0.2, 0.25], size=n)
        return kind <= 1, (kind == 0) | (kind == 2)

    def test(a, b):
        return mcnemar(PairedCounts.of(a, b))

    found = simulated_power(sampler, test, [40, 120], repeats=150, seed=1)
    for at in found:
        assert at.power.low - 0.04 < mcnemar_power(at.n, 0.05, 0.2) < at.power.high + 0.04
    assert found == simulated_power(sampler, test, [40, 120], repeats=150, seed=1)
    assert found[1] == simulated_power(sampler, test, [120], repeats=150, seed=1)[0]
    with pytest.raises(RangeError):
        simulated_power(sampler, test, [10], repeats=5)
    assert simulated_power(lambda n, rng: (np.zeros(n), np.zeros(n)), test, [3], repeats=100)[0].power.value == 0.0
