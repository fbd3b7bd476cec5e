"""What can be put on top of a method: reweighting, a curriculum, averaging, another objective; and what cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tutelage.errors import ConfigError
from tutelage.training.averaging import AveragingSettings
from tutelage.training.curriculum import CurriculumSettings
from tutelage.training.methods import Method
from tutelage.training.pruning import PruneSettings, Reliability
from tutelage.training.reweighting import DFT, ImportanceSFT, RandomTokens, Reweighting
from tutelage.training.vcore import Vcore, VcoreSettings

if TYPE_CHECKING:
    from tutelage.jobs.tune_config import TuneConfig

__all__ = [
    "AverageConfig",
    "CurriculumConfig",
    "ObjectiveChoice",
    "ReweightConfig",
    "advice",
    "check_options",
    "option_flags",
    "options_text",
    "reweights_of",
]

ObjectiveChoice = Literal["auto", "sft", "ranking", "forward-kl", "reverse-kl", "jsd"]
SUPERVISED = ("vcore", "dft", "iw-sft", "random")


@dataclass(frozen=True)
class ReweightConfig:
    """Token weights of the main method's two parts."""

    supervised: Literal["none", "vcore", "dft", "iw-sft", "random"] = field(
        default="none", metadata={"help": "of the answers' tokens"}
    )
    distillation: Literal["none", "prune"] = field(
        default="none", metadata={"help": "of the student's own tokens: prune, by what student and teacher share"}
    )
    vcore: VcoreSettings = field(default_factory=VcoreSettings)
    prune: PruneSettings = field(default_factory=PruneSettings)
    clip: float = field(default=5.0, metadata={"help": "iw-sft: weights lie between 1/clip and clip"})
    keep: float = field(default=0.2, metadata={"help": "random: share of the tokens that count"})
    always: int = field(default=8, metadata={"help": "random: the last tokens of an answer always count"})

    def __post_init__(self) -> None:
        ImportanceSFT(self.clip)
        RandomTokens(self.keep, self.always)


@dataclass(frozen=True)
class CurriculumConfig:
    """The order of the rows by the number in a column; "none" shuffles them."""

    order: Literal["none", "uniform", "ascend", "descend", "fold"] = field(
        default="none", metadata={"help": "ascend: best rows last; pays when the learning rate stays up"}
    )
    folds: int = field(default=1, metadata={"help": "ascents in one epoch; for fold"})
    column: str = field(default="quality", metadata={"help": "column of the training file that holds the number"})

    def settings(self) -> CurriculumSettings | None:
        """As the loop takes it."""
        return None if self.order == "none" else CurriculumSettings(self.order, self.folds)


@dataclass(frozen=True)
class AverageConfig:
    """Averaging of the last checkpoints; "none" keeps the last weights."""

    kind: Literal["none", "ema", "sma", "wma"] = "none"
    n: int = field(default=6, metadata={"help": "how many of the last checkpoints"})
    alpha: float = field(default=0.2, metadata={"help": "weight of each newer checkpoint, for ema"})
    every: int = field(default=0, metadata={"help": "steps between them; 0 = evenly over the last tenth of the run"})

    def __post_init__(self) -> None:
        self.settings()

    def settings(self) -> AveragingSettings | None:
        """As the loop takes it."""
        return None if self.kind == "none" else AveragingSettings(self.kind, self.n, self.alpha, self.every)


def option_flags(
    objective: str | None, reweight: Sequence[str], curriculum: str | None, average: str | None
) -> dict[str, str]:
    """Settings that the short flags of the command line stand for.

    Raises:
        ConfigError: two reweightings of the same part, or one that does not exist.
    """
    found: dict[str, str] = {}
    for name in reweight:
        if name not in (*SUPERVISED, "prune"):
            known = ", ".join((*SUPERVISED, "prune"))
            raise ConfigError(f"there is no reweighting {name!r}", where="--reweight", hint=f"one of {known}")
        key = "reweight.distillation" if name == "prune" else "reweight.supervised"
        if found.get(key, name) != name:
            raise ConfigError(
                f"{found[key]} and {name} both weigh the answers' tokens", where="--reweight", hint="give one of them"
            )
        found[key] = name
    given = {"objective": objective, "curriculum.order": curriculum, "average.kind": average}
    return found | {key: value for key, value in given.items() if value is not None}


def reweights_of(config: TuneConfig) -> dict[str, Reweighting]:
    """The reweighting of each part of the main method."""
    told = config.reweight
    found: dict[str, Reweighting] = {}
    if told.supervised != "none":
        found["sft"] = {
            "vcore": lambda: Vcore(told.vcore),
            "dft": DFT,
            "iw-sft": lambda: ImportanceSFT(told.clip),
            "random": lambda: RandomTokens(told.keep, told.always),
        }[told.supervised]()
    if told.distillation == "prune":
        found["kl"] = Reliability(told.prune)
    return found


def options_text(config: TuneConfig) -> str:
    """What is put on top of the main method, in a few words; empty when nothing is.

    >>> from tutelage.jobs.tune_config import TuneConfig
    >>> options_text(TuneConfig(average=AverageConfig("ema")))
    'ema average of 6 checkpoints'
    """
    told = []
    if config.objective != "auto":
        told.append(f"{config.objective} objective")
    told += [f"{name} weights" for name in (config.reweight.supervised, config.reweight.distillation) if name != "none"]
    if config.curriculum.order != "none":
        told.append(f"rows in {config.curriculum.order} order of {config.curriculum.column}")
    if config.average.kind != "none":
        told.append(f"{config.average.kind} average of {config.average.n} checkpoints")
    return ", ".join(told)


def check_options(config: TuneConfig, main: Method) -> None:
    """Refuse what cannot be combined, with the reason.

    Raises:
        ConfigError: names the setting, why it cannot work and what would.
    """
    told = config.reweight
    distilled = f"{main.name} distils nothing" if not main.distilled else ""
    answers = f"{main.name} learns from no answers" if not main.supervised else ""
    ranking = config.objective == "ranking"
    kl = config.objective in ("forward-kl", "reverse-kl", "jsd")
    wrong: Mapping[str, tuple[bool, str, str]] = {
        "reweight.supervised": (
            told.supervised != "none" and bool(answers),
            f"{told.supervised} weighs the tokens of answers, but {answers}",
            "take the method sft, opd or raft, or --reweight prune",
        ),
        "reweight.distillation": (
            told.distillation != "none" and bool(distilled),
            f"prune weighs the student's own tokens by what its teacher says of them, but {distilled}",
            "take the method raft, opd or sdft",
        ),
        "objective": (
            kl and bool(distilled),
            f"{config.objective} is a divergence from a teacher, but {distilled}",
            "take the method raft, opd or sdft",
        ),
        "objective ": (
            ranking and main.name != "sft",
            f"ranking compares several given responses of each row, but {main.name} learns from one answer a row",
            "take the method sft",
        ),
        "objective  ": (
            ranking and told.supervised != "none",
            f"{told.supervised} weighs the tokens of one answer, and ranking compares several",
            'set reweight.supervised = "none"',
        ),
        "reweight.vcore.estimator": (
            told.supervised == "vcore"
            and told.vcore.estimator == "fd"
            and config.model.dtype in ("bfloat16", "float16"),
            f"a finite difference of {told.vcore.eps:g} is below what {config.model.dtype} can tell apart",
            'set model.dtype = "float32", or estimator = "jvp"',
        ),
        "reweight.prune.length": (
            told.distillation == "prune" and told.prune.length.maximum > config.rollout.max_new_tokens
            and bool(told.prune.length.start),
            f"rollouts may grow to {told.prune.length.maximum} tokens, but rollout.max_new_tokens is "
            f"{config.rollout.max_new_tokens}",
            "raise rollout.max_new_tokens, or lower reweight.prune.length.maximum",
        ),
    }  # fmt: skip
    for where, (is_wrong, why, cure) in wrong.items():
        if is_wrong:
            raise ConfigError(why, where=where.strip(), hint=cure)


def advice(config: TuneConfig) -> list[str]:
    """Combinations that run and that a user should know about."""
    falling = config.train.schedule in ("linear", "cosine", "wsd")
    found = []
    if config.average.kind != "none" and falling:
        found.append(
            f"the {config.train.schedule} schedule ends near 0, where checkpoints hardly differ: averaging them does "
            "little; try train.schedule = constant or moderate_decay"
        )
    if config.curriculum.order in ("ascend", "fold") and falling:
        found.append(
            f"the best rows come last and meet the smallest steps of the {config.train.schedule} schedule; try "
            "train.schedule = moderate_decay, or constant with averaging"
        )
    return found
