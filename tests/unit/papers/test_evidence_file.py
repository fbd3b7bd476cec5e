"""Evidence that does not hold together is refused; the board is made from what does."""

import copy
from dataclasses import asdict

import numpy as np
import pytest

from tutelage.errors import DataError
from tutelage.papers.board import board, render_markdown
from tutelage.papers.claim import Claim, Measured, Paper, Part, Plan, judge_claim, judge_part, overall
from tutelage.papers.evidence import part_record, read_evidence, validate_evidence, write_evidence
from tutelage.papers.folder import RecipeFolder

CLAIM = Claim("C1", "A beats B.", "Table 1", (Part("a - b", "score", "a", "greater", against="b"),))
PAPER = Paper("A paper", "2026-01-01", "2601.00001", "tuning", "It says so.")
PLAN = Plan({}, {"a": "new", "b": "old"}, ("b",), {})


def results(difference):
    seeds = tuple(s for s in range(5) for _ in range(4))
    ids = tuple(str(i) for _ in range(5) for i in range(4))
    b = np.arange(20) / 20
    noise = np.tile([0.0, 0.01], 10)
    return {"a": {"score": Measured(seeds, ids, b + difference + noise)}, "b": {"score": Measured(seeds, ids, b)}}


@pytest.fixture
def evidence(tmp_path):
    place = RecipeFolder(tmp_path / "run", "made-up", PAPER, [CLAIM], {"steps": 3, "rates": (0.1, 0.2)})
    outcome, parts = judge_claim(CLAIM, results(0.5), resamples=500)
    records = [part_record(name, found) for name, found in parts.items()]
    claims = [{"id": "C1", "statement": CLAIM.statement, "verdict": outcome, "parts": records}]
    arms = {arm: {"score": found["score"].summary()} for arm, found in results(0.5).items()}
    return place.evidence("cpu", (0, 1, 2, 3, 4), claims, arms, {}, {}, (), PLAN)


def test_good_evidence_passes_and_survives_the_disk(evidence, tmp_path):
    assert validate_evidence(evidence)["claims"][0]["verdict"] == "replicated"
    write_evidence(tmp_path / "evidence" / "made-up.json", evidence)
    assert read_evidence(tmp_path / "evidence" / "made-up.json") == evidence
    table = render_markdown(board(tmp_path / "evidence"))
    assert "C1: A beats B." in table
    assert "| replicated |" in table


def damage(path, value):
    def apply(found):
        *way, last = path
        for key in way:
            found = found[key]
        if value is ...:
            del found[last]
        else:
            found[last] = value

    return apply


PART = ("claims", 0, "parts", 0)


@pytest.mark.parametrize(
    "change",
    [
        damage(("seeds",), ...),
        damage(("extra",), 1),
        damage(("format",), 2),
        damage(("format",), "1"),
        damage(("tier",), "huge"),
        damage(("seeds",), [0, 1, 2]),
        damage(("seeds",), [0, 1, 2, 3, 3]),
        damage(("config", "steps"), 4),
        damage(("rules", 0, "parts", 0, "direction"), "less"),
        damage(("claims",), []),
        damage(("claims", 0, "verdict"), "inconclusive"),
        damage(("claims", 0, "statement"), "A is fine."),
        damage((*PART, "outcome"), "refuted"),
        damage((*PART, "direction"), "less"),
        damage((*PART, "margin"), 0.1),
        damage((*PART, "name"), "b - a"),
        damage((*PART, "delta", "low"), -0.1),
        damage((*PART, "delta", "low"), float("nan")),
        damage((*PART, "delta", "value"), 9.0),
        damage((*PART, "delta", "n_clusters"), 4),
        damage((*PART, "delta", "seed"), ...),
        damage((*PART, "delta", "level"), 0.5),
        damage((*PART, "delta", "method"), "expanded bootstrap of seeds and items"),
        damage((*PART, "minimum_detectable"), 0.5),
        damage(("arms", "a", "score", "mean"), 0.9),
        damage(("arms", "b"), ...),
        damage(("paper", "arxiv"), "here"),
        damage(("slug",), "Made Up"),
        damage(("cost",), {"seconds": float("inf")}),
    ],
)
def test_damaged_evidence_is_refused(evidence, change):
    damaged = copy.deepcopy(evidence)
    change(damaged)
    with pytest.raises(DataError):
        validate_evidence(damaged)


@pytest.mark.parametrize("value", [None, [], "evidence", {}])
def test_other_things_are_refused(value):
    with pytest.raises(DataError):
        validate_evidence(value)


def test_a_part_needs_exactly_one_thing_to_be_measured_against():
    with pytest.raises(DataError):
        Part("x", "m", "a", "greater")
    with pytest.raises(DataError):
        Part("x", "m", "a", "greater", against="b", threshold=0.5)


def test_unpaired_results_are_refused():
    found = results(0.1)
    other = found["b"]["score"]
    found["b"] = {"score": Measured(other.seeds, other.ids[::-1], other.values)}
    with pytest.raises(DataError, match="same items"):
        judge_part(CLAIM.parts[0], found)
    with pytest.raises(DataError, match="not measured"):
        judge_part(CLAIM.parts[0], {"a": found["a"]})


def test_difference_is_the_mean_over_items_and_seeds():
    found = judge_part(CLAIM.parts[0], results(0.25), resamples=500)
    assert found.interval.value == pytest.approx(0.255)
    assert found.interval.n_clusters == 5
    part = Part("a - 0.2", "score", "a", "greater", threshold=0.2)
    assert judge_part(part, results(0.0), resamples=500).interval.value == pytest.approx(0.475 + 0.005 - 0.2)


def test_overall():
    assert overall(["replicated", "replicated"]) == "replicated"
    assert overall(["replicated", "refuted", "inconclusive"]) == "not replicated"
    assert overall(["replicated", "inconclusive"]) == "inconclusive"


def test_a_claim_may_need_two_parts_of_three():
    yes, no, open_ = "replicated", "refuted", "inconclusive"
    for outcomes, verdict in (
        ((yes, yes, no), "replicated"),
        ((yes, open_, open_), "inconclusive"),
        ((yes, open_, no), "inconclusive"),
        ((yes, no, no), "not replicated"),
        ((no, no, open_), "not replicated"),
    ):
        assert overall(outcomes, 2) == verdict
    parts = tuple(Part(f"task {i}", "score", "a", "greater", threshold=float(i)) for i in range(3))
    claim = Claim("C", "On two of three.", "here", parts, needed=2)
    assert claim.record()["needed"] == 2
    assert "needed" not in CLAIM.record()
    for needed in (0, 4):
        with pytest.raises(DataError, match="are needed"):
            Claim("C", "On two of three.", "here", parts, needed=needed)
    verdict, found = judge_claim(claim, results(0.95), resamples=500)
    assert (verdict, found["task 2"].outcome) == ("replicated", "refuted")


def test_once_computes_once(tmp_path):
    place = RecipeFolder(tmp_path, "made-up", PAPER, [CLAIM], {})
    calls = []
    for _ in range(2):
        assert place.once("part/one", lambda: calls.append(1) or {"x": (1, 2)}) == {"x": [1, 2]}
    assert calls == [1]
    assert asdict(CLAIM)["parts"][0]["name"] == "a - b"
