"""The same per-item results judged two ways: by an unpaired z of two means, as lm-evaluation-harness's
``model_comparator.py`` does, and by the paired test of ``tutelage compare``. How often does each err?

Simulated: pairs of 0/1 scores drawn from the four cells of a paired table with a known difference and a known share of
discordant items. Real: two result folders of the same suite (a model before and after a tune). There the truth is
taken from all items; subsets of n items stand for smaller evaluations, and items whose two scores are swapped by a
coin stand for two models that do not differ.

    python bench/paired_tests.py [--old FOLDER --new FOLDER] [--draws 20000] [--seed 0]

Writes ``evidence/paired-comparison.json``.
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from scipy import special

from tutelage.io import write_json
from tutelage.seeds import derive
from tutelage.stats import PairedCounts, compare, mcnemar, proportion_interval

EVIDENCE = Path(__file__).parents[1] / "evidence" / "paired-comparison.json"
ALPHA = 0.05
SIZES = (100, 300, 1_000)
DISCORDANT = (0.1, 0.2, 0.4)
DIFFERENCES = (0.0, 0.03, 0.05, 0.1)
ACCURACY = 0.5  # of the old model: where the unpaired error is largest
SUBSETS = (20, 50, 100, 200, 400)

Counts = np.ndarray
"""Draws [R, 4] of the cells: both right, only old right, only new right, both wrong."""


def unpaired(counts: Counts) -> np.ndarray:
    """Whether the difference of two means over the root of their summed squared standard errors is significant."""
    n = counts.sum(axis=1)
    old, new = (counts[:, 0] + counts[:, 1]) / n, (counts[:, 0] + counts[:, 2]) / n
    variance = (old * (1 - old) + new * (1 - new)) / (n - 1)
    z = np.divide(new - old, np.sqrt(variance), out=np.zeros(len(n)), where=variance > 0)
    return 2 * special.ndtr(-np.abs(z)) < ALPHA


@cache
def _significant(lost: int, won: int) -> bool:
    return mcnemar(PairedCounts(0, lost, won, 0)) < ALPHA


def paired(counts: Counts) -> np.ndarray:
    """Whether McNemar's mid-p test, what ``compare`` uses for 0/1 scores of independent items, is significant."""
    return np.array([_significant(int(lost), int(won)) for lost, won in counts[:, 1:3]])


JUDGES: dict[str, Callable[[Counts], np.ndarray]] = {"unpaired z": unpaired, "paired mid-p": paired}


def rates(counts: Counts) -> dict[str, Any]:
    """Share of the draws that each judge calls different, with its Wilson interval."""
    found = {}
    for name, judge in JUDGES.items():
        share = proportion_interval(int(judge(counts).sum()), len(counts))
        found[name] = {"called different": share.value, "low": share.low, "high": share.high}
    return found


def simulated(draws: int, seed: int) -> list[dict[str, Any]]:
    """Every cell of the grid that can exist (a difference needs at least as many discordant items)."""
    cells = []
    for n in SIZES:
        for share in DISCORDANT:
            for difference in (d for d in DIFFERENCES if d <= share):
                won, lost = (share + difference) / 2, (share - difference) / 2
                right = ACCURACY - lost
                rng = np.random.default_rng(derive(seed, "paired-tests", n, share, difference))
                counts = rng.multinomial(n, [right, lost, won, 1 - right - lost - won], size=draws)
                cells.append({"items": n, "discordant share": share, "true difference": difference, **rates(counts)})
    return cells


def subsets(old: np.ndarray, new: np.ndarray, n: int, draws: int, rng: np.random.Generator, swap: bool) -> Counts:
    """Cells of ``draws`` random subsets of n items; with ``swap`` each item's two scores change sides by a coin."""
    rows = np.argsort(rng.random((draws, len(old))), axis=1)[:, :n]
    a, b = old[rows], new[rows]
    if swap:
        coin = rng.random(a.shape) < 0.5
        a, b = np.where(coin, b, a), np.where(coin, a, b)
    kinds = [(a == 1) & (b == 1), (a == 1) & (b == 0), (a == 0) & (b == 1), (a == 0) & (b == 0)]
    return np.stack([kind.sum(axis=1) for kind in kinds], axis=1)


def real(old_folder: str, new_folder: str, draws: int, seed: int) -> list[dict[str, Any]]:
    """Every metric of 0/1 scores that both folders hold."""
    from tutelage.measure.results import align_results, read_results

    old, new = read_results(old_folder), read_results(new_folder)
    found = []
    for pair in align_results(old, new).tasks:
        for metric in pair.metrics:
            before, after = pair.old.scores(metric), pair.new.scores(metric)
            if not (before.proportion and after.proportion) or len(before.ids) < 2 * SUBSETS[0]:
                continue
            truth = compare(before, after)
            rng = np.random.default_rng(derive(seed, "paired-tests", before.metric))
            cells = []
            for n in (size for size in SUBSETS if size <= len(before.ids) // 2):
                a, b = np.asarray(before.values), np.asarray(after.values)
                chosen = subsets(a, b, n, draws // 10, rng, swap=False)
                exchanged = subsets(a, b, n, draws // 10, rng, swap=True)
                cells.append({"items": n, "as measured": rates(chosen), "scores swapped": rates(exchanged)})
            found.append({"metric": before.metric, "all items": asdict(truth), "subsets": cells})
    return found


def summary(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """Range of false alarms, and of the power where there is a difference."""
    told = {}
    for judge in JUDGES:
        null = [cell[judge]["called different"] for cell in cells if cell["true difference"] == 0]
        power = [cell[judge]["called different"] for cell in cells if cell["true difference"] > 0]
        told[judge] = {
            "false alarms, least and most": [min(null), max(null)],
            "mean power": float(np.mean(power)),
            "mean missed": 1 - float(np.mean(power)),
        }
    return told


def main() -> None:
    """Simulate, read the real results if they are given, write the evidence, print the gist."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--old")
    parser.add_argument("--new")
    parser.add_argument("--draws", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    cells = simulated(args.draws, args.seed)
    record: dict[str, Any] = {
        "what": "the same per-item results judged by an unpaired z and by a paired mid-p test, at 0.05",
        "command": "python bench/paired_tests.py --old FOLDER --new FOLDER"
        if args.old
        else "python bench/paired_tests.py",
        "seed": args.seed,
        "draws": args.draws,
        "versions": {"python": platform.python_version(), "numpy": np.__version__, "scipy": scipy.__version__},
        "simulated": {"summary": summary(cells), "cells": cells},
    }
    if args.old and args.new:
        record["real"] = real(args.old, args.new, args.draws, args.seed)
    elif EVIDENCE.is_file():
        record["real"] = json.loads(EVIDENCE.read_text("utf-8")).get("real", [])
    write_json(EVIDENCE, record)
    for judge, told in record["simulated"]["summary"].items():
        low, high = told["false alarms, least and most"]
        print(f"{judge:>14}: false alarms {low:.3f} to {high:.3f}, mean power {told['mean power']:.3f}")
    for metric in record.get("real", []):
        delta = metric["all items"]["delta"]
        print(f"{metric['metric']}: {100 * delta['value']:+.1f} points on {delta['n']} items")
        for cell in metric["subsets"]:
            seen = {judge: cell["as measured"][judge]["called different"] for judge in JUDGES}
            print(f"  {cell['items']:>4} items: seen by " + ", ".join(f"{j} {100 * s:.0f} %" for j, s in seen.items()))


if __name__ == "__main__":
    main()
