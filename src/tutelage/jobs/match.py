"""Rank resumes for job ads, say why, check that the reasons hold, look at groups, and log every decision."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console

from tutelage import assets
from tutelage.errors import ConfigError, DataError
from tutelage.io import content_hash, write_json, write_jsonl, write_text
from tutelage.jobs.match_config import MatchConfig
from tutelage.jobs.match_tables import read_groups, read_qualified
from tutelage.matching.counterfactual import Counterfactual, counterfactual
from tutelage.matching.decision_log import DecisionLog
from tutelage.matching.documents import Document, Reading, read_documents
from tutelage.matching.faithfulness import check_faithfulness
from tutelage.matching.linking import SkillLinker
from tutelage.matching.matcher import Match, Matcher
from tutelage.matching.skill_files import from_asset
from tutelage.matching.skills import SkillBase
from tutelage.matching.texts import LexicalSpace, MeaningSpace, TextSpace
from tutelage.report import matching as page
from tutelage.report.codec import encode
from tutelage.stats.fairness import FairnessReport, exposure, fairness_report
from tutelage.types import FloatArray

__all__ = ["MatchResult", "code_version", "match", "matcher_of"]

ADDITIVE = 1e-6
ENCODER = "all-minilm-l6-v2"


@dataclass(frozen=True)
class MatchResult:
    """The report, where it lies, and whether every check passed."""

    report: page.MatchReport
    folder: Path
    passed: bool


class _OneThread:
    """An encoder on one thread of the processor: with more, sums come in another order and bits differ."""

    def __init__(self, name: str) -> None:
        from tutelage.models.encoder import Encoder  # loads torch

        self.encoder = Encoder(name, device="cpu")
        self.name, self.weights_hash = self.encoder.name, self.encoder.weights_hash

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Unit vectors [N, D] of texts."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return self.encoder.embed(texts)
        finally:
            torch.set_num_threads(before)


def code_version(config: MatchConfig) -> str:
    """Versions of what computes: a record is recomputed only where they are the same."""
    names = ["tutelage", "numpy", *([] if config.encoder == "none" else ["torch", "transformers"])]
    return ", ".join(f"{name} {version(name)}" for name in names)


def matcher_of(config: MatchConfig, jobs: Sequence[Document], resumes: Sequence[Document]) -> tuple[Matcher, list[str]]:
    """The matcher that a configuration describes, and what a reader must know of it."""
    notes = []
    if config.skills == "sample":
        base = SkillBase.load()
        notes.append(
            f"Skills come from our own sample of {len(base.skills)}: give a table of your field with --skills."
        )
    else:
        base = from_asset() if config.skills == "esco" else SkillBase.load(config.skills)
    notes += base.notes
    name = config.encoder
    if name == "auto":
        here = assets.is_installed(ENCODER)
        name = ENCODER if here else "none"
        if not here:
            notes.append(f"Texts are compared by words, for {ENCODER} is missing: `tutelage assets install {ENCODER}`.")
    encoder = None if name == "none" else _OneThread(name)
    texts = [one.text for one in (*jobs, *resumes)]
    space: TextSpace = LexicalSpace(texts) if encoder is None else MeaningSpace(encoder)
    linker = SkillLinker(base, encoder, theta=config.theta)
    return Matcher(linker, space, jobs, config.score), notes


def match(
    jobs_path: Path,
    resumes_path: Path,
    out: Path,
    config: MatchConfig | None = None,
    *,
    groups: Path | None = None,
    qualified: Path | None = None,
    command: str = "",
    console: Console | None = None,
) -> MatchResult:
    """Rank every resume for every job; writes matches.jsonl, decisions.jsonl, results.json and report.html.

    Args:
        jobs_path: folder or file of job ads, see :func:`tutelage.matching.read_documents`.
        resumes_path: folder or file of resumes.
        out: folder of the results; that of an earlier match may be used again, its log is continued.
        config: settings.
        groups: CSV or JSONL with ``id`` (of a resume) and ``group``, as the user knows them; None: no fairness report.
        qualified: CSV or JSONL with ``job``, ``resume`` and ``qualified`` (0 or 1).
        command: to be written into the report.
        console: for progress.

    Raises:
        ConfigError: the folder holds something else, or ``qualified`` without ``groups``.
        DataError: files that cannot be used.
    """
    config, console = config or MatchConfig(), console or Console(stderr=True, quiet=True)
    if qualified is not None and groups is None:
        raise ConfigError("who is qualified is read for groups only", where=str(qualified), hint="give groups too")
    _check_folder(out)
    jobs, resumes = read_documents(jobs_path), read_documents(resumes_path)
    membership = None if groups is None else read_groups(groups, resumes.documents)
    fitting = None if qualified is None else read_qualified(qualified, jobs.documents, resumes.documents)
    matcher, notes = matcher_of(config, jobs.documents, resumes.documents)
    rankings: dict[str, list[Match]] = {}
    for job in jobs.documents:
        console.print(f"[dim]match[/] {job.id}", highlight=False, markup=True)
        rankings[job.id] = matcher.rank(job, resumes.documents)
    lifts = {
        job: [counterfactual(matcher, ranking, place) for place in range(len(ranking))]
        for job, ranking in rankings.items()
    }
    matches = [one for ranking in rankings.values() for one in ranking]
    console.print("[dim]match[/] checking the reasons", highlight=False)
    by_id = {one.id: one for one in resumes.documents}
    checks = check_faithfulness(matcher, {one.id: one for one in jobs.documents}, by_id, matches, seed=config.seed)
    fairness = None if membership is None else _fairness(rankings, membership, fitting, config)
    decisions = _decisions(matcher, config, jobs.documents, by_id, rankings)
    out.mkdir(parents=True, exist_ok=True)
    with DecisionLog(out / "decisions.jsonl") as log:
        log.append(decisions)
        head = log.head
    write_jsonl(out / "matches.jsonl", (encode(one) for one in matches))
    report = page.MatchReport(
        command=command,
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        rankings=tuple(_shown(job, rankings[job.id], lifts[job.id], by_id, matcher) for job in jobs.documents),
        resumes=len(by_id),
        top=config.score.top,
        checks=checks,
        fairness=fairness,
        identity={**matcher.identity, "code": code_version(config)},
        head=head,
        notes=(
            *notes,
            *_unread("job ads", jobs),
            *_unread("resumes", resumes),
            *_unknown(matcher, resumes.documents),
            *_alike(resumes.documents),
            *_level(rankings, config.score.top),
        ),
        unread=tuple(f"{one.where}: {one.why}" for one in (*jobs.set_aside, *resumes.set_aside)),
    )
    write_json(out / "results.json", page.to_json(report))
    write_text(out / "report.html", page.render(report))
    return MatchResult(report, out, checks.additivity <= ADDITIVE)


def _check_folder(out: Path) -> None:
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not (out / "decisions.jsonl").is_file())):
        raise ConfigError(
            "the output folder is not empty, and not one of an earlier match", where=str(out), hint="choose another"
        )
    with suppress(FileNotFoundError):
        (out / "results.json").unlink()  # it is written near the end: where it stands, the rest is of the same run


_NAMED = 5  # examples in a note


def _some(texts: Sequence[str]) -> str:
    more = len(texts) - _NAMED
    return "; ".join(texts[:_NAMED]) + (f"; and {more} more" if more > 0 else "")


def _unread(what: str, reading: Reading) -> list[str]:
    listed = [f"{one.where}: {one.why}" for one in reading.set_aside]
    more = " All are listed at the end of the report." if len(listed) > _NAMED else ""
    return [f"{len(listed)} {what} were not read and are in no ranking: {_some(listed)}.{more}"] if listed else []


def _unknown(matcher: Matcher, resumes: Sequence[Document]) -> list[str]:
    """Names of skills given beside a resume that the table does not have: they count for nothing."""
    names = [f"{name!r} ({one.id})" for one in resumes for name in matcher.linked(one).unknown]
    told = f"Skills given beside resumes that are not in the table, and count for nothing: {_some(names)}."
    return [told] if names else []


def _alike(resumes: Sequence[Document]) -> list[str]:
    """Resumes of one text: most likely one person twice, who then takes two places."""
    homes: dict[str, list[str]] = {}
    for one in resumes:
        homes.setdefault(content_hash(one.text.split()), []).append(one.id)
    same = [" and ".join(ids) for ids in homes.values() if len(ids) > 1]
    return [f"Resumes of one text, each in a place of its own: {_some(same)}."] if same else []


def _level(rankings: Mapping[str, Sequence[Match]], top: int) -> list[str]:
    """Jobs at which equal scores fall on both sides of the line: who is selected there is decided by ids."""
    cut = [job for job, found in rankings.items() if len(found) > top and found[top - 1].score == found[top].score]
    told = f"Places {top} and {top + 1} have equal scores, and only ids decide who is among the first {top}: "
    return [f"{told}{_some(cut)}."] if cut else []


def _shown(
    job: Document,
    ranking: Sequence[Match],
    lifts: Sequence[Counterfactual],
    resumes: Mapping[str, Document],
    matcher: Matcher,
) -> page.JobRanking:
    shown = tuple(
        page.RankedResume(one, resumes[one.resume].text, lift, tuple(map(matcher.linker.base.label, lift.skills or ())))
        for one, lift in list(zip(ranking, lifts, strict=True))[: page.MOST]
    )
    linked = matcher.linked(job)
    labels = tuple(matcher.linker.base.label(one.skill) for one in matcher.required(job))
    return page.JobRanking(
        job.id, job.text, labels, linked.unknown, shown, len(ranking), dict(_labels(ranking, matcher))
    )


def _labels(ranking: Sequence[Match], matcher: Matcher) -> list[tuple[str, str]]:
    ids = {step for one in ranking for reason in one.reasons for step in (reason.skill, reason.found, *reason.path)}
    return [(one, matcher.linker.base.label(one)) for one in sorted(key for key in ids if key is not None)]


def _decisions(
    matcher: Matcher,
    config: MatchConfig,
    jobs: Sequence[Document],
    resumes: Mapping[str, Document],
    rankings: Mapping[str, Sequence[Match]],
) -> list[dict[str, Any]]:
    """What is logged of every pair: hashes, versions, score and reasons; no text."""
    facts = {"config": encode(config), "config_hash": content_hash(encode(config)), "identity": matcher.identity}
    code, records = code_version(config), []
    for job in jobs:
        for one in rankings[job.id]:
            inputs = {"job": job.hash, "resume": resumes[one.resume].hash}
            told = {"score": one.score, "rank": one.rank, "text": one.text, "reasons": encode(one.reasons)}
            records.append({"job": job.id, "resume": one.resume, "inputs": inputs, "code": code, **facts, **told})
    return records


def _fairness(
    rankings: Mapping[str, Sequence[Match]],
    membership: Mapping[str, str],
    fitting: Mapping[tuple[str, str], float] | None,
    config: MatchConfig,
) -> FairnessReport:
    rows = [
        (one, membership[one.resume]) for ranking in rankings.values() for one in ranking if one.resume in membership
    ]
    if not rows:
        raise DataError("no resume has a group", hint="are the ids those of the resumes?")
    fit = None if fitting is None else [fitting.get((one.job, one.resume), math.nan) for one, _ in rows]
    return fairness_report(
        [group for _, group in rows],
        [float(one.rank <= config.score.top) for one, _ in rows],
        exposure([one.rank for one, _ in rows]),
        person=[one.resume for one, _ in rows],
        qualified=fit,
        reference=config.reference or None,
        minimum=config.minimum_group,
        resamples=config.resamples,
        seed=config.seed,
    )
