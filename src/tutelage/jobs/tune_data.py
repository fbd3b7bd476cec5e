"""The data of a run: read, set aside what cannot be used, split, and look for overlap before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from tutelage import assets
from tutelage.data import (
    LoadReport,
    ReadOptions,
    choose,
    domain_rows,
    drop_overlap,
    load_dataset_rows,
    overlap,
    split,
    split_by_column,
    write_rejected,
)
from tutelage.data.chat import token_counter
from tutelage.data.tasks import tasks
from tutelage.errors import DataError, nearest
from tutelage.io import content_hash, read_jsonl, write_jsonl
from tutelage.jobs.run_folder import RunFolder
from tutelage.jobs.tune_config import DataConfig, TuneConfig
from tutelage.measure.task import reference_of
from tutelage.types import Row

__all__ = ["Prepared", "check_sources", "prepare", "read_rows"]


@dataclass(frozen=True)
class Prepared:
    """Rows to train on and to test on, and what a reader should know about them (``facts`` is JSON)."""

    train: list[Row]
    test: list[Row]
    facts: Mapping[str, Any]


def prepare(folder: RunFolder, config: TuneConfig, tokenizer: PreTrainedTokenizerBase) -> Prepared:
    """Read and split the data once; later calls read what the first one wrote.

    Raises:
        DataError: nothing usable is left, with the counts by reason.
        LicenceError: an embedded data set that may not be trained on.
    """
    facts = folder.phase("data", lambda: _prepare(folder, config, tokenizer))
    return Prepared(read_rows(folder.path("data", "train.jsonl")), read_rows(folder.path("data", "test.jsonl")), facts)


def check_sources(data: DataConfig) -> None:
    """Refuse a data file that is not there before anything is loaded.

    Raises:
        DataError: neither a file, a folder nor an embedded task, with the nearest task.
    """
    for source in (data.train, data.test):
        if source is not None and source not in tasks.names() and not Path(source).exists():
            close = nearest(source, tasks.names())
            hint = f"did you mean the embedded task {close!r}?" if close else "give a file or folder that exists"
            raise DataError("there is no such data", where=source, hint=hint)


def _prepare(folder: RunFolder, config: TuneConfig, tokenizer: PreTrainedTokenizerBase) -> dict[str, Any]:
    data = config.data
    loaded, source_assets = _load(config, tokenizer)
    rejected = list(loaded.rejected)
    rows = loaded.rows[: data.max_rows] if data.max_rows else loaded.rows
    if data.test is not None:
        given = load_dataset_rows(data.test, _options(config), count_tokens=token_counter(tokenizer))
        rejected += given.rejected
        train, test, origin = list(rows), list(given.rows), "a file of its own"
    elif loaded.splits:
        parts = split_by_column(rows, loaded.splits)
        train, test, origin = parts.train, parts.test, "the split column"
    else:
        train, test = split(rows, data.test_fraction, config.run.seed)
        origin = f"held out, {data.test_fraction:.0%} of the rows"
    test = choose(test, data.max_test_rows, config.run.seed)
    found = overlap(train, test)
    kept, removed = drop_overlap(train, found) if data.drop_overlap else (train, [])
    if data.max_train_rows:
        kept = choose(kept, data.max_train_rows, config.run.seed)
    write_rejected(folder.path("rejected.jsonl"), rejected)
    if not kept or not test:
        raise DataError(
            f"no rows are left to {'train' if not kept else 'test'} on",
            where=data.train,
            hint=f"{len(rejected)} rows set aside (see {folder.root}/rejected.jsonl), {len(removed)} are test rows",
        )
    write_jsonl(folder.path("data", "overlap.jsonl"), [asdict(pair) for pair in found.pairs])
    write_jsonl(folder.path("data", "train.jsonl"), kept)
    write_jsonl(folder.path("data", "test.jsonl"), test)
    answers = Counter(reference_of(row) for row in test)
    return {
        "source": data.train if source_assets else Path(data.train).name,
        "assets": source_assets,
        "format": str(loaded.format),
        "source_hash": loaded.source_sha256,
        "rows_read": len(loaded.rows) + len(loaded.rejected),
        "rejected": dict(Counter(r.reason for r in rejected)),
        "conflicts": loaded.conflicts,
        "notes": list(loaded.notes),
        "train_rows": len(kept),
        "test_rows": len(test),
        "test_from": origin,
        "overlap_exact": len(found.of("exact")),
        "overlap_near": len(found.of("near")),
        "overlap_removed": len(removed),
        "most_frequent_answer": answers.most_common(1)[0][1] / len(test),
    }


def _load(config: TuneConfig, tokenizer: PreTrainedTokenizerBase) -> tuple[LoadReport, list[str]]:
    """Rows of a file, or of an embedded task with the names of its assets."""
    data = config.data
    if data.train not in tasks.names():
        return load_dataset_rows(data.train, _options(config), count_tokens=token_counter(tokenizer)), []
    used = [str(tasks.entry(data.train).meta["asset"])]
    assets.refuse_for_training(used)
    rows = domain_rows(data.train)
    return LoadReport(rows, [], "task", content_hash([row["id"] for row in rows])), used


def _options(config: TuneConfig) -> ReadOptions:
    data = config.data
    return ReadOptions(
        data.prompt_column,
        data.completion_column,
        data.system,
        max_tokens=data.max_tokens,
        quality_column=config.curriculum.column,
    )


def read_rows(path: Path) -> list[Row]:
    """Rows that the run wrote itself.

    Raises:
        DataError: the file was changed since.
    """
    rows: list[Row] = []
    for line in read_jsonl(path):
        if line.error is not None:
            raise DataError(
                line.error, where=f"{path}:{line.number}", hint="the run's own file was changed; start a new run"
            )
        rows.append(line.value)
    return rows
