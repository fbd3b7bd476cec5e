"""The fused divergence kernel beside TRL's two: extra peak memory and time of one forward and backward pass.

The peers are ``generalized_jsd_loss`` of the GKD trainer ("trl") and the chunked kernel of the DistillationTrainer
("trl-chunked"). All start from hidden states and heads (projection included) at SmolLM2-135M's sizes, in float32, on
CPU. Times are taken in turn (A B C A B C ...) in one process; every peak in a process of its own, as growth of the
resident set. Values and gradients of all sides are asserted to be equal where they compute the same quantity.

    python bench/divergence.py [--rounds 5] [--memory-rounds 3] [--positions 1024] [--large 4096] [--threads 1]

Writes one JSON line to ``bench/results/divergence.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

Tensors = tuple["torch.Tensor", "torch.Tensor", "torch.Tensor", "torch.Tensor"]

V, D = 49_152, 576
RESULT = Path(__file__).parent / "results" / "divergence.json"


@dataclass(frozen=True)
class Case:
    """One comparison; ``beta`` is TRL's, ``k`` 0 means the full vocabulary (the quantity that TRL computes)."""

    beta: float
    head_trained: bool
    k: int = 0


CASES = {
    "forward KL, head trained": Case(0.0, True),
    "forward KL, head frozen": Case(0.0, False),
    "JSD 0.5, head frozen": Case(0.5, False),
    "top-512 forward KL, head frozen": Case(0.0, False, 512),  # coarser than what TRL computes beside it
}
MEMORY_CASES = ("forward KL, head trained", "forward KL, head frozen", "top-512 forward KL, head frozen")


def problem(positions: int) -> Tensors:
    """Hidden states and heads of a teacher and of a student that has moved a little."""
    import torch

    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int, scale: float) -> torch.Tensor:
        return torch.randn(*shape, generator=generator).mul_(scale)

    teacher_head = normal(V, D, scale=0.1)
    head = normal(V, D, scale=0.01).add_(teacher_head)
    teacher_hidden = normal(positions, D, scale=1.0)
    hidden = normal(positions, D, scale=0.1).add_(teacher_hidden)
    return hidden, head, teacher_hidden, teacher_head


def theirs(case: Case, tensors: Tensors) -> Callable[[], tuple]:
    """Forward and backward through full logits and TRL's loss."""
    import torch
    from trl.experimental.gkd.gkd_trainer import GKDTrainer

    hidden, head, teacher_hidden, teacher_head = tensors

    def run() -> tuple:
        h, w = hidden.detach().requires_grad_(), head.detach().requires_grad_(case.head_trained)
        with torch.no_grad():
            teacher = teacher_hidden @ teacher_head.T
        loss = GKDTrainer.generalized_jsd_loss(h @ w.T, teacher, beta=case.beta)
        del teacher
        loss.backward()
        return loss.item(), h.grad, w.grad

    return run


def theirs_chunked(case: Case, tensors: Tensors) -> Callable[[], tuple]:
    """Forward and backward through TRL's chunked kernel."""
    from trl.kernels.chunked_divergence import ChunkedDivergenceFunction

    hidden, head, teacher_hidden, teacher_head = tensors

    def run() -> tuple:
        h, w = hidden.detach().requires_grad_(), head.detach().requires_grad_(case.head_trained)
        values, _ = ChunkedDivergenceFunction.apply(h, w, None, teacher_hidden, teacher_head, None, case.beta)
        loss = values.mean()
        loss.backward()
        return loss.item(), h.grad, w.grad

    return run


def ours(case: Case, tensors: Tensors) -> Callable[[], tuple]:
    """Forward and backward through the fused kernel."""
    import torch

    from tutelage.functional.divergence import DivergenceSettings
    from tutelage.functional.projection import Projected, projected_divergence

    hidden, head, teacher_hidden, teacher_head = tensors
    settings = DivergenceSettings(
        "teacher" if case.k else "full", case.k or 1, direction=case.beta, statistics=bool(case.k)
    )
    weights = torch.full((len(hidden),), 1.0 / len(hidden))

    def run() -> tuple:
        h, w = hidden.detach().requires_grad_(), head.detach().requires_grad_(case.head_trained)
        loss = projected_divergence(Projected(h, w), Projected(teacher_hidden, teacher_head), weights, settings).loss
        loss.backward()
        return loss.item(), h.grad, w.grad

    return run


def plain_top_k(case: Case, tensors: Tensors) -> Callable[[], tuple]:
    """The truncated loss written plainly on full logits: the oracle where TRL has none."""
    hidden, head, teacher_hidden, teacher_head = tensors

    def run() -> tuple:
        h = hidden.detach().requires_grad_()
        teacher, columns = (teacher_hidden @ teacher_head.T).topk(case.k)
        log_q = teacher.log_softmax(-1)
        log_p = (h @ head.T).gather(1, columns).log_softmax(-1)
        loss = (log_q.exp() * (log_q - log_p)).sum(-1).mean()
        loss.backward()
        return loss.item(), h.grad, None

    return run


SIDES = {"trl": theirs, "trl-chunked": theirs_chunked, "tutelage": ours}
PEERS = ("trl", "trl-chunked")


def status(field: str) -> float:
    """A field of this process's memory status, in MiB."""
    text = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(text.split(f"{field}:")[1].split()[0]) / 1024


def peak(side: str, name: str, positions: int) -> float:
    """Growth of the resident set during one forward and backward, MiB."""
    tensors = problem(positions)
    few = (tensors[0][:8], tensors[1], tensors[2][:8], tensors[3])
    SIDES[side](CASES[name], few)()  # thread pools, kernels and library buffers exist from here on
    run = SIDES[side](CASES[name], tensors)
    if sys.platform != "linux":
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        run()
        return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # start the high-water mark from now
    before = status("VmRSS")
    run()
    return status("VmHWM") - before


def gaps(one: tuple, other: tuple) -> dict[str, float]:
    """Largest absolute differences of loss and gradients; a failed assertion stops the bench."""
    found = {"loss": abs(one[0] - other[0])}
    for key, a, b in (("hidden", one[1], other[1]), ("head", one[2], other[2])):
        if a is not None:
            found[key] = float((a - b).abs().max())
            assert float((a - b).norm() / b.norm()) < 1e-4, f"{key}: gradients differ"
    assert max(found.values()) <= 1e-6, f"not equal: {found}"
    return found


def times(name: str, positions: int, rounds: int) -> dict:
    """Seconds of both sides in turn, and how far their results are apart."""
    case, tensors = CASES[name], problem(positions)
    runs = {side: make(case, tensors) for side, make in SIDES.items()}
    mine = runs["tutelage"]()
    if case.k:
        equal = {"plain": gaps(mine, plain_top_k(case, tensors)())}
    else:
        equal = {peer: gaps(mine, runs[peer]()) for peer in PEERS}
    seconds: dict[str, list[float]] = {side: [] for side in runs}
    for _ in range(rounds):
        for side, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[side].append(time.perf_counter() - start)
    return {"seconds": seconds, "gaps": equal}


def ratio(mine: list[float], other: list[float]) -> list[float]:
    """Median of the paired ratios mine / other with a 95 % bootstrap interval."""
    ratios = np.array(mine) / np.array(other)
    draws = np.random.default_rng(0).integers(0, len(ratios), (4000, len(ratios)))
    low, high = np.quantile(np.median(ratios[draws], axis=1), [0.025, 0.975])
    return [round(float(x), 4) for x in (np.median(ratios), low, high)]


def in_child(threads: int, *arguments: str | int) -> Any:
    """Run this file in a process of its own and read the JSON it prints last."""
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "TRL_EXPERIMENTAL_SILENCE": "1",
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, __file__, "--child", *map(str, arguments)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(options: argparse.Namespace) -> Iterator[dict]:
    """All cases: the result so far after each, which is also printed."""
    import torch
    import trl

    result = {
        "bench": "divergence",
        "vocabulary": V,
        "width": D,
        "threads": options.threads,
        "rounds": options.rounds,
        "versions": {"torch": torch.__version__, "trl": trl.__version__, "python": platform.python_version()},
        "load_before": os.getloadavg(),
        "complete": False,
        "time": {},
        "memory": {},
    }
    for name in options.cases:
        got = in_child(options.threads, "time", name, options.positions, options.rounds)
        got["ratio"] = {peer: ratio(got["seconds"]["tutelage"], got["seconds"][peer]) for peer in PEERS}
        result["time"][name] = got | {"positions": options.positions}
        for peer, three in got["ratio"].items():
            print("time    {:<32} N={:<5} {:.2f} [{:.2f}, {:.2f}] of {}".format(name, options.positions, *three, peer))
        yield result
    for positions in (options.positions, options.large):
        for name in [x for x in MEMORY_CASES if x in options.cases]:
            peaks: dict[str, list[float]] = {side: [] for side in SIDES}
            for _ in range(options.memory_rounds):
                for side, values in peaks.items():
                    values.append(round(in_child(options.threads, "peak", side, name, positions), 1))
            less = {peer: ratio(peaks[peer], peaks["tutelage"]) for peer in PEERS}
            result["memory"][f"{name}, N={positions}"] = {"mib": peaks, "times_less": less}
            for peer, three in less.items():
                middle = [float(np.median(peaks[side])) for side in ("tutelage", peer)]
                row = "memory  {:<32} N={:<5} {:.0f} MiB against {:.0f}: {:.1f} times less [{:.1f}, {:.1f}] than {}"
                print(row.format(name, positions, *middle, *three, peer))
            yield result
    yield result | {"complete": True}


def main() -> None:
    """Read the arguments and run the bench or one measurement of it."""
    if "--child" in sys.argv:
        kind, *rest = sys.argv[sys.argv.index("--child") + 1 :]
        if kind == "peak":
            print(json.dumps(peak(rest[0], rest[1], int(rest[2]))))
        else:
            print(json.dumps(times(rest[0], int(rest[1]), int(rest[2]))))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory-rounds", type=int, default=3)
    parser.add_argument("--positions", type=int, default=1024)
    parser.add_argument("--large", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cases", nargs="*", default=list(CASES), choices=list(CASES))
    RESULT.parent.mkdir(exist_ok=True)
    result: dict = {}
    for so_far in measure(parser.parse_args()):
        result = so_far | {"load_after": os.getloadavg()}
        RESULT.write_text(json.dumps(result) + "\n", encoding="utf-8")
    print(f"load {result['load_before'][0]:.1f} -> {result['load_after'][0]:.1f}; written to {RESULT.name}")


if __name__ == "__main__":
    main()
