"""Side by side: the paired bootstrap of two systems on the same items, against SciPy's.

Both get the same scores and 10,000 resamples, and read off the percentile interval. On continuous scores both draw the
same resamples from the same generator, so the intervals must be equal to the last digits. On 0/1 scores ours draws how
often each of the three differences occurs, so the intervals must agree within the Monte-Carlo error of two quantiles.
Times are taken in turn (A B A B ...) in one process; neither side uses threads. Both spend most of it on the same
random numbers when they draw the same resamples. Then: what a million items cost.

    python bench/bootstrap.py [--rounds 11] [--sizes 1000 10000] [--items 1000000]

Writes one JSON line to ``bench/results/bootstrap.json``.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy
from scipy import stats as scipy_stats

from tutelage.stats import compare, estimate, flip_report, non_inferior, paired_bootstrap
from tutelage.types import Scores

RESULT = Path(__file__).parent / "results" / "bootstrap.json"
RESAMPLES = 10_000
Interval = tuple[float, float]


def problem(kind: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores of two systems, items ordered by their difference (the order in which ours draws)."""
    rng = np.random.default_rng(0)
    if kind == "0/1":
        a = (rng.random(n) < 0.6).astype(float)
        b = np.where(rng.random(n) < 0.2, 1 - a, a)
    else:
        a = rng.normal(size=n)
        b = a + rng.normal(0.05, 0.7, size=n)
    order = np.argsort(b - a, kind="stable")
    return a[order], b[order]


def ours(a: np.ndarray, b: np.ndarray, seed: int) -> Interval:
    """Percentile interval by tutelage."""
    found = paired_bootstrap(a, b, method="percentile", resamples=RESAMPLES, seed=seed).delta
    return found.low, found.high


def theirs(a: np.ndarray, b: np.ndarray, seed: int) -> Interval:
    """Percentile interval by SciPy, with a statistic written for its fast path (many resamples at a time)."""
    return _scipy(a, b, seed, lambda x, y, axis: (y - x).mean(axis=axis), vectorised=True)


def generic(a: np.ndarray, b: np.ndarray, seed: int) -> Interval:
    """Percentile interval by SciPy, with a plain statistic of two samples: its generic path."""
    return _scipy(a, b, seed, lambda x, y: (y - x).mean(), vectorised=False)


def _scipy(a: np.ndarray, b: np.ndarray, seed: int, statistic: Callable[..., float], vectorised: bool) -> Interval:
    found = scipy_stats.bootstrap(
        (a, b),
        statistic,
        paired=True,
        vectorized=vectorised,
        n_resamples=RESAMPLES,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(found.low), float(found.high)


PEERS = {"scipy": theirs, "scipy, generic": generic}


def monte_carlo_error(a: np.ndarray, b: np.ndarray) -> float:
    """Standard error of one resampled 2.5 % quantile of the mean difference."""
    density = scipy_stats.norm.pdf(scipy_stats.norm.ppf(0.025)) / ((b - a).std() / math.sqrt(a.size))
    return math.sqrt(0.025 * 0.975 / RESAMPLES) / density


def ratio(mine: list[float], other: list[float]) -> list[float]:
    """Median of the paired ratios other / mine with a 95 % bootstrap interval: times faster."""
    ratios = np.array(other) / np.array(mine)
    draws = np.random.default_rng(0).integers(0, len(ratios), (4000, len(ratios)))
    low, high = np.quantile(np.median(ratios[draws], axis=1), [0.025, 0.975])
    return [round(float(x), 2) for x in (np.median(ratios), low, high)]


def race(kind: str, n: int, rounds: int) -> dict:
    """Seconds of both sides in turn, and how far their intervals are apart."""
    a, b = problem(kind, n)
    sides = {"tutelage": ours, **PEERS}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    gaps = []
    for run in sides.values():
        run(a[:50], b[:50], 0)  # caches and lazy imports exist from here on
    for seed in range(rounds):
        found: dict[str, Interval] = {}
        for side, run in sides.items():
            start = time.perf_counter()
            found[side] = run(a, b, seed)
            seconds[side].append(time.perf_counter() - start)
        mine = found.pop("tutelage")
        gaps += [abs(x - y) for other in found.values() for x, y in zip(mine, other, strict=True)]
    error = monte_carlo_error(a, b)
    same_draws = kind != "0/1"
    allowed = 1e-12 if same_draws else 4 * math.sqrt(2) * error + 1 / n  # 1/n: the step of the possible differences
    assert max(gaps) <= allowed, f"{kind}, n={n}: intervals are {max(gaps)} apart"
    return {
        "seconds": seconds,
        "times_faster": {peer: ratio(seconds["tutelage"], seconds[peer]) for peer in PEERS},
        "same_resamples": same_draws,
        "largest_gap": max(gaps),
        "monte_carlo_error_of_an_end": error,
    }


def million(n: int) -> dict[str, float]:
    """Seconds for each thing that a comparison of n items does; the second side's items are in another order."""
    rng = np.random.default_rng(1)
    ids, order = tuple(f"item-{k}" for k in range(n)), rng.permutation(n)
    shuffled = tuple(ids[k] for k in order)
    groups = tuple(f"q{k // 4}" for k in range(n))
    right = (rng.random(n) < 0.6).astype(float)
    moved = np.where(rng.random(n) < 0.1, 1 - right, right)
    graded = rng.normal(size=n)
    nudged = graded + rng.normal(0.01, 0.3, size=n)

    def sides(x: np.ndarray, y: np.ndarray, clusters: tuple[str, ...] | None = None) -> tuple[Scores, Scores]:
        regrouped = None if clusters is None else tuple(clusters[k] for k in order)
        return Scores("m", ids, x, clusters), Scores("m", shuffled, y[order], regrouped)

    choice, real, grouped = sides(right, moved), sides(graded, nudged), sides(right, moved, groups)
    jobs: dict[str, Callable[[], object]] = {
        "estimate, 0/1": lambda: estimate(choice[0]),
        "compare, 0/1": lambda: compare(*choice),
        "compare, continuous": lambda: compare(*real),
        "compare, 0/1 in clusters of 4": lambda: compare(*grouped),
        "flip report, 0/1": lambda: flip_report(*choice),
        "flip report, continuous": lambda: flip_report(*real),
        "non-inferiority, 0/1": lambda: non_inferior(*choice, 0.02),
    }
    found = {}
    for name, run in jobs.items():
        start = time.perf_counter()
        run()
        found[name] = round(time.perf_counter() - start, 3)
        print(f"{n} items   {name:<32} {found[name]:.2f} s")
    return found


def main() -> None:
    """Read the arguments, run all cases, keep the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--sizes", type=int, nargs="*", default=[1_000, 10_000])
    parser.add_argument("--items", type=int, default=1_000_000)
    options = parser.parse_args()
    result: dict = {
        "bench": "bootstrap",
        "resamples": RESAMPLES,
        "rounds": options.rounds,
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "python": platform.python_version()},
        "load_before": os.getloadavg(),
        "cases": {},
    }
    for n in options.sizes:
        for kind in ("continuous", "0/1"):
            found = race(kind, n, options.rounds)
            result["cases"][f"{kind}, n={n}"] = found
            mine = float(np.median(found["seconds"]["tutelage"]))
            for peer, (faster, low, high) in found["times_faster"].items():
                other = float(np.median(found["seconds"][peer]))
                text = f"{kind:<11} n={n:<6} {mine:.3f} s, {peer} {other:.3f}: {faster} times [{low}, {high}] faster"
                print(text, f"gap {found['largest_gap']:.1e}")
    result["seconds_for_all_items"] = million(options.items)
    result |= {"items": options.items, "load_after": os.getloadavg()}
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result) + "\n", encoding="utf-8")
    print(f"load {result['load_before'][0]:.1f} -> {result['load_after'][0]:.1f}; written to {RESULT.name}")


if __name__ == "__main__":
    main()
