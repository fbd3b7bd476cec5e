"""Look at this machine: what is installed, what is missing, what is fast, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

import psutil
import torch

from tutelage import assets
from tutelage.io.paths import home

__all__ = ["Check", "examine", "matmul_seconds"]

Status = Literal["ok", "warn", "missing"]

# Oldest versions that the code is written against; keep in step with pyproject.toml.
REQUIRED = {
    "torch": "2.6",
    "transformers": "5.23",
    "peft": "0.18",
    "accelerate": "1.10",
    "datasets": "4.0",
    "sentence-transformers": "5.0",
    "gguf": "0.17",
}
EXTRAS = {
    "trl": ("trl", "comparison with TRL's trainers"),
    "statsmodels": ("statistics", "cross-checks of the statistics"),
    "pytest": ("test", "running the tests"),
    "ruff": ("lint", "working on the code"),
}
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
GIB = 1024**3


@dataclass(frozen=True)
class Check:
    """One finding: ``status`` ok, warn or missing, what was ``found``, and the ``advice`` (empty when all is well)."""

    name: str
    status: Status
    found: str
    advice: str = ""


def examine(*, seconds_per_dtype: float = 0.2, progress: Callable[[str], None] = lambda what: None) -> list[Check]:
    """Every check, from the ground up. Nothing is changed and nothing is fetched; assets are hashed.

    Args:
        seconds_per_dtype: time given to each measurement of a matrix product.
        progress: called with what is looked at next.

    Returns:
        Checks in the order in which to mend things; one that is ``missing`` keeps something from working.

    Example:
        >>> examine()[0].name  # doctest: +SKIP
        'python'
    """
    checks = [_python()]
    progress("packages")
    checks += [*_packages(), *_extras()]
    checks += [_threads(), _memory(), _disk(), _gpu()]
    progress("number formats")
    checks.append(_dtypes(seconds_per_dtype))
    checks += _assets(progress)
    return checks


def matmul_seconds(dtype: torch.dtype, device: str, budget: float) -> float | None:
    """Median seconds of one matrix product [256, 576] x [576, 1536], the size of a 256-token step through one layer.

    Args:
        dtype: number format of both factors.
        device: ``cpu``, ``cuda``, ...
        budget: seconds to spend; one product is timed in any case.

    Returns:
        The median, or None if the device cannot do it.
    """
    try:
        left = torch.ones(256, 576, dtype=dtype, device=device)
        right = torch.ones(576, 1536, dtype=dtype, device=device)
        left[:8] @ right  # warm up: first use loads kernels
        times: list[float] = []
        end = time.perf_counter() + budget
        while not times or (time.perf_counter() < end and len(times) < 500):
            started = time.perf_counter()
            product = left @ right
            product[0, 0].item()  # waits for an accelerator to finish
            times.append(time.perf_counter() - started)
    except RuntimeError:
        return None
    return statistics.median(times)


def _python() -> Check:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return Check("python", "ok", found)


def _packages() -> Iterator[Check]:
    for name, oldest in REQUIRED.items():
        found = _version(name)
        if found is None:
            yield Check(name, "missing", "not installed", f"pip install '{name}>={oldest}'")
        elif _numbers(found) < _numbers(oldest):
            yield Check(name, "warn", found, f"pip install --upgrade '{name}>={oldest}'")
        else:
            yield Check(name, "ok", found)


def _extras() -> Iterator[Check]:
    for name, (extra, purpose) in EXTRAS.items():
        found = _version(name)
        advice = "" if found else f"optional, for {purpose}: pip install 'tutelage[{extra}]'"
        yield Check(
            f"extra {extra}", "ok" if found else "warn", f"{name} {found}" if found else "not installed", advice
        )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    """The leading numbers of a version: ``2.13.0+cpu`` gives (2, 13, 0)."""
    numbers: list[int] = []
    for part in version.replace("+", ".").split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _threads() -> Check:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    physical = min(psutil.cpu_count(logical=False) or usable, usable)
    asked = os.environ.get("OMP_NUM_THREADS")
    used = torch.get_num_threads()
    found = f"{usable} usable ({physical} physical), torch uses {used}, OMP_NUM_THREADS {asked or 'unset'}"
    load = os.getloadavg()[0]
    if used > usable:
        return Check(
            "threads", "warn", found, f"more threads than cores slow everything down: OMP_NUM_THREADS={usable}"
        )
    if used < physical:
        return Check("threads", "warn", found, f"for one run at a time: OMP_NUM_THREADS={physical}")
    if load > usable:
        return Check(
            "threads", "warn", f"{found}, load {load:.1f}", "other jobs are running here; times will be longer"
        )
    return Check("threads", "ok", found)


def _memory() -> Check:
    memory = psutil.virtual_memory()
    found = f"{memory.available / GIB:.1f} GiB free of {memory.total / GIB:.1f}"
    if memory.available < 4 * GIB:
        return Check(
            "memory", "warn", found, "the embedded model trains in 4 to 8 GiB: close programs or lower the batch size"
        )
    return Check("memory", "ok", found)


def _disk() -> Check:
    folder = home()
    existing = folder
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    found = f"{free / GIB:.1f} GiB free for {folder}"
    if not os.access(existing, os.W_OK):
        return Check(
            "disk", "missing", f"{found}, not writable", "point TUTELAGE_HOME at a folder that you may write to"
        )
    if free < 3 * GIB:
        return Check("disk", "warn", found, "a run needs 2 to 3 GiB: free some, or point TUTELAGE_HOME elsewhere")
    return Check("disk", "ok", found)


def _gpu() -> Check:
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        return Check("gpu", "ok", ", ".join(f"{gpu.name} ({gpu.total_memory / GIB:.0f} GiB)" for gpu in names))
    if torch.backends.mps.is_available():
        return Check("gpu", "ok", "Apple GPU (mps)")
    if shutil.which("nvidia-smi") and Path("/proc/driver/nvidia").exists():
        return Check("gpu", "warn", "an NVIDIA GPU that torch cannot use", "install the CUDA build of torch")
    return Check("gpu", "ok", "none; everything runs on the processor, larger models would be slow")


def _device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _dtypes(budget: float) -> Check:
    device = _device()
    flops = 2 * 256 * 576 * 1536
    timed = {dtype: matmul_seconds(dtype, device, budget) for dtype in DTYPES}
    usable = {dtype: seconds for dtype, seconds in timed.items() if seconds is not None}
    parts = [f"{_short(dtype)} {flops / seconds / 1e9:.0f} GFLOP/s" for dtype, seconds in usable.items()]
    parts += [f"{_short(dtype)} not supported" for dtype, seconds in timed.items() if seconds is None]
    found = f"on {device}: " + ", ".join(parts)
    full = usable.get(torch.float32)
    half = usable.get(torch.bfloat16)
    if full is not None and half is not None and half < 0.67 * full:
        return Check(
            "number format",
            "ok",
            found,
            "bfloat16 is the faster one here: --set model.dtype=bfloat16 for larger models",
        )
    return Check("number format", "ok", found, "compute in float32 here; lower precision saves no time")


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _assets(progress: Callable[[str], None]) -> Iterator[Check]:
    small = [asset for asset in assets.catalogue() if asset.tier == "small"]
    absent: list[str] = []
    for asset in small:
        progress(f"asset {asset.name}")
        found = assets.problem(asset, verify=True)
        if found == "it is not installed":
            absent.append(asset.name)
        elif found is not None:
            yield Check(f"asset {asset.name}", "missing", found, f"tutelage assets install {asset.name}")
    whole = len(small) - len(absent)
    if absent:
        listed = ", ".join(absent[:4]) + (f" and {len(absent) - 4} more" if len(absent) > 4 else "")
        yield Check(
            "assets",
            "missing",
            f"{whole} of {len(small)} of the kit; not here: {listed}",
            "tutelage assets install small",
        )
    else:
        yield Check("assets", "ok", f"all {len(small)} of the kit, every file hashed")
