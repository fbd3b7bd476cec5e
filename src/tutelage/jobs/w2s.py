"""``tutelage w2s``: how far a strong student gets on a weak supervisor's labels of your own data."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from tutelage.data import write_rejected
from tutelage.errors import ConfigError, DataError
from tutelage.functional.weak_to_strong import ConfidenceSettings
from tutelage.io import write_json, write_jsonl, write_text
from tutelage.jobs.run_folder import environment
from tutelage.jobs.w2s_config import W2sConfig
from tutelage.jobs.w2s_data import Parts, Table, parted, read_table
from tutelage.jobs.w2s_summary import arm_facts, system_facts
from tutelage.measure.results import write_native
from tutelage.measure.results.table import MetricFacts, TaskResults
from tutelage.objectives.weak_to_strong import WeakLossSettings
from tutelage.report.weak_to_strong import render
from tutelage.training.labelled_items import Items, one_hot
from tutelage.training.probes import ProbeSettings, SklearnClassifier, TorchProbe
from tutelage.training.weak_to_strong import Maker, WeakToStrongSettings, labels_of, taught
from tutelage.training.weak_to_strong_report import WeakToStrongReport
from tutelage.types import FloatArray, IntArray

__all__ = ["W2sResult", "w2s"]

FORMAT = "tutelage-w2s"
TASK = "w2s"
_FEW = 100  # test items below which intervals are said to be wide
_WEAK_NAMES = ("auto", "bow")


@dataclass(frozen=True)
class W2sResult:
    """Where everything is, the content of ``results.json``, and the report of each arm."""

    folder: Path
    summary: Mapping[str, Any]
    reports: Mapping[str, WeakToStrongReport]


def w2s(config: W2sConfig, out: Path, *, command: str = "", console: Console | None = None) -> W2sResult:
    """Run the protocol on a file.

    ``out`` receives ``results.json``, ``report.html``, ``predictions.jsonl`` (every row: its part, truth, the weak
    label, what each student says), ``rejected.jsonl``, and ``SYSTEM/w2s.jsonl`` for weak, ceiling and each student, for
    ``tutelage compare``.

    Args:
        config: columns, models, losses.
        out: a new or empty folder.
        command: the exact command, for the record.
        console: shows progress; None is silent.

    Raises:
        ConfigError: the folder is not empty, a teacher for labels that are given, or for columns of numbers.
        DataError: see :func:`~tutelage.jobs.w2s_data.read_table` and :func:`~tutelage.jobs.w2s_data.parted`.
        ModelError: a model cannot be loaded.
    """
    console = console or Console(quiet=True)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError("the output folder is not empty", where=str(out), hint="choose another folder")
    started = time.perf_counter()
    table = read_table(config)
    _check_teacher(table, config)
    parts = parted(table, config)
    console.print(f"{len(parts.pool)} rows for the student, {len(parts.test)} to test on", highlight=False)
    weak_name, weak_inputs, weak = _teacher(table, config, console)
    student_name, features = _student_features(table, config, console)
    labels = _weak_labels(table, parts, weak_inputs, weak)
    reports = {arm: _arm(arm, table, parts, features, labels, config) for arm in config.arms}
    summary = _summary(config, table, parts, reports, (weak_name, student_name), command, time.perf_counter() - started)
    _write(out, table, parts, labels, features, reports, summary)
    return W2sResult(out, summary, reports)


def _check_teacher(table: Table, config: W2sConfig) -> None:
    if table.given is not None and config.weak != "auto":
        raise ConfigError(
            "labels are given and a teacher is named", where="weak", hint="leave --weak out, or the labels"
        )
    if table.numbers is not None and config.weak != "auto":
        raise ConfigError("a teacher of texts for columns of numbers", where="weak", hint="use --weak-features")


def _teacher(table: Table, config: W2sConfig, console: Console) -> tuple[str, Any, SklearnClassifier | None]:
    """Name, inputs of every row, and the untrained teacher; no teacher where labels are given."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression = LogisticRegression(max_iter=2_000)
    if table.given is not None:
        return "given labels", None, None
    if table.weak_numbers is not None:
        scaled = make_pipeline(StandardScaler(), regression)
        return (
            f"logistic regression on {', '.join(config.columns('weak_features'))}",
            table.weak_numbers,
            (SklearnClassifier(scaled)),
        )
    assert table.texts is not None
    if config.weak in _WEAK_NAMES:
        words = make_pipeline(TfidfVectorizer(token_pattern=r"(?u)\b\w+\b"), regression)
        return "bag of words", list(table.texts), SklearnClassifier(words)
    name, vectors = _embedded(config.weak, table.texts, config, console)
    return f"probe on {name}", vectors, SklearnClassifier(regression)


def _student_features(table: Table, config: W2sConfig, console: Console) -> tuple[str, FloatArray]:
    if table.numbers is not None:
        return f"probe on {', '.join(config.columns())}", table.numbers
    assert table.texts is not None
    name, vectors = _embedded(config.student, table.texts, config, console)
    return f"probe on {name}", vectors


def _embedded(name: str, texts: tuple[str, ...], config: W2sConfig, console: Console) -> tuple[str, FloatArray]:
    """Frozen features by a sentence encoder (a folder with modules.json) or a language model (any other)."""
    from tutelage.models import Encoder, load
    from tutelage.models.last_token import last_token_features
    from tutelage.models.loading import set_threads
    from tutelage.models.source import find_source

    set_threads(config.threads)
    console.print(f"reading {len(texts)} texts with {name}", highlight=False)
    name = "all-minilm-l6-v2" if name == "minilm" else name
    if (find_source(name).folder / "modules.json").is_file():
        encoder = Encoder(name, device=config.device)
        return encoder.name, encoder.embed(texts)
    loaded = load(name, device=config.device)
    return f"the last token of {loaded.name}", last_token_features(loaded, texts, max_tokens=config.max_tokens)


def _weak_labels(table: Table, parts: Parts, inputs: Any, weak: SklearnClassifier | None) -> FloatArray:
    """The supervisor's probabilities for every row [N, K]; NaN where a given label is missing."""
    if table.given is not None:
        return table.given
    assert weak is not None
    everything = Items(table.ids, inputs)
    classes = len(table.classes)
    taught_on = everything.rows(parts.teacher)
    if len(set(table.truth[parts.teacher].tolist())) < 2:
        raise DataError(
            f"the teacher's {len(parts.teacher)} rows are of one class", hint="give truth on more rows, or raise split"
        )
    weak.fit(taught_on.inputs, one_hot(table.truth[parts.teacher], classes))
    return labels_of(weak, everything, classes)


def _arm(
    arm: str, table: Table, parts: Parts, features: FloatArray, labels: FloatArray, config: W2sConfig
) -> WeakToStrongReport:
    known = parts.pool[table.truth[parts.pool] >= 0]

    def items(rows: IntArray, truth: bool = True) -> Items:
        return Items(tuple(table.ids[i] for i in rows), features[rows], table.truth[rows] if truth else None)

    report = taught(
        items(parts.pool, truth=False),
        labels[parts.pool],
        labels[parts.test],
        items(parts.test),
        student=_probe(arm, config),
        ceiling=_probe("xent", config),
        truth=items(known),
        settings=WeakToStrongSettings(labels="hard" if arm == "hard" else "soft", seed=config.seed),
    )
    whole = len(known) == len(parts.pool)
    return replace(report, pool_truth=table.truth[parts.pool] if whole else None)


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
    config: W2sConfig,
    table: Table,
    parts: Parts,
    reports: Mapping[str, WeakToStrongReport],
    names: tuple[str, str],
    command: str,
    seconds: float,
) -> dict[str, Any]:
    first = next(iter(reports.values()))
    known = int((table.truth[parts.pool] >= 0).sum())
    counts = np.bincount(table.truth[parts.test], minlength=len(table.classes))
    notes = [
        "The ceiling learns from the truth of the student's own rows; the student never sees it.",
        "One split and one seed: run again with --seed 1, 2, ... before you trust a difference between losses.",
    ]
    if len(parts.test) < _FEW:
        notes.append(f"{len(parts.test)} test items: intervals are wide.")
    if known < len(parts.pool):
        notes.append(f"Truth is known of {known} of the student's {len(parts.pool)} rows; the ceiling saw only those.")
    if table.rejected:
        notes.append(f"{len(table.rejected)} rows were set aside: rejected.jsonl says why.")
    return {
        "format": FORMAT,
        "version": 1,
        "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": command,
        "classes": list(table.classes),
        "rows": {
            "usable": len(table.ids),
            "rejected": len(table.rejected),
            "teacher": len(parts.teacher),
            "student": len(parts.pool),
            "student_with_truth": known,
            "test": len(parts.test),
        },
        "teacher": names[0],
        "student": names[1],
        "largest_class": float(counts.max() / counts.sum()),
        "weak": system_facts(first, "weak"),
        "ceiling": system_facts(first, "ceiling"),
        "arms": {arm: arm_facts(report, config.resamples, config.seed) for arm, report in reports.items()},
        "notes": notes,
        "config": asdict(config),
        "seconds": round(seconds, 2),
        "environment": environment(),
    }


def _write(
    out: Path,
    table: Table,
    parts: Parts,
    labels: FloatArray,
    features: FloatArray,
    reports: Mapping[str, WeakToStrongReport],
    summary: Mapping[str, Any],
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    first = next(iter(reports.values()))
    systems = {"weak": first.weak, "ceiling": first.ceiling} | {arm: one.student for arm, one in reports.items()}
    for name, probs in systems.items():
        (out / name).mkdir(exist_ok=True)
        write_native(out / name / f"{TASK}.jsonl", _results(first, table, probs), {"name": name})
    part = {int(i): name for name in ("test", "teacher", "pool") for i in getattr(parts, name)}
    students = {arm: report.learner.predict_proba(features) for arm, report in reports.items()}
    write_jsonl(
        out / "predictions.jsonl",
        (
            {
                "id": name,
                "part": {"pool": "student"}.get(part.get(i, "unused"), part.get(i, "unused")),
                "truth": table.classes[table.truth[i]] if table.truth[i] >= 0 else None,
                "weak": _said(labels[i], table.classes),
                **{arm: _said(probs[i], table.classes) for arm, probs in students.items()},
            }
            for i, name in enumerate(table.ids)
        ),
    )
    write_rejected(out / "rejected.jsonl", table.rejected)
    write_text(out / "report.html", render(summary))
    write_json(out / "results.json", dict(summary))  # last: where it stands, the rest is complete


def _said(probs: FloatArray, classes: tuple[str, ...]) -> dict[str, float] | None:
    if np.isnan(probs).any():
        return None
    return {name: round(float(p), 6) for name, p in zip(classes, probs, strict=True)}


def _results(report: WeakToStrongReport, table: Table, probs: FloatArray) -> TaskResults:
    answers = probs.argmax(1)
    texts = None
    if table.texts is not None:
        place = {name: i for i, name in enumerate(table.ids)}
        texts = tuple(table.texts[place[name]] for name in report.ids)
    return TaskResults(
        task=TASK,
        ids=report.ids,
        values={"accuracy": (answers == report.truth).astype(np.float64)},
        metrics={"accuracy": MetricFacts(unit="share")},
        version="1",
        prompts=texts,
        targets=tuple(table.classes[k] for k in report.truth),
        outputs=tuple(table.classes[k] for k in answers),
        choices=tuple(table.classes[k] for k in answers),
    )
