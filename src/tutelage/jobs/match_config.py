"""The settings of ``tutelage match``; reading them loads no torch."""

from __future__ import annotations

from dataclasses import dataclass, field

from tutelage.errors import ConfigError
from tutelage.matching.matcher import MatchSettings

__all__ = ["MatchConfig"]


@dataclass(frozen=True)
class MatchConfig:
    """What is compared with what, and how much each part counts."""

    skills: str = field(
        default="sample", metadata={"help": "sample (our small table), esco (the embedded asset), or a file or folder"}
    )
    encoder: str = field(default="auto", metadata={"help": "auto (MiniLM where installed), none, or an encoder"})
    theta: float = field(default=0.7, metadata={"help": "least cosine of a phrase and a skill's label"})
    score: MatchSettings = field(default_factory=MatchSettings)
    minimum_group: int = field(default=30, metadata={"help": "persons below which a group is refused"})
    reference: str = field(default="", metadata={"help": "group that others are compared with; empty: the best off"})
    resamples: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.theta <= 1:
            raise ConfigError(f"theta must lie in (0, 1], not {self.theta}")
        if self.minimum_group < 2 or self.resamples < 100:
            raise ConfigError("minimum_group is at least 2, resamples at least 100")
