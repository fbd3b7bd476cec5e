"""The tool tells kept promises from broken ones, on a made-up market and on files."""

from pathlib import Path

import pytest

from tutelage.errors import DataError
from tutelage.matching import Matcher
from tutelage.papers.recipes import explainable_job_matching as tool

EXAMPLE = Path(__file__).parents[2] / "examples" / "matching"


def by_promise(found):
    return {one["promise"].split()[0]: one for one in found.record["checks"]}


def test_files_are_checked_without_a_truth():
    found = tool.run([EXAMPLE / "jobs", EXAMPLE / "resumes"])
    assert found.passed
    checks = by_promise(found)
    assert len(checks) == 4
    assert checks["logged"]["values"] == {"same": 18}
    with pytest.raises(DataError, match="1 inputs"):
        tool.run([EXAMPLE / "jobs"])


def test_the_market_shows_what_holds_and_what_does_not(monkeypatch):
    monkeypatch.setattr(tool, "JOBS", 8)
    monkeypatch.setattr(tool, "RESUMES", 16)
    checks = by_promise(tool.run([]))
    assert checks["contributions"]["kept"]
    assert checks["logged"]["kept"]
    assert checks["skills"]["values"]["difference"] > 0.1


def test_scores_that_do_not_come_out_again_are_seen(monkeypatch):
    honest, calls = Matcher.match, []

    def drifting(self, job, resume):
        calls.append(1)
        found = honest(self, job, resume)
        return type(found)(**{**vars(found), "score": found.score + 1e-15 * len(calls)})

    monkeypatch.setattr(Matcher, "match", drifting)
    found = tool.run([EXAMPLE / "jobs", EXAMPLE / "resumes"])
    assert not found.passed
    assert not by_promise(found)["logged"]["kept"]
