"""Whatever engines say, no row is lost, moved or half changed."""

import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st

from scripted_engines import ScriptedEngine, WordEncoder
from tutelage.refine import (
    EngineFuser,
    EngineJudge,
    RaftRefiner,
    RefineSettings,
    RuleJudge,
    RunOptions,
    Similarity,
    report_on,
    run,
)
from tutelage.refine.checks import find_value

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=40)
ROLE = st.sampled_from(["system", "user", "assistant"])
TURNS = st.lists(st.fixed_dictionaries({"role": ROLE, "content": TEXT}), max_size=3)
COMPLETION = st.lists(st.fixed_dictionaries({"role": st.just("assistant"), "content": TEXT}), max_size=2)
PLAIN = st.tuples(
    st.sampled_from(["Which group is it in?", "How long does it take? Be brief.", "Tell me."]),
    st.sampled_from(["handling", "40 mg", "B", "Ada Lovelace", "", "not at all"]),
).map(lambda p: ([{"role": "user", "content": p[0]}], [{"role": "assistant", "content": p[1]}]))
ROW = st.one_of(PLAIN, st.tuples(TURNS, COMPLETION)).map(lambda p: {"prompt": p[0], "completion": p[1]})
REPLY = st.one_of(
    TEXT, st.sampled_from(["It is the handling group.", "It takes 40 mg.", "It is B.", "handling", "7", "10", ""])
)


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(ROW, max_size=8),
    replies=st.lists(REPLY, min_size=1, max_size=5),
    sizes=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    tau=st.sampled_from([-1.0, 0.3, 0.8]),
)
def test_every_row_comes_back_once_in_its_place_and_whole(rows, replies, sizes, tau):
    rows = [{"id": f"id-{i}", **row} for i, row in enumerate(rows)]
    engine = ScriptedEngine(replies)

    def build():
        return RaftRefiner(
            engine,
            RefineSettings(tau=tau),
            similarity=Similarity(WordEncoder()),
            fuser=EngineFuser(engine),
            judges=[RuleJudge(), EngineJudge(engine)],
        )

    with tempfile.TemporaryDirectory() as folder:
        options = RunOptions(batch_size=sizes[0], rows_at_once=sizes[1])
        result = run(rows, build(), folder, options=options)
        again = run(rows, build(), folder, options=options)
    assert again.refined == result.refined
    assert again.calls == 0
    assert [r.trace["id"] for r in result.refined] == [row["id"] for row in rows]
    for row, refined in zip(rows, result.refined, strict=True):
        assert refined.reason
        if refined.outcome == "kept":
            assert refined.row == row
        elif refined.outcome == "dropped":
            assert not "".join(turn["content"] for turn in row["completion"]).strip()
        else:
            answer = refined.row["completion"][0]["content"]
            assert refined.row["prompt"] == row["prompt"]
            assert refined.row["reference"] == row["completion"][0]["content"]
            assert answer.strip()
            assert answer != refined.row["reference"]
            assert find_value(row["completion"][0]["content"], answer) is not None
    report = report_on(rows, result, {})
    assert report.rows == len(rows) == report.kept + report.changed + report.dropped
    assert report.changed == report.fused + report.rewritten
    assert report.tokens_generated >= 0
