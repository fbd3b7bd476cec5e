"""What the loop is given: examples as token ids, objectives, and where things go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from transformers import PreTrainedModel

from tutelage.errors import ConfigError
from tutelage.objectives import Objective

__all__ = ["Cost", "Example", "TrainingTask"]


@dataclass(frozen=True)
class Example:
    """A training row as token ids. ``teacher_prompt`` is what the teacher sees before the student's own tokens."""

    id: str
    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    teacher_prompt: tuple[int, ...] | None = None


@dataclass
class Cost:
    """Tokens and seconds spent, counted where they are spent."""

    tokens_generated: int = 0
    tokens_scored: int = 0
    tokens_trained: int = 0
    seconds_generating: float = 0.0
    seconds_training: float = 0.0


@dataclass(frozen=True)
class TrainingTask:
    """What to train on and towards: named objectives over the same examples.

    ``teacher``: a frozen model, or None for the student's own weights with the adapter off. ``folder`` receives the
    checkpoints. ``should_stop`` is asked after every step.
    """

    examples: Sequence[Example]
    parts: dict[str, Objective]
    folder: Path
    seed: int
    stop_ids: frozenset[int]
    teacher: PreTrainedModel | None = None
    should_stop: Callable[[], bool] = field(default=lambda: False)

    def check(self) -> None:
        """Refuse a task that cannot be trained on.

        Raises:
            ConfigError: no objective, or an example without a prompt or completion.
        """
        if not self.parts:
            raise ConfigError("a training task needs at least one objective")
        for example in self.examples:
            if not example.prompt or not example.completion:
                raise ConfigError("a training example has an empty prompt or completion", where=f"row {example.id}")
