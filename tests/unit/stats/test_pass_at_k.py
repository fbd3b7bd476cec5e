from itertools import combinations, permutations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.errors import DataError, NumericalError, RangeError
from tutelage.stats import jonckheere, pass_at_k, rank_at_k


@pytest.mark.parametrize("n", [1, 4, 7])
def test_it_is_the_share_of_all_subsets_with_a_right_one(n):
    for c in range(n + 1):
        for k in range(1, n + 1):
            subsets = list(combinations([1] * c + [0] * (n - c), k))
            assert float(pass_at_k(n, c, k)) == pytest.approx(np.mean([any(s) for s in subsets]), abs=1e-12)


@given(st.integers(1, 3000), st.data())
def test_large_numbers_keep_their_precision(n, data):
    c, k = data.draw(st.integers(0, n)), data.draw(st.integers(1, n))
    exact = (comb(n, k) - comb(n - c, k)) / comb(n, k)  # whole numbers of any size
    assert float(pass_at_k(n, c, k)) == pytest.approx(exact, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(("n", "k"), [(4, 1.5), (np.inf, 1)])
def test_only_whole_numbers_are_counted(n, k):
    with pytest.raises(RangeError, match="whole numbers"):
        pass_at_k(n, 1, k)
    if k == 1.5:
        with pytest.raises(RangeError, match="whole numbers"):
            rank_at_k([[0.1, 0.2]], [[0, 1]], k)


def test_k_of_one_is_the_share_and_shapes_are_kept():
    assert pass_at_k(8, np.arange(9), 1) == pytest.approx(np.arange(9) / 8)
    assert pass_at_k([[4, 8]], [[1, 2]], 4).shape == (1, 2)


@pytest.mark.parametrize(("n", "c", "k"), [(4, 2, 5), (4, 2, 0), (4, 5, 2), (4, -1, 2), (4.5, 1, 2)])
def test_impossible_counts_are_refused(n, c, k):
    with pytest.raises(RangeError):
        pass_at_k(n, c, k)


def naive(groups):
    return sum(
        (x < y) + 0.5 * (x == y)
        for i, one in enumerate(groups)
        for other in groups[i + 1 :]
        for x in one
        for y in other
    )


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=3), min_size=2, max_size=3))
def test_jonckheere_counts_pairs_and_has_the_moments_of_all_orders(groups):
    values = [value for group in groups for value in group]
    if len(set(values)) == 1:
        with pytest.raises(NumericalError):
            jonckheere(groups)
        return
    found = jonckheere(groups)
    assert found.statistic == naive(groups)
    if len(values) <= 6:
        cuts = np.cumsum([len(group) for group in groups])[:-1]
        all_orders = [naive([list(part) for part in np.split(np.array(o), cuts)]) for o in permutations(values)]
        spread = np.std(all_orders)
        assert found.z == pytest.approx((found.statistic - np.mean(all_orders)) / spread, abs=1e-9)


def test_a_trend_is_found_in_its_direction_only():
    rising = [[1, 2, 3, 4], [3, 4, 5, 6], [6, 7, 8, 9]]
    assert jonckheere(rising).p < 0.01
    assert jonckheere(rising[::-1]).p > 0.99
    assert jonckheere(rising).z == pytest.approx(-jonckheere(rising[::-1]).z)


def test_trends_without_groups_or_with_nan_are_refused():
    for groups in ([[1.0]], [[1.0], []]):
        with pytest.raises(DataError):
            jonckheere(groups)
    with pytest.raises(NumericalError):
        jonckheere([[1.0], [float("nan")]])
