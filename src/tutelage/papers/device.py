"""Where a recipe computes: the tier ``gpu`` on the GPU that is here or not at all, every other tier on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tutelage.errors import ConfigError

if TYPE_CHECKING:
    import torch

__all__ = ["device_of", "found_device", "gpu_name"]


def found_device() -> torch.device:
    """The best device of this machine: CUDA, else MPS, else the CPU."""
    from tutelage.models.loading import choose_device

    return choose_device("auto")


def device_of(tier: str) -> torch.device:
    """The device on which a tier computes.

    Raises:
        ConfigError: the tier is ``gpu`` and torch sees none.
    """
    import torch

    if tier != "gpu":
        return torch.device("cpu")
    device = found_device()
    if device.type == "cpu":
        raise ConfigError(
            "the tier gpu needs a GPU, and torch sees none on this machine",
            where="--tier gpu",
            hint="run --tier cpu, or see what `tutelage doctor` says of the GPU",
        )
    return device


def gpu_name(device: torch.device) -> str:
    """What the device calls itself."""
    import torch

    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)
