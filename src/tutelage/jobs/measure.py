"""``tutelage measure``: what a model does on a suite, item by item, kept so that models can be compared later."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from tutelage import assets
from tutelage.errors import ConfigError, EngineError, ModelError
from tutelage.io import clean_stale, write_json
from tutelage.io.documents import read_json
from tutelage.jobs.measure_config import MeasureConfig
from tutelage.jobs.progress import bar
from tutelage.jobs.recorded_engine import RecordedEngine, identity_of
from tutelage.jobs.run_folder import environment
from tutelage.measure.preferences import with_ending, with_reference, with_reference_scores
from tutelage.measure.results import write_native
from tutelage.measure.results.table import TaskResults
from tutelage.measure.suite import Suite, Task
from tutelage.measure.suites import open_suite
from tutelage.measure.summary import summarise
from tutelage.types import Engine

__all__ = ["MeasureConfig", "Measured", "measure", "model_folder", "open_model"]

_FORMAT = "tutelage-measure"
_VERSION = 1


@dataclass(frozen=True)
class Measured:
    """Where the results are, the tables by task, and the content of ``results.json``."""

    folder: Path
    results: Mapping[str, TaskResults]
    summary: Mapping[str, Any]


def measure(
    model: str | Engine,
    suite: str | Suite,
    out: Path,
    *,
    config: MeasureConfig | None = None,
    command: str = "",
    console: Console | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> Measured:
    """Measure a model on a suite.

    ``out`` receives ``TASK.jsonl`` (a result file of :mod:`tutelage.measure.results`) as soon as a task is done,
    ``results.json`` at the end, and ``work/``, the memory of everything the model was asked: a run that was stopped
    goes on where it was, and the same run again asks nothing.

    Args:
        model: see :func:`open_model`; or an engine.
        suite: a built-in suite's name, a file, or a suite.
        out: a new or empty folder, or that of an earlier run of the same model and suite.
        config: size and the rest; with ``reference`` every task of preference pairs has one beside it that compares the
            model with that one.
        command: the exact command, for the record.
        console: shows progress; None is silent.
        should_stop: asked between batches.

    Raises:
        ConfigError: no such suite, or ``out`` holds something else.
        DataError: an item of the user's suite cannot be used.
        ModelError: the model cannot be loaded.
        EngineError: the engine fails, or can do nothing that the suite needs.
        Interrupted: as asked; call again to go on.
    """
    config = config or MeasureConfig()
    chosen = open_suite(suite, config.size) if isinstance(suite, str) else suite
    chosen = with_ending(chosen.first(config.max_items) if config.max_items else chosen, config.ending)
    _check_folder(out)
    chosen, against = _against(chosen, config)
    engine = open_model(model, config) if isinstance(model, str) else model
    identity = identity_of(engine)
    _claim(out, model if isinstance(model, str) else engine.name, identity, chosen)
    started = time.perf_counter()
    asked = remembered = 0
    if against is not None:
        with RecordedEngine(against, out / "work", should_stop=should_stop) as recorded:
            chosen = with_reference_scores(chosen, recorded)
            asked, remembered = recorded.asked, recorded.remembered
        del against
    run = _Run(out, chosen, config, console or Console(quiet=True), facts_of(engine, model, identity))
    with RecordedEngine(
        engine,
        out / "work",
        identity=identity,
        batch_size=config.batch_size or _batch_size(engine),
        should_stop=should_stop,
    ) as recorded:
        tables, refused = run.tasks(recorded)
        cost = {
            "seconds": round(time.perf_counter() - started, 2),
            "asked": asked + recorded.asked,
            "remembered": remembered + recorded.remembered,
            "tokens_spoken": recorded.tokens,
        }
    summary = run.summary(tables, refused, cost, command)
    write_json(out / "results.json", summary)
    return Measured(out, tables, summary)


def _against(suite: Suite, config: MeasureConfig) -> tuple[Suite, Engine | None]:
    """The suite with its pairs against the reference model, and that model; as they are where there is none."""
    if not config.reference:
        return suite, None
    with_reference(suite, config.reference, "", config.beta)  # is refused before a model is loaded
    reference = open_model(config.reference, config)
    return with_reference(suite, config.reference, identity_of(reference), config.beta), reference


def open_model(spec: str, config: MeasureConfig) -> Engine:
    """The engine of a model.

    Args:
        spec: an embedded model, a model or adapter folder, the folder of a ``tutelage tune`` run (its tuned model), a
            Hub id, or ``openai:BASE_URL#MODEL``.
        config: number format, device, threads.

    Raises:
        ConfigError: a server's address that is none.
        ModelError: the model cannot be found or loaded.
    """
    from tutelage.models import TransformersEngine, load, open_engine
    from tutelage.models.loading import set_threads

    if spec.startswith("openai:"):
        return open_engine(spec)
    set_threads(config.threads)
    options: dict[str, Any] = {"dtype": config.dtype, "device": config.device}
    return TransformersEngine(load(model_folder(spec), trust_remote_code=config.trust_remote_code, **options))


def model_folder(spec: str) -> str:
    """``spec``, or the tuned model in it where it is the folder of a run.

    Raises:
        ModelError: the run has not saved its model yet.
    """
    folder = Path(spec).expanduser()
    if not (folder / "run.json").is_file() or (folder / "config.json").is_file():
        return spec
    for name in ("merged", "adapter"):
        if (folder / "model" / name).is_dir():
            return str(folder / "model" / name)
    hint = f"`tutelage resume {spec}` goes on with it"
    raise ModelError("the run has not saved its model yet", where=spec, hint=hint)


def facts_of(engine: Engine, model: str | Engine, identity: str) -> dict[str, Any]:
    """What is known of a model, for results."""
    facts: dict[str, Any] = {"name": engine.name, "identity": identity, "source": "engine"}
    loaded = getattr(engine, "loaded", None)
    if isinstance(model, str):
        facts["given"] = model
        if Path(model).expanduser().is_dir():
            facts["name"] = Path(model).expanduser().resolve().name
    if loaded is not None:
        facts |= {
            "source": loaded.source,
            "revision": loaded.revision,
            "weights_hash": loaded.weights_hash,
            "parameters": sum(p.numel() for p in loaded.model.parameters()),
            "dtype": str(loaded.model.dtype).removeprefix("torch."),
            "device": str(loaded.model.device),
            "notes": list(loaded.notes),
        }
    return facts


@dataclass(frozen=True)
class _Run:
    """One pass over the tasks of a suite."""

    out: Path
    suite: Suite
    config: MeasureConfig
    console: Console
    model: Mapping[str, Any]

    def tasks(self, engine: RecordedEngine) -> tuple[dict[str, TaskResults], dict[str, str]]:
        """Measure each task and write its file; those that the engine cannot do are named with the reason."""
        tables: dict[str, TaskResults] = {}
        refused: dict[str, str] = {}
        why = _cannot_score(engine)
        with bar(self.console) as progress:
            for task in self.suite.tasks:
                if why is not None and task.method.scores_text:
                    refused[task.name] = why
                    self.console.print(f"  [yellow]{task.name} is left out[/]: {why}")
                    continue
                engine.on_progress = _reporting(progress, task)
                tables[task.name] = task.measure(engine, seed=self.config.seed)
                write_native(self.out / f"{task.name}.jsonl", tables[task.name], self._system())
        if not tables:
            raise EngineError(
                f"nothing of the suite {self.suite.name!r} can be measured: {why}",
                where=str(self.model["name"]),
                hint="measure a suite whose tasks only let the model speak: instructions, maths, safety, format",
            )
        return tables, refused

    def _system(self) -> dict[str, Any]:
        keys = ("name", "source", "revision", "weights_hash", "identity")
        told = {key: self.model[key] for key in keys if key in self.model}
        suite = {"suite": self.suite.name, "suite_version": self.suite.version}
        return {**told, **suite, "size": self._size(), "seed": self.config.seed, "notes": list(self.suite.notes)}

    def _size(self) -> str | None:
        return self.config.size if self.suite.source == "built in" else None

    def summary(
        self, tables: Mapping[str, TaskResults], refused: Mapping[str, str], cost: Mapping[str, Any], command: str
    ) -> dict[str, Any]:
        """The content of ``results.json``."""
        used = list(self.suite.assets)
        if self.model["source"] == "asset":
            used.append(self.model["name"])
        return {
            "format": _FORMAT,
            "version": _VERSION,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "command": command,
            "model": dict(self.model),
            "suite": {
                "name": self.suite.name,
                "version": self.suite.version,
                "summary": self.suite.summary,
                "source": self.suite.source,
                "size": self._size(),
                "fingerprint": self.suite.fingerprint(),
            },
            "config": asdict(self.config),
            "tasks": {
                name: {
                    "file": f"{name}.jsonl",
                    "version": table.version,
                    "items": len(table.ids),
                    "metrics": summarise(table),
                }
                for name, table in tables.items()
            },
            "left_out": dict(refused),
            "notes": list(self.suite.notes),
            "cost": dict(cost),
            "environment": environment(),
            "licences": assets.licence_report(used),
        }


def _reporting(progress: Progress, task: Task) -> Callable[[int, int], None]:
    """A bar for a task, and the function that moves it."""
    row = progress.add_task(task.name, total=len(task.items), note="")
    started = time.perf_counter()

    def report(done: int, total: int) -> None:
        items = len(task.items) * done // max(1, total)
        rate = items / max(1e-9, time.perf_counter() - started)
        progress.update(row, completed=items, note=f"{rate:.1f} items/s" if items else "")

    return report


def _cannot_score(engine: Engine) -> str | None:
    """Why the engine cannot score given texts, or None; nothing is sent to a server for it."""
    try:
        engine.encode([{"role": "user", "content": "text"}], "text")
    except (EngineError, NotImplementedError):
        return "it needs log-probabilities of given texts, and this engine has no tokenizer to ask for them"
    return None


def _batch_size(engine: Engine) -> int:
    loaded = getattr(engine, "loaded", None)
    return 32 if loaded is None or loaded.model.device.type == "cpu" else 256


def _check_folder(out: Path) -> None:
    """Refuse, before anything slow, a folder that holds something else."""
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not _inputs_file(out).is_file())):
        raise ConfigError(
            "the output folder is not empty, and not one of an earlier measurement",
            where=str(out),
            hint="choose another folder",
        )


def _claim(out: Path, model: str, identity: str, suite: Suite) -> None:
    """Take the folder for this model and suite; what another size or version of the suite left is removed."""
    now: dict[str, Any] = {"model": model, "identity": identity, "suite": suite.name}
    now |= {"fingerprint": suite.fingerprint(), "tasks": [task.name for task in suite.tasks]}
    file = _inputs_file(out)
    if file.is_file():
        before = read_json(file)
        if (before["identity"], before["suite"]) != (identity, suite.name):
            what = f"model {before['model']} on suite {before['suite']}"
            if before["suite"] == suite.name:
                what += ", with other weights" if before["model"] == model else ""
            raise ConfigError(f"the folder holds results of {what}", where=str(out), hint="choose another folder")
        clean_stale(out)
        for name in before["tasks"] if before != now else ():
            (out / f"{name}.jsonl").unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        (out / "results.json").unlink()  # it is written last: where it stands, the rest is complete
    write_json(file, now)


def _inputs_file(out: Path) -> Path:
    return out / "work" / "inputs.json"
