"""Stage 1 of RAFT: rewrite in the model's own words, keep what is faithful, fuse with the reference, judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from tutelage.io import content_hash
from tutelage.refine.calls import CallCache, engine_identity
from tutelage.refine.case import Case, case_of
from tutelage.refine.checks import validate
from tutelage.refine.engine import RowRefiner
from tutelage.refine.fusers import Fuser
from tutelage.refine.judges import Judge, mean_score
from tutelage.refine.prompts import REWRITES
from tutelage.refine.registered import refiners
from tutelage.refine.rewriting import Rewriting, with_answer
from tutelage.refine.settings import RefineSettings
from tutelage.refine.similarity import Similarity
from tutelage.refine.stages import Attempt
from tutelage.types import Engine, Refined, Row

__all__ = ["RaftRefiner"]


@dataclass
class _Work:
    """One row on its way."""

    row: Row
    case: Case
    attempts: list[Attempt[str]] = field(default_factory=list)
    rounds: list[dict[str, Any]] = field(default_factory=list)
    fusing: bool = False
    tokens: int = 0

    @property
    def rewrite(self) -> str | None:
        """The rewrite that passed."""
        return self.attempts[-1].said.text if self.attempts and self.attempts[-1].check.ok else None


@refiners.register("raft", paper="https://arxiv.org/abs/2606.00147")
class RaftRefiner(RowRefiner):
    """Offline refinement of RAFT (arXiv 2606.00147, section 3.2, Eq. 1-4), with guards.

    1. Rewrite (:class:`Rewriting`). 2. Filter: cosine >= tau, and nothing lost: see :mod:`tutelage.refine.checks`. A
    row none of whose rewrites passes keeps its answer. 3. For the others, up to ``rounds`` fusions are scored by the
    judges; the first with a mean of at least ``accept`` ends the rounds. If none reaches it, the best is taken if its
    mean is at least that of the original answer, else the rewrite. A fusion that fails the filter cannot be taken.

    Not in the paper, ours: the check of values, numbers and names; the comparison for terse references
    (:class:`tutelage.refine.similarity.Similarity`); a second try; the rule for rounds that all stay below ``accept``.
    Without a fuser, or without judges, the rewrite is taken.

    Args:
        rewriter: the model that will be tuned.
        settings: tau, tries, rounds, sampling.
        similarity: encoder and comparison of the filter; None leaves the cosine out.
        fuser: merges reference and rewrite; None skips step 3.
        judges: score the fusions.
        seed: of everything that is drawn.
    """

    name = "raft"

    def __init__(
        self,
        rewriter: Engine,
        settings: RefineSettings | None = None,
        *,
        similarity: Similarity | None,
        fuser: Fuser | None = None,
        judges: Sequence[Judge] = (),
        seed: int = 0,
    ) -> None:
        self.settings = settings or RefineSettings()
        self.rewriting = Rewriting(rewriter, self.settings, similarity=similarity, seed=seed)
        self.similarity, self.fuser, self.judges = similarity, fuser, tuple(judges)

    def fingerprint(self) -> str:
        """Hash of engines, prompts, settings and rules."""
        fuser = None if self.fuser is None else _who(self.fuser, self.fuser.version)
        judges = [_who(judge, judge.version) for judge in self.judges]
        return content_hash(
            [self.name, self.rewriting.fingerprint(), fuser, judges, self.settings.rounds, self.settings.accept]
        )

    def warnings(self) -> list[str]:
        """A judge that grades its own fusions, and parts of the paper's method that are missing."""
        fusing = None if self.fuser is None else self.fuser.engine
        own = [j for j in self.judges if fusing is not None and j.engine is not None and _same(fusing, j.engine)]
        found = [f"fuser and judge {j.name} are one engine: it grades its own work, which inflates scores" for j in own]
        if self.fuser is not None and not self.judges:
            found.append("there is a fuser but no judge: every rewrite that passes is taken without fusion")
        return found

    def refine(self, rows: Sequence[Row], calls: CallCache) -> list[Refined]:
        """One result per row, in order."""
        read = [(row, case_of(row)) for row in rows]
        works = {i: _Work(row, case) for i, (row, case) in enumerate(read) if isinstance(case, Case)}
        for work, attempts in zip(works.values(), self.rewriting([w.case for w in works.values()], calls), strict=True):
            work.attempts = attempts
            work.tokens = sum(attempt.said.tokens for attempt in attempts)
        self._fuse([work for work in works.values() if work.rewrite is not None], calls)
        return [
            self._result(works[i], calls) if i in works else unusable(row, str(case))
            for i, (row, case) in enumerate(read)
        ]

    def _fuse(self, works: list[_Work], calls: CallCache) -> None:
        if self.fuser is None or not self.judges:
            return
        for work in works:
            work.fusing = work.rewrite != work.case.reference
        for number in range(self.settings.rounds):
            open_ = [work for work in works if work.fusing]
            if not open_:
                return
            said = self.fuser.fuse([replace(w.case, text=w.rewrite or "") for w in open_], number, calls)
            cases = [replace(w.case, text=one.text) for w, one in zip(open_, said, strict=True)]
            s = self.settings
            checks = validate(cases, said, terse_words=s.terse_words, similarity=self.similarity, tau=s.tau)
            scores = self._scores(cases, calls)
            for work, one, check, given in zip(open_, said, checks, scores, strict=True):
                again = self.fuser.engine is None and any(made["text"] == one.text for made in work.rounds)
                work.tokens += one.tokens
                work.rounds.append({"text": one.text, "scores": given, "ok": check.ok, "reason": check.reason})
                mean = mean_score(list(given.values()))
                work.fusing = not again and not (check.ok and mean is not None and mean >= s.accept)

    def _scores(self, cases: Sequence[Case], calls: CallCache) -> list[dict[str, float | None]]:
        columns = {judge.name: judge.scores(cases, calls) for judge in self.judges}
        return [{name: column[i] for name, column in columns.items()} for i in range(len(cases))]

    def _choose(self, work: _Work, calls: CallCache) -> tuple[str, Literal["fused", "rewrite"], dict[str, Any]]:
        """The text to use for a row whose rewrite passed, where it is from, and how it was scored."""
        rewrite = work.rewrite or ""
        usable = [(mean_score(list(made["scores"].values())), made) for made in work.rounds if made["ok"]]
        scored = [(mean, made["text"]) for mean, made in usable if mean is not None]
        if not scored:
            return rewrite, "rewrite", {}
        best, text = max(scored, key=lambda pair: pair[0])
        facts: dict[str, Any] = {"score": best}
        if best < self.settings.accept:
            original = self._scores([replace(work.case, text=work.case.reference)], calls)[0]
            facts["score_orig"] = mean_score(list(original.values()))
            if facts["score_orig"] is not None and best < facts["score_orig"]:
                return rewrite, "rewrite", facts
        return text, "rewrite" if text == rewrite else "fused", facts

    def _result(self, work: _Work, calls: CallCache) -> Refined:
        last = work.attempts[-1]
        passed = last.check.ok
        text, source, facts = self._choose(work, calls) if passed else (work.case.reference, "orig", {})
        unchanged = text == work.case.reference
        trace = {
            "id": work.row["id"],
            "domain": work.row.get("group", ""),
            "prompt": work.row["prompt"],
            "answer_orig": work.row["completion"][-1]["content"],
            "answer_rewrite": last.said.text,
            "sim": last.check.similarity,
            "passed": passed,
            "rounds": work.rounds,
            "answer_fused": text,
            "source": "orig" if unchanged else source,
            "attempts": [_told(attempt) for attempt in work.attempts],
            "tokens": work.tokens,
            "gen": {**self.rewriting.provenance(calls), "prompt_hash": REWRITES[last.source].hash},
            **facts,
        }
        if unchanged:
            return Refined(work.row, "kept", "same_as_reference" if passed else last.check.reason, trace)
        return Refined(with_answer(work.row, text), "changed", source, trace)


def unusable(row: Row, why: str) -> Refined:
    """A row without an answer is dropped; one that is only of another shape is kept as it is."""
    trace = {"id": row["id"], "prompt": row["prompt"], "source": "orig", "passed": False, "sim": None, "tokens": 0}
    if why == "empty_answer":
        return Refined(None, "dropped", why, trace)
    return Refined(row, "kept", why, trace)


def _told(attempt: Attempt[str]) -> dict[str, Any]:
    check = attempt.check
    told = {"text": attempt.said.text, "prompt": attempt.source, "tokens": attempt.said.tokens}
    return {**told, "ok": check.ok, "reason": check.reason, "detail": check.detail, "sim": check.similarity}


def _who(part: Fuser | Judge, version: str) -> list[str | None]:
    return [part.name, version, None if part.engine is None else engine_identity(part.engine)]


def _same(one: Engine, other: Engine) -> bool:
    return one is other or engine_identity(one) == engine_identity(other)
