"""Which objective when: domain gained against general ability kept, every method and option on the same facts.

One small model (the laboratory of RAFT's recipe), 240 invented facts, the same number of optimizer steps and rows for
every arm, five seeds; the learning rate of each arm is the best of three by domain accuracy on a validation wording.
Writes ``bench/results/objectives.json``, and picture and table in ``docs``; what is finished is kept in ``--out``.

    python bench/objectives.py --out RUN
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch

from tutelage.io import write_json, write_text
from tutelage.papers.lab.base_model import base_model, tokenised
from tutelage.papers.lab.instructions import format_instructions, mixture
from tutelage.papers.lab.measurement import (
    base_replies,
    divergence_from_base,
    domain_accuracy,
    general_nll,
    instruction_following,
)
from tutelage.papers.lab.tuning import ArmPlan, LabTraining, refined_answers, train_arm
from tutelage.papers.lab.world import domain_facts
from tutelage.stats import paired_bootstrap
from tutelage.training.averaging import AveragingSettings
from tutelage.training.pruning import PruneSettings, Reliability
from tutelage.training.reweighting import DFT, ImportanceSFT, RandomTokens, Reweighting
from tutelage.training.vcore import Vcore

ROOT = Path(__file__).parents[1]
SFT = ArmPlan("original", supervised=True, distilled=False)
RAFT = ArmPlan("fused", supervised=True, distilled=True, conditioned=True)
RATES = (3e-4, 1e-3, 3e-3)
SEEDS = (0, 1, 2, 3, 4)
SELECTION_SEED = 100
BEGIN, END = "<!-- tradeoffs:begin -->", "<!-- tradeoffs:end -->"


@dataclass(frozen=True)
class Arm:
    """A method with what is put on top of it."""

    plan: ArmPlan
    label: str
    reweights: Callable[[], dict[str, Reweighting]] = field(default=dict)
    schedule: str = "linear"
    averaging: AveragingSettings | None = None


AVERAGE = AveragingSettings("ema", n=6, every=1)
ARMS = {
    "sft": Arm(SFT, "SFT"),
    "sft_dft": Arm(SFT, "SFT, DFT weights", lambda: {"sft": DFT()}),
    "sft_iw": Arm(SFT, "SFT, iw-SFT weights", lambda: {"sft": ImportanceSFT()}),
    "sft_vcore": Arm(SFT, "SFT, VCORE weights", lambda: {"sft": Vcore()}),
    "sft_random": Arm(SFT, "SFT, random tokens", lambda: {"sft": RandomTokens(0.5, 2)}),
    "sft_constant": Arm(SFT, "SFT, constant rate", schedule="constant"),
    "sft_average": Arm(SFT, "SFT, constant rate, average", schedule="constant", averaging=AVERAGE),
    "sft_refined": Arm(ArmPlan("fused", True, False), "SFT on refined answers"),
    "opd": Arm(ArmPlan("fused", True, True), "OPD"),
    "sdft": Arm(ArmPlan("original", False, True, conditioned=True), "SDFT"),
    "raft": Arm(RAFT, "RAFT"),
    "raft_average": Arm(RAFT, "RAFT, constant rate, average", schedule="constant", averaging=AVERAGE),
    "raft_prune": Arm(RAFT, "RAFT, Prune weights", lambda: {"kl": Reliability(PruneSettings(k=4, theta=0.5))}),
    "raft_all": Arm(
        RAFT,
        "RAFT, VCORE, Prune, average",
        lambda: {"sft": Vcore(), "kl": Reliability(PruneSettings(k=4, theta=0.5))},
        schedule="constant",
        averaging=AVERAGE,
    ),
}


class Lab:
    """The facts, what is asked of every arm, and what was measured so far."""

    def __init__(self, out: Path) -> None:
        self.out, self.base = out, base_model()
        self.facts = domain_facts()
        self.answers: list[dict[str, str]] = self.once("answers", lambda: refined_answers(self.base, self.facts, 0))
        self.tasks = format_instructions(60)
        general = mixture(128, seed=99)
        self.written = base_replies(self.base.model, self.base.tokenizer, general[:64], seed=99)
        self.held_out = tokenised([(e.id, e.prompt, e.reply) for e in general[64:]], self.base.tokenizer)

    def once(self, name: str, work: Callable[[], Any]) -> Any:
        """What ``work`` gave, from its file if it was done before."""
        path = self.out / f"{name}.json"
        if not path.exists():
            write_json(path, work())
            print(name, flush=True)
        return json.loads(path.read_text(encoding="utf-8"))

    def asked(self, wording: Callable[[int], int], every: int = 1) -> dict[str, Any]:
        """Questions about the facts."""
        return {f.name: (f.question(wording(i)), f) for i, f in enumerate(self.facts) if i % every == 0}

    def trained(self, arm: Arm, rate: float, seed: int) -> Any:
        """One arm."""
        more = {"reweights": arm.reweights(), "averaging": arm.averaging}
        folder = self.out / "work" / f"{seed}-{rate:g}"
        return train_arm(
            self.base, arm.plan, self.facts, self.answers, LabTraining(),
            learning_rate=rate, seed=seed, folder=folder, schedule=arm.schedule, **more,
        )  # fmt: skip

    def rate(self, name: str) -> float:
        """The best of the grid on the validation wording; the smaller of equals."""

        def tried(rate: float) -> float:
            made = self.trained(ARMS[name], rate, SELECTION_SEED)
            asked = self.asked(lambda i: 1, every=3)
            return float(domain_accuracy(made.model, self.base.tokenizer, asked).values.mean())

        found = {rate: self.once(f"select/{name}-{rate:g}", partial(tried, rate)) for rate in RATES}
        return max(sorted(found), key=lambda rate: found[rate])

    def scores(self, model: Any) -> dict[str, dict[str, float]]:
        """Per item."""
        tokenizer = self.base.tokenizer
        found = (
            domain_accuracy(model, tokenizer, self.asked(lambda i: 2 + i % 2)),
            instruction_following(model, tokenizer, self.tasks),
            divergence_from_base(self.base.model, model, self.written),
            general_nll(model, self.held_out),
        )
        return {one.metric: dict(zip(one.ids, map(float, one.values), strict=True)) for one in found}

    def measured(self, name: str, rate: float, seed: int) -> dict[str, Any]:
        """One arm under one seed."""
        made = self.trained(ARMS[name], rate, seed)
        return {"scores": self.scores(made.model), "cost": made.cost}


def changes(before: dict[str, Any], rows: list[dict[str, Any]], metric: str) -> dict[str, float]:
    """Change from the base, paired by item, clustered by seed."""
    first, second, seeds = [], [], []
    for seed, row in zip(SEEDS, rows, strict=True):
        for item, value in row["scores"][metric].items():
            first.append(before[metric][item])
            second.append(value)
            seeds.append(seed)
    found = paired_bootstrap(np.array(first), np.array(second), cluster=seeds, resamples=10_000, seed=0).delta
    return {"value": found.value, "low": found.low, "high": found.high}


def picture(table: dict[str, Any], path: Path) -> None:
    """Domain gained (up) against instructions kept (right), in points."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 6), dpi=110)
    for place, (name, row) in enumerate(table.items()):
        x, y = row["instructions"], row["domain_accuracy"]
        colour = pyplot.get_cmap("tab20")(place)
        for one, other, along in ((x, y, True), (y, x, False)):
            ends = [100 * one["low"], 100 * one["high"]], [100 * other["value"]] * 2
            axes.plot(*(ends if along else ends[::-1]), color=colour, linewidth=1, alpha=0.7)
        point = 100 * x["value"], 100 * y["value"]
        axes.plot(*point, "o", color=colour, label=f"{place + 1}  {ARMS[name].label}")
        axes.annotate(str(place + 1), point, xytext=(5, 4), textcoords="offset points", fontsize=8)
    axes.axhline(0, color="0.7", linewidth=0.8)
    axes.axvline(0, color="0.7", linewidth=0.8)
    axes.set_xlabel("instructions followed, change in points (left: lost)")
    axes.set_ylabel("domain, change in points")
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path)


def page(table: dict[str, Any], path: Path) -> None:
    """The table and the picture between the marks of the page."""
    lines = [
        "![Domain gained against instructions kept](which-objective.png)",
        "",
        "| arm | domain, points | instructions, points | divergence from base, nats | rate | CPU-seconds |",
        "|---|---|---|---|---|---|",
    ]
    for place, (name, row) in enumerate(table.items()):
        points = [_cell(row[metric], 100, ".0f") for metric in ("domain_accuracy", "instructions")]
        cells = [f"{place + 1} {ARMS[name].label}", *points, _cell(row["divergence"], 1, ".2f")]
        lines.append(f"| {' | '.join(cells)} | {row['learning_rate']:g} | {row['cost']['cpu_seconds']:.0f} |")
    text = path.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    write_text(path, "\n".join([before + BEGIN, *lines, END]) + rest.partition(END)[2])


def _cell(found: dict[str, float], unit: float, form: str) -> str:
    value, low, high = (unit * found[key] for key in ("value", "low", "high"))
    return f"{value:+{form}} ({low:{form}} to {high:{form}})"


def main() -> None:
    """Run, or continue, and write the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    torch.set_num_threads(1)
    lab = Lab(out)
    before = lab.once("base", lambda: lab.scores(lab.base.model))
    rates = {name: lab.rate(name) for name in ARMS}
    table: dict[str, Any] = {}
    results = {
        name: [lab.once(f"results/{name}-{seed}", partial(lab.measured, name, rates[name], seed)) for seed in SEEDS]
        for name in ARMS
    }
    for name, rows in results.items():
        metrics = ("domain_accuracy", "instructions", "divergence", "general_nll")
        table[name] = {metric: changes(before, rows, metric) for metric in metrics}
        table[name]["learning_rate"] = rates[name]
        costs = [row["cost"] for row in rows]
        table[name]["cost"] = {key: sum(cost[key] for cost in costs) / len(costs) for key in costs[0]}
    kept = {"command": "python bench/objectives.py --out RUN", "seeds": list(SEEDS), "rates": list(RATES)}
    write_json(ROOT / "bench" / "results" / "objectives.json", {**kept, "arms": table})
    picture(table, ROOT / "docs" / "which-objective.png")
    page(table, ROOT / "docs" / "which-objective.md")
    for name, row in table.items():
        line = [f"{row[m]['value']:+.3f} [{row[m]['low']:+.3f}, {row[m]['high']:+.3f}]" for m in metrics]
        print(f"{name:14}", *line, f"{row['cost']['cpu_seconds']:.0f} s")


if __name__ == "__main__":
    main()
