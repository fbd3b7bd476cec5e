"""The gate file: under which conditions a new system may replace the old one, written down before the data are read."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from tutelage import config
from tutelage.errors import ConfigError
from tutelage.jobs.gate_region import Region
from tutelage.measure.results.dotted import label_name
from tutelage.stats.multiplicity import Correction

__all__ = ["Gate", "GateSettings", "Requirement", "Rule", "load_gate", "matches"]

Requirement = Literal["gain", "no-loss", "equivalent", "every-group", "negative-flips", "at-least", "at-most"]
_NEEDS: dict[str, str] = {
    "no-loss": "margin",
    "equivalent": "margin",
    "every-group": "margin",
    "negative-flips": "most",
    "at-least": "least",
    "at-most": "most",
}
_TAKES = {**_NEEDS, "gain": "margin"}
_LIMITS = ("margin", "most", "least")


@dataclass(frozen=True)
class Rule:
    """One condition on one metric or on each of several.

    Attributes:
        metric: ``TASK/METRIC``, with ``*`` and ``?`` for any letters; the name of a task stands for all its
            metrics; several may be listed.
        require: ``gain``, ``no-loss``, ``equivalent`` and ``every-group`` read the paired difference,
            ``negative-flips`` the share of answers that broke, ``at-least`` and ``at-most`` the new system's own level.
        name: how the rule is called in reports.
        margin: for differences, in the metric's unit (0.02 = 2 points).
        most: largest share or level that is acceptable.
        least: smallest level that is acceptable.
        by: a breakdown of the items: every group of it must hold.
        composite: judge the plain mean over the metrics instead of each.
        minimum_items: with fewer items nothing is decided.
        right_from: for flips of graded scores, the score from which an item counts as right.
        dead_band: for flips of graded scores, how far a score may move without counting.
    """

    metric: str | list[str]
    require: Requirement
    name: str = ""
    margin: float | None = None
    most: float | None = None
    least: float | None = None
    by: str = ""
    composite: bool = False
    minimum_items: int = 10
    right_from: float | None = None
    dead_band: float = 0.0

    def __post_init__(self) -> None:
        if not self.patterns or not all(self.patterns):
            raise ConfigError("a rule needs a metric", hint='write metric = "TASK/METRIC", or "*" for all')
        takes = _TAKES[self.require]
        for limit in _LIMITS:
            value = getattr(self, limit)
            if value is not None and limit != takes:
                raise self._refused(f"{self.require!r} takes {takes}, not {limit}", _HINTS[takes])
            if value is not None and not math.isfinite(value):
                raise self._refused(f"{limit} = {value} is no limit", _HINTS[limit])
        if self.require in _NEEDS and getattr(self, takes) is None:
            raise self._refused(f"{self.require!r} needs {takes}", _HINTS[takes])
        self._check_ranges()

    def _check_ranges(self) -> None:
        if self.require == "gain" and self.margin is not None and self.margin < 0:
            raise self._refused("a gain cannot have a margin below 0", 'use require = "no-loss"')
        if self.require in ("no-loss", "equivalent", "every-group") and not (self.margin or 0) > 0:
            hint = 'say how large a loss is acceptable, for example 0.02; to ask for more than that use "gain"'
            raise self._refused("the margin must be above 0", hint)
        if self.require == "negative-flips" and not 0 < (self.most or 0) < 1:
            raise self._refused("most is a share between 0 and 1", "3 % is written 0.03")
        if self.require != "negative-flips" and (self.right_from is not None or self.dead_band):
            raise self._refused("right_from and dead_band belong to negative-flips", "leave them out")
        if self.minimum_items < 2:
            raise self._refused("minimum_items must be at least 2", "one item shows nothing")
        if self.composite and (self.by or self.require in ("negative-flips", "every-group")):
            raise self._refused("a composite has no groups and no flips", "use composite = false")

    def _refused(self, what: str, hint: str) -> ConfigError:
        return ConfigError(f"rule {self.title!r}: {what}", hint=hint)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The metric's name or names, as a tuple."""
        return (self.metric,) if isinstance(self.metric, str) else tuple(self.metric)

    @property
    def breakdown(self) -> str:
        """The name of the breakdown, without the path to it."""
        return label_name(self.by)

    @property
    def title(self) -> str:
        """The name to print."""
        return self.name or f"{self.require}: {', '.join(self.patterns)}"

    def region(self, *, higher_is_better: bool = True) -> Region:
        """The good side, for the quantity this rule reads (differences are new minus old)."""
        if self.require == "at-least":
            return Region(low=self.least)
        if self.require in ("at-most", "negative-flips"):
            return Region(high=self.most)
        margin = self.margin or 0.0
        if self.require == "equivalent":
            return Region(-margin, margin)
        line = margin if self.require == "gain" else -margin
        return Region(low=line) if higher_is_better else Region(high=-line)


_HINTS = {
    "margin": "the largest loss that you would still accept, in the metric's unit: 0.02 is 2 points",
    "most": "the largest value that you would still accept: 0.03 is 3 %",
    "least": "the smallest value that you would still accept: 0.8 is 80 points",
}


@dataclass(frozen=True)
class GateSettings:
    """What holds for all rules: the confidence level of intervals, the correction for failing, the seed."""

    level: float = 0.95
    correction: Correction = "holm"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.5 <= self.level < 1:
            raise ConfigError(f"a confidence level of {self.level}", hint="use 0.95")


@dataclass(frozen=True)
class Gate:
    """A gate file: ``[gate]`` and one ``[[rules]]`` table for every condition; all must hold."""

    rules: tuple[Rule, ...]
    gate: GateSettings = field(default_factory=GateSettings)

    def __post_init__(self) -> None:
        if not self.rules:
            raise ConfigError("a gate without rules lets everything pass", hint="add a [[rules]] table")
        titles = [rule.title for rule in self.rules]
        twice = next((title for title in titles if titles.count(title) > 1), None)
        if twice is not None:
            raise ConfigError(f"two rules are called {twice!r}", hint="give each rule a name of its own")


def load_gate(file: Path, flags: Mapping[str, object] | None = None) -> Gate:
    """Read a gate file strictly.

    Args:
        file: TOML or YAML.
        flags: values from the command line by dotted key, over those of the file; None is not given.

    Raises:
        ConfigError: an unknown key (with its nearest neighbour), a wrong type, a limit that makes no sense.
    """
    return config.load(Gate, file, flags=flags or {}).value


def matches(pattern: str, name: str) -> bool:
    """Whether ``pattern`` names ``name`` (``TASK/METRIC``), or its task.

    Example:
        >>> matches("mmlu_*", "mmlu_law/acc"), matches("gsm8k/exact*", "gsm8k/exact_match"), matches("acc", "arc/acc")
        (True, True, False)
    """
    return fnmatchcase(name, pattern) or fnmatchcase(name.rpartition("/")[0], pattern)
