"""The arms of the main job: which data, which objectives, which teacher."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tutelage.errors import ConfigError, nearest
from tutelage.types import Arm

__all__ = ["METHODS", "Method", "method"]

Answers = Literal["original", "refined"]
"""Whose answers a method trains on: the data's own, or the refined ones of RAFT."""


@dataclass(frozen=True)
class Method:
    """One way to learn from the data; all share the loop.

    ``supervised``: cross-entropy on the answers. ``distilled``: divergence to the frozen base model on the student's
    own rollouts. ``conditioned``: the teacher sees the reference answer.
    """

    name: Arm
    answers: Answers
    supervised: bool
    distilled: bool
    conditioned: bool
    summary: str
    paper: str


METHODS: dict[str, Method] = {
    m.name: m
    for m in (
        Method(
            "sft", "original", True, False, False,
            "supervised fine-tuning on the answers as given",
            "https://arxiv.org/abs/2203.02155",
        ),
        Method(
            "sdft", "original", False, True, True,
            "on-policy self-distillation from the model shown the answer, no supervised part",
            "https://arxiv.org/abs/2601.19897",
        ),
        Method(
            "opd", "refined", True, True, False,
            "refined answers plus on-policy distillation from the unconditioned base model",
            "https://arxiv.org/abs/2306.13649",
        ),
        Method(
            "raft", "refined", True, True, True,
            "refined answers plus answer-conditioned on-policy distillation, balanced",
            "https://arxiv.org/abs/2606.00147",
        ),
    )
}  # fmt: skip


def method(name: str) -> Method:
    """Look a method up, suggesting the nearest name."""
    if name not in METHODS:
        raise ConfigError(
            f"unknown method {name!r}", hint=f"did you mean {nearest(name, METHODS)!r}? one of {', '.join(METHODS)}"
        )
    return METHODS[name]
