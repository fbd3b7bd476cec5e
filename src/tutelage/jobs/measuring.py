"""Before and after, on the same items: the domain test set and the retention suite of one model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from tutelage.io import write_json
from tutelage.io.documents import read_json
from tutelage.jobs.run_folder import RunFolder
from tutelage.jobs.tune_config import MeasureConfig
from tutelage.measure import domain, retention
from tutelage.types import Engine, Row, Scores

__all__ = ["Measurement", "Measuring"]

DOMAIN = "domain"


@dataclass(frozen=True)
class Measurement:
    """Scores of one model: ``scores["domain"]`` and one entry per retention probe."""

    scores: Mapping[str, Scores]

    @property
    def domain(self) -> Scores:
        """The domain test set."""
        return self.scores[DOMAIN]


@dataclass
class Measuring:
    """Measures models of one run; what is measured once is never measured again.

    Each probe's scores are one file, ``measure/<model>/<probe>.json``, written as soon as they are there.
    """

    folder: RunFolder
    config: MeasureConfig
    rows: Sequence[Row]
    console: Console
    should_stop: Callable[[], bool]

    def __call__(self, name: str, engine: Engine) -> Measurement:
        """Measure ``engine`` under ``name``; the first one measured gives the replies the others are held to."""
        found = {DOMAIN: self._kept(name, DOMAIN) or self._domain(name, engine)}
        if self.config.retention != "off":
            found |= self._retention(name, engine)
        return Measurement(found)

    def _domain(self, name: str, engine: Engine) -> Scores:
        with self.console.status("  domain"):
            scores = domain(engine, self.rows, self.config.metric, max_new_tokens=self.config.max_new_tokens)
        return self._keep(name, DOMAIN, scores)

    def _retention(self, name: str, engine: Engine) -> dict[str, Scores]:
        base = self._base_replies(engine)
        probes = [probe.name for probe in retention.suite(self.config.retention, base=base)]
        done = {probe: kept for probe in probes if (kept := self._kept(name, probe)) is not None}
        with self.console.status("  general abilities") as status:

            def report(probe: retention.Probe, scores: Scores) -> None:
                self._keep(name, probe.name, scores)
                status.update(f"  general abilities: {probe.title} done")

            return retention.run(engine, self.config.retention, base=base, done=done, on_done=report)

    def _base_replies(self, engine: Engine) -> retention.BaseReplies:
        """The base's own replies to general prompts; made by the first model measured, which is the base."""
        file = self.folder.path("measure", "base-replies.json")
        if not file.is_file():
            with self.console.status("  the base's own replies"):
                made = retention.base_replies(engine, retention.size_of(self.config.retention))
            write_json(file, made.to_dict())
        return retention.BaseReplies.from_dict(read_json(file))

    def _file(self, name: str, probe: str) -> Path:
        return self.folder.path("measure", name, f"{probe}.json")

    def _kept(self, name: str, probe: str) -> Scores | None:
        file = self._file(name, probe)
        return scores_from(read_json(file)) if file.is_file() else None

    def _keep(self, name: str, probe: str, scores: Scores) -> Scores:
        write_json(self._file(name, probe), scores_to(scores))
        return scores


def scores_to(scores: Scores) -> dict[str, Any]:
    """``scores`` as JSON."""
    return {
        "metric": scores.metric,
        "version": scores.version,
        "higher_is_better": scores.higher_is_better,
        "ids": list(scores.ids),
        "values": [float(v) for v in scores.values],
        "clusters": None if scores.clusters is None else list(scores.clusters),
        "outputs": None if scores.outputs is None else list(scores.outputs),
    }


def scores_from(value: Mapping[str, Any]) -> Scores:
    """Scores from :func:`scores_to`."""
    return Scores(
        metric=value["metric"],
        ids=tuple(value["ids"]),
        values=np.array(value["values"], dtype=np.float64),
        clusters=None if value["clusters"] is None else tuple(value["clusters"]),
        outputs=None if value["outputs"] is None else tuple(value["outputs"]),
        higher_is_better=value["higher_is_better"],
        version=value["version"],
    )
