"""The settings of ``tutelage measure``; reading them loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tutelage.errors import ConfigError

__all__ = ["MeasureConfig"]


@dataclass(frozen=True)
class MeasureConfig:
    """How much is measured, and how the model is run."""

    size: Literal["smoke", "quick", "standard", "full"] = field(
        default="quick", metadata={"help": "of a built-in suite; each holds the items of the smaller ones"}
    )
    max_items: int = field(default=0, metadata={"help": "most items of each task; 0 = all of the size"})
    seed: int = field(default=0, metadata={"help": "of sampling; the built-in suites do not sample"})
    batch_size: int = field(default=0, metadata={"help": "prompts sent together; 0 = 32 on a CPU, 256 elsewhere"})
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    threads: int = field(default=0, metadata={"help": "CPU threads; 0 = all physical cores"})
    reference: str = field(
        default="",
        metadata={"help": "the model before preference training, for a set of preferred and rejected answers"},
    )
    beta: float = field(default=0.1, metadata={"help": "of the DPO loss, beside a reference"})
    ending: Literal["end", "none"] = field(
        default="end", metadata={"help": "whether the token that ends a response is scored with it, of preference sets"}
    )
    trust_remote_code: bool = field(default=False, metadata={"help": "run code that comes with the model; recorded"})

    def __post_init__(self) -> None:
        if not 0 < self.beta < float("inf"):
            raise ConfigError(f"beta must be finite and above 0, not {self.beta}")
        for name in ("max_items", "batch_size", "threads"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be negative, not {getattr(self, name)}")
