"""The average of a run's last checkpoints, kept while training; nothing is written to disk here.

Averaging does what a falling learning rate does (it calms the noise of the last steps) without making the steps on the
last rows small. Useful under a constant or mildly falling rate; under a rate that has fallen to nothing the last
checkpoints are all the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from tutelage.errors import CheckpointError, ConfigError, ModelError
from tutelage.types import FloatArray

__all__ = ["Average", "AveragingSettings", "CheckpointAverager", "checkpoint_weights", "load_average"]

Average = Literal["ema", "sma", "wma"]
_WINDOW = 0.1


@dataclass(frozen=True)
class AveragingSettings:
    """Which checkpoints are averaged, and how.

    Raises:
        ConfigError: an unknown kind, fewer than one checkpoint, alpha outside (0, 1], a negative distance.
    """

    kind: Average = field(
        default="ema", metadata={"help": "ema (newer count more), sma (all the same) or wma (like a falling rate)"}
    )
    n: int = field(default=6, metadata={"help": "how many of the last checkpoints"})
    alpha: float = field(default=0.2, metadata={"help": "weight of each newer checkpoint, for ema"})
    every: int = field(default=0, metadata={"help": "steps between them; 0 = evenly over the last tenth of the run"})

    def __post_init__(self) -> None:
        if self.kind not in get_args(Average):
            raise ConfigError(
                f"kind is {self.kind!r}", where="average.kind", hint=f"one of {', '.join(get_args(Average))}"
            )
        if self.n < 1:
            raise ConfigError(f"n is {self.n}", where="average.n", hint="average at least one checkpoint")
        if not 0.0 < self.alpha <= 1.0:
            raise ConfigError(
                f"alpha is {self.alpha}, not in (0, 1]",
                where="average.alpha",
                hint="0.2 is the paper's; 1 keeps the last",
            )
        if self.every < 0:
            raise ConfigError(f"every is {self.every}", where="average.every", hint="0 or a number of steps")

    def spacing(self, total: int) -> int:
        """Steps between two checkpoints of a run of ``total`` steps.

        Raises:
            ConfigError: the run is too short for n checkpoints that far apart.
        """
        every = self.every or max(1, int(_WINDOW * total / self.n))
        if (self.n - 1) * every >= total:
            raise ConfigError(
                f"{self.n} checkpoints {every} steps apart do not fit into {total} steps",
                where="average",
                hint="lower n or every, or train longer",
            )
        return every

    def takes(self, step: int, total: int) -> bool:
        """Whether the checkpoint after ``step`` of ``total`` optimizer steps is one of the n; the last always is."""
        back, every = total - step, self.spacing(total)
        return back >= 0 and back % every == 0 and back // every < self.n


def checkpoint_weights(settings: AveragingSettings) -> FloatArray:
    r"""Weights of the n checkpoints in the average, oldest first; they add up to 1.

    ``ema`` with :math:`M_1 = \theta_1`, :math:`M_i = a\theta_i + (1-a)M_{i-1}`: :math:`(1-a)^{n-1}` for the first,
    :math:`a(1-a)^{n-i}` for the others. ``sma``: 1/n. ``wma``: an average of checkpoints is the first of them plus the
    steps between them, step i scaled by the summed weights of the checkpoints after it. The weights are those for which
    the scales are :math:`1 - \sqrt{i/n}`, i = 1..n-1, which is a decay by the square root to zero.

    Returns:
        [n] float64, none below 0.

    Source: CMA (arXiv 2511.18903) for ema and sma; for wma the paper names the idea (averages that stand in for a
        decay) and the formula is our own derivation.

    Example:
        >>> checkpoint_weights(AveragingSettings("ema", n=3, alpha=0.5)).tolist()
        [0.25, 0.25, 0.5]
    """
    n, alpha = settings.n, settings.alpha
    if settings.kind == "sma":
        return np.full(n, 1.0 / n)
    if settings.kind == "ema":
        weights: FloatArray = alpha * (1.0 - alpha) ** np.arange(n - 1, -1, -1.0)
        weights[0] = (1.0 - alpha) ** (n - 1)
        return weights
    scales = [1.0, *(1.0 - math.sqrt(i / n) for i in range(1, n)), 0.0]
    return np.array([before - after for before, after in pairwise(scales)])


class CheckpointAverager:
    """Running average of the last n checkpoints of a run, in float32 (float64 for float64 weights).

    Call :meth:`update` after every optimizer step; at the right steps it takes the weights in, at the others it
    returns at once. Memory is one copy of the averaged tensors, on their device. Tensors that are the same memory
    under two names (tied weights) are averaged once. What is not floating point (counters) is the newest.

    For a resumed run that equals the uninterrupted one bit for bit, save :meth:`tensors` (safetensors) and
    :meth:`state_dict` (JSON) with the checkpoint and give both to :meth:`load`.

    Example:
        >>> averager = CheckpointAverager(AveragingSettings("sma", n=2, every=1))
        >>> for step in range(1, 4):
        ...     _ = averager.update(step, 3, [("w", torch.tensor([float(step)]))])
        >>> averager.averaged()["w"]
        tensor([2.5000])
    """

    def __init__(self, settings: AveragingSettings | None = None) -> None:
        self.settings = settings or AveragingSettings()
        self.taken: list[int] = []
        self._total = 0
        self._mean: dict[str, Tensor] = {}
        self._same: dict[str, str] = {}
        weights = checkpoint_weights(self.settings)
        sums = np.cumsum(weights)  # 0 before the last when alpha is 1
        self._pulls = [float(w / s) if s else 1.0 for w, s in zip(weights, sums, strict=True)]

    @property
    def complete(self) -> bool:
        """Whether all n checkpoints are in."""
        return len(self.taken) == self.settings.n

    @torch.no_grad()
    def update(self, step: int, total: int, named: Iterable[tuple[str, Tensor]]) -> bool:
        """Take the weights after ``step`` (from 1) of ``total`` steps in, if this is one of the n.

        Args:
            step: optimizer steps done.
            total: of the whole run; the same in every call.
            named: for instance ``model.named_parameters()`` or ``model.state_dict().items()``; the master weights in
                float32 where training keeps such. Not read when the step is not one of the n.

        Returns:
            Whether the weights were taken.

        Raises:
            ConfigError: the run is too short for n checkpoints.
            CheckpointError: a step that was taken before, another total, other names or shapes than before.
        """
        if not self.settings.takes(step, total):
            return False
        if self.taken and (step <= self.taken[-1] or total != self._total):
            raise CheckpointError(
                f"step {step} of {total} after step {self.taken[-1]} of {self._total}",
                where="CheckpointAverager",
                hint="load the average that was saved with the checkpoint you resume from",
            )
        unique, same = _once_each(named)
        if self.taken:
            self._check(unique, same)
        else:
            self._same = same
        pull = self._pulls[len(self.taken)]
        for name, tensor in unique.items():
            self._mean[name] = _pulled(self._mean.get(name), tensor, pull)
        self.taken.append(step)
        self._total = total
        return True

    def averaged(self) -> dict[str, Tensor]:
        """The average by name, float32; names of tied weights share one tensor. It is a copy.

        Raises:
            CheckpointError: no checkpoint has been taken yet.
        """
        if not self.taken:
            raise CheckpointError("there is no checkpoint to average yet", hint="train to the end of the run")
        copies = {name: tensor.clone() for name, tensor in self._mean.items()}
        return copies | {name: copies[first] for name, first in self._same.items()}

    def tensors(self) -> dict[str, Tensor]:
        """What :meth:`load` needs beside the state; not copied."""
        return dict(self._mean)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the tensors, as JSON has it."""
        return {
            "settings": asdict(self.settings),
            "taken": list(self.taken),
            "total": self._total,
            "same": dict(self._same),
        }

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`tensors` and :meth:`state_dict` gave.

        Raises:
            CheckpointError: the average was begun with other settings.
        """
        if state["settings"] != asdict(self.settings):
            raise CheckpointError(
                f"the saved average was made with {state['settings']}, not {asdict(self.settings)}",
                where="CheckpointAverager",
                hint="resume with the settings the run was started with",
            )
        self.taken, self._total = [int(step) for step in state["taken"]], int(state["total"])
        self._same = dict(state["same"])
        self._mean = {name: tensor.detach().clone() for name, tensor in tensors.items()}

    def _check(self, unique: Mapping[str, Tensor], same: Mapping[str, str]) -> None:
        shapes = {name: tensor.shape for name, tensor in unique.items()}
        before = {name: tensor.shape for name, tensor in self._mean.items()}
        if shapes == before and same == self._same:
            return
        odd = sorted(name for name in shapes.keys() | before.keys() if shapes.get(name) != before.get(name))
        raise CheckpointError(
            f"not the tensors that were averaged before: {', '.join(odd[:3]) or 'other weights are tied'}",
            where="CheckpointAverager",
            hint="give the same model's tensors at every step",
        )


@torch.no_grad()
def load_average(model: nn.Module, averaged: Mapping[str, Tensor]) -> None:
    """Put an average into a model, in place and in the model's own dtype.

    A network with BatchNorm needs its running statistics again afterwards: ``torch.optim.swa_utils.update_bn``.

    Raises:
        ModelError: a name that the model does not have, or another shape; the model is then untouched.
    """
    own = dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers(remove_duplicate=False))
    for name, tensor in averaged.items():
        if name not in own or own[name].shape != tensor.shape:
            raise ModelError(
                f"the average holds {name!r} of shape {tuple(tensor.shape)}, the model does not",
                hint="load it into the architecture it was made of",
            )
    for name, tensor in averaged.items():
        own[name].copy_(tensor)


def _once_each(named: Iterable[tuple[str, Tensor]]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors under their first names, and the first name of every other one."""
    unique: dict[str, Tensor] = {}
    same: dict[str, str] = {}
    seen: dict[tuple[Any, ...], str] = {}
    for name, tensor in named:
        key = (tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        if tensor.numel() and key in seen:
            same[name] = seen[key]
            continue
        seen[key] = name
        unique[name] = tensor.detach()
    return unique, same


def _pulled(mean: Tensor | None, tensor: Tensor, pull: float) -> Tensor:
    """The running mean drawn towards ``tensor``; the first tensor as it is."""
    if not tensor.is_floating_point():
        return tensor.clone()
    exact = tensor.to(torch.promote_types(tensor.dtype, torch.float32), copy=True)
    return exact if mean is None else mean.add_(exact.sub_(mean), alpha=pull)
