"""The main job: tune a model on a domain, and show what was gained and what was lost.

Data, base measurement, refinement, then each arm (train, measure, save), then the report. Every phase leaves its result
in the run folder; :func:`resume` picks up at the first one that is not done.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import transformers
from rich.console import Console

from tutelage import config as configuration
from tutelage.errors import ConfigError, Interrupted
from tutelage.io import content_hash, file_sha256
from tutelage.jobs.arms import ArmReporting, TrainedArm, train_arm
from tutelage.jobs.interrupt import stop_requests
from tutelage.jobs.measuring import Measurement, Measuring
from tutelage.jobs.progress import TrainingProgress
from tutelage.jobs.refine import Parts, RefinedData, build_refiner, refine_rows
from tutelage.jobs.run_folder import RunFolder
from tutelage.jobs.tune_config import TuneConfig
from tutelage.jobs.tune_data import Prepared, check_sources, prepare, read_rows
from tutelage.jobs.tune_options import advice, options_text
from tutelage.jobs.tune_report import write_report
from tutelage.models.adapter import detach
from tutelage.models.encoder import Encoder
from tutelage.models.engine import TransformersEngine
from tutelage.models.export import export
from tutelage.models.loading import LoadedModel, load, set_threads
from tutelage.models.opening import open_engine
from tutelage.refine import RunOptions
from tutelage.store import Store
from tutelage.training.methods import Method, method
from tutelage.types import Row

__all__ = ["TuneResult", "resume", "tune"]

T = TypeVar("T")


@dataclass(frozen=True)
class TuneResult:
    """Where the run is, and its report as a dictionary (the content of ``report.json``)."""

    folder: Path
    report: Mapping[str, Any]


def tune(
    resolved: configuration.Resolved[TuneConfig], out: Path, *, command: str, console: Console | None = None
) -> TuneResult:
    """Start a run in ``out`` and bring it to its report.

    Args:
        resolved: the configuration and where each value came from.
        out: a new or empty folder.
        command: the exact command, for the record.
        console: for progress; None is silent.

    Raises:
        ConfigError: no training data named, or ``out`` holds something already.
        Interrupted: the user asked to stop; :func:`resume` continues.
    """
    if not resolved.value.data.train:
        raise ConfigError("no training data", where="data.train", hint="give a file with --data, or an embedded task")
    check_sources(resolved.value.data)
    toml = configuration.dump_toml(resolved.value)
    folder = RunFolder.create(out, command=command, config_toml=toml, origins=resolved.origins)
    return _run(folder, resolved.value, console or Console(quiet=True))


def resume(out: Path, *, console: Console | None = None) -> TuneResult:
    """Continue the run in ``out`` after a kill at any moment; a finished run only gets its report again.

    Raises:
        DataError: there is no run in ``out``.
        ConfigError: the model or the data are not those the run was started with.
    """
    folder = RunFolder.open(out)
    resolved = configuration.load(TuneConfig, out / "config.toml")
    return _run(folder, resolved.value, console or Console(quiet=True))


def _run(folder: RunFolder, config: TuneConfig, console: Console) -> TuneResult:
    transformers.logging.set_verbosity_error()  # its advice is about settings that are not the user's here
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.|peft\.")
    facts = folder.facts
    with Store() as store, stop_requests(lambda text: console.print(f"[yellow]{text}[/]")) as should_stop:
        if facts["id"] not in {run.id for run in store.runs("tune")}:
            plain = configuration.to_dict(config)
            store.create_run(facts["id"], "tune", folder.root, plain, facts["command"], facts["created"])
        store.update_run(facts["id"], status="running")
        try:
            report = _Tuning(folder, config, console, store, should_stop).run()
        except Interrupted:
            store.update_run(facts["id"], status="interrupted")
            raise
        except KeyboardInterrupt:
            store.update_run(facts["id"], status="interrupted")
            raise
        except BaseException:
            store.update_run(facts["id"], status="failed")
            raise
        store.update_run(facts["id"], status="done", summary=report["headline"])
    return TuneResult(folder.root, report)


class _Tuning:
    """One pass over the phases of a run."""

    def __init__(
        self, folder: RunFolder, config: TuneConfig, console: Console, store: Store, should_stop: Callable[[], bool]
    ) -> None:
        self.folder, self.config, self.console, self.store, self.should_stop = (
            folder,
            config,
            console,
            store,
            should_stop,
        )
        self.threads = set_threads(config.run.threads)

    def run(self) -> dict[str, Any]:
        """Every phase in order."""
        base = self._load()
        data = self._step("reading the data", lambda: prepare(self.folder, self.config, base.tokenizer))
        self._check_same(base)
        engine = TransformersEngine(base)
        measured: dict[str, Measurement] = {"base": self._measure("base", engine, data)}
        methods = [method(name) for name in self.config.arms]
        answers = self._answers(engine, data, methods)
        facts: dict[str, dict[str, Any]] = {}
        for arm in methods:
            measured[arm.name], facts[arm.name] = self._arm(arm, base, answers[arm.answers], data)
            if self.config.model.tune == "full":
                base = self._load()  # its weights have been trained away
        return self._step("writing the report", lambda: write_report(self.folder, self.config, base, measured, facts))

    def _load(self) -> LoadedModel:
        model = self.config.model
        return self._step(
            f"loading {model.name}",
            lambda: load(
                model.name,
                dtype=model.dtype,
                device=model.device,
                trust_remote_code=model.trust_remote_code,
                revision=model.revision,
            ),
        )

    def _step(self, doing: str, work: Callable[[], T]) -> T:
        if self.should_stop():
            raise Interrupted("stopped as asked; everything needed to continue is saved", where=str(self.folder.root))
        self.console.print(f"[dim]{doing} ...[/]")
        return work()

    def _check_same(self, base: LoadedModel) -> None:
        """A run goes on only with the weights and rows that it began with."""
        files = [file_sha256(self.folder.path("data", name)) for name in ("train.jsonl", "test.jsonl")]
        self.folder.check_inputs({"model": base.weights_hash, "data": content_hash(files)})

    def _measure(self, name: str, engine: TransformersEngine, data: Prepared) -> Measurement:
        measuring = Measuring(self.folder, self.config.measure, data.test, self.console, self.should_stop)
        found: list[Measurement] = []

        def work() -> dict[str, Any]:
            found.append(measuring(name, engine))
            return {"probes": list(found[0].scores)}

        self._step(f"measuring {name}", lambda: self.folder.phase(f"measure-{name}", work))
        measured = found[0] if found else measuring(name, engine)  # a finished phase is read from its files
        for scores in measured.scores.values():
            self.store.add_scores(self.folder.facts["id"], name, scores)
        return measured

    def _answers(
        self, engine: TransformersEngine, data: Prepared, methods: Sequence[Method]
    ) -> dict[str, Sequence[Row]]:
        """The rows of each kind of answers that the methods train on."""
        answers: dict[str, Sequence[Row]] = {"original": data.train, "refined": data.train}
        if self.config.refine_answers and any(m.answers == "refined" for m in methods):
            answers["refined"] = self._step("refining the answers", lambda: self._refine(engine, data.train))
        return answers

    def _refine(self, engine: TransformersEngine, rows: Sequence[Row]) -> list[Row]:
        settings, folder = self.config.refine, self.folder.path("refine")
        refiner = build_refiner(settings, Parts(engine, open_engine, Encoder), seed=self.config.run.seed)
        options = RunOptions(self.config.run.batch_size, should_stop=self.should_stop, console=self.console)
        refined: list[RefinedData] = []

        def work() -> dict[str, Any]:
            refined.append(refine_rows(rows, refiner, folder, settings=settings, options=options, model=engine))
            return refined[0].report.to_dict()

        report = self.folder.phase("refine", work)
        for warning in report["warnings"]:
            self.console.print(f"  [yellow]{warning}[/]")
        self.console.print(
            f"  {report['changed']} of {report['rows']} answers rewritten, {report['kept']} kept as they were"
        )
        if report.get("added"):
            self.console.print(f"  {report['added']} subtasks added")
        if refined and refined[0].report.gap_line:
            self.console.print(f"  {refined[0].report.gap_line}")
        return refined[0].rows if refined else read_rows(folder / "train.jsonl")

    def _arm(
        self, arm: Method, base: LoadedModel, rows: Sequence[Row], data: Prepared
    ) -> tuple[Measurement, dict[str, Any]]:
        """Train, measure and save one arm; a finished arm is only read."""
        if all(
            self.folder.is_done(phase) for phase in (f"train-{arm.name}", f"measure-{arm.name}", f"save-{arm.name}")
        ):
            engine = TransformersEngine(base)  # not asked: every probe is on the disk
            return self._measure(arm.name, engine, data), self.folder.phase(f"train-{arm.name}", dict)
        made: list[TrainedArm] = []

        def work() -> dict[str, Any]:
            made.append(self._train(arm, base, rows))
            return made[0].facts

        facts = self.folder.phase(f"train-{arm.name}", work)
        trained = made[0] if made else self._train(arm, base, rows)  # finished before: its last checkpoint is loaded
        engine = TransformersEngine(trained.loaded)
        measured = self._measure(arm.name, engine, data)
        saved = self.folder.phase(f"save-{arm.name}", lambda: self._save(arm, trained))
        self.console.print(f"  saved {saved['adapter'] or saved['model']}, checked against the trained model")
        if self.config.model.tune == "lora":
            detach(trained.loaded)
        return measured, facts

    def _train(self, arm: Method, base: LoadedModel, rows: Sequence[Row]) -> TrainedArm:
        def work() -> TrainedArm:
            with TrainingProgress(self.console, arm.name, self.folder, self.store) as progress:
                reporting = ArmReporting(progress.start, self.should_stop)
                trained = train_arm(
                    base, arm, rows, self.config, self.folder.path("arms", arm.name, "checkpoints"), reporting
                )
            return trained

        options = options_text(self.config) if arm.name == self.config.method else ""
        if options:
            for text in advice(self.config):
                self.console.print(f"  [yellow]{text}[/]")
        doing = f"training {arm.name}: {arm.summary}{'; ' if options else ''}{options}"
        trained: TrainedArm = self._step(doing, work)
        return trained

    def _save(self, arm: Method, trained: TrainedArm) -> dict[str, Any]:
        """Export; only the main arm gets merged weights."""
        target = (
            self.folder.path("model") if arm.name == self.config.method else self.folder.path("arms", arm.name, "model")
        )
        if target.exists():  # left by a killed process, before the phase was marked done
            shutil.rmtree(target)
        exported = export(trained.loaded, target, merged=arm.name == self.config.method)
        for name in ("adapter", "merged"):
            if (target / name).exists():
                self.store.add_artifact(self.folder.facts["id"], f"{arm.name}/{name}", target / name, "")
        return exported
