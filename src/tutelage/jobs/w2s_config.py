"""The settings of ``tutelage w2s``; reading them loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tutelage.errors import ConfigError

__all__ = ["ARMS", "W2sConfig"]

ARMS = ("xent", "hard", "conf", "product", "window", "entropy")
"""Ways to learn from the labels: "hard" is cross-entropy on the likeliest class, the others see probabilities."""

MetricName = Literal["auto", "accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "roc_auc"]

_POSITIVE: tuple[str, ...] = ("epochs", "batch_size", "learning_rate", "max_tokens")
_POSITIVE += ("generative_epochs", "generative_batch_size", "generative_learning_rate")


@dataclass(frozen=True)
class W2sConfig:
    """Which columns mean what, who teaches, who learns, and how."""

    data: str = field(default="", metadata={"help": "CSV, TSV, JSONL, JSON or Parquet"})
    text: str = field(default="text", metadata={"help": "column of the texts"})
    features: str = field(default="", metadata={"help": "columns of numbers instead of texts, with commas between"})
    weak_features: str = field(default="", metadata={"help": "those that the weak teacher sees; empty: the same"})
    label: str = field(default="label", metadata={"help": "column of the truth; empty cells: not known"})
    id: str = field(default="id", metadata={"help": "column of ids; without it rows are named by their line"})
    weak_labels: str = field(
        default="", metadata={"help": "file with an id and a column a class (probabilities) or weak_label (a class)"}
    )
    weak: str = field(default="auto", metadata={"help": "bow, or an encoder; auto: bow, or the labels you give"})
    student: str = field(default="all-minilm-l6-v2", metadata={"help": "a sentence encoder or a language model"})
    generative_finetuning: bool = field(
        default=False, metadata={"help": "let a language model as student first learn to write the texts, unlabelled"}
    )
    generative_epochs: float = field(default=1.0, metadata={"help": "passes over the texts that are not tested on"})
    generative_learning_rate: float = 5e-5
    generative_batch_size: int = 16
    arms: tuple[str, ...] = field(default=("xent", "hard", "conf"), metadata={"help": ", ".join(ARMS)})
    test: float = field(default=0.3, metadata={"help": "share of the rows with truth that nobody learns from"})
    split: float = field(default=0.5, metadata={"help": "share of the other rows with truth that the teacher gets"})
    a_max: float = field(default=0.5, metadata={"help": "of conf: largest weight of the student's own opinion"})
    warmup_frac: float = field(default=0.2, metadata={"help": "of conf: share of the steps over which it grows"})
    threshold: Literal["rate", "half", "buffer"] = "rate"
    learning_rate: float = 0.01
    epochs: int = 20
    batch_size: int = 32
    metric: MetricName = field(
        default="auto",
        metadata={"help": "that leads; auto: balanced_accuracy where a class is twice as frequent as another"},
    )
    resamples: int = field(default=2_000, metadata={"help": "of the bootstrap"})
    max_tokens: int = field(default=512, metadata={"help": "of a text that a language model reads"})
    seed: int = 0
    threads: int = field(default=0, metadata={"help": "CPU threads; 0 = all physical cores"})
    device: str = "auto"

    def __post_init__(self) -> None:
        for name in ("test", "split"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ConfigError(f"{name} is {getattr(self, name)}", hint="a share strictly between 0 and 1")
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} is {getattr(self, name)}", hint="above 0")
        unknown = sorted(set(self.arms) - set(ARMS))
        if unknown or not self.arms or len(set(self.arms)) != len(self.arms):
            what = f"there is no arm {unknown[0]!r}" if unknown else "no arm, or one twice"
            raise ConfigError(what, where="arms", hint=", ".join(ARMS))
        if self.resamples < 100 or self.threads < 0:
            raise ConfigError("resamples is at least 100, threads at least 0")
        if self.weak_features and not self.features:
            raise ConfigError("weak_features without features", hint="--features names what the student sees")
        if self.generative_finetuning and self.features:
            raise ConfigError("columns of numbers cannot be written", where="generative_finetuning", hint="use texts")

    def columns(self, which: Literal["features", "weak_features"] = "features") -> tuple[str, ...]:
        """Names of the feature columns."""
        text = self.features if which == "features" or not self.weak_features else self.weak_features
        return tuple(one.strip() for one in text.split(",") if one.strip())
