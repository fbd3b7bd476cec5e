"""Before and after, on the same items: the domain test set and the retention suite of one model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console

from tutelage.errors import DataError, Interrupted
from tutelage.io import write_json
from tutelage.io.documents import read_json
from tutelage.jobs.run_folder import RunFolder
from tutelage.jobs.tune_config import MeasureConfig
from tutelage.measure import Task, domain_task, retention
from tutelage.measure.results import read_native, write_native
from tutelage.measure.results.table import TaskResults
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

    Each task's results are one file, ``measure/MODEL/TASK.jsonl``, written as soon as they are there, in the format
    that ``tutelage compare`` reads.
    """

    folder: RunFolder
    config: MeasureConfig
    rows: Sequence[Row]
    console: Console
    should_stop: Callable[[], bool]

    def __call__(self, name: str, engine: Engine) -> Measurement:
        """Measure ``engine`` under ``name``; the first one measured gives the replies the others are held to.

        Raises:
            DataError: the run was measured by an older version of Tutelage.
            Interrupted: the user asked to stop; every finished task is kept.
        """
        domain = self._results(name, DOMAIN, engine, self._domain_task)
        found = {DOMAIN: domain.scores(next(iter(domain.values)))}
        if self.config.retention != "off":
            for probe in retention.suite(self.config.retention, base=self._base_replies(engine)):
                found[probe.name] = self._results(name, probe.name, engine, probe.task, probe.title).only()
        return Measurement(found)

    def _domain_task(self) -> Task:
        return domain_task(self.rows, self.config.metric, max_new_tokens=self.config.max_new_tokens)

    def _results(
        self, name: str, task: str, engine: Engine, make: Callable[[], Task], title: str = "the domain test set"
    ) -> TaskResults:
        """The results of a task: read if they are there, else measured and kept."""
        file = self.folder.path("measure", name, f"{task}.jsonl")
        if file.is_file():
            return read_native(file)[0]
        if file.with_suffix(".json").is_file():
            raise DataError(
                "the run was measured by an older version of Tutelage, without prompts and choices",
                where=str(file.with_suffix(".json")),
                hint="start a new run",
            )
        if self.should_stop():
            raise Interrupted("stopped as asked; everything needed to continue is saved", where=str(self.folder.root))
        with self.console.status(f"  measuring {title.lower()}"):
            results = make().measure(engine)
        write_native(file, results, {"name": name, "run": self.folder.facts["id"], "source": "tutelage tune"})
        return results

    def _base_replies(self, engine: Engine) -> retention.BaseReplies:
        """The base's own replies to general prompts; made by the first model measured, which is the base."""
        file = self.folder.path("measure", "base-replies.json")
        if not file.is_file():
            with self.console.status("  the base's own replies"):
                made = retention.base_replies(engine, retention.size_of(self.config.retention))
            write_json(file, made.to_dict())
        return retention.BaseReplies.from_dict(read_json(file))
