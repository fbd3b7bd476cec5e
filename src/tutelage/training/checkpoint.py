"""Checkpoints that are complete or absent, hold no pickle, and know when they are damaged.

A checkpoint is a folder ``step-000040`` with the trainable weights, the optimizer's tensors (both safetensors), the
scalars (JSON) and a manifest with the hash of every file, written last and renamed into place. Random number
generators need no saving: every stream is derived from the seed and the step.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from tutelage.errors import CheckpointError
from tutelage.io import atomic_folder, clean_stale, verify_folder, write_json
from tutelage.io.documents import read_json
from tutelage.io.tensors import load_tensors, save_tensors

__all__ = ["Checkpoint", "extra_tensors", "latest", "restore", "save"]

FORMAT = 1
_PREFIX = "step-"


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint: where it is and at which step it was taken."""

    folder: Path
    step: int


def save(
    root: Path,
    step: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scalars: Mapping[str, Any],
    *,
    keep: int = 2,
    extra: Mapping[str, Tensor] | None = None,
) -> Checkpoint:
    """Write ``root/step-<step>`` atomically, then remove all but the newest ``keep``.

    Args:
        root: folder of the run's checkpoints.
        step: optimizer steps done.
        model: its parameters that require a gradient are saved.
        optimizer: its tensors go to safetensors, its hyper-parameters to JSON.
        scalars: anything else that training needs to continue; must be JSON.
        keep: how many checkpoints to leave.
        extra: further tensors that training needs to continue, such as a running average.

    Raises:
        StoreError: the disk is full or not writable; the previous checkpoint is untouched.
    """
    root.mkdir(parents=True, exist_ok=True)
    clean_stale(root)
    folder = root / f"{_PREFIX}{step:06d}"
    if folder.exists():  # a damaged or re-trained one of the same step: it is worth nothing
        shutil.rmtree(folder)
    names = _parameter_names(model, optimizer)
    tensors, groups = _flatten(optimizer, names)
    with atomic_folder(folder) as temporary:
        trainable = {n: p.detach().cpu().contiguous() for n, p in model.named_parameters() if p.requires_grad}
        save_tensors(temporary / "weights.safetensors", trainable, {})
        save_tensors(temporary / "optimizer.safetensors", tensors, {})
        if extra:
            save_tensors(temporary / "extra.safetensors", {n: t.cpu().contiguous() for n, t in extra.items()}, {})
        write_json(
            temporary / "state.json", {"format": FORMAT, "step": step, "groups": groups, "scalars": dict(scalars)}
        )
    for old in _folders(root)[:-keep]:
        shutil.rmtree(old)
    return Checkpoint(folder, step)


def latest(root: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest checkpoint that verifies, and a message for every newer one that does not."""
    damaged: list[str] = []
    for folder in reversed(_folders(root)):
        try:
            verify_folder(folder)
            return Checkpoint(folder, int(folder.name.removeprefix(_PREFIX))), damaged
        except CheckpointError as error:
            damaged.append(f"{error}; falling back to the checkpoint before it")
    return None, damaged


def restore(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Load weights and optimizer state in place and return the scalars.

    Raises:
        CheckpointError: the format is newer, or the trainable parameters are not those of ``model``.
    """
    state = read_json(checkpoint.folder / "state.json")
    if state.get("format") != FORMAT:
        raise CheckpointError(
            f"checkpoint format {state.get('format')} is not {FORMAT}",
            where=str(checkpoint.folder),
            hint="continue with the version of Tutelage that wrote it, or start the run anew",
        )
    weights = load_tensors(checkpoint.folder / "weights.safetensors")
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    if weights.keys() != parameters.keys():
        odd = sorted(weights.keys() ^ parameters.keys())[0]
        raise CheckpointError(
            f"the checkpoint's parameters are not the model's: {odd} is in only one of them",
            where=str(checkpoint.folder),
            hint="resume with the model and adapter settings the run was started with",
        )
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])
    tensors = load_tensors(checkpoint.folder / "optimizer.safetensors")
    _unflatten(optimizer, _parameter_names(model, optimizer), tensors, state["groups"])
    return cast("dict[str, Any]", state["scalars"])


def extra_tensors(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """What was saved as ``extra``; empty when nothing was."""
    path = checkpoint.folder / "extra.safetensors"
    return load_tensors(path) if path.exists() else {}


def _folders(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    found = (f for f in root.iterdir() if f.is_dir() and f.name.startswith(_PREFIX))
    return sorted(
        (f for f in found if f.name.removeprefix(_PREFIX).isdigit()), key=lambda f: int(f.name[len(_PREFIX) :])
    )


def _parameter_names(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[str]:
    """Names of the optimizer's parameters in the order of its state."""
    by_identity = {id(p): n for n, p in model.named_parameters()}
    return [by_identity[id(p)] for group in optimizer.param_groups for p in group["params"]]


def _flatten(optimizer: torch.optim.Optimizer, names: list[str]) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    state = optimizer.state_dict()
    tensors = {}
    for index, entry in state["state"].items():
        for key, value in entry.items():
            tensor = value if isinstance(value, Tensor) else torch.tensor(value)
            tensors[f"{names[index]}|{key}"] = tensor.detach().cpu().contiguous()
    return tensors, [{k: v for k, v in g.items() if k != "params"} for g in state["param_groups"]]


def _unflatten(
    optimizer: torch.optim.Optimizer, names: list[str], tensors: dict[str, Tensor], groups: list[dict[str, Any]]
) -> None:
    state = optimizer.state_dict()
    entries: dict[int, dict[str, Tensor]] = {}
    index = {name: i for i, name in enumerate(names)}
    for key, tensor in tensors.items():
        name, _, field = key.rpartition("|")
        entries.setdefault(index[name], {})[field] = tensor
    restored = [{**saved, "params": now["params"]} for saved, now in zip(groups, state["param_groups"], strict=True)]
    optimizer.load_state_dict({"state": entries, "param_groups": restored})
