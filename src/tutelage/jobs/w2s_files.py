"""The folder of a run of ``tutelage w2s``: what finished phases keep, and the files at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from tutelage.data import write_rejected
from tutelage.io import write_json, write_jsonl, write_text
from tutelage.io.tensors import load_tensors, save_tensors
from tutelage.jobs.run_folder import RunFolder
from tutelage.jobs.w2s_data import Parts, Table
from tutelage.measure.results import write_native
from tutelage.measure.results.table import MetricFacts, TaskResults
from tutelage.report.weak_to_strong import render
from tutelage.training.weak_to_strong_report import WeakToStrongReport
from tutelage.types import FloatArray

__all__ = ["Arrays", "kept", "write_results"]

TASK = "w2s"
Arrays = Mapping[str, FloatArray]


def kept(
    folder: RunFolder, name: str, make: Callable[[], tuple[Arrays, Mapping[str, Any]]]
) -> tuple[Arrays, dict[str, Any]]:
    """Arrays and facts of the phase ``name``: made once, and read back in any case, so that a resumed run has the same.

    Raises:
        CheckpointError: the file of a finished phase is damaged.
    """
    path = folder.path("work", f"{name}.safetensors")

    def compute() -> Mapping[str, Any]:
        arrays, facts = make()
        save_tensors(path, {key: torch.from_numpy(np.ascontiguousarray(one)) for key, one in arrays.items()})
        return facts

    facts = folder.phase(name, compute)
    return {key: one.numpy() for key, one in load_tensors(path).items()}, facts


def write_results(
    folder: RunFolder,
    table: Table,
    parts: Parts,
    labels: FloatArray,
    reports: Mapping[str, WeakToStrongReport],
    students: Arrays,
    summary: Mapping[str, Any],
) -> None:
    """Everything that a reader opens; ``students`` are the probabilities [N, K] of each arm for all rows."""
    out = folder.root
    first = next(iter(reports.values()))
    systems = {"weak": first.weak, "ceiling": first.ceiling} | {arm: one.student for arm, one in reports.items()}
    for name, probs in systems.items():
        (out / name).mkdir(exist_ok=True)
        write_native(out / name / f"{TASK}.jsonl", _results(first, table, probs), {"name": name})
    part = {int(i): name for name in ("test", "teacher", "pool") for i in getattr(parts, name)}
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
