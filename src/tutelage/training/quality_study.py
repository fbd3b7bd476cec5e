"""Which errors of the supervision cost what: students trained on a grid of error rates, and a fit over its cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tutelage.errors import ConfigError, DataError
from tutelage.stats import LinearFit, linear_fit

__all__ = ["Cell", "QualityStudy", "Student", "quality_study"]


@dataclass(frozen=True)
class Cell:
    """Shares of solutions that end wrong and of steps that are wrong."""

    outcome: float
    step: float

    def __post_init__(self) -> None:
        if not (0 <= self.outcome <= 1 and 0 <= self.step <= 1) or (self.outcome == 0) != (self.step == 0):
            raise ConfigError(
                f"no supervision has a share of {self.outcome} wrong solutions and {self.step} wrong steps",
                hint="both lie in [0, 1], and one is 0 where the other is",
            )


@dataclass(frozen=True)
class Student:
    """One trained student: the rates its supervision really had (``found``), and what it scores (``metrics``)."""

    cell: Cell
    seed: int
    found: Cell
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class QualityStudy:
    """All students of a grid, each cell under each seed."""

    students: tuple[Student, ...]

    def table(self, metric: str) -> dict[Cell, list[float]]:
        """Per cell the metric under each seed.

        Raises:
            DataError: a student was not measured by it.
        """
        found: dict[Cell, list[float]] = {}
        for one in self.students:
            if metric not in one.metrics:
                hint = f"measured: {', '.join(one.metrics)}"
                raise DataError(f"no metric {metric!r}", where=f"{one.cell}, seed {one.seed}", hint=hint)
            found.setdefault(one.cell, []).append(one.metrics[metric])
        return found

    def fit(self, metric: str, *, resamples: int = 10_000, seed: int = 0) -> LinearFit:
        """How the metric falls with both rates at once: ``slopes`` "outcome" and "step", intervals over seeds.

        Raises:
            DataError: a student was not measured by the metric.
            NumericalError: the cells cannot tell the rates apart; vary one at a fixed value of the other.
        """
        self.table(metric)
        return linear_fit(
            [one.metrics[metric] for one in self.students],
            {
                "outcome": [one.found.outcome for one in self.students],
                "step": [one.found.step for one in self.students],
            },
            [one.seed for one in self.students],
            resamples=resamples,
            seed=seed,
        )


def quality_study(
    cells: Sequence[Cell], train: Callable[[Cell, int], tuple[Cell, Mapping[str, float]]], seeds: Sequence[int]
) -> QualityStudy:
    """Train a student on supervision of every cell under every seed.

    Args:
        cells: the rates to try.
        train: ``(cell, seed)`` to the rates that the supervision really had and what the student scores; see
            :func:`tutelage.measure.supervision.supervision_quality` for the rates of real solutions.
        seeds: each trains its own students.

    Raises:
        ConfigError: no cells or no seeds, or one of them twice.

    Source: arXiv 2410.20533 compares pairs of teachers; the grid and the fit are ours.

    Example:
        >>> cells = [Cell(0, 0), Cell(0.5, 0.1), Cell(0.5, 0.4)]
        >>> study = quality_study(cells, lambda cell, seed: (cell, {"accuracy": 0.8 - cell.step}), range(3))
        >>> fit = study.fit("accuracy", resamples=200)
        >>> round(fit.slopes["step"].value, 6), abs(round(fit.slopes["outcome"].value, 6))
        (-1.0, 0.0)
    """
    for name, given in (("cells", list(cells)), ("seeds", list(seeds))):
        if not given or len(set(given)) != len(given):
            raise ConfigError(f"{name} must be given, each once")
    return QualityStudy(tuple(Student(cell, seed, *train(cell, seed)) for cell in cells for seed in seeds))
