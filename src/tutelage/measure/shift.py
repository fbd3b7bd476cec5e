"""How a model does where it was trained, under other instructions, on harder items, and when the prompt is a trap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from tutelage.errors import DataError
from tutelage.seeds import derive
from tutelage.stats import estimate
from tutelage.types import Estimate, Scores

__all__ = ["ShiftReport", "prompt_anchor_index"]


@dataclass(frozen=True)
class ShiftReport:
    """Success per item on two axes of shift and a probe, each as :class:`tutelage.types.Scores`.

    Attributes:
        same: as in training: wording and difficulty. (The paper's ID.)
        instruction: by variant, the same items under other names.
        difficulty: by variant, harder items under the names of training.
        fake: the prompt declares other names, but only the names of training count as right; success means that the
            prompt was not read, so lower is better.

    Source: Debunk (arXiv 2510.00237), Table 1.
    """

    same: Scores
    instruction: Mapping[str, Scores] = field(default_factory=dict)
    difficulty: Mapping[str, Scores] = field(default_factory=dict)
    fake: Scores | None = None

    def cells(self) -> Iterator[tuple[str, Scores]]:
        """Every cell by its name: "same", "instruction/...", "difficulty/...", "fake"."""
        yield "same", self.same
        yield from ((f"instruction/{name}", scores) for name, scores in self.instruction.items())
        yield from ((f"difficulty/{name}", scores) for name, scores in self.difficulty.items())
        if self.fake is not None:
            yield "fake", self.fake

    def estimates(self, *, level: float = 0.95) -> dict[str, Estimate]:
        """Mean success of every cell with its interval."""
        return {name: estimate(scores, level=level) for name, scores in self.cells()}

    def prompt_anchor_index(self, *, level: float = 0.95, seed: int = 0) -> Estimate:
        """:func:`prompt_anchor_index` of the probe.

        Raises:
            DataError: the probe was not measured.
        """
        if self.fake is None:
            raise DataError("there is no probe in this report", hint="measure rows of refine.probe_rows")
        return prompt_anchor_index(self.fake, self.same, level=level, seed=seed)


def prompt_anchor_index(
    fake: Scores,
    same: Scores,
    *,
    epsilon: float = 1e-8,
    level: float = 0.95,
    resamples: int = 2_000,
    seed: int = 0,
) -> Estimate:
    """How much of a model's success does without reading the prompt: mean(fake) / max(mean(same), epsilon).

    0: it always follows the prompt. 1: it is as right when the prompt says otherwise, so it does not read it.

    Args:
        fake: success on the probe, in the names of training.
        same: success as in training.
        epsilon: keeps a model that is never right from dividing by 0.
        level: of the interval.
        resamples: percentile bootstrap over items; paired where both have the same ids, else each on its own.
        seed: of the resampling.

    Source: own derivation; the paper reports both numbers.

    Example:
        >>> scores = lambda name, values: Scores(name, tuple(map(str, range(len(values)))), np.array(values))
        >>> prompt_anchor_index(scores("fake", [1.0, 0.0]), scores("same", [1.0, 1.0])).value
        0.5
    """
    if not len(fake.ids) or not len(same.ids):
        raise DataError("the index needs items on both sides")
    draw = np.random.default_rng(derive(seed, "prompt anchor index"))
    first = draw.integers(len(fake.ids), size=(resamples, len(fake.ids)))
    paired = fake.ids == same.ids
    second = first if paired else draw.integers(len(same.ids), size=(resamples, len(same.ids)))
    ratios = fake.values[first].mean(axis=1) / np.maximum(same.values[second].mean(axis=1), epsilon)
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    value = float(fake.values.mean() / max(float(same.values.mean()), epsilon))
    n = len(fake.ids)
    return Estimate(value, float(low), float(high), level, "percentile bootstrap of a ratio", n, n, seed)
