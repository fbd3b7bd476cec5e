import pytest

from scripted_engines import ScriptedEngine, WordEncoder, good_rewrite, raft, row_of
from tutelage.errors import ConfigError, RegistryError
from tutelage.refine import (
    CallCache,
    EngineFuser,
    EngineJudge,
    RaftRefiner,
    RefineSettings,
    RuleJudge,
    SdftDataRefiner,
    Similarity,
    TemplateFuser,
    refiners,
)
from tutelage.refine.prompts import REWRITES
from tutelage.types import Refiner

GOOD = "The instrument 'cello 0' belongs to the strings family of sounds."


def one(refiner, row=None):
    (result,) = refiner([row or row_of(0)])
    return result


def refiner(rewrites, fusions=None, scores=None, **settings):
    """RAFT whose rewriter, fuser and judge say what they are told, in turn."""
    fuser = EngineFuser(ScriptedEngine(fusions, name="fuser")) if fusions else None
    judges = [EngineJudge(ScriptedEngine(scores, name="judge"))] if scores else []
    return RaftRefiner(
        ScriptedEngine(rewrites),
        RefineSettings(**settings),
        similarity=Similarity(WordEncoder()),
        fuser=fuser,
        judges=judges,
    )


def test_a_faithful_rewrite_replaces_the_answer_and_the_gold_answer_stays():
    result = one(refiner([GOOD], tau=0.7))
    assert (result.outcome, result.reason) == ("changed", "rewrite")
    assert result.row["completion"] == [{"role": "assistant", "content": GOOD}]
    assert result.row["reference"] == "strings"
    assert {k: v for k, v in result.row.items() if k not in ("completion", "reference")} == {
        k: v for k, v in row_of(0).items() if k != "completion"
    }


def test_a_given_reference_is_not_replaced_and_other_fields_stay():
    row = row_of(0, reference="string", group="g", choices=["strings", "brass"])
    result = one(refiner([GOOD], tau=0.7), row)
    assert result.row["reference"] == "string"
    assert (result.row["group"], result.row["choices"]) == ("g", ["strings", "brass"])
    assert result.trace["domain"] == "g"


def test_the_record_has_the_fields_of_the_schema():
    trace = one(refiner([GOOD], [GOOD + " Indeed."], ["9"], tau=0.5)).trace
    schema = {"id", "domain", "prompt", "answer_orig", "answer_rewrite", "sim", "passed", "rounds", "answer_fused"}
    assert schema | {"source", "gen"} <= set(trace)
    assert set(trace["gen"]) == {"model", "identity", "revision", "params", "prompt_hash"}
    assert trace["gen"]["prompt_hash"] == REWRITES["statement"].hash
    assert trace["answer_orig"] == "strings"
    assert trace["answer_rewrite"] == GOOD
    assert trace["rounds"] == [{"text": GOOD + " Indeed.", "scores": {"engine:judge": 0.9}, "ok": True, "reason": "ok"}]
    assert 0.5 <= trace["sim"] <= 1.0


def test_the_ladder_of_prompts_is_climbed_and_then_drawn_from():
    engine = ScriptedEngine(["wrong", "wrong too", "still wrong", GOOD])
    made = RaftRefiner(
        engine, RefineSettings(attempts=4, tau=0.5, retry_temperature=0.6), similarity=Similarity(WordEncoder())
    )
    result = one(made)
    assert result.trace["answer_rewrite"] == GOOD
    assert [a["prompt"] for a in result.trace["attempts"]] == ["statement"] + ["quoted-statement"] * 3
    assert [s.temperature for s in engine.samplings] == [0.0, 0.0, 0.6, 0.6]
    assert engine.seeds[2] != engine.seeds[3]
    assert [a["reason"] for a in result.trace["attempts"]] == ["value_missing"] * 3 + ["ok"]
    assert result.trace["tokens"] == sum(len(t.split()) for t in ["wrong", "wrong too", "still wrong", GOOD])


def test_without_a_faithful_rewrite_the_answer_stays_and_the_row_is_the_same():
    row = row_of(0)
    result = one(refiner(["something else"]), row)
    assert (result.outcome, result.reason) == ("kept", "value_missing")
    assert result.row == row
    assert result.trace["source"] == "orig"
    assert result.trace["passed"] is False
    assert result.trace["rounds"] == []


def test_a_rewrite_far_from_the_reference_falls_back():
    result = one(refiner(["Many strings can be seen on boats."]))
    assert (result.outcome, result.reason) == ("kept", "similarity")


def test_the_reference_itself_counts_as_kept():
    result = one(refiner(["strings"], [GOOD], ["9"], tau=0.0))
    assert (result.outcome, result.reason) == ("kept", "same_as_reference")
    assert result.trace["rounds"] == []


A, B, C = (f"The instrument 'cello 0' belongs to the {w} strings family of sounds." for w in ("fine", "good", "old"))


@pytest.mark.parametrize(
    ("fusions", "scores", "text", "source", "rounds"),
    [
        ([A, B, C], ["8"], A, "fused", 1),  # the first reaches 0.8: stop
        ([A, B, C], ["7", "9"], B, "fused", 2),
        ([A, B, C], ["5", "7", "6", "3"], B, "fused", 3),  # none reaches 0.8: best >= original's 0.3
        ([A, B, C], ["5", "7", "6", "7"], B, "fused", 3),  # as good as the original is good enough
        ([A, B, C], ["5", "7", "6", "7.5"], GOOD, "rewrite", 3),  # worse than the original: the rewrite
        ([A, B, C], ["x", "x", "x"], GOOD, "rewrite", 3),  # a judge without opinion decides nothing
        (["nonsense"], ["10", "10", "10"], GOOD, "rewrite", 3),  # high scores do not save a lost value
        ([GOOD], ["9"], GOOD, "rewrite", 1),  # a fusion that changed nothing is no fusion
        ([A, A, B], ["5", "9"], B, "fused", 3),  # equal texts are scored once, from the cache
    ],
)
def test_rounds_and_judges_choose(fusions, scores, text, source, rounds):
    result = one(refiner([GOOD], fusions, scores, tau=0.5))
    assert result.trace["answer_fused"] == text
    assert result.trace["source"] == source == result.reason
    assert len(result.trace["rounds"]) == rounds


def test_a_rule_fuser_that_repeats_itself_is_not_asked_a_third_time():
    made = RaftRefiner(
        ScriptedEngine([GOOD]),
        RefineSettings(tau=0.5, accept=1.0, rounds=5),
        similarity=Similarity(WordEncoder()),
        fuser=TemplateFuser(),
        judges=[EngineJudge(ScriptedEngine(["5", "3"]))],
    )
    assert len(one(made).trace["rounds"]) == 2


def test_rows_without_an_answer_are_dropped_and_odd_ones_kept():
    empty = row_of(1, answer=" ")
    odd = {"id": "row-2", "prompt": [{"role": "system", "content": "s"}], "completion": row_of(2)["completion"]}
    results = list(refiner([GOOD], tau=0.5)([row_of(0), empty, odd]))
    assert [(r.outcome, r.reason) for r in results] == [
        ("changed", "rewrite"),
        ("dropped", "empty_answer"),
        ("kept", "no_question"),
    ]
    assert results[1].row is None
    assert results[2].row == odd


def test_one_engine_as_fuser_and_judge_is_warned_of():
    engine = ScriptedEngine([GOOD])
    other = ScriptedEngine([GOOD], name="other")
    same = RaftRefiner(engine, similarity=None, fuser=EngineFuser(other), judges=[RuleJudge(), EngineJudge(other)])
    assert len(same.warnings()) == 1
    assert "own work" in same.warnings()[0]
    apart = RaftRefiner(engine, similarity=None, fuser=EngineFuser(other), judges=[EngineJudge(engine)])
    assert apart.warnings() == []
    assert raft().warnings() == []
    assert "no judge" in RaftRefiner(engine, similarity=None, fuser=TemplateFuser()).warnings()[0]


def test_sdft_data_rewrites_without_encoder_fuser_or_judge():
    made = SdftDataRefiner(ScriptedEngine(["Many strings can be seen on boats."]))
    result = one(made)
    assert (result.outcome, result.reason, result.trace["sim"]) == ("changed", "rewrite", None)
    assert one(SdftDataRefiner(ScriptedEngine(["no value"]))).outcome == "kept"


def test_refiners_are_registered_and_are_refiners():
    assert refiners.get("raft") is RaftRefiner
    assert refiners.get("sdft_data") is SdftDataRefiner
    with pytest.raises(RegistryError):
        refiners.get("raff")
    made: Refiner = raft()
    assert callable(made)


def test_a_long_answer_is_reworded_not_stated():
    engine = ScriptedEngine(["It takes ten long seconds of holding the small red button on its back."])
    long = row_of(0, "How do I restart it?", "Hold the small red button on its back for ten long seconds.")
    made = RaftRefiner(engine, RefineSettings(tau=0.4), similarity=Similarity(WordEncoder()))
    assert one(made, long).outcome == "changed"
    assert engine.asked[0][-1]["content"].startswith("Rewrite this answer in your own words")


def test_the_users_hint_is_in_every_turn_of_the_prompt():
    engine = ScriptedEngine([GOOD])
    one(RaftRefiner(engine, RefineSettings(instructions="Be formal.", tau=0.5), similarity=None))
    assert all(t["content"].startswith("Be formal.\n") for t in engine.asked[0] if t["role"] == "user")


def test_braces_in_the_data_are_left_alone():
    engine = ScriptedEngine(["x"])
    one(raft(engine), row_of(0, "What does {answer} in {hint} mean here?", "{question}"))
    assert engine.asked[0][-1]["content"] == (
        "Rewrite as one statement: What does {answer} in {hint} mean here? It is {question}."
    )


def test_fingerprints_differ_where_results_may():
    engine = ScriptedEngine()
    base = raft(engine).fingerprint()
    assert raft(engine).fingerprint() == base
    settings = [
        {"tau": 0.7}, {"attempts": 1}, {"rounds": 1}, {"accept": 0.5}, {"temperature": 0.5}, {"retry_temperature": 0.1},
        {"max_new_tokens": 5}, {"instructions": "x"}, {"terse_words": 3},
    ]  # fmt: skip
    others = [raft(engine, **changed).fingerprint() for changed in settings]
    others.append(raft(ScriptedEngine(name="other")).fingerprint())
    others.append(SdftDataRefiner(engine).fingerprint())
    assert len({base, *others}) == len(others) + 1


@pytest.mark.parametrize(
    "wrong",
    [{"tau": 1.5}, {"accept": -2.0}, {"attempts": 0}, {"rounds": 0}, {"temperature": -1.0}, {"terse_words": -1}],
)
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError):
        RefineSettings(**wrong)


def test_what_else_is_in_the_batch_changes_nothing():
    rows = [row_of(i) for i in range(7)]
    together = list(raft(tau=0.5)(rows))
    apart = [one(raft(tau=0.5), row) for row in rows]
    assert together == apart
    with CallCache(batch_size=2) as calls:
        assert raft(tau=0.5).refine(rows, calls) == together
    assert {good_rewrite([{"content": "a statement: Q? It is b."}])} == {"Q , namely b."}
