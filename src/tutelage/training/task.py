"""What the loop is given: examples as token ids, objectives, and where things go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from transformers import PreTrainedModel

from tutelage.errors import ConfigError
from tutelage.objectives import Objective
from tutelage.training.averaging import AveragingSettings
from tutelage.training.curriculum import CurriculumSettings
from tutelage.training.reweighting import Reweighting

__all__ = ["Cost", "Example", "TrainingTask"]


@dataclass(frozen=True)
class Example:
    """A training row as token ids. ``teacher_prompt`` is what the teacher sees before the student's own tokens.

    ``responses`` are several completions of the prompt with their ``scores``, for objectives that compare them;
    ``completion`` is then one of them. ``quality`` orders the rows of a curriculum.
    """

    id: str
    prompt: tuple[int, ...]
    completion: tuple[int, ...]
    teacher_prompt: tuple[int, ...] | None = None
    responses: tuple[tuple[int, ...], ...] = ()
    scores: tuple[float, ...] = ()
    quality: float | None = None


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
    checkpoints. ``should_stop`` is asked after every step. ``reweights``: token reweighting of parts by their names.
    ``curriculum``: the order of the rows by ``Example.quality``, None shuffles them. ``averaging``: the trained model
    is the average of its last checkpoints.
    """

    examples: Sequence[Example]
    parts: dict[str, Objective]
    folder: Path
    seed: int
    stop_ids: frozenset[int]
    teacher: PreTrainedModel | None = None
    should_stop: Callable[[], bool] = field(default=lambda: False)
    reweights: Mapping[str, Reweighting] = field(default_factory=dict)
    curriculum: CurriculumSettings | None = None
    averaging: AveragingSettings | None = None

    def check(self) -> None:
        """Refuse a task that cannot be trained on.

        Raises:
            ConfigError: no objective; an example without a prompt, a completion or what an objective or the curriculum
                needs of it; a reweighting of a part that it cannot work on.
        """
        if not self.parts:
            raise ConfigError("a training task needs at least one objective")
        listwise = any("responses" in objective.needs for objective in self.parts.values())
        for example in self.examples:
            if not example.prompt or not example.completion:
                raise ConfigError("a training example has an empty prompt or completion", where=f"row {example.id}")
            if self.curriculum is not None and self.curriculum.order != "uniform" and example.quality is None:
                raise ConfigError(
                    "a curriculum needs the quality of every row",
                    where=f"row {example.id}",
                    hint="name the column that holds it, or give the rows a number in `quality`",
                )
            if listwise and (len(example.responses) < 2 or len(example.responses) != len(example.scores)):
                raise ConfigError(
                    f"{len(example.responses)} responses with {len(example.scores)} scores",
                    where=f"row {example.id}",
                    hint="this objective compares at least two scored responses of each row",
                )
        for name, reweighting in self.reweights.items():
            self._check_reweighting(name, reweighting)

    def _check_reweighting(self, name: str, reweighting: Reweighting) -> None:
        if name not in self.parts:
            raise ConfigError(
                f"{reweighting.name} reweights the part {name!r}, which this method does not have",
                hint=f"its parts are {', '.join(self.parts)}",
            )
        needs = self.parts[name].needs
        if not reweighting.sees & needs:
            raise ConfigError(
                f"{reweighting.name} cannot reweight {name!r}",
                hint=f"it works on a part with {' or '.join(sorted(reweighting.sees))}, this one has "
                f"{' and '.join(sorted(needs))}",
            )
