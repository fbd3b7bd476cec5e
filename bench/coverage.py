"""How often the intervals of ``tutelage.stats`` hold the truth, and how often its tests err: counted on made-up data.

Every interval at 95 %, every test at 5 %, on a grid of sizes, rates and clusters. Where all outcomes can be enumerated
they are, and the number is exact; otherwise it comes with the Wilson interval of its own Monte-Carlo error. What leaves
93-97 % (coverage) or 4-6 % (tests) is marked, with the reason where one is known.

    python bench/coverage.py [--repeats 2000] [--seed 0]

About two minutes on one core. Writes ``evidence/statistics.json`` and the table in ``docs/statistics.md``.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import scipy

from coverage_cells import Cell, all_cells
from tutelage import stats
from tutelage.seeds import derive

ROOT = Path(__file__).parent.parent
EVIDENCE = ROOT / "evidence" / "statistics.json"
PAGE = ROOT / "docs" / "statistics.md"
MARKS = "<!-- coverage: written by bench/coverage.py -->", "<!-- /coverage -->"


@dataclass(frozen=True)
class Counted:
    """The rate of a cell with the interval of its Monte-Carlo error, and on which side of the band it lies."""

    what: str
    setting: str
    nominal: float
    rate: float
    low: float
    high: float
    repeats: int | None
    band: str
    why: str


def band_of(nominal: float, low: float, high: float) -> str:
    """``"inside"`` 93-97 % or 4-6 % (in proportion for other levels), ``"below"``, ``"above"``, or on the edge."""
    width = 0.02 if nominal > 0.5 else 0.2 * nominal
    bottom, top = nominal - width - 1e-9, nominal + width + 1e-9
    if bottom <= low and high <= top:
        return "inside"
    if high < bottom:
        return "below"
    return "above" if low > top else "inside or at the edge"


def counted(cell: Cell, repeats: int, seed: int) -> Counted:
    """Run one cell."""
    if cell.exact is not None:
        rate = low = high = cell.exact
        times = None
    else:
        assert cell.draw is not None
        times = max(100, round(repeats * cell.share))
        rng = np.random.default_rng(derive(seed, cell.what, cell.setting))
        found = stats.proportion_interval(sum(bool(cell.draw(rng)) for _ in range(times)), times)
        rate, low, high = found.value, found.low, found.high
    band = band_of(cell.nominal, low, high)
    why = cell.why if band in ("below", "above") else ""
    rounded = (round(x, 4) for x in (rate, low, high))
    return Counted(cell.what, cell.setting, cell.nominal, *rounded, times, band, why)


def table(rows: list[Counted]) -> str:
    """The summary as Markdown: one line per interval or test, worst and best cell, and what leaves the band."""
    lines = ["| what | nominal | cells | lowest | highest | outside the band |", "|---|---|---|---|---|---|"]
    for what in dict.fromkeys(row.what for row in rows):
        cells = [row for row in rows if row.what == what]
        out = [row for row in cells if row.band in ("below", "above")]
        least, most = min(cells, key=lambda r: r.rate), max(cells, key=lambda r: r.rate)
        words = "none"
        if out:
            worst = max(out, key=lambda r: abs(r.rate - r.nominal))
            reasons = "; ".join(dict.fromkeys(row.why for row in out if row.why)) or "see the evidence"
            words = f"{len(out)}, farthest {worst.rate:.3f} at {worst.setting}: {reasons}"
        lines.append(f"| {what} | {cells[0].nominal} | {len(cells)} | {least.rate:.3f} | {most.rate:.3f} | {words} |")
    return "\n".join(lines)


def main() -> None:
    """Count everything, show progress, write evidence and the page's table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    cells = all_cells()
    start, rows = time.process_time(), []
    for number, cell in enumerate(cells, start=1):
        rows.append(counted(cell, options.repeats, options.seed))
        row = rows[-1]
        print(f"{number:3}/{len(cells)} {row.what:<38} {row.setting:<48} {row.rate:.3f} {row.band}", file=sys.stderr)
    out = [row for row in rows if row.band in ("below", "above")]
    result = {
        "bench": "coverage",
        "command": f"python bench/coverage.py --repeats {options.repeats} --seed {options.seed}",
        "seed": options.seed,
        "versions": {"numpy": np.__version__, "scipy": scipy.__version__, "python": platform.python_version()},
        "cpu_seconds": round(time.process_time() - start),
        "cells": len(rows),
        "outside_the_band": len(out),
        "results": [asdict(row) for row in rows],
    }
    EVIDENCE.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")
    before, after = page.index(MARKS[0]) + len(MARKS[0]), page.index(MARKS[1])
    PAGE.write_text(f"{page[:before]}\n{table(rows)}\n{page[after:]}", encoding="utf-8")
    print(f"{len(rows)} cells, {len(out)} outside the band; written to {EVIDENCE.name} and {PAGE.name}")


if __name__ == "__main__":
    main()
