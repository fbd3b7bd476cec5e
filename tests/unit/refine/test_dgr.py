"""DGR: what may stand for a refusal, retries, both fallbacks and their rate; the measures of shift by hand."""

import json
import math

import numpy as np
import pytest

from scripted_engines import ScriptedEngine, WordEncoder
from tutelage.errors import ConfigError, DataError
from tutelage.jobs.refine import Parts, ReadConfig, RefineConfig, refine_dataset
from tutelage.refine import DgrRefiner, RefineSettings, RunOptions, distribution_gap, refiners, report_on, run
from tutelage.refine.case import Case
from tutelage.refine.dgr import check_refusal, parse_thinking
from tutelage.types import Completion, TokenScores, TokenSequence

GOOD = "<think> They ask for poison. That does harm. </think> I can't help with that."


def refusal_row(number=0, answer="I refuse."):
    prompt = [{"role": "user", "content": f"How do I make poison {number}?"}]
    return {"id": f"r{number}", "prompt": prompt, "completion": [{"role": "assistant", "content": answer}]}


def one(engine, row=None, **settings):
    (result,) = DgrRefiner(engine, RefineSettings(method="dgr", **settings))([row or refusal_row()])
    return result


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("plain", ("", "plain")),
        ("<think>a</think>b", ("a", "b")),
        ("a</think>b", ("a", "b")),
        ("<think>a", None),
        ("<think>a</think>b</think>", None),
        ("<think>a<think>b</think>c", None),
        ("b <think>a</think>", None),
        ("<think></think>b", ("", "b")),
    ],
)
def test_thought_and_answer(text, found):
    assert parse_thinking(text) == found


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD, "ok"),
        ("I'm sorry, but I can't help with that.", "ok"),
        ("", "empty"),
        ("<think> I can't help with that.", "thinking_unparsed"),
        ("<think> I can't help. </think>", "empty_part"),
        ("<think></think> I can't help with that.", "empty_part"),
        ("<think> I must decline. </think> Mix it with water.", "no_refusal"),  # a refusal in thought is none
        ("<think> Based on the given answer. </think> I can't help with that.", "meta_talk"),
        ("Here is the rewritten refusal: I can't help with that.", "meta_talk"),
    ],
)
def test_what_may_stand_for_a_refusal(text, reason):
    assert check_refusal(Case("How do I make poison?", "I refuse.", text)).reason == reason


def test_a_valid_restatement_takes_the_place_of_the_answer():
    result = one(ScriptedEngine([GOOD]))
    assert (result.outcome, result.reason) == ("changed", "rewrite")
    assert result.row["completion"][0]["content"] == GOOD
    assert result.row["reference"] == "I refuse."
    assert result.trace["fallback"] is False


def test_four_retries_with_other_seeds_then_the_original_or_nothing():
    engine = ScriptedEngine(["Mix it."] * 9)
    result = one(engine, retry_temperature=0.6)
    assert (result.outcome, result.reason, result.row) == ("kept", "no_refusal", refusal_row())
    assert [s.temperature for s in engine.samplings] == [0.0] + [0.6] * 4
    assert len(set(engine.seeds[1:])) == 4
    assert result.trace["fallback"] is True
    dropped = one(ScriptedEngine(["Mix it."]), fallback="drop")
    assert (dropped.outcome, dropped.row) == ("dropped", None)
    assert one(ScriptedEngine(["Mix it."] * 4 + [GOOD])).outcome == "changed"
    assert one(ScriptedEngine(["Mix it."] * 4 + [GOOD]), retries=3).outcome == "kept"
    assert one(ScriptedEngine(["no"], finish="length")).reason == "cut_off"
    assert one(ScriptedEngine(["I can't help with that."]), thinking="required").reason == "empty_part"
    with pytest.raises(ConfigError):
        RefineSettings(retries=-1)


def test_rows_that_are_no_refusals_are_left_alone():
    engine = ScriptedEngine([GOOD])
    result = one(engine, refusal_row(answer="Mix sugar and water."))
    assert (result.outcome, result.reason) == ("kept", "no_refusal_to_restate")
    assert engine.asked == []
    assert "fallback" not in result.trace


def test_settings_decide_the_fingerprint():
    marks = {
        DgrRefiner(ScriptedEngine([GOOD]), RefineSettings(method="dgr", **more)).fingerprint()
        for more in ({}, {"retries": 2}, {"fallback": "drop"}, {"thinking": "required"}, {"temperature": 0.5})
    }
    assert len(marks) == 5
    assert refiners.get("dgr") is DgrRefiner


def test_the_rate_of_fallbacks_is_reported(tmp_path):
    rows = [refusal_row(i) for i in range(4)]

    def reply(prompt):
        return GOOD if "poison 1" in prompt[-1]["content"] else "Mix it."

    result = run(rows, DgrRefiner(ScriptedEngine(reply)), tmp_path, options=RunOptions(batch_size=2))
    report = report_on(rows, result, {})
    assert report.fallbacks == (4, 3)
    assert report.fallback_rate == 0.75
    assert any("3 of 4 refusals (75%)" in warning for warning in report.warnings)
    none = report_on([], run([], DgrRefiner(ScriptedEngine(reply)), tmp_path / "b"), {})
    assert none.fallback_rate is None


def test_it_is_reached_by_name_and_opens_no_encoder(tmp_path):
    (tmp_path / "d.jsonl").write_text("".join(json.dumps(refusal_row(i)) + "\n" for i in range(3)))
    config = RefineConfig(data=ReadConfig(source=str(tmp_path / "d.jsonl")), refine=RefineSettings(method="dgr"))
    done = refine_dataset(config, tmp_path / "out", parts=Parts(ScriptedEngine([GOOD]), None, None))
    assert [row["completion"][0]["content"] for row in done.rows] == [GOOD] * 3
    assert json.loads((tmp_path / "out" / "report.json").read_text())["fallbacks"] == [3, 0]


class WordScores:
    """Log-probability of a word is minus its length; says what it is told to."""

    name = "words"

    def __init__(self, said):
        self.said = said

    def generate(self, prompts, *, sampling, n=1, seed=0):
        assert sampling.temperature == 0
        return [[Completion(text, (), "stop")] for text in self.said]

    def encode(self, prompt, completion=""):
        return TokenSequence((0, *map(len, completion.split())), 1)

    def score(self, sequences, **_):
        empty = np.zeros((0, 0))
        return [TokenScores(-np.array(s.ids[s.start :], dtype=np.float32), empty, empty) for s in sequences]


def test_the_measures_of_shift_by_hand():
    rows = [refusal_row(0, "aa bbbb"), refusal_row(1, "<think> x </think> y"), refusal_row(2, "ccc")]
    found = distribution_gap(rows, WordScores(["aa", "zz", " "]), WordEncoder())
    assert found["nll"].values.tolist() == [3.0, (7 + 1 + 8 + 1) / 4, 3.0]
    assert found["excess"].values[:2].tolist() == [1.0, 4.25 - 2.0]
    assert found["length_ratio"].values[:2].tolist() == [2.0, 4.0]
    assert found["format_match"].values[:2].tolist() == [1.0, 0.0]
    assert found["cosine"].values[0] == pytest.approx(1 / math.sqrt(2), abs=1e-3)
    assert all(math.isnan(found[name].values[2]) for name in found if name != "nll")
    assert found["nll"].ids == ("r0", "r1", "r2")
    assert set(distribution_gap(rows[:1], WordScores(["aa"]))) == {"nll", "excess", "length_ratio", "format_match"}
    for wrong in ([], [refusal_row(0, " ")]):
        with pytest.raises(DataError):
            distribution_gap(wrong, WordScores(["aa"]))
