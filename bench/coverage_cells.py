"""What :mod:`coverage` counts: every interval and test of ``tutelage.stats`` on made-up data whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import stats as distributions

from tutelage import stats
from tutelage.types import Estimate, Scores

__all__ = ["Cell", "all_cells"]

Rng = np.random.Generator
Draw = Callable[[Rng], bool]


@dataclass(frozen=True)
class Cell:
    """One thing counted: ``draw`` says whether one made-up data set is a hit; ``exact`` is its rate if known."""

    what: str
    setting: str
    nominal: float
    draw: Draw | None = None
    exact: float | None = None
    share: float = 1.0  # of the repeats, for what is slow
    why: str = ""


def all_cells() -> list[Cell]:
    """All that is counted, in the order of the page."""
    return [*proportion_cells(), *paired_cells(), *cluster_cells(), *statistic_cells(), *test_cells()]


def inside(interval: Estimate | None, truth: float) -> bool:
    """Whether the interval holds the truth; an interval that could not be given counts as a miss."""
    return interval is not None and interval.low - 1e-12 <= truth <= interval.high + 1e-12


def scores(values: np.ndarray, clusters: np.ndarray | None = None) -> Scores:
    """Scores with ids of their own."""
    ids = tuple(map(str, range(len(values))))
    return Scores("m", ids, values.astype(float), None if clusters is None else tuple(map(str, clusters)))


# Proportions, by enumeration ------------------------------------------------------------------------------------------


def proportion_cells() -> Iterator[Cell]:
    """Coverage of each interval of one proportion, exact."""
    whys = {
        "wilson": "coverage of a count jumps with p; nominal on average over p",
        "jeffreys": "coverage of a count jumps with p; nominal on average over p",
        "clopper-pearson": "never below nominal, so above it",
    }
    for method, why in whys.items():
        for n in (20, 50, 200, 1000):
            found = [stats.proportion_interval(k, n, method=method) for k in range(n + 1)]

            def coverage(p: float, n: int = n, found: list[Estimate] = found) -> float:
                held = np.array([inside(one, p) for one in found])
                return float(distributions.binom.pmf(np.arange(n + 1), n, p)[held].sum())

            for p in (0.02, 0.1, 0.5, 0.9):
                yield Cell(method, f"n={n}, p={p}", 0.95, exact=coverage(p), why=why)
            mean = float(np.mean([coverage(p) for p in np.linspace(0.02, 0.98, 97)]))
            yield Cell(method, f"n={n}, mean over p from .02 to .98", 0.95, exact=mean, why=why)


def table_draw(n: int, only_a: float, only_b: float, judge: Callable[[stats.PairedCounts], bool]) -> Draw:
    """A hit if the judge says so of a random paired table; a is right on about 70 %."""
    chances = [0.7 - only_a, only_a, only_b, 0.3 - only_b]
    known: dict[tuple[int, ...], bool] = {}

    def draw(rng: Rng) -> bool:
        table = tuple(map(int, rng.multinomial(n, chances)))
        if table not in known:
            known[table] = judge(stats.PairedCounts(*table))
        return known[table]

    return draw


def vectors(table: stats.PairedCounts) -> tuple[np.ndarray, np.ndarray]:
    """Scores with these counts."""
    counts = (table.both, table.only_a, table.only_b, table.neither)
    return np.repeat([1.0, 1, 0, 0], counts), np.repeat([1.0, 0, 1, 0], counts)


def paired_cells() -> Iterator[Cell]:
    """Differences of shares: coverage, and how often a loss as large as the margin is called none."""
    lax = "few pairs differ: the width tends to 0 with none, and a rare loss is called none"
    rare = "few pairs differ: the interval is wide, at most as far as the rule of three asks"
    for n in (30, 100, 300, 1000):
        for only_a, only_b in ((0.02, 0.0), (0.05, 0.02), (0.1, 0.1), (0.2, 0.1)):
            truth, setting = only_b - only_a, f"n={n}, p10={only_a}, p01={only_b}"
            intervals = {
                "newcombe": lambda table: stats.newcombe(table),
                "difference of shares": lambda table: stats.difference_of_shares(*vectors(table)),
            }
            for name, interval in intervals.items():
                judge = partial(lambda table, f, t: inside(f(table), t), f=interval, t=truth)
                yield Cell(name, setting, 0.95, table_draw(n, only_a, only_b, judge), why=rare if only_a < 0.1 else "")
            if truth < 0:
                lost = {
                    "loss called none, by newcombe": lambda table, t: stats.newcombe(table).low > t,
                    "loss called none, by non_inferior": lambda table, t: (
                        stats.difference_of_shares(*vectors(table)).low > t
                    ),
                }
                for name, says in lost.items():
                    draw = table_draw(n, only_a, only_b, partial(says, t=truth))
                    yield Cell(name, setting, 0.025, draw, why=lax if "newcombe" in name else rare)


# Clusters -------------------------------------------------------------------------------------------------------------


def grouped(clusters: int, size: int, unequal: bool = False) -> np.ndarray:
    """Labels of clusters of equal size, or of sizes that grow eightfold from the first to the last."""
    sizes = np.full(clusters, size) if not unequal else np.round(size * np.geomspace(0.35, 2.8, clusters)).astype(int)
    return np.repeat(np.arange(clusters), np.maximum(1, sizes))


def correlated(rng: Rng, codes: np.ndarray, share: float = 0.5) -> np.ndarray:
    """Normal values of mean 0 and variance 1, this share of which is common to the cluster."""
    common = rng.normal(size=codes.max() + 1)[codes]
    return math.sqrt(share) * common + math.sqrt(1 - share) * rng.normal(size=codes.size)


def cluster_cells() -> Iterator[Cell]:
    """Means and shares of clustered items; and what ignoring clusters does."""
    for clusters in (5, 10, 20, 50):
        for unequal in (False, True):
            codes = grouped(clusters, 5, unequal)
            setting = f"{clusters} clusters of {'unequal' if unequal else 'equal'} size"
            why = "few clusters of unequal size: too narrow" if unequal else ""

            def t(rng: Rng, codes: np.ndarray = codes) -> bool:
                return inside(stats.mean_interval(correlated(rng, codes), codes), 0.0)

            def boot(rng: Rng, codes: np.ndarray = codes, method: str = "expanded") -> bool:
                x = correlated(rng, codes)
                seed = int(rng.integers(2**31))
                found = stats.paired_bootstrap(0 * x, x, cluster=codes, resamples=1_000, method=method, seed=seed)
                return inside(found.delta, 0.0)

            yield Cell("clustered t", setting, 0.95, t, why=why)
            yield Cell("expanded bootstrap", setting, 0.95, boot, why=why, share=0.5)
            if not unequal:
                percentile = partial(boot, method="percentile")
                yield Cell(
                    "percentile bootstrap", setting, 0.95, percentile, why="not the default: too narrow", share=0.5
                )
    for clusters in (10, 30, 100):
        for rate in (0.5, 0.9):
            codes = grouped(clusters, 5)

            def shares(rng: Rng, codes: np.ndarray = codes, rate: float = rate) -> bool:
                own, common = rng.random(codes.size) < rate, (rng.random(codes.max() + 1) < rate)[codes]
                flags = np.where(rng.random(codes.size) < 0.5, common, own)
                return inside(stats.share_interval(flags, codes), rate)

            why = "t quantile on few clusters: wide, the more so near 0 and 1" if clusters < 100 else ""
            yield Cell("clustered wilson", f"{clusters} clusters, p={rate}", 0.95, shares, why=why)
    for clusters in (10, 30, 100):
        for only_a, only_b in ((0.05, 0.0), (0.1, 0.1)):
            codes = grouped(clusters, 5)
            settled = partial(clustered_pairs, codes=codes, only_a=only_a, only_b=only_b)
            setting = f"{clusters} clusters, p10={only_a}, p01={only_b}"

            def pairs(
                rng: Rng, make: Callable = settled, codes: np.ndarray = codes, d: float = only_b - only_a
            ) -> bool:
                return inside(stats.difference_of_shares(*make(rng), codes), d)

            def bootstrapped(
                rng: Rng, make: Callable = settled, codes: np.ndarray = codes, d: float = only_b - only_a
            ) -> bool:
                found = stats.paired_bootstrap(
                    *make(rng), cluster=codes, resamples=1_000, seed=int(rng.integers(2**31))
                )
                return inside(found.delta, d)

            rare = "rare events in few clusters" if only_b == 0 else ""
            yield Cell("difference of shares in clusters", setting, 0.95, pairs, why=rare)
            yield Cell("expanded bootstrap of 0/1 in clusters", setting, 0.95, bootstrapped, share=0.5, why=rare)


def clustered_pairs(rng: Rng, codes: np.ndarray, only_a: float, only_b: float) -> tuple[np.ndarray, np.ndarray]:
    """0/1 scores of both systems; half of the items share what happens with their whole cluster."""
    chances = [0.7 - only_a, only_a, only_b, 0.3 - only_b]
    own, common = rng.choice(4, size=codes.size, p=chances), rng.choice(4, size=codes.max() + 1, p=chances)[codes]
    kind = np.where(rng.random(codes.size) < 0.5, common, own)
    return (kind <= 1).astype(float), ((kind == 0) | (kind == 2)).astype(float)


# Everything else that has an interval ---------------------------------------------------------------------------------


def statistic_cells() -> Iterator[Cell]:
    """Bootstrap of means, agreement, ranks, composites, corrected rates."""
    skew = "skewed differences, few items"
    makers = {"normal": lambda rng, n: rng.normal(size=n), "exponential": lambda rng, n: rng.exponential(size=n) - 1}
    for name, make in makers.items():
        for n in (10, 30, 100):

            def means(rng: Rng, make: Callable = make, n: int = n) -> bool:
                found = stats.paired_bootstrap(
                    np.zeros(n), make(rng, n), resamples=1_000, seed=int(rng.integers(2**31))
                )
                return inside(found.delta, 0.0)

            def t(rng: Rng, make: Callable = make, n: int = n) -> bool:
                return inside(stats.mean_interval(make(rng, n)), 0.0)

            why = skew if name == "exponential" else ""
            yield Cell("expanded bootstrap", f"n={n}, {name}", 0.95, means, why=why, share=0.5)
            yield Cell("t", f"n={n}, {name}", 0.95, t, why=why)
    for cells in ((0.4, 0.1, 0.1, 0.4), (0.85, 0.04, 0.04, 0.07)):
        table = np.array(cells).reshape(2, 2)
        chance = float(table.sum(0) @ table.sum(1))
        truth = (table.trace() - chance) / (1 - chance)
        for n in (30, 100, 300):

            def kappa(rng: Rng, cells: tuple = cells, n: int = n, truth: float = truth) -> bool:
                kinds = rng.choice(4, size=n, p=cells)
                return inside(stats.cohen_kappa(kinds // 2, kinds % 2, resamples=1_000).kappa, truth)

            rare = "one label is rare: few of it are seen" if cells[0] > 0.5 else ""
            yield Cell(
                "kappa", f"n={n}, kappa={truth:.2f}, rarer label {cells[3] + cells[1]:.2f}", 0.95, kappa, why=rare
            )
    for items in (50, 200):
        skill = np.array([0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
        other = skill[[1, 0, 2, 4, 3, 5]]
        truth = float(distributions.kendalltau(skill, other).statistic)

        def tau(
            rng: Rng, items: int = items, skill: np.ndarray = skill, other: np.ndarray = other, t: float = truth
        ) -> bool:
            x, y = ((rng.random((items, 6)) < rate).astype(float) for rate in (skill, other))
            return inside(stats.kendall_tau(x, y, resamples=1_000, seed=int(rng.integers(2**31))).interval, t)

        why = "tau moves in steps, and noise in the means only ever hides order"
        yield Cell("tau over items", f"{items} items, 6 systems, tau={truth:.2f}", 0.95, tau, why=why, share=0.3)
    yield Cell("macro, one system", "3 parts of 30, 50 and 100", 0.95, partial(macro, pair=False))
    yield Cell("macro, difference", "3 parts of 30, 50 and 100", 0.95, partial(macro, pair=True), share=0.5)
    yield Cell("relative negative flip rate", "n=300", 0.95, relative, share=0.5)
    yield Cell("rogan-gladen", "n=400, validated on 60 + 60", 0.95, judge)
    yield Cell("prediction-powered mean", "100 labelled of 1000", 0.95, powered)
    wide = "expanded as if only the 5 seeds varied, and the residual counts up to three times: wide"
    for scale in ((0.1, 1.0, 0.3), (0.0, 0.2, 1.0)):
        setting = f"5 seeds, 100 items, deviations {scale[0]}, {scale[1]}, {scale[2]}"
        yield Cell("two-level bootstrap", setting, 0.95, partial(two_level, scale=scale), why=wide, share=0.5)


def macro(rng: Rng, *, pair: bool) -> bool:
    """A composite of three rates: of one system, or the difference of two."""
    rates, sizes = (0.3, 0.6, 0.9), (30, 50, 100)
    one = {str(n): scores(rng.random(n) < p) for p, n in zip(rates, sizes, strict=True)}
    if not pair:
        return inside(stats.estimate_macro(one), float(np.mean(rates)))
    other = {
        k: scores(np.where(rng.random(len(s.ids)) < 0.2, rng.random(len(s.ids)) < 0.5, s.values))
        for k, s in one.items()
    }
    truth = float(np.mean([0.2 * (0.5 - p) for p in rates]))
    found = stats.compare_macro(one, other, resamples=1_000, seed=int(rng.integers(2**31)))
    return inside(found.delta, truth)


def relative(rng: Rng) -> bool:
    """Negative flips over those of unrelated systems."""
    kind = rng.choice(4, size=300, p=(0.6, 0.1, 0.1, 0.2))
    report = stats.flip_report(scores(kind <= 1), scores((kind == 0) | (kind == 2)), resamples=1_000)
    return inside(report.relative, 0.1 / (0.7 * 0.3))


def judge(rng: Rng) -> bool:
    """A rate of 0.2 seen by a judge of sensitivity .85 and specificity .9."""
    positive = int(rng.binomial(400, 0.2 * 0.85 + 0.8 * 0.1))
    known = {"sensitivity": (int(rng.binomial(60, 0.85)), 60), "specificity": (int(rng.binomial(60, 0.9)), 60)}
    return inside(stats.rogan_gladen(positive, 400, **known), 0.2)


def powered(rng: Rng) -> bool:
    """A rate of 0.4 seen by a judge that is right nine times out of ten."""
    truth = (rng.random(1000) < 0.4).astype(float)
    seen = np.where(rng.random(1000) < 0.9, truth, 1 - truth)
    return inside(stats.ppi_mean(truth[:100], seen[:100], seen[100:]), 0.4)


def two_level(rng: Rng, scale: tuple[float, float, float]) -> bool:
    """Scores with effects of seeds, of items and of both."""
    effects = scale[0] * rng.normal(size=(5, 1)) + scale[1] * rng.normal(size=(1, 100))
    table = effects + scale[2] * rng.normal(size=(5, 100))
    return inside(stats.two_level_bootstrap(table, resamples=1_000, seed=int(rng.integers(2**31))).mean, 0.0)


# Tests where there is nothing to find ---------------------------------------------------------------------------------


def test_cells() -> Iterator[Cell]:
    """How often a test at 5 % finds a difference that is not there (TOST and non-inferiority: at the margin)."""
    conservative = {"exact": "exact: conservative by construction", "midp": "few discordant pairs"}
    for n in (50, 100, 200, 500):
        for share in (0.05, 0.2):
            for test in ("midp", "exact", "chi2"):
                rate = stats.mcnemar_power(n, share / 2, share / 2, test=test)
                why = conservative.get(test, "asymptotic: for many discordant pairs only")
                yield Cell(f"mcnemar {test}", f"n={n}, {share:.0%} discordant", 0.05, exact=rate, why=why)
    few = "with C clusters p is at least 2^(1-C): 6 clusters give steps of 1/32"
    for clusters in (6, 10, 30):
        codes = grouped(clusters, 5)

        def flips(rng: Rng, codes: np.ndarray = codes) -> bool:
            x = correlated(rng, codes)
            return stats.sign_flip_test(0 * x, x, cluster=codes, resamples=1_000).p <= 0.05

        def boot(rng: Rng, codes: np.ndarray = codes) -> bool:
            x = correlated(rng, codes)
            return (
                stats.paired_bootstrap(0 * x, x, cluster=codes, resamples=1_000, seed=int(rng.integers(2**31))).p
                <= 0.05
            )

        def naive(rng: Rng, codes: np.ndarray = codes) -> bool:
            return not inside(stats.mean_interval(correlated(rng, codes)), 0.0)

        setting = f"{clusters} clusters of 5, half of the variance shared"
        yield Cell("sign flips of clusters", setting, 0.05, flips, why=few if clusters == 6 else "", share=0.5)
        yield Cell("bootstrap p of clusters", setting, 0.05, boot, share=0.5)
        yield Cell("t that ignores clusters", setting, 0.05, naive, why="what ignoring clusters does")
    for n in (10, 30, 100):

        def paired(rng: Rng, n: int = n) -> bool:
            x = rng.normal(size=n)
            return stats.paired_bootstrap(0 * x, x, resamples=1_000, seed=int(rng.integers(2**31))).p <= 0.05

        yield Cell(
            "bootstrap p",
            f"n={n}, normal",
            0.05,
            paired,
            share=0.5,
            why="plain resamples, few items" if n < 100 else "",
        )
    for share in (0.05, 0.2):

        def unpaired(rng: Rng, share: float = share) -> bool:
            kind = rng.choice(4, size=200, p=(0.6, share / 2, share / 2, 0.4 - share))
            return stats.unpaired_z(kind <= 1, (kind == 0) | (kind == 2)).p <= 0.05

        why = "ignores the pairing: errs too seldom, and finds too little"
        yield Cell("unpaired z on paired items", f"n=200, {share:.0%} discordant", 0.05, unpaired, why=why)
    for n in (20, 100):

        def tost(rng: Rng, n: int = n) -> bool:
            return stats.tost(np.zeros(n), rng.normal(1.0, 1, size=n), 1.0, level=0.9).verdict == "shown"

        yield Cell("TOST at the margin", f"n={n}, normal", 0.05, tost)
    codes = grouped(20, 5)

    def clustered_tost(rng: Rng) -> bool:
        x = 1 + correlated(rng, codes)
        return stats.tost(0 * x, x, 1.0, cluster=codes, level=0.9).verdict == "shown"

    yield Cell("TOST at the margin", "20 clusters of 5", 0.05, clustered_tost)
