"""Whether a log of decisions is as it was written, and whether its scores come out again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tutelage.errors import DataError
from tutelage.io import content_hash
from tutelage.jobs.match import code_version, matcher_of
from tutelage.jobs.match_config import MatchConfig
from tutelage.matching.decision_log import LogFault, read_log, verify_log
from tutelage.matching.documents import Document, read_documents
from tutelage.matching.matcher import Match, Matcher, MatchSettings
from tutelage.report.codec import encode

__all__ = ["Verified", "verify_decisions"]


_WORDS = {"skills": "table of skills", "space": "set of texts or encoder", "weights": "set of job ads"}


@dataclass(frozen=True)
class Verified:
    """What became of the records of a log: faults of the chain, and how many scores came out the same, bit for bit.

    ``other`` counts records that cannot be recomputed here, and ``because`` says how many for which reason: other
    texts, another table, encoder or settings, or other code.
    """

    records: int
    faults: tuple[LogFault, ...]
    same: int
    differing: tuple[str, ...]
    other: int
    head: str
    because: Mapping[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether the chain is whole, and at least one score and every one that could be recomputed is the same."""
        return not self.faults and not self.differing and self.same > 0

    def record(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "passed": self.passed}


def verify_decisions(log: Path, jobs_path: Path, resumes_path: Path, *, head: str | None = None) -> Verified:
    """Check the chain of a log, and recompute its scores from the texts.

    Args:
        log: ``decisions.jsonl``.
        jobs_path: the job ads as they were.
        resumes_path: the resumes as they were.
        head: hash of the last record, from the report of the last run; shows that the end is missing.

    Raises:
        DataError: a file that cannot be read.
    """
    faults = verify_log(log, head)
    if any(fault.what.startswith(("not ", "torn")) for fault in faults):
        return Verified(0, tuple(faults), 0, (), 0, "")
    jobs = {one.id: one for one in read_documents(jobs_path).documents}
    resumes = {one.id: one for one in read_documents(resumes_path).documents}
    matchers: dict[str, Matcher] = {}
    same = count = 0
    because: Counter[str] = Counter()
    differing: list[str] = []
    last = ""
    for count, record in enumerate(read_log(log), start=1):
        last = str(record.get("hash", ""))
        again = _again(record, jobs, resumes, matchers)
        if isinstance(again, str):
            because[again] += 1
        elif (again.score, encode(again.reasons)) == (record["score"], record["reasons"]):
            same += 1
        else:
            differing.append(f"record {count}: {record['job']} and {record['resume']}")
    return Verified(count, tuple(faults), same, tuple(differing), because.total(), last, dict(because))


def _again(
    record: Mapping[str, Any],
    jobs: Mapping[str, Document],
    resumes: Mapping[str, Document],
    matchers: dict[str, Matcher],
) -> Match | str:
    """The match of a record computed anew, or why it cannot be."""
    try:
        job, resume = jobs.get(record["job"]), resumes.get(record["resume"])
        told, inputs = dict(record["config"]), record["inputs"]
        config = MatchConfig(**{**told, "score": MatchSettings(**told["score"])})
        for name, document, digest in (("job", job, inputs["job"]), ("resume", resume, inputs["resume"])):
            if document is None:
                return f"the {name} {record[name]} is not there"
            if document.hash != digest:
                return f"the {name} {record[name]} is another text"
        if record["code"] != code_version(config):
            return f"made by {record['code']}"
        key, identity = content_hash(told), dict(record["identity"])
    except (KeyError, TypeError, AttributeError) as error:
        where = f"record {record.get('number')}"
        raise DataError("a record lacks what is needed to recompute it", where=where) from error
    assert job is not None
    assert resume is not None
    if key not in matchers:
        matchers[key] = matcher_of(config, list(jobs.values()), list(resumes.values()))[0]
    other = [name for name, value in matchers[key].identity.items() if identity.get(name) != value]
    if other:
        return f"another {_WORDS.get(other[0], other[0])}"
    return matchers[key].match(job, resume)
