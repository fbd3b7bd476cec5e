"""The pipeline: specification, subdomains, ideas, documents; every document with where it came from, resumable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tutelage.errors import ConfigError, RangeError
from tutelage.io import JsonlLog, content_hash, write_json
from tutelage.io.documents import read_json
from tutelage.refine.specification.filters import DocumentFilter
from tutelage.refine.specification.planning import Decomposer, DocumentIdea, Planner, Subdomain
from tutelage.refine.specification.spec import ModelSpec
from tutelage.refine.specification.writing import DocumentWriter

__all__ = ["DocumentSettings", "SpecDocuments", "generate_spec_documents"]

Cell = tuple[str, str, str]


@dataclass(frozen=True)
class DocumentSettings:
    """How much is written. ``quota`` bounds each cell (subdomain by kind of document), ``total`` the length in all.

    ``total`` counts what the filter's ``length`` counts; 0 is no bound. ``attempts`` is the most tries for one idea,
    ``batch`` how many ideas a writer gets at once.
    """

    quota: int = 50
    total: int = 0
    attempts: int = 2
    batch: int = 16

    def __post_init__(self) -> None:
        if min(self.quota, self.attempts, self.batch) < 1 or self.total < 0:
            raise RangeError("quota, attempts and batch are at least 1, total not negative")


@dataclass(frozen=True)
class SpecDocuments:
    """What came out.

    Attributes:
        kept: documents in the order of the plan: ``id``, ``text``, ``domain``, ``subdomain``, ``doc_type``, ``idea``,
            ``spec_hash``, ``gen`` (who wrote it) and ``length``.
        dropped: how many tries were refused, by code.
        empty: cells (domain, subdomain, kind) without a single document: reported, never passed over in silence.
    """

    kept: tuple[dict[str, Any], ...]
    dropped: dict[str, int]
    empty: tuple[Cell, ...]

    @property
    def length(self) -> int:
        """Length of all documents together, in what the filter counts."""
        return sum(one["length"] for one in self.kept)


def generate_spec_documents(
    spec: ModelSpec,
    decompose: Decomposer,
    plan: Planner,
    writer: DocumentWriter,
    accept: DocumentFilter,
    out: Path,
    settings: DocumentSettings | None = None,
) -> SpecDocuments:
    """Write documents about a specification into ``out``, or go on with what is there.

    ``documents.jsonl`` has a line for every try, kept or dropped with its reason; ``meta.json`` the subdomains,
    ``summary.json`` the counts. A killed call is continued by the next to the same result: what was written is read
    back and not written again.

    Args:
        spec: the specification.
        decompose: makes subdomains of it.
        plan: thinks of documents for a subdomain.
        writer: writes them.
        accept: a fresh filter.
        out: folder.
        settings: how much.

    Raises:
        ConfigError: ``out`` was begun with another specification, writer or settings.
        EngineError: an engine failed; what was written before is kept.

    Source: the stages of arXiv 2605.02087 and its project page; filters, quotas and templates are ours.
    """
    settings = settings or DocumentSettings()
    _begin(out, spec, writer, accept, settings)
    subdomains = decompose(spec)
    ideas = [idea for subdomain in subdomains for idea in plan(spec, subdomain)]
    write_json(out / "meta.json", {"spec_hash": spec.hash, "subdomains": [asdict(one) for one in subdomains]})
    with JsonlLog(out / "documents.jsonl") as log:
        run = _Run(spec, writer, accept, settings, log)
        for start in range(0, len(ideas), settings.batch):
            run.write(ideas[start : start + settings.batch])
    found = SpecDocuments(tuple(run.kept), dict(run.dropped), _empty(subdomains, plan.doc_types, run.cells))
    write_json(out / "summary.json", _summary(found, len(ideas), run, settings))
    return found


class _Run:
    """Documents kept so far, and the tries of earlier calls by what was tried."""

    def __init__(
        self, spec: ModelSpec, writer: DocumentWriter, accept: DocumentFilter, settings: DocumentSettings, log: JsonlLog
    ) -> None:
        self.spec, self.writer, self.accept, self.settings, self.log = spec, writer, accept, settings, log
        self.kept: list[dict[str, Any]] = []
        self.length = 0
        self.cells: Counter[Cell] = Counter()
        self.dropped: Counter[str] = Counter()
        self._tried = {
            line.value["id"]: line.value
            for line in log.rows()
            if line.error is None and isinstance(line.value, dict) and "id" in line.value
        }

    def write(self, ideas: Sequence[DocumentIdea]) -> None:
        """Try each idea until a document of it is kept, its cell is full, or the attempts are spent."""
        left = list(ideas)
        for attempt in range(self.settings.attempts):
            left = [idea for idea in left if self.cells[idea.cell] < self.settings.quota]
            if not left or self._full:
                return
            texts = self._texts(left, attempt)
            left = [idea for idea, text in zip(left, texts, strict=True) if not self._judged(idea, attempt, text)]

    @property
    def _full(self) -> bool:
        return bool(self.settings.total) and self.length >= self.settings.total

    def _name(self, idea: DocumentIdea, attempt: int) -> str:
        return content_hash([self.spec.hash, self.writer.name, *idea.cell, idea.idea, attempt])[:16]

    def _texts(self, ideas: Sequence[DocumentIdea], attempt: int) -> list[str]:
        """Their texts, from the log where they are known."""
        names = [self._name(idea, attempt) for idea in ideas]
        missing = [idea for idea, name in zip(ideas, names, strict=True) if name not in self._tried]
        written = iter(self.writer.write(self.spec, missing, attempt) if missing else [])
        return [self._tried[name]["text"] if name in self._tried else next(written) for name in names]

    def _judged(self, idea: DocumentIdea, attempt: int, text: str) -> bool:
        """Keep or drop one text; True when the idea needs no further try."""
        if self._full or self.cells[idea.cell] >= self.settings.quota:
            return True
        name, reason = self._name(idea, attempt), self.accept.reason(text)
        domain, subdomain, kind = idea.cell
        row: dict[str, Any] = {"id": name, "text": text, "domain": domain, "subdomain": subdomain, "doc_type": kind}
        row |= {"idea": idea.idea, "spec_hash": self.spec.hash, "gen": self.writer.name}
        row["length"] = self.accept.length(text)
        if name not in self._tried:
            self.log.append({**row, "dropped": reason}, sync=False)
        if reason:
            self.dropped[reason.partition(":")[0]] += 1
            return False
        self.accept.accept(name, text)
        self.cells[idea.cell] += 1
        self.length += row["length"]
        self.kept.append(row)
        return True


def _begin(
    out: Path, spec: ModelSpec, writer: DocumentWriter, accept: DocumentFilter, settings: DocumentSettings
) -> None:
    config = {"spec_hash": spec.hash, "gen": writer.name, "filter": asdict(accept.settings), **asdict(settings)}
    path = out / "config.json"
    if not path.exists():
        out.mkdir(parents=True, exist_ok=True)
        write_json(path, config)
    elif read_json(path) != config:
        raise ConfigError(
            "these documents were begun with another specification, writer or settings",
            where=str(path),
            hint="give a new folder",
        )


def _empty(subdomains: Sequence[Subdomain], doc_types: Sequence[str], cells: Counter[Cell]) -> tuple[Cell, ...]:
    every = [(one.domain, one.name, kind) for one in subdomains for kind in doc_types]
    return tuple(cell for cell in every if not cells[cell])


def _summary(found: SpecDocuments, ideas: int, run: _Run, settings: DocumentSettings) -> dict[str, Any]:
    lengths = sorted(one["length"] for one in found.kept)
    return {
        "config": asdict(settings),
        "gen": run.writer.name,
        "ideas": ideas,
        "kept": len(found.kept),
        "length": found.length,
        "median_length": lengths[len(lengths) // 2] if lengths else 0,
        "dropped": found.dropped,
        "empty_cells": [list(cell) for cell in found.empty],
    }
