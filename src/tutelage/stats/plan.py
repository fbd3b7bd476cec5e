"""What will be compared and how, declared and hashed before the data are read."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from tutelage.errors import DataError, RangeError
from tutelage.stats.comparison import adjust, check_effect
from tutelage.stats.multiplicity import Correction, corrected
from tutelage.stats.resampling import check_settings
from tutelage.types import Comparison

__all__ = ["ComparisonPlan"]


@dataclass(frozen=True)
class ComparisonPlan:
    """A family of comparisons, fixed before the run.

    Attributes:
        metrics: names of all comparisons of the family, each once; their order does not matter.
        smallest_effect: the smallest difference that matters, in the unit of each metric: one for all, one for each
            metric named, or None.
        level: confidence level.
        correction: for several comparisons: ``"holm"``, ``"bh"`` or ``"none"``.
        resamples: of the bootstrap.
        seed: of the bootstrap.
        rules: how the decision is made, as plain text.

    Raises:
        DataError: no metric, one named twice, an effect for a metric that is not in the family.
        RangeError: a level, an effect, a number of resamples or a correction that makes no sense.

    Example:
        >>> plan = ComparisonPlan(("arc", "gsm8k"), smallest_effect=0.02)
        >>> plan.fingerprint == ComparisonPlan(("gsm8k", "arc"), smallest_effect=0.02).fingerprint
        True
        >>> plan.fingerprint == ComparisonPlan(("arc", "gsm8k"), smallest_effect=0.03).fingerprint
        False
    """

    metrics: tuple[str, ...]
    smallest_effect: float | Mapping[str, float] | None = None
    level: float = 0.95
    correction: Correction = "holm"
    resamples: int = 10_000
    seed: int = 0
    rules: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.metrics:
            raise DataError("a plan compares at least one metric")
        if len(set(self.metrics)) < len(self.metrics):
            raise DataError(f"a metric is planned twice: {', '.join(sorted(self.metrics))}")
        check_settings(self.resamples, self.level)
        corrected([], self.correction)
        effects = self.smallest_effect if isinstance(self.smallest_effect, Mapping) else {}
        unknown = sorted(set(effects) - set(self.metrics))
        if unknown:
            raise DataError(f"an effect is planned for {unknown[0]!r}, which is not compared")
        for metric in self.metrics:
            effect = self.effect(metric)
            check_effect(effect)
            if effect is not None and not math.isfinite(effect):
                raise RangeError(f"the smallest effect that matters must be finite, not {effect}", where=metric)

    def effect(self, metric: str) -> float | None:
        """The smallest difference of this metric that matters, if one was declared."""
        if isinstance(self.smallest_effect, Mapping):
            return self.smallest_effect.get(metric)
        return self.smallest_effect

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the plan as canonical JSON (sorted keys and metrics, no spaces), 64 hexadecimal digits."""
        plan = asdict(self) | {"metrics": sorted(self.metrics)}
        effects = {name: self.effect(name) for name in self.metrics}
        plan["smallest_effect"] = {name: None if e is None else float(e) for name, e in effects.items()}
        plan["level"] = float(self.level)
        text = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def adjusted(self, found: Mapping[str, Comparison]) -> dict[str, Comparison]:
        """The comparisons of the whole family with adjusted p values.

        Raises:
            DataError: a planned comparison is missing, or one was not planned.
        """
        if set(found) != set(self.metrics):
            extra, absent = sorted(set(found) - set(self.metrics)), sorted(set(self.metrics) - set(found))
            raise DataError(
                f"not the comparisons that were planned: missing {absent}, not planned {extra}",
                hint="the family of tests is declared before the run; make a new plan",
            )
        return dict(zip(found, adjust(list(found.values()), method=self.correction), strict=True))
