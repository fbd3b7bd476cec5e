"""The configuration of ``tutelage tune``: one strict TOML file, every value with a default and an origin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tutelage.errors import ConfigError
from tutelage.jobs.tune_options import (
    AverageConfig,
    CurriculumConfig,
    ObjectiveChoice,
    ReweightConfig,
    check_options,
)
from tutelage.refine import RefineSettings
from tutelage.training.methods import method
from tutelage.training.settings import BalanceSettings, DistillSettings, RolloutSettings, TrainSettings

__all__ = ["DataConfig", "MeasureConfig", "ModelConfig", "RunConfig", "TuneConfig"]


@dataclass(frozen=True)
class ModelConfig:
    """Which model, and which of its weights may change."""

    name: str = field(
        default="smollm2-135m-instruct", metadata={"help": "a folder, a Hub id, or the name of an embedded model"}
    )
    revision: str | None = field(default=None, metadata={"help": "Hub revision to pin"})
    tune: Literal["lora", "full"] = field(default="lora", metadata={"help": "a LoRA adapter, or all parameters"})
    lora_rank: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    lora_targets: str = field(
        default="all-linear", metadata={"help": "all-linear, or module names separated by commas"}
    )
    lora_layers: str = field(default="all", metadata={"help": "all, last-third, or layer numbers separated by commas"})
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    trust_remote_code: bool = field(default=False, metadata={"help": "run code that comes with the model; recorded"})


@dataclass(frozen=True)
class DataConfig:
    """The supervision."""

    train: str = field(default="", metadata={"help": "file or folder of training rows, or an embedded task"})
    test: str | None = field(default=None, metadata={"help": "file of test rows; default: held out from train"})
    test_fraction: float = field(
        default=0.1, metadata={"help": "share of the rows held out when no test file is given"}
    )
    max_test_rows: int = field(default=200, metadata={"help": "test rows measured, chosen by hash"})
    max_rows: int = field(
        default=0, metadata={"help": "rows used, in their order in the file, before the split; 0 = all"}
    )
    max_train_rows: int = field(default=0, metadata={"help": "training rows used, chosen by hash; 0 = all"})
    prompt_column: str | None = None
    completion_column: str | None = None
    system: str | None = field(default=None, metadata={"help": "system turn put before prompts that have none"})
    max_tokens: int = field(default=1024, metadata={"help": "rows longer than this (prompt + answer) are set aside"})
    drop_overlap: bool = field(default=True, metadata={"help": "remove training rows that stand in the test split too"})


@dataclass(frozen=True)
class MeasureConfig:
    """What is measured before and after, on the same items."""

    metric: str = field(
        default="auto", metadata={"help": "auto, choice, short_answer, number, free_text, or a verifier"}
    )
    retention: Literal["smoke", "quick", "standard", "full", "off"] = "standard"
    max_new_tokens: int | None = field(
        default=None, metadata={"help": "longest answer on the domain test set; default: by the metric"}
    )
    smallest_effect: float = field(
        default=0.02, metadata={"help": "change that would matter to you; decides 'underpowered'"}
    )


@dataclass(frozen=True)
class RunConfig:
    """The run itself."""

    seed: int = 0
    threads: int = field(default=0, metadata={"help": "CPU threads; 0 = all physical cores"})
    batch_size: int = field(default=16, metadata={"help": "sequences generated or scored together"})


@dataclass(frozen=True)
class TuneConfig:
    """Everything ``tutelage tune`` needs."""

    method: Literal["raft", "sft", "sdft", "opd"] = "raft"
    compare_with: list[str] = field(
        default_factory=list, metadata={"help": "further methods to train and report beside"}
    )
    refine_answers: bool = field(default=True, metadata={"help": "stage 1; false when the data is refined already"})
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    refine: RefineSettings = field(default_factory=RefineSettings)
    objective: ObjectiveChoice = field(
        default="auto",
        metadata={"help": "the method's own; or ranking of given responses, or the divergence that is distilled"},
    )
    reweight: ReweightConfig = field(default_factory=ReweightConfig)
    curriculum: CurriculumConfig = field(default_factory=CurriculumConfig)
    average: AverageConfig = field(default_factory=AverageConfig)
    train: TrainSettings = field(default_factory=TrainSettings)
    rollout: RolloutSettings = field(default_factory=RolloutSettings)
    distill: DistillSettings = field(default_factory=DistillSettings)
    balance: BalanceSettings = field(default_factory=BalanceSettings)
    measure: MeasureConfig = field(default_factory=MeasureConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def __post_init__(self) -> None:
        for name in self.compare_with:
            method(name)
        if not 0 < self.data.test_fraction < 1:
            raise ConfigError("data.test_fraction must lie between 0 and 1", where="data.test_fraction")
        if self.curriculum.order != "none":
            self.curriculum.settings()
        check_options(self, method(self.method))

    @property
    def arms(self) -> list[str]:
        """The methods to train, the main one first, each once."""
        return list(dict.fromkeys([self.method, *self.compare_with]))
