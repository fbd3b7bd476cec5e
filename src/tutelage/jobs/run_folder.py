"""A run's folder, and the phases that make it resumable.

Each phase leaves one small JSON file when it is done, written atomically. A run that is started again skips the
phases that are done and repeats the one that was interrupted, which is itself resumable where it is long (refinement
keeps its generations, training its checkpoints).
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from tutelage.errors import ConfigError, DataError
from tutelage.io import JsonlLog, clean_stale, read_jsonl, write_json, write_jsonl
from tutelage.io.documents import read_json

__all__ = ["RunFolder", "environment"]

_FORMAT = 1
_PACKAGES = ("tutelage", "torch", "transformers", "peft", "accelerate", "datasets", "numpy", "safetensors")


@dataclass
class RunFolder:
    """``root`` holds everything of one run; see ``docs/run-folder.md`` for the layout."""

    root: Path

    @classmethod
    def create(
        cls, root: Path, *, command: str, config_toml: str, origins: Mapping[str, str], job: str = "tune"
    ) -> RunFolder:
        """Start a run of ``job`` in an empty or new folder.

        Raises:
            ConfigError: the folder already holds a run or other files.
        """
        if root.exists() and (not root.is_dir() or any(root.iterdir())):
            started = (root / "run.json").exists()
            raise ConfigError(
                "the output folder already holds a run" if started else "the output folder is not empty",
                where=str(root),
                hint=f"continue it with `tutelage resume {root}`" if started else "choose another folder",
            )
        folder = cls(root)
        root.mkdir(parents=True, exist_ok=True)
        (root / "config.toml").write_text(config_toml, encoding="utf-8")
        write_json(root / "origins.json", dict(origins))
        write_json(root / "environment.json", environment())
        identity = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{os.getpid():05d}"
        created = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        # Written last: a folder with run.json has everything that resuming needs.
        facts = {"format": _FORMAT, "id": identity, "job": job, "command": command, "created": created}
        write_json(root / "run.json", facts)
        return folder

    @classmethod
    def open(cls, root: Path) -> RunFolder:
        """The folder of a run that was started before.

        Raises:
            DataError: there is no run in ``root``, or a newer version of Tutelage wrote it.
        """
        if not (root / "run.json").is_file():
            raise DataError("there is no run here", where=str(root), hint="start one with `tutelage tune --out FOLDER`")
        if read_json(root / "run.json").get("format") != _FORMAT:
            raise DataError("the run was written by another version of Tutelage", where=str(root))
        folder = cls(root)
        clean_stale(root)
        return folder

    @property
    def facts(self) -> dict[str, Any]:
        """``id``, ``job``, ``command`` and ``created`` of the run."""
        facts: dict[str, Any] = {"job": "tune", **read_json(self.root / "run.json")}
        return facts

    def check_inputs(self, now: Mapping[str, str]) -> None:
        """Remember the hashes of what goes into the run by name; once they are remembered, refuse others.

        Raises:
            ConfigError: an input is not the one that the run began with.
        """
        file = self.path("fingerprints.json")
        if not file.exists():
            write_json(file, dict(now))
            return
        before = read_json(file)
        changed = [f"{key}: was {before[key][:12]}, is {now[key][:12]}" for key in now if before[key] != now[key]]
        if changed:
            raise ConfigError(
                f"not the run's own inputs: {'; '.join(changed)}",
                where=str(self.root),
                hint="bring the original model and data back, or start a new run",
            )

    def path(self, *parts: str) -> Path:
        """A path inside the folder, its parent made."""
        path = self.root.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def phase(self, name: str, compute: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """Result of phase ``name``: read if it is done, else computed and kept with its seconds and peak memory."""
        done = self.path("phases", f"{name}.json")
        if done.is_file():
            result: dict[str, Any] = read_json(done)["result"]
            return result
        started = time.perf_counter()
        result = dict(compute())
        seconds = time.perf_counter() - started
        write_json(done, {"seconds": round(seconds, 2), "peak_memory_mib": peak_memory_mib(), "result": result})
        return result

    def is_done(self, name: str) -> bool:
        """Whether phase ``name`` has left its result."""
        return (self.root / "phases" / f"{name}.json").is_file()

    def phase_costs(self) -> dict[str, dict[str, float]]:
        """Seconds and peak memory of every finished phase, in the order they finished."""
        files = sorted((self.root / "phases").glob("*.json"), key=lambda f: f.stat().st_mtime_ns)
        documents = {file.stem: read_json(file) for file in files}
        return {
            name: {"seconds": d["seconds"], "peak_memory_mib": d["peak_memory_mib"]} for name, d in documents.items()
        }

    def metrics_log(self, arm: str, from_step: int) -> JsonlLog:
        """Append-only ``metrics.jsonl``, without the rows of ``arm`` that training is about to repeat."""
        path = self.path("metrics.jsonl")
        if path.exists():
            rows = [line.value for line in read_jsonl(path) if line.error is None]
            kept = [row for row in rows if not (row["arm"] == arm and row["step"] > from_step)]
            if len(kept) < len(rows):
                write_jsonl(path, kept)
        return JsonlLog(path)


def peak_memory_mib() -> float:
    """Highest resident memory of this process so far, MiB. Counts memory-mapped weights too."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def environment() -> dict[str, Any]:
    """Versions and machine facts that a reader needs to repeat a run. No names, no paths, no tokens."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "versions": versions,
    }
