"""How answers are refined: every knob with its default and its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tutelage.errors import ConfigError

__all__ = ["Compare", "RefineSettings"]

Compare = Literal["auto", "answer", "question+answer"]


@dataclass(frozen=True)
class RefineSettings:
    """Stage 1 of RAFT. ``attempts``, ``rounds`` and the fallbacks are not given in the paper; the defaults are ours."""

    method: Literal["raft", "sdft_data", "dgr", "subtasks"] = field(
        default="raft",
        metadata={
            "help": "raft: rewrite, filter, fuse, judge; sdft_data: rewrite and check only; dgr: restate refusals; "
            "subtasks: parts of each task as further rows"
        },
    )
    rewriter: str = field(default="self", metadata={"help": "self, a model, or openai:URL#model"})
    fuser: str = field(default="rule", metadata={"help": "rule, none, self, a model, or openai:URL#model"})
    judges: list[str] = field(
        default_factory=lambda: ["rule", "cosine"],
        metadata={"help": "rule, cosine, self, a model, or openai:URL#model"},
    )
    encoder: str = field(default="all-minilm-l6-v2", metadata={"help": "sentence encoder of the semantic filter"})
    tau: float = field(default=0.8, metadata={"help": "least cosine between reference and rewrite"})
    compare: Compare = field(
        default="auto",
        metadata={"help": "what the rewrite is compared with: the answer, question+answer, or by the answer's length"},
    )
    terse_words: int = field(default=8, metadata={"help": "answers up to this many words are terse (see compare)"})
    attempts: int = field(default=3, metadata={"help": "rewrites tried for one row before it falls back"})
    rounds: int = field(default=3, metadata={"help": "fusions tried for one row"})
    accept: float = field(default=0.8, metadata={"help": "mean judge score that ends the rounds early"})
    retries: int = field(default=4, metadata={"help": "dgr, subtasks: further tries for a row before it falls back"})
    fallback: Literal["original", "drop"] = field(
        default="original", metadata={"help": "dgr: what becomes of a refusal that could not be restated"}
    )
    thinking: Literal["allowed", "required"] = field(
        default="allowed", metadata={"help": "dgr: whether a restated refusal must think between <think> and </think>"}
    )
    parts: Literal["steps", "engine"] = field(
        default="steps",
        metadata={"help": "subtasks: cut the answer at its lines, or ask the rewriter for problems of their own"},
    )
    parents: Literal["keep", "drop"] = field(
        default="keep", metadata={"help": "subtasks: whether the whole task stays beside its parts"}
    )
    tests: str = field(default="", metadata={"help": "subtasks: a file of test rows that no part may come near"})
    temperature: float = field(default=0.0, metadata={"help": "of the first rewrite by each prompt; 0 = greedy"})
    retry_temperature: float = field(default=0.7, metadata={"help": "of further rewrites, and of an engine's fusions"})
    max_new_tokens: int = field(default=128, metadata={"help": "longest rewrite; one that is cut off is not used"})
    instructions: str = field(default="", metadata={"help": "a hint in your words for how answers should sound"})

    @property
    def needs_model(self) -> bool:
        """Whether a model is asked anything: not where answers are only cut."""
        return not (self.method == "subtasks" and self.parts == "steps")

    def __post_init__(self) -> None:
        for name in ("tau", "accept"):
            value = getattr(self, name)
            if not -1.0 <= value <= 1.0:
                raise ConfigError(f"{name} is {value}, it must lie between -1 and 1", where=name)
        for name in ("attempts", "rounds", "max_new_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1", where=name)
        for name in ("retries", "temperature", "retry_temperature", "terse_words"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} must not be negative", where=name)
