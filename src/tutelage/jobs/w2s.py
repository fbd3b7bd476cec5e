"""``tutelage w2s``: how far a strong student gets on a weak supervisor's labels of your own data."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from tutelage import config as configuration
from tutelage.errors import DataError, Interrupted
from tutelage.functional.weak_to_strong import ConfidenceSettings
from tutelage.io import file_sha256
from tutelage.jobs.interrupt import stop_requests
from tutelage.jobs.run_folder import RunFolder, environment
from tutelage.jobs.w2s_config import W2sConfig
from tutelage.jobs.w2s_data import Parts, Table, parted, read_table
from tutelage.jobs.w2s_files import Arrays, kept, write_results
from tutelage.jobs.w2s_models import check_student, check_teacher, student_features, teacher
from tutelage.jobs.w2s_summary import arm_facts, leading_metric, metric_facts, system_facts
from tutelage.objectives.weak_to_strong import WeakLossSettings
from tutelage.training.labelled_items import Items, one_hot
from tutelage.training.probes import ProbeSettings, TorchProbe
from tutelage.training.weak_to_strong import Maker, WeakToStrongSettings, ceiling_of, labels_of, taught
from tutelage.training.weak_to_strong_report import WeakToStrongReport
from tutelage.types import FloatArray, IntArray

__all__ = ["W2sResult", "resume", "w2s"]

FORMAT = "tutelage-w2s"
_FEW = 100  # test items below which intervals are said to be wide
_FEWEST = 10  # of a class, below which it is said what rests on them


@dataclass(frozen=True)
class W2sResult:
    """Where everything is, the content of ``results.json``, and the report of each arm."""

    folder: Path
    summary: Mapping[str, Any]
    reports: Mapping[str, WeakToStrongReport]


def w2s(
    config: W2sConfig,
    out: Path,
    *,
    command: str = "",
    origins: Mapping[str, str] | None = None,
    console: Console | None = None,
) -> W2sResult:
    """Run the protocol on a file.

    ``out`` receives ``results.json``, ``report.html``, ``predictions.jsonl`` (every row: its part, truth, the weak
    label, what each student says), ``rejected.jsonl``, and ``SYSTEM/w2s.jsonl`` for weak, ceiling and each student, for
    ``tutelage compare``. Every finished phase is kept there too, for :func:`resume`.

    Args:
        config: columns, models, losses.
        out: a new or empty folder.
        command: the exact command, for the record.
        origins: where each setting came from, for the record.
        console: shows progress; None is silent.

    Raises:
        ConfigError: the folder is not empty, a teacher for labels that are given, or for columns of numbers, an encoder
            that is to learn to write.
        DataError: see :func:`~tutelage.jobs.w2s_data.read_table` and :func:`~tutelage.jobs.w2s_data.parted`.
        ModelError: a model cannot be loaded.
        Interrupted: the user asked to stop; :func:`resume` continues.
    """
    table = read_table(config)
    check_teacher(table, config)
    check_student(config)
    parts = parted(table, config)  # what cannot be used is refused before there is a folder
    toml = configuration.dump_toml(config)
    folder = RunFolder.create(out, job="w2s", command=command, config_toml=toml, origins=origins or {})
    return _run(folder, config, table, parts, console or Console(quiet=True))


def resume(out: Path, *, console: Console | None = None) -> W2sResult:
    """Continue the run in ``out`` after a kill at any moment; on a CPU its results are those of a run without one.

    A data file named by a relative path must be found from where this is called.

    Raises:
        DataError: there is no run in ``out``; the data file cannot be read.
        ConfigError: data or given labels are not those the run was started with.
        Interrupted: as in :func:`w2s`.
    """
    folder = RunFolder.open(out)
    config = configuration.load(W2sConfig, out / "config.toml").value
    table = read_table(config)
    return _run(folder, config, table, parted(table, config), console or Console(quiet=True))


def _run(folder: RunFolder, config: W2sConfig, table: Table, parts: Parts, console: Console) -> W2sResult:
    files = {"data": config.data, "weak_labels": config.weak_labels}
    folder.check_inputs({name: file_sha256(Path(one).expanduser()) for name, one in files.items() if one})
    console.print(f"{len(parts.pool)} rows for the student, {len(parts.test)} to test on", highlight=False)
    with stop_requests(lambda text: console.print(f"[yellow]{text}[/]")) as should_stop:

        def phase(name: str, make: Callable[[], tuple[Arrays, Mapping[str, Any]]]) -> tuple[Arrays, dict[str, Any]]:
            if should_stop():
                raise Interrupted("stopped as asked; everything needed to continue is saved", where=str(folder.root))
            return kept(folder, name, make)

        found, weak = phase("labels", lambda: _weak_labels(table, parts, config, console))
        labels = found["labels"]
        training = folder.path("work", "generative")
        found, student = phase(
            "features", lambda: student_features(table, parts, config, training, console, should_stop)
        )
        features = found["features"]
        shutil.rmtree(training, ignore_errors=True)  # its checkpoints are of no more use
        top = phase("ceiling", lambda: _ceiling(table, parts, features, config))[0]["ceiling"]
        arms = {
            arm: phase(f"arm-{arm}", lambda arm=arm: _arm(arm, table, parts, features, labels, top, config))[0]  # type: ignore[misc]
            for arm in config.arms
        }
    reports = {arm: _report(found, table, parts, labels, top) for arm, found in arms.items()}
    summary = _summary(folder, config, table, parts, reports, weak["name"], student)
    write_results(folder, table, parts, labels, reports, {arm: one["rows"] for arm, one in arms.items()}, summary)
    return W2sResult(folder.root, summary, reports)


def _weak_labels(table: Table, parts: Parts, config: W2sConfig, console: Console) -> tuple[Arrays, dict[str, Any]]:
    """The supervisor's probabilities for every row [N, K]; NaN where a given label is missing."""
    name, inputs, weak = teacher(table, config, console)
    if table.given is not None:
        return {"labels": table.given}, {"name": name}
    assert weak is not None
    everything = Items(table.ids, inputs)
    classes = len(table.classes)
    taught_on = everything.rows(parts.teacher)
    if len(set(table.truth[parts.teacher].tolist())) < 2:
        raise DataError(
            f"the teacher's {len(parts.teacher)} rows are of one class", hint="give truth on more rows, or raise split"
        )
    weak.fit(taught_on.inputs, one_hot(table.truth[parts.teacher], classes))
    return {"labels": labels_of(weak, everything, classes)}, {"name": name}


def _items(table: Table, features: FloatArray, rows: IntArray, truth: bool = True) -> Items:
    return Items(tuple(table.ids[i] for i in rows), features[rows], table.truth[rows] if truth else None)


def _known(table: Table, parts: Parts) -> IntArray:
    known: IntArray = parts.pool[table.truth[parts.pool] >= 0]
    return known


def _ceiling(table: Table, parts: Parts, features: FloatArray, config: W2sConfig) -> tuple[Arrays, dict[str, Any]]:
    """Probabilities of the ceiling, which all arms share, on the test [M, K]."""
    learnt, test = (_items(table, features, rows) for rows in (_known(table, parts), parts.test))
    return {"ceiling": ceiling_of(_probe("xent", config), learnt, test, len(table.classes), seed=config.seed)}, {}


def _arm(
    arm: str, table: Table, parts: Parts, features: FloatArray, labels: FloatArray, top: FloatArray, config: W2sConfig
) -> tuple[Arrays, dict[str, Any]]:
    """The student's probabilities on the test [M, K], by epoch [E, M, K], and on all rows."""
    report = taught(
        _items(table, features, parts.pool, truth=False),
        labels[parts.pool],
        labels[parts.test],
        _items(table, features, parts.test),
        student=_probe(arm, config),
        truth=_items(table, features, _known(table, parts)),
        ceiling_on_test=top,
        settings=WeakToStrongSettings(labels="hard" if arm == "hard" else "soft", seed=config.seed),
    )
    rows = report.learner.predict_proba(features)
    return {"student": report.student, "by_epoch": np.stack(report.by_epoch), "rows": rows}, {}


def _report(found: Arrays, table: Table, parts: Parts, labels: FloatArray, ceiling: FloatArray) -> WeakToStrongReport:
    pool_truth = table.truth[parts.pool]
    return WeakToStrongReport(
        ids=tuple(table.ids[i] for i in parts.test),
        truth=table.truth[parts.test],
        weak=labels[parts.test],
        student=found["student"],
        ceiling=ceiling,
        pool_ids=tuple(table.ids[i] for i in parts.pool),
        pool_labels=labels[parts.pool],
        pool_truth=pool_truth if (pool_truth >= 0).all() else None,
        by_epoch=tuple(found["by_epoch"]),
    )


def _probe(arm: str, config: W2sConfig) -> Maker:
    name: Any = "xent" if arm == "hard" else arm
    confidence = ConfidenceSettings(config.a_max, config.warmup_frac, config.threshold)
    settings = ProbeSettings(
        loss=WeakLossSettings(name, confidence),
        learning_rate=config.learning_rate,
        epochs=config.epochs,
        batch_size=config.batch_size,
    )
    return lambda seed: TorchProbe(settings, seed=seed)


def _summary(
    folder: RunFolder,
    config: W2sConfig,
    table: Table,
    parts: Parts,
    reports: Mapping[str, WeakToStrongReport],
    teacher: str,
    student: Mapping[str, Any],
) -> dict[str, Any]:
    first = next(iter(reports.values()))
    arms = {arm: arm_facts(report, config.resamples, config.seed) for arm, report in reports.items()}
    gap = next(iter(arms.values()))["gap"]  # one gap, drawn once
    known = int((table.truth[parts.pool] >= 0).sum())
    counts = np.bincount(table.truth[parts.test], minlength=len(table.classes))
    notes = [
        "The ceiling learns from the truth of the student's own rows; the student never sees it.",
        "One split and one seed: run again with --seed 1, 2, ... before you trust a difference between losses.",
    ]
    if len(parts.test) < _FEW:
        notes.append(f"{len(parts.test)} test items: intervals are wide.")
    leading, fewest = leading_metric(config.metric, counts), int(counts[counts > 0].min())
    if leading != "accuracy" and fewest < _FEWEST:
        rare = table.classes[int(np.flatnonzero(counts == fewest)[0])]
        items = f"{fewest} test items are" if fewest > 1 else "one test item is"
        notes.append(f"Only {items} of the class {rare!r}, on which {leading.replace('_', ' ')} rests.")
    if known < len(parts.pool):
        notes.append(f"Truth is known of {known} of the student's {len(parts.pool)} rows; the ceiling saw only those.")
    written = student.get("generative")
    if written is not None:
        notes.append(
            f"The student's model first learnt to write {written['texts']} texts without labels, {written['steps']} "
            f"steps: {written['loss_before']:.3f} nats a token of the test's texts before, {written['loss_after']:.3f} "
            "after. The ceiling has the same model: compare with a run without."
        )
    unseen = sorted(set(range(len(table.classes))) - set(table.truth[table.truth >= 0].tolist()))
    if unseen:
        names = ", ".join(repr(table.classes[k]) for k in unseen[:5])
        notes.append(f"The labels name {names}, which the truth never is: another spelling, or a class of their own?")
    if table.rejected:
        notes.append(f"{len(table.rejected)} rows or labels were set aside: rejected.jsonl says why.")
    return {
        "format": FORMAT,
        "version": 1,
        "created": folder.facts["created"],
        "command": folder.facts["command"],
        "classes": list(table.classes),
        "rows": {
            "usable": len(table.ids),
            "rejected": len(table.rejected),
            "teacher": len(parts.teacher),
            "student": len(parts.pool),
            "student_with_truth": known,
            "test": len(parts.test),
        },
        "teacher": teacher,
        "student": student["name"],
        "generative_finetuning": written,
        "largest_class": float(counts.max() / counts.sum()),
        "metric": metric_facts(reports, leading, config.resamples, config.seed),
        "weak": system_facts(first, "weak"),
        "ceiling": system_facts(first, "ceiling"),
        "arms": {arm: {**one, "gap": gap} for arm, one in arms.items()},
        "notes": notes,
        "config": asdict(config),
        "seconds": round(sum(one["seconds"] for one in folder.phase_costs().values()), 2),
        "environment": environment(),
    }
