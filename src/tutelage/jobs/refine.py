"""``tutelage refine``: stage 1 alone, from a data set to a data set."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from rich.console import Console

from tutelage import assets
from tutelage import config as configuration
from tutelage.data import LoadReport, ReadOptions, Rejected, load_dataset_rows, write_rejected
from tutelage.data.splits import prompt_text
from tutelage.data.tasks import domain_rows, tasks
from tutelage.errors import DataError, EngineError, StoreError
from tutelage.io import content_hash, file_sha256, write_json, write_jsonl
from tutelage.io.documents import read_json
from tutelage.jobs.preferences import PreferenceConfig, preference_data
from tutelage.refine import (
    CosineJudge,
    DgrRefiner,
    Embedder,
    EngineFuser,
    EngineJudge,
    Fuser,
    Judge,
    PreferenceSet,
    RaftRefiner,
    RefineReport,
    RefineSettings,
    RowRefiner,
    RuleJudge,
    RunOptions,
    SdftDataRefiner,
    Similarity,
    SubtaskRefiner,
    TemplateFuser,
    gap_of_refinement,
    report_on,
    run,
)
from tutelage.types import Engine, Refined, Row

__all__ = ["Parts", "RefineConfig", "RefinedData", "build_refiner", "prefer_dataset", "refine_dataset", "refine_rows"]


@dataclass(frozen=True)
class ReadConfig:
    """The data and how to read it."""

    source: str = field(default="", metadata={"help": "file or folder of rows, or an embedded task"})
    prompt_column: str | None = None
    completion_column: str | None = None
    system: str | None = field(default=None, metadata={"help": "system turn put before prompts that have none"})
    max_rows: int = field(default=0, metadata={"help": "rows refined, from the start of the file; 0 = all"})


@dataclass(frozen=True)
class RefineConfig:
    """Everything ``tutelage refine`` needs."""

    model: str = field(default="smollm2-135m-instruct", metadata={"help": "the model that is to be tuned: it rewrites"})
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    device: str = "auto"
    trust_remote_code: bool = field(default=False, metadata={"help": "run code that comes with the model; recorded"})
    data: ReadConfig = field(default_factory=ReadConfig)
    refine: RefineSettings = field(default_factory=RefineSettings)
    preferences: PreferenceConfig = field(default_factory=PreferenceConfig)
    seed: int = 0
    threads: int = field(default=0, metadata={"help": "CPU threads; 0 = all physical cores"})
    batch_size: int = field(default=16, metadata={"help": "prompts put to an engine together"})


@dataclass(frozen=True)
class Parts:
    """What a refiner is built from: the model itself as an engine, and ways to open others by name."""

    rewriter: Engine
    open_engine: Callable[[str], Engine]
    open_encoder: Callable[[str], Embedder]


@dataclass(frozen=True)
class RefinedData:
    """``rows`` to train on, in the order of the input without the dropped ones, and what was done to them."""

    rows: list[Row]
    report: RefineReport
    folder: Path


def build_refiner(settings: RefineSettings, parts: Parts, *, seed: int = 0) -> RowRefiner:
    """The refiner that the settings describe; an engine that is named twice is opened once.

    Raises:
        ModelError: an engine or encoder cannot be opened.
    """
    opened: dict[str, Engine] = {"self": parts.rewriter}

    def engine(name: str) -> Engine:
        if name not in opened:
            opened[name] = parts.open_engine(name)
        return opened[name]

    rewriter = engine(settings.rewriter)
    if settings.method == "sdft_data":
        return SdftDataRefiner(rewriter, settings, seed=seed)
    if settings.method == "dgr":
        return DgrRefiner(rewriter, settings, seed=seed)
    if settings.method == "subtasks":
        return _subtasks(settings, rewriter, seed)
    encoder = parts.open_encoder(settings.encoder)
    similarity = Similarity(encoder, settings.compare, settings.terse_words)
    fuser: Fuser | None = None
    if settings.fuser == "rule":
        fuser = TemplateFuser(terse_words=settings.terse_words)
    elif settings.fuser != "none":
        fuser = EngineFuser(
            engine(settings.fuser),
            max_new_tokens=settings.max_new_tokens,
            temperature=settings.retry_temperature,
            seed=seed,
        )
    judges: list[Judge] = []
    for name in dict.fromkeys(settings.judges):
        if name == "rule":
            judges.append(RuleJudge(terse_words=settings.terse_words))
        elif name == "cosine":
            judges.append(CosineJudge(similarity))
        else:
            judges.append(EngineJudge(engine(name)))
    return RaftRefiner(rewriter, settings, similarity=similarity, fuser=fuser, judges=judges, seed=seed)


def _subtasks(settings: RefineSettings, engine: Engine | None, seed: int) -> RowRefiner:
    tests = load_dataset_rows(settings.tests).rows if settings.tests else []
    return SubtaskRefiner(engine, settings, tests=[prompt_text(row) for row in tests], seed=seed)


def refine_rows(
    rows: Sequence[Row],
    refiner: RowRefiner,
    out: str | os.PathLike[str],
    *,
    settings: RefineSettings,
    options: RunOptions | None = None,
    model: Engine | None = None,
) -> RefinedData:
    """Refine rows into a folder: ``train.jsonl`` (TRL's format), ``records.jsonl`` (one per row), ``report.json``.

    ``report.json`` is written last, so where it stands the others are complete. Run again on the same rows with the
    same refiner, it asks no engine and writes no file.

    Args:
        rows: examples with ids.
        refiner: see :func:`build_refiner`.
        out: the folder; may hold an earlier, interrupted run.
        settings: recorded in the report.
        options: batch sizes, progress, stopping.
        model: the one that will be tuned. With ``method = "dgr"`` the distance of the refusals from its own answers is
            measured, before and after, for the report and, row by row, ``gap.jsonl``; None measures nothing.

    Returns:
        The rows to train on and the report.

    Raises:
        Interrupted: as asked; call again to continue.
        StoreError: the folder cannot be written, or another process works in it.
    """
    folder = Path(out)
    result = run(rows, refiner, folder, options=options)
    report = report_on(rows, result, asdict(settings))
    kept = [row for r in result.refined for row in (r.row, *r.trace.get("added", ())) if row is not None]
    mark = content_hash([refiner.fingerprint(), list(rows)])
    if (told := _written(folder, mark)) is not None:
        return RefinedData(kept, replace(report, gap=told.get("gap", {})), folder)
    names = ["train.jsonl", "records.jsonl"]
    if settings.method == "dgr" and model is not None:
        report, gaps = _with_gap(report, rows, result.refined, model, settings)
        if gaps is not None:
            write_jsonl(folder / "gap.jsonl", gaps)
            names.append("gap.jsonl")
    write_jsonl(folder / "train.jsonl", kept)
    write_jsonl(folder / "records.jsonl", (_record(row, r) for row, r in zip(rows, result.refined, strict=True)))
    files = {name: file_sha256(folder / name) for name in names}
    write_json(folder / "report.json", {"inputs": mark, "files": files, **report.to_dict()})
    return RefinedData(kept, report, folder)


def _with_gap(
    report: RefineReport, rows: Sequence[Row], refined: Sequence[Refined], model: Engine, settings: RefineSettings
) -> tuple[RefineReport, list[dict[str, Any]] | None]:
    try:
        means, records = gap_of_refinement(rows, refined, model, max_new_tokens=settings.max_new_tokens)
    except EngineError as error:
        told = f"the distance from the model's own answers was not measured: {error.what}"
        return replace(report, warnings=[*report.warnings, told]), None
    return replace(report, gap=means), records


def _record(row: Row, refined: Refined) -> dict[str, Any]:
    return {"id": row["id"], "outcome": refined.outcome, "reason": refined.reason, **refined.trace}


def _written(folder: Path, mark: str) -> dict[str, Any] | None:
    """The report in the folder when it is of these inputs and the files are as it says."""
    with suppress(StoreError, DataError, OSError, KeyError, TypeError, AttributeError):
        told = read_json(folder / "report.json")
        if told["inputs"] == mark and all(file_sha256(folder / n) == h for n, h in told["files"].items()):
            return dict(told)
    return None


def refine_dataset(
    config: RefineConfig,
    out: str | os.PathLike[str],
    *,
    parts: Parts | None = None,
    console: Console | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> RefinedData:
    """Read a data set, refine its answers and write it, ready for TRL or :func:`tutelage.jobs.tune.tune`.

    Rows that cannot be used go to ``rejected.jsonl`` with line number and reason.

    Args:
        config: model, data, settings.
        out: folder for the results; an interrupted run in it is continued.
        parts: engines to use instead of those that ``config`` names.
        console: shows progress; None is silent.
        should_stop: asked between batches.

    Returns:
        The rows and the report.

    Raises:
        DataError: the data cannot be read, or holds no usable row.
        LicenceError: an embedded data set that may not be trained on.
        ModelError: a model cannot be loaded.
        Interrupted: see :func:`refine_rows`.
    """
    folder = Path(out)
    loaded = _load(config.data)
    rows = loaded.rows[: config.data.max_rows] if config.data.max_rows else loaded.rows
    if not rows:
        hint = f"see {folder / 'rejected.jsonl'}"
        write_rejected(folder / "rejected.jsonl", loaded.rejected)
        raise DataError("there is no usable row", where=config.data.source, hint=hint)
    if parts is None and config.refine.needs_model:
        parts = _open_parts(config)
    if parts is None:
        engine, refiner = None, _subtasks(config.refine, None, config.seed)
    else:
        engine, refiner = parts.rewriter, build_refiner(config.refine, parts, seed=config.seed)
    options = RunOptions(batch_size=config.batch_size, console=console, should_stop=should_stop)
    done = refine_rows(rows, refiner, folder, settings=config.refine, options=options, model=engine)
    left = {row["id"] for row in done.rows}
    dropped = [
        Rejected(number, "dropped_by_refinement", row["id"], json.dumps(row, ensure_ascii=False)[:2000])
        for number, row in enumerate(rows, start=1)
        if row["id"] not in left
    ]
    write_rejected(folder / "rejected.jsonl", [*loaded.rejected, *dropped])
    configuration_text = configuration.dump_toml(config)
    write_json(folder / "run.json", {"config": configuration_text, "source_sha256": loaded.source_sha256})
    return done


def prefer_dataset(config: RefineConfig, out: str | os.PathLike[str], *, parts: Parts | None = None) -> PreferenceSet:
    """Preference data instead of answers: see :func:`tutelage.jobs.preferences.preference_data`.

    Raises:
        DataError: no data was given, or no line of it can be used.
    """
    if not config.data.source:
        raise DataError("no data was given", where="data.source", hint="name a JSONL file of prompts")
    engine = (parts or _open_parts(config)).rewriter
    return preference_data(config.data.source, config.preferences, engine, out, seed=config.seed)


def _load(data: ReadConfig) -> LoadReport:
    if not data.source:
        raise DataError("no data was given", where="data.source", hint="name a file, a folder or an embedded task")
    if data.source in tasks:
        assets.refuse_for_training([str(tasks.entry(data.source).meta["asset"])])
        rows = domain_rows(data.source, data.max_rows or None)
        return LoadReport(rows=rows, rejected=[], format="jsonl", source_sha256=content_hash(rows))
    options = ReadOptions(
        prompt_column=data.prompt_column, completion_column=data.completion_column, system=data.system
    )
    return load_dataset_rows(data.source, options)


def _open_parts(config: RefineConfig) -> Parts:
    from tutelage.models import Encoder, TransformersEngine, load, open_engine
    from tutelage.models.loading import set_threads

    set_threads(config.threads)
    loaded = load(config.model, dtype=config.dtype, device=config.device, trust_remote_code=config.trust_remote_code)
    return Parts(TransformersEngine(loaded), open_engine, Encoder)
