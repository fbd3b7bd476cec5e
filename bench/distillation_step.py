"""One step of answer-conditioned on-policy distillation beside TRL's experimental SDFTTrainer, and beside the floor.

Both sides train the same LoRA adapter of the same model on the same eight prompts with the same teacher prompt, and
generate the same number of tokens: on both sides no token is declared to end a completion, so each has the full length.
Before anything is timed, loss and adapter gradients of both are asserted equal on one and the same rollout. Then each
side, in a process of its own, takes its steps in turn (A B A B ...). Ours are timed twice: in the first epoch, where
the teacher's prefixes must be computed, and in a later one, where they are at hand; TRL knows no such difference.

    python bench/distillation_step.py [--rounds 5] [--threads 2] [--no-raft] [--no-floor]

Writes one JSON line to ``bench/results/distillation_step.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from divergence import ratio

RESULT = Path(__file__).parent / "results" / "distillation_step.json"
LOSS_GAP, GRADIENT_GAP = 1e-4, 1e-3


class Side:
    """A child process that takes one optimizer step when told to."""

    def __init__(self, name: str, threads: int) -> None:
        environment = os.environ | {
            "OMP_NUM_THREADS": str(threads),
            "TRL_EXPERIMENTAL_SILENCE": "1",
            "HF_HUB_OFFLINE": "1",
        }
        command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("distillation_trainers.py")), name]
        self.name, self.errors = name, tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the child
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True
        )

    def answer(self) -> dict[str, Any]:
        """What the child says next."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            sys.exit(f"{self.name} ended without an answer:\n{self.errors.read()[-3000:]}")
        return json.loads(line)

    def tell(self, **command: object) -> None:
        """Send a command."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def step(self, *, fresh: bool = False) -> dict[str, Any]:
        """One optimizer step; ``fresh``: as in the first epoch."""
        self.tell(do="step", fresh=fresh)
        return self.answer()

    def quit(self) -> None:
        """End the child."""
        self.tell(do="quit")
        self.process.wait(timeout=60)


def ask(name: str, threads: int) -> dict[str, Any]:
    """The one answer of a child that is not stepped."""
    side = Side(name, threads)
    found = side.answer()
    side.process.wait(timeout=120)
    return found


def rounds_in_turn(options: argparse.Namespace) -> dict[str, list[dict]]:
    """Steps by kind: ours in the first and in a later epoch, and TRL's (two a round each)."""
    ours, trl = Side("tutelage", options.threads), Side("trl", options.threads)
    found: dict[str, list[dict]] = {"first epoch": [], "later epoch": [], "trl": []}
    for side in (ours, trl):
        side.answer()
        side.step(fresh=True)  # warm-up
    for number in range(options.rounds):
        found["first epoch"].append(ours.step(fresh=True))
        found["later epoch"].append(ours.step())
        found["trl"] += [trl.step(), trl.step()]
        row = "round {}: first epoch {:.2f} s, later {:.2f} s, TRL {:.2f} and {:.2f} s"
        seconds = [found[kind][-1]["wall"] for kind in ("first epoch", "later epoch")]
        print(row.format(number + 1, *seconds, *(step["wall"] for step in found["trl"][-2:])), flush=True)
    ours.quit()
    trl.quit()
    return found


def raft_steps(options: argparse.Namespace) -> list[dict]:
    """Whole RAFT steps (supervised part, distillation at K = 512 and T = 1.5, balance), first epoch."""
    raft = Side("raft", options.threads)
    raft.answer()
    steps = [raft.step(fresh=True) for _ in range(1 + options.raft_steps)]
    raft.quit()
    return steps[1:]


def median(steps: Sequence[dict], key: str) -> float:
    """Median of a field."""
    return float(np.median([step[key] for step in steps]))


def summary(steps: list[dict]) -> dict[str, Any]:
    """Medians of one kind of step."""
    parts = {part: round(float(np.median([s["parts"][part] for s in steps])), 3) for part in steps[0]["parts"]}
    wall = median(steps, "wall")
    return {
        "seconds": round(wall, 3),
        "cpu_seconds": round(median(steps, "cpu"), 3),
        "parts": parts,
        "tokens_per_second": round(median(steps, "tokens") / wall, 2),
        "tokens_per_second_of_rollout": round(median(steps, "tokens") / parts["rollout"], 2),
        "peak_mib": round(max(s["peak_mib"] for s in steps), 1),
    }


def compared(found: dict[str, list[dict]], kind: str) -> dict[str, list[float]]:
    """How many times faster than TRL: median over rounds with a 95 % interval, wall and processor time."""
    pairs = {}
    for key in ("wall", "cpu"):
        trl = [(a[key] + b[key]) / 2 for a, b in zip(found["trl"][::2], found["trl"][1::2], strict=True)]
        pairs[key] = ratio(trl, [step[key] for step in found[kind]])
    return pairs


def floor(options: argparse.Namespace, check: dict, steps: dict[str, Any]) -> dict[str, Any]:
    """Least seconds of a step by the machine's plain rates, and how many times that our steps take."""
    rates = ask("floor", options.threads)
    prompts, teacher = sum(check["prompt_tokens"]), sum(check["teacher_prompt_tokens"])
    new = check["completion_tokens"]
    scored = {"first epoch": teacher + new, "later epoch": new}
    found: dict[str, Any] = {"tokens_per_second": {key: round(value, 1) for key, value in rates.items()}}
    for kind, count in scored.items():
        least = new / rates["generating"] + count / rates["scoring"] + (prompts + new) / rates["training"]
        tokens = {"generated": new, "scored": count, "trained": prompts + new}
        times = round(steps[kind]["seconds"] / least, 3)
        found[kind] = {"tokens": tokens, "seconds": round(least, 3), "times_floor": times}
    return found


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Check, rounds, RAFT, floor; prints each as it comes."""
    import torch
    import transformers
    import trl

    versions = {m.__name__: m.__version__ for m in (torch, transformers, trl)} | {"python": platform.python_version()}
    result: dict[str, Any] = {"bench": "distillation_step", "threads": options.threads, "rounds": options.rounds}
    result |= {
        "versions": versions,
        "load_before": os.getloadavg(),
        "dtype": "float32",
        "model": "smollm2-135m-instruct",
    }
    check = ask("check", options.threads)
    result["check"] = check
    print(f"same rollout: loss apart by {check['loss_gap']:.1e}, gradients by {check['gradient_gap']:.1e} (relative)")
    assert check["loss_gap"] < LOSS_GAP, "the two sides' losses differ"
    assert check["gradient_gap"] < GRADIENT_GAP, "the two sides' gradients differ"
    found = rounds_in_turn(options)
    steps: dict[str, Any] = {kind: summary(list(taken)) for kind, taken in found.items()}
    result["steps"] = steps
    result["times_faster"] = {kind: compared(found, kind) for kind in ("first epoch", "later epoch")}
    for kind, both in result["times_faster"].items():
        row = "{:<12} {:.2f} [{:.2f}, {:.2f}] times faster than TRL (processor time: {:.2f} [{:.2f}, {:.2f}])"
        print(row.format(kind, *both["wall"], *both["cpu"]))
    peaks = [max(steps["first epoch"]["peak_mib"], steps["later epoch"]["peak_mib"]), steps["trl"]["peak_mib"]]
    result["memory_of_trl"] = round(peaks[0] / peaks[1], 3)
    print(f"peak growth  {peaks[0]:.0f} MiB against {peaks[1]:.0f}")
    if not options.no_raft:
        result["raft"] = summary(raft_steps(options))
        print(f"RAFT step    {result['raft']['seconds']:.2f} s, first epoch, supervised part included")
    if not options.no_floor:
        result["floor"] = floor(options, check, steps)
        for kind in ("first epoch", "later epoch"):
            print(
                "floor        {seconds:.2f} s, ours {times_floor:.2f} times that".format(**result["floor"][kind]), kind
            )
    result |= {"load_after": os.getloadavg(), "each": found}
    return result


def main() -> None:
    """Read the arguments and run the bench."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--raft-steps", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-raft", action="store_true")
    parser.add_argument("--no-floor", action="store_true")
    start = time.perf_counter()
    result = measure(parser.parse_args())
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result) + "\n", encoding="utf-8")
    load = f"load {result['load_before'][0]:.1f} -> {result['load_after'][0]:.1f}"
    print(f"{load}; {time.perf_counter() - start:.0f} s; written to {RESULT.name}")


if __name__ == "__main__":
    main()
