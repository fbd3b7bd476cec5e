"""Agreement of raters: published tables and worked examples, scikit-learn, statsmodels and naive loops."""

import math
from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats import inter_rater

from tutelage.errors import DataError, NumericalError, RangeError, ShapeError
from tutelage.stats import PairedCounts, cohen_kappa, fleiss_kappa, krippendorff_alpha, mcnemar, proportion_interval

PUBLISHED = {  # n11, n10, n01, n00: observed agreement, kappa, chi-square, AC1 of two judges of the same traces
    "sycophancy": ((1095, 883, 2, 54), 0.5649, 0.0599, 877.0, 0.310),
    "consistency": ((179, 267, 52, 152), 0.5092, 0.1139, 144.9, 0.020),
    "metadata": ((773, 151, 297, 310), 0.7074, 0.3622, 47.6, 0.464),
    "grader": ((1968, 313, 230, 318), 0.8081, 0.4190, 12.7, 0.714),
    "unethical": ((2424, 432, 141, 235), 0.8227, 0.3546, 147.8, 0.757),
    "all": ((6439, 2046, 722, 1069), 0.7306, 0.2754, 633.3, 0.577),
}


def labels(counts):
    return np.repeat([1, 1, 0, 0], counts), np.repeat([1, 0, 1, 0], counts)


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_tables(name):
    counts, observed, kappa, chi2, ac1 = PUBLISHED[name]
    found = cohen_kappa(*labels(counts))
    assert round(found.observed, 4) == observed
    assert round(found.kappa.value, 4) == kappa
    assert round(found.ac1, 3) == ac1
    n11, n10, n01, n00 = counts
    assert found.prevalence == pytest.approx(abs(n11 - n00) / sum(counts))
    assert found.bias == pytest.approx(abs(n10 - n01) / sum(counts))
    assert found.pabak == pytest.approx(2 * found.observed - 1)
    statistic = (n10 - n01) ** 2 / (n10 + n01)
    assert round(statistic, 1) == chi2
    p = mcnemar(PairedCounts(*counts), method="chi2")
    assert p == pytest.approx(math.erfc(math.sqrt(statistic / 2)), rel=1e-12)


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_kappa_equals_scikit_learn(weights):
    rng = np.random.default_rng(0)
    for kinds in (2, 3, 6):
        one = rng.integers(kinds, size=150)
        two = np.where(rng.random(150) < 0.6, one, rng.integers(kinds, size=150))
        found = cohen_kappa(one, two, weights=weights)
        assert found.kappa.value == pytest.approx(cohen_kappa_score(one, two, weights=weights), abs=1e-12)
        assert found.kappa.value == pytest.approx((found.observed - found.expected) / (1 - found.expected), abs=1e-12)


def test_kappa_interval_is_near_that_of_the_asymptotic_variance():
    one, two = labels((400, 60, 80, 260))
    found = cohen_kappa(one, two)
    theirs = inter_rater.cohens_kappa(np.array([[400, 60], [80, 260]]))
    assert found.kappa.value == pytest.approx(theirs.kappa, abs=1e-12)
    assert (found.kappa.low, found.kappa.high) == pytest.approx((theirs.kappa_low, theirs.kappa_upp), abs=0.006)


def test_kappa_of_clusters_is_less_certain():
    one, two = labels((40, 6, 8, 26))
    copies = [np.repeat(side, 5) for side in (one, two)]
    alone = cohen_kappa(one, two).kappa
    grouped = cohen_kappa(*copies, cluster=np.repeat(np.arange(80), 5)).kappa
    assert grouped.value == pytest.approx(alone.value)
    assert grouped.high - grouped.low == pytest.approx(alone.high - alone.low, rel=0.06)
    assert (grouped.n, grouped.n_clusters) == (400, 80)


def test_kappa_at_the_ends():
    words = ["yes", "no", "yes", "no", "yes", "no"]
    same = cohen_kappa(words, words)
    assert (same.kappa.value, same.kappa.high, same.ac1, same.pabak) == (1.0, 1.0, 1.0, 1.0)
    share = proportion_interval(6, 6).low
    assert same.kappa.low == pytest.approx((share - 0.5) / 0.5)  # no certainty from six items
    reverse = cohen_kappa(words, words[1:] + words[:1])
    assert reverse.kappa.value == pytest.approx(-1)
    constant = cohen_kappa(["a"] * 4, ["a"] * 4)
    assert (constant.kappa, constant.observed, constant.ac1) == (None, 1.0, 1.0)
    assert "same label" in constant.undefined
    rng = np.random.default_rng(1)
    independent = cohen_kappa(rng.integers(2, size=4000), rng.integers(2, size=4000)).kappa
    assert independent.low < 0 < independent.high
    assert abs(independent.value) < 0.05
    three = cohen_kappa([0, 1, 2], [0, 1, 1])
    assert (three.prevalence, three.bias) == (None, None)


def test_ac1_of_three_labels_by_its_definition():
    one, two = [0, 0, 1, 1, 2, 2, 2, 0], [0, 1, 1, 1, 2, 0, 2, 0]
    share = np.array([3 + 3, 2 + 3, 3 + 2]) / 16
    chance = (share * (1 - share)).sum() / 2
    assert cohen_kappa(one, two).ac1 == pytest.approx((6 / 8 - chance) / (1 - chance))


def test_kappa_refuses():
    for call, error in (
        (lambda: cohen_kappa([], []), DataError),
        (lambda: cohen_kappa([1], [1, 0]), ShapeError),
        (lambda: cohen_kappa([[1]], [[1]]), ShapeError),
        (lambda: cohen_kappa([1, None], [1, 0]), NumericalError),
        (lambda: cohen_kappa([1.0, math.nan], [1.0, 0.0]), NumericalError),
        (lambda: cohen_kappa(["good", "bad"], ["good", "ok"], weights="linear"), RangeError),
        (lambda: cohen_kappa([1, 0], [1, 0], weights="cubic"), RangeError),
    ):
        with pytest.raises(error):
            call()


FLEISS = [  # ten subjects, fourteen raters, five categories: kappa 0.210
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def test_fleiss_kappa():
    found = fleiss_kappa(FLEISS)
    assert round(found.value, 3) == 0.210
    assert found.value == pytest.approx(inter_rater.fleiss_kappa(np.array(FLEISS)), abs=1e-12)
    assert found.low < found.value < found.high
    assert fleiss_kappa([[2, 0], [0, 2], [2, 0]]).high == 1.0
    for bad, error in (
        ([[2, 1], [1, 1]], DataError),
        ([[1, 0]], DataError),
        ([[3, 0], [3, 0]], DataError),
        ([], ShapeError),
        (np.zeros((0, 2)), DataError),
        ([[1.5, 0.5]], RangeError),
        ([[3, -1]], RangeError),
        ([[math.nan, 1]], RangeError),
    ):
        with pytest.raises(error):
            fleiss_kappa(bad)


GAP = None
FOUR_OBSERVERS = [  # Krippendorff 2011, section D: four observers, twelve units
    [1, 2, 3, 3, 2, 1, 4, 1, 2, GAP, GAP, GAP],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, GAP, 3],
    [GAP, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, GAP],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, GAP],
]


@pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_gives_krippendorffs_own_example(level, alpha):
    found = krippendorff_alpha(FOUR_OBSERVERS, level=level)
    assert round(found.value, 3) == alpha
    assert found.low < alpha < found.high <= 1
    assert found.n == 11  # the last unit has one rating
    gaps = np.array([[math.nan if x is None else float(x) for x in row] for row in FOUR_OBSERVERS])
    assert krippendorff_alpha(gaps, level=level) == found


def naive_alpha(units, distance):
    """Pairs within units against all pairs, one by one."""
    units = [unit for unit in units if len(unit) > 1]
    n = sum(map(len, units))
    within = sum(distance(x, y) / (len(unit) - 1) for unit in units for x, y in permutations(unit, 2)) / n
    everything = [x for unit in units for x in unit]
    between = sum(distance(x, y) for x, y in permutations(everything, 2)) / (n * (n - 1))
    return 1 - within / between


def test_alpha_equals_a_naive_loop():
    rng = np.random.default_rng(2)
    truth = rng.integers(5, size=30)
    ratings = np.clip(truth + rng.integers(-1, 2, size=(4, 30)), 0, 4).astype(float)
    ratings[rng.random(ratings.shape) < 0.3] = math.nan
    units = [[x for x in column if not math.isnan(x)] for column in ratings.T]
    assert krippendorff_alpha(ratings).value == pytest.approx(naive_alpha(units, lambda x, y: x != y), abs=1e-12)
    assert krippendorff_alpha(ratings, level="interval").value == pytest.approx(
        naive_alpha(units, lambda x, y: (x - y) ** 2), abs=1e-12
    )
    paired = [x for unit in units if len(unit) > 1 for x in unit]

    def ordinal(x, y):
        low, high = sorted((x, y))
        return (sum(low <= z <= high for z in paired) - (paired.count(x) + paired.count(y)) / 2) ** 2

    assert krippendorff_alpha(ratings, level="ordinal").value == pytest.approx(naive_alpha(units, ordinal), abs=1e-12)


def test_alpha_of_words_and_at_the_ends():
    assert krippendorff_alpha([["a", "b", None, "a"], ["a", "b", "b", "b"]]).n == 3
    perfect = krippendorff_alpha([[1, 2, 3, 4], [1, 2, 3, 4]], level="interval")
    assert (perfect.value, perfect.high) == (1.0, 1.0)
    assert perfect.low < 0.5  # four items are no certainty
    for bad, more, error in (
        ([[1, 1], [1, 1]], {}, DataError),
        ([[1, None], [None, 1]], {}, DataError),
        ([[None, None], [None, None]], {}, DataError),
        ([], {}, DataError),
        ([[], []], {}, DataError),
        ([[1, 2], [1]], {}, ShapeError),
        ([["a", "b"], ["a", "b"]], {"level": "ordinal"}, RangeError),
        ([[1, 2], [1, 2]], {"level": "ratio"}, RangeError),
        (np.arange(2000.0).reshape(2, 1000), {"level": "ordinal"}, RangeError),
    ):
        with pytest.raises(error):
            krippendorff_alpha(bad, **more)


def test_the_same_seed_gives_the_same_bits():
    one, two = labels((30, 5, 6, 20))
    assert cohen_kappa(one, two, seed=3) == cohen_kappa(one, two, seed=3)
    assert cohen_kappa(one, two, seed=3) != cohen_kappa(one, two, seed=4)
    assert fleiss_kappa(FLEISS, seed=3) == fleiss_kappa(FLEISS, seed=3)
    assert krippendorff_alpha(FOUR_OBSERVERS, seed=3) == krippendorff_alpha(FOUR_OBSERVERS, seed=3)
