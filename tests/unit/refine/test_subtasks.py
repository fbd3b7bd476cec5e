"""Parts of a task: every way to cut it, replies read strictly, each filter, and the refiner with a scripted engine."""

import json
from collections import Counter
from fractions import Fraction

import pytest

from linear_time import too_slow
from scripted_engines import ScriptedEngine
from tutelage.data.steps import StepRow
from tutelage.errors import DataError, RangeError
from tutelage.jobs.refine import Parts, ReadConfig, RefineConfig, refine_dataset
from tutelage.measure.step_labels import equation_holds
from tutelage.refine import RefineSettings, SubTask, SubtaskRefiner, contiguous, refiners
from tutelage.refine.subtasks import continuing, cuts, near, parse_subtasks, problem_with, unstated

QUESTION = "Ann packs 3 boxes of 4 pens, finds 5 more and gives 2 away. How many pens has she?"
ANSWER = "3 * 4 = 12\n12 + 5 = 17\n17 - 2 = 15"
LINES = tuple(ANSWER.splitlines())
PARENT = StepRow("p", QUESTION, LINES, (-1,) * 3)
GOOD = [
    {"question": "Ann packs 3 boxes of 4 pens. How many pens is that?", "solution": "3 * 4 = 12"},
    {"question": "Bob owns 12 pens and finds 5. How many are there now?", "solution": "12 + 5 = 17\nAnswer: 17"},
]


def said(*subtasks):
    return json.dumps({"subtasks": list(subtasks)})


def row(answer=ANSWER, name="p", **more):
    prompt = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": QUESTION}]
    return {"id": name, "prompt": prompt, "completion": [{"role": "assistant", "content": answer}], **more}


def refined(engine=None, rows=None, tests=(), **settings):
    settings = {"method": "subtasks", "parts": "steps" if engine is None else "engine"} | settings
    return list(SubtaskRefiner(engine, RefineSettings(**settings), tests=tests)(rows or [row()]))


def every_way(steps, least, most):
    if steps == 0:
        return [[]]
    return [
        [size, *rest] for size in range(least, min(most, steps) + 1) for rest in every_way(steps - size, least, most)
    ]


@pytest.mark.parametrize(("steps", "least", "most"), [(5, 2, 4), (8, 2, 4), (6, 1, 3), (4, 4, 4), (1, 1, 1)])
def test_cuts_are_all_the_ways_equally_often(steps, least, most):
    ways = {tuple(way) for way in every_way(steps, least, most)} - {(steps,)}
    if not ways:
        assert cuts(steps, least, most) == []
        return
    found = Counter(tuple(length for _, length in cuts(steps, least, most, seed=k)) for k in range(300 * len(ways)))
    assert set(found) == ways
    assert all(abs(count - 300) < 100 for count in found.values())


def test_cuts_cover_every_step_once():
    for k in range(50):
        places = [place for first, length in cuts(9, 2, 4, seed=k) for place in range(first, first + length)]
        assert places == list(range(9))
    with pytest.raises(RangeError):
        cuts(5, 3, 2)


def test_parts_of_a_solution_say_where_they_begin():
    first, second = contiguous(StepRow("a", "Q?", ("s1", "s2", "s3", "s4"), (-1,) * 4), 2, 2)
    assert (first.id, first.steps, first.first) == ("a/0+2", ("s1", "s2"), 0)
    assert first.question == "Q?\nGive only the next 2 steps."
    assert second.question == "Q?\nAlready worked out:\ns1\ns2"
    assert contiguous(PARENT, 2, 4) == []
    own = contiguous(PARENT, 1, 2, state=lambda row, at, length: f"from {at}")
    assert [one.question for one in own] == [f"from {one.first}" for one in own]
    with pytest.raises(DataError, match="no question"):
        contiguous(PARENT, 1, 2, state=lambda *_: " ")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (said(*GOOD), 2),
        (f"```json\n{said(*GOOD)}\n```", 2),
        (f"Here you are: {said(*GOOD)}", "no_json"),
        ("[" * 100_000, "no_json"),
        ("[]", "another_form"),
        (said(), "another_form"),
        ('{"subtasks": [], "note": ""}', "another_form"),
        (said({"question": "a", "solution": "b", "x": 1}), "another_form"),
        (said({"question": "a", "solution": 5}), "another_form"),
        (said({"question": " ", "solution": "b"}), "another_form"),
    ],
)
def test_replies_are_read_strictly(text, found):
    told = parse_subtasks(text, "p")
    assert told == found if isinstance(found, str) else [one.id for one in told] == ["p/1", "p/2"]


@pytest.mark.parametrize(
    ("question", "solution", "why"),
    [
        (GOOD[0]["question"], GOOD[0]["solution"], None),
        (GOOD[1]["question"], "12 + 5 = 17", None),
        ("How many pens are in the boxes above, 3 of 4?", "3 * 4 = 12", "refers_back"),
        ("In the original problem, what is 3 times 4?", "3 * 4 = 12", "refers_back"),
        ("Using step 1, what is 12 + 5?", "12 + 5 = 17", "refers_back"),
        ("Using the result of part (a), add 5 to 12.", "12 + 5 = 17", "refers_back"),
        ("This problem has 3 boxes of 4 pens. How many?", "3 * 4 = 12", "refers_back"),
        ("A park has 3 parts of 4 trees. How many trees?", "3 * 4 = 12", None),
        ("Ann packs boxes of 4 pens. How many pens?", "3 * 4 = 12", "unstated"),
        ("A train takes 40 minutes and 5 more. How long?", "40 + 5 = 45", "foreign"),
        ("What is 3 * 4 + 5 - 2?", "\n".join(LINES), "step_count"),
        (QUESTION, "3 * 4 = 12", "near_parent"),
        (QUESTION.upper() + " ", "3 * 4 = 12", "near_parent"),
    ],
)
def test_every_filter(question, solution, why):
    assert problem_with(SubTask("p/1", question, tuple(solution.split("\n"))), PARENT) == why


def test_numbers_must_be_stated_or_made():
    def missing(question, *steps):
        return unstated(SubTask("a", question, steps))

    assert missing("Half of 1,250?", "1250 / 2 = 625", "625 * 4 = 2500") == [Fraction(4)]
    assert missing("3 bags of 4", "3 times 4 is 12", "so 12 + 12 = $24", "24 stays") == []
    assert missing("A 20 % cut of 50", "50 * 20 / 100 = 10", "50 - 10 = 40") == []
    assert missing("", "7") == [7]


@pytest.mark.parametrize(
    "piece", ["1 ", "1 + 1 = 2, ", "= ", "-", "part ", "this ", "1,", "``", "```json\n", "{", '{"subtasks": [', "\n"]
)
def test_long_replies_take_no_long_time(piece):
    def act(text):
        parse_subtasks(text, "p")
        problem_with(SubTask("p/1", text, (text,)), PARENT)
        equation_holds("", (), text)

    assert not too_slow(act, piece * (50_000 // len(piece)), quick=0.2, never=5.0)


def test_near_questions_are_found_by_place():
    assert near(["What is iron?", "Who ran?"], ["what is  IRON", "else"]) == {0}


def test_the_refiner_asks_keeps_and_tells():
    bad = {"question": "And in the previous part, 17 - 2?", "solution": "17 - 2 = 15"}
    (one,) = refined(ScriptedEngine([said(*GOOD, bad)]))
    assert (one.outcome, one.reason, one.row) == ("kept", "with its subtasks", row())
    first, second = one.trace["added"]
    assert first["id"] == "p/1"
    assert first["prompt"] == [row()["prompt"][0], {"role": "user", "content": GOOD[0]["question"]}]
    assert first["completion"] == [{"role": "assistant", "content": "3 * 4 = 12"}]
    assert second["completion"][0]["content"] == "12 + 5 = 17\nAnswer: 17"
    assert first["group"] == second["group"] != ""
    assert one.trace["refused"] == {"refers_back": 1}
    assert one.trace["tries"] == 1


def test_a_bad_reply_is_asked_again_and_the_best_try_counts():
    engine = ScriptedEngine([said(GOOD[0]), "no", said(*GOOD)])
    (one,) = refined(engine, retries=4, retry_temperature=0.9)
    assert len(one.trace["added"]) == 2
    assert one.trace["tries"] == 3
    assert [sampling.temperature for sampling in engine.samplings] == [0.0, 0.9, 0.9]
    (one,) = refined(ScriptedEngine([said(GOOD[0]), "no"]), retries=1)
    assert len(one.trace["added"]) == 1
    (one,) = refined(ScriptedEngine(["no"]), retries=2)
    assert (one.outcome, one.reason) == ("kept", "no subtasks: no_json")


def test_only_rows_without_two_parts_are_asked_again():
    def reply(prompt):
        return said(*GOOD) if "17 - 2" in prompt[-1]["content"] else "no"

    engine = ScriptedEngine(reply)
    rows = [row(), row("3 * 4 = 12", "q")]
    found = refined(engine, rows, retries=1)
    assert [len(one.trace["added"]) for one in found] == [2, 0]
    assert len(engine.asked) == 3


@pytest.mark.parametrize(
    ("reply", "why"),
    [(said(GOOD[0], GOOD[0]), "twice"), (said(*GOOD, *GOOD, *GOOD), "too_many"), (said(GOOD[0], GOOD[1]), "near_test")],
)
def test_copies_surplus_and_test_questions_are_refused(reply, why):
    (one,) = refined(ScriptedEngine([reply]), retries=0, tests=[GOOD[1]["question"].upper()] if "test" in why else ())
    assert why in one.trace["refused"]


def test_a_reply_that_was_cut_off_is_not_read():
    (one,) = refined(ScriptedEngine([said(*GOOD)], finish="length"), retries=0)
    assert one.reason == "no subtasks: cut_off"


def test_braces_and_marks_in_a_row_do_not_disturb_the_prompt():
    engine = ScriptedEngine([said(*GOOD)])
    refined(engine, [row("{x} = {solution}\n\\frac{1}{2}")])
    assert "{x} = {solution}\n\\frac{1}{2}" in engine.asked[0][-1]["content"]
    assert "Break this problem into 2 to 4" in engine.asked[0][-1]["content"]


def test_a_solution_is_cut_without_an_engine():
    lines = [f"{k} + 1 = {k + 1}" for k in range(6)]
    (one, short) = refined(rows=[row("\n".join(lines)), row("12", "q")])
    together = [line for part in one.trace["added"] for line in part["completion"][0]["content"].splitlines()]
    assert together == lines
    assert (short.outcome, short.reason) == ("kept", "no subtasks: too_few_steps")
    (gone,) = refined(rows=[row("\n".join(lines))], parents="drop")
    assert (gone.row, gone.outcome) == (None, "dropped")
    assert len(gone.trace["added"]) > 1
    assert QUESTION in continuing(PARENT, 1, 1)


def test_the_fingerprint_knows_what_decides():
    base = SubtaskRefiner(None, RefineSettings(method="subtasks")).fingerprint()
    others = [
        SubtaskRefiner(None, RefineSettings(method="subtasks"), tests=["x"]),
        SubtaskRefiner(None, RefineSettings(method="subtasks"), seed=1),
        SubtaskRefiner(None, RefineSettings(method="subtasks", parents="drop")),
        SubtaskRefiner(ScriptedEngine(), RefineSettings(method="subtasks", parts="engine")),
    ]
    assert len({base, *(one.fingerprint() for one in others)}) == 5
    assert refiners.get("subtasks") is SubtaskRefiner


def test_the_job_writes_tasks_and_parts_and_loads_no_model(tmp_path, monkeypatch):
    monkeypatch.setattr("tutelage.jobs.refine._open_parts", None)
    file = tmp_path / "data.jsonl"
    answer = "\n".join(f"{k} + 1 = {k + 1}" for k in range(6))
    file.write_text("".join(json.dumps(row(answer + "0" * k, f"r{k}")) + "\n" for k in range(3)))
    config = RefineConfig(data=ReadConfig(source=str(file)), refine=RefineSettings(method="subtasks"))
    done = refine_dataset(config, tmp_path / "out")
    ids = [json.loads(line)["id"] for line in (tmp_path / "out" / "train.jsonl").read_text().splitlines()]
    assert [name for name in ids if "/" not in name] == ["r0", "r1", "r2"]
    assert done.report.added == len(ids) - 3 >= 6
    assert not done.report.warnings
    again = refine_dataset(config, tmp_path / "out")
    assert again.rows == done.rows


def test_the_job_takes_an_engine_and_a_test_set(tmp_path):
    (tmp_path / "data.jsonl").write_text(json.dumps(row()) + "\n")
    (tmp_path / "tests.jsonl").write_text(json.dumps({"prompt": GOOD[1]["question"], "completion": "17"}) + "\n")
    settings = RefineSettings(method="subtasks", parts="engine", retries=0, tests=str(tmp_path / "tests.jsonl"))
    config = RefineConfig(data=ReadConfig(source=str(tmp_path / "data.jsonl")), refine=settings)
    parts = Parts(ScriptedEngine([said(*GOOD)]), lambda name: None, lambda name: None)
    report = refine_dataset(config, tmp_path / "out", parts=parts).report
    assert (report.added, report.refused) == (1, {"near_test": 1})
    assert "max_new_tokens" in report.warnings[0]
