"""The built-in suites: what they ask, what they call right, and that their items never change by accident."""

import hashlib
import json
import math
import re

import pytest

from tutelage import assets, verify
from tutelage.errors import ConfigError, DataError, RangeError
from tutelage.measure import retention
from tutelage.measure.asking import Item
from tutelage.measure.results import read_native
from tutelage.measure.suites import open_suite, suites
from tutelage.measure.suites.maths import TEMPLATES, made_items
from tutelage.measure.suites.safety import audit, benign_items, harmful_items, without_swapped
from tutelage.measure.suites.structured import FORMS, judged
from tutelage.types import Completion

NAMES = ["format", "instructions", "knowledge", "maths", "reading", "retention", "safety"]
METRICS = {
    "format": {"format": ["both", "task_right", "format_right"]},
    "instructions": {"instructions": ["kept"]},
    "knowledge": {"knowledge": ["correct", "correct_norm"]},
    "maths": {"maths": ["correct"]},
    "reading": {"boolq": ["correct_calibrated", "correct"], "summaries": ["correct_norm"]},
    "retention": {
        "instructions": ["kept"],
        "arithmetic": ["correct"],
        "knowledge": ["correct_norm"],
        "reading": ["correct_norm"],
        "text_nll": ["nll"],
    },
    "safety": {"harmful": ["refused_harmful"], "benign": ["answered_benign"]},
}


def test_there_are_seven():
    assert suites.names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_suite_runs_and_reads_the_assets_it_names(name, letters, made_up_rows):
    suite = open_suite(name, "smoke")
    engine = letters(reply="Penguins have 7 eggs.")
    tables = {task.name: task.measure(engine) for task in suite.tasks}
    assert {task: list(table.metrics) for task, table in tables.items()} == METRICS[name]
    assert set(made_up_rows) == set(suite.assets) <= set(suites.entry(name).meta["assets"])
    for table in tables.values():
        assert len(table.ids) == len(table.prompts) == len(table.asked) > 0
        assert all(table.prompts)
        chosen = table.choices is not None
        assert chosen == (table.task in ("knowledge", "reading", "boolq", "summaries"))


@pytest.mark.parametrize("name", NAMES)
def test_sizes_hold_the_smaller_ones(name, made_up_rows):
    small, large = open_suite(name, "smoke"), open_suite(name, "quick")
    for before, after in zip(small.tasks, large.tasks, strict=True):
        assert {i.id for i in before.items} <= {i.id for i in after.items}
    with pytest.raises(RangeError, match="tiny"):
        open_suite(name, "tiny")


def test_retention_gives_the_numbers_that_tuning_knows(letters, made_up_rows):
    engine = letters(reply="Penguins have 7 eggs.", seed=4)
    known = retention.run(engine, "smoke")
    for task in open_suite("retention", "smoke").tasks:
        found = task.measure(engine)
        assert found.only().values.tolist() == known[task.name].values.tolist()
        assert found.only().ids == known[task.name].ids


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(ConfigError) as caught:
        open_suite("retension")
    assert "did you mean 'retention'" in str(caught.value)


class TestMaths:
    def test_templates_are_right_by_another_reading(self):
        found = made_items(120)
        assert len({item.prompt for item in found}) == len({item.id for item in found}) == 120
        assert {item.groups["kind"] for item in found[: len(TEMPLATES)]} == set(TEMPLATES)
        for item in found:
            numbers = [float(x) for x in re.findall(r"\d+(?:\.\d+)?", item.prompt)]
            wanted = {
                "addition": lambda n: n[0] + n[1],
                "subtraction": lambda n: n[0] - n[1],
                "multiplication": lambda n: n[0] * n[1],
                "division": lambda n: n[0] / n[1],
                "two steps": lambda n: n[0] * n[1] + n[2],
                "money": lambda n: n[0] * n[1],
            }[item.groups["kind"]](numbers)
            assert float(item.target) == pytest.approx(wanted, abs=1e-9)
            assert wanted > 0
            assert verify.number([], f"So the answer is {item.target}.", item.target).score == 1.0

    def test_the_last_number_counts(self, letters, made_up_rows):
        (task,) = open_suite("maths", "smoke").tasks
        answers = {item.prompt: item.target for item in task.items}
        engine = letters(reply=lambda prompt: f"First 99, then {answers[prompt[-1]['content']]}.")
        assert task.measure(engine).values["correct"].tolist() == [1.0] * len(task.items)
        assert task.measure(letters(reply="99, then nothing")).values["correct"].sum() == 0


class TestFormat:
    MATHS = Item("m", "3 and 4?", "7")
    CHOICE = Item("c", "Which?", "the sun", ("the sun", "a moon", "a star", "a stone"))

    @pytest.mark.parametrize(
        ("form", "item", "text", "expected"),
        [
            (("maths", 0), MATHS, '{"answer": 7}', (1, 1)),
            (("maths", 0), MATHS, '```json\n{"answer": 7}\n```', (1, 1)),
            (("maths", 0), MATHS, '{"answer": 7.0}', (1, 1)),
            (("maths", 0), MATHS, '{"answer": 8}', (0, 1)),
            (("maths", 0), MATHS, '{"answer": "7"}', (1, 0)),
            (("maths", 0), MATHS, '{"answer": true}', (0, 0)),
            (("maths", 0), MATHS, "The answer is 7.", (1, 0)),
            (("maths", 0), MATHS, '{"answer": 7} I hope this helps.', (1, 0)),
            (("maths", 0), MATHS, '{"answer": 7, "unit": "hats"}', (1, 0)),
            (("maths", 0), MATHS, '{"answer": 7, "why": "3 and 9"}', (1, 0)),
            (("maths", 0), MATHS, "[7]", (1, 0)),
            (("maths", 0), MATHS, '{"answer": 7', (1, 0)),
            (("maths", 0), MATHS, "", (0, 0)),
            (("maths", 1), MATHS, '{"steps": "3 + 4", "answer": 7}', (1, 1)),
            (("maths", 1), MATHS, '{"answer": 7, "steps": "3 + 4"}', (1, 1)),
            (("maths", 1), MATHS, '{"steps": "", "answer": 7}', (1, 0)),
            (("maths", 1), MATHS, '{"answer": 7}', (1, 0)),
            (("choice", 0), CHOICE, '{"answer": "the sun"}', (1, 1)),
            (("choice", 0), CHOICE, '{"answer": "The Sun"}', (1, 0)),
            (("choice", 0), CHOICE, '{"answer": "a moon"}', (0, 1)),
            (("choice", 0), CHOICE, "It is the sun.", (1, 0)),
            (("choice", 1), CHOICE, '{"reason": "not a moon", "answer": "the sun"}', (1, 1)),
            (("choice", 0), CHOICE, '{"answer": {"text": "the sun"}}', (1, 0)),
        ],
    )
    def test_right_and_well_formed_are_two_things(self, form, item, text, expected):
        found = judged(FORMS[form[0]][form[1]], item, Completion(text, (), "stop"))
        assert (found["task_right"], found["format_right"]) == expected
        assert found["both"] == expected[0] * expected[1]

    def test_the_prompt_says_what_is_checked(self, made_up_rows):
        for item in open_suite("format", "smoke").tasks[0].items:
            assert "JSON" in item.prompt
            assert '"answer"' in item.prompt
            assert all(f"- {choice}" in item.prompt for choice in item.choices)

    def test_a_perfect_reply_to_every_real_prompt_passes(self, letters, made_up_rows):
        (task,) = open_suite("format", "quick").tasks
        replies = {}
        for item in task.items:
            other = {"reason": "because"} if item.choices else {"steps": "because"}
            keys = other if item.groups["form"] == "two keys" else {}
            replies[item.prompt] = json.dumps({**keys, "answer": item.target if item.choices else int(item.target)})
        found = task.measure(letters(reply=lambda prompt: replies[prompt[-1]["content"]]))
        assert found.values["both"].tolist() == [1.0] * len(task.items)


class TestSafety:
    def test_declining_everything_and_answering_everything(self, letters, made_up_rows):
        suite = open_suite("safety", "smoke")
        for reply, refused, answered in (
            ("I'm sorry, but I can't help with that.", 1.0, 0.0),
            ("Sure, here is how.", 0.0, 1.0),
            ("", 0.0, 0.0),
        ):
            harmful, benign = (task.measure(letters(reply=reply)) for task in suite.tasks)
            assert harmful.values["refused_harmful"].mean() == refused
            assert benign.values["answered_benign"].mean() == answered

    def test_little_of_a_reply_to_a_harmful_prompt_is_kept(self, letters, made_up_rows):
        harmful = open_suite("safety", "smoke").tasks[0].measure(letters(reply="x" * 5000))
        assert {len(text) for text in harmful.outputs} == {300}

    def test_the_audit_equals_scikit_learn(self):
        metrics = pytest.importorskip("sklearn.metrics")
        refusal, answer = "I can't help with that.", "Mix them."
        said = [refusal] * 7 + [answer] * 3 + [refusal] * 2 + [answer] * 8
        are = [1] * 10 + [0] * 10
        found = audit([{"response": s, "scores": [float(a)]} for s, a in zip(said, are, strict=True)])
        says = [int(s == refusal) for s in said]
        assert found.kappa.value == pytest.approx(metrics.cohen_kappa_score(are, says))
        assert (found.n, found.sensitivity, found.specificity) == (20, 0.7, 0.8)

    def test_the_audit_of_nothing_and_of_one_kind(self):
        with pytest.raises(DataError):
            audit([])
        one = audit([{"response": "Mix them.", "scores": [0.0]}])
        assert (one.n, one.specificity) == (1, 1.0)
        assert one.kappa is None
        assert "kappa undefined" in one.told()
        assert math.isnan(one.sensitivity)
        majority = audit([{"response": "I can't help with that.", "scores": [1.0, 1.0, 0.0]}])
        assert majority.sensitivity == 1.0

    def test_the_audit_is_in_the_notes(self, made_up_rows):
        # of the made-up replies people call the first two of four refusals, the rule the first and the third
        note = open_suite("safety", "smoke").notes[0]
        assert note.count("kappa 0.00 (") == 2
        assert note.count("50% of the refusals found, 50% of the answers passed (n = 12)") == 2

    def test_a_reply_that_answers_another_prompt_is_no_refusal_of_its_own(self):
        rows = [{"response": r, "scores": [s]} for r, s in (("a", 0.0), ("a", 1.0), ("b", 1.0), ("c", 0.0))]
        assert [(r["response"], r["scores"][0]) for r in without_swapped(rows)] == [("a", 0.0), ("b", 1.0), ("c", 0.0)]


EVALUATION_ONLY = {
    "format": {"asdiv"},
    "instructions": {"truthfulqa"},
    "knowledge": set(),
    "maths": {"asdiv"},
    "reading": {"factual-summary-pairs"},
    "retention": {"truthfulqa", "asdiv", "factual-summary-pairs"},
    "safety": {
        *("advbench", "harmbench", "do-not-answer", "truthfulqa", "benign-instructions", "refusal-judgements"),
    },
}


@pytest.mark.parametrize("name", NAMES)
def test_licences_are_known_and_everything_is_in_the_small_kit(name):
    used = suites.entry(name).meta["assets"]
    assert all(assets.get(asset).tier == "small" for asset in used)
    assert {r["name"] for r in assets.licence_report(used) if not r["train_ok"]} == EVALUATION_ONLY[name]


def _digest(suite):
    pairs = [(task.name, *pair) for task in suite.tasks for pair in zip(task.items, task.fingerprints(), strict=True)]
    lines = [f"{task}\0{item.id}\0{asked}" for task, item, asked in pairs]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


EVERY_ASSET = sorted({asset for name in NAMES for asset in suites.entry(name).meta["assets"]})
PINS = {
    "format": ("1", "32df642815ec"),
    "instructions": ("1", "86f6eeb3cd72"),
    "knowledge": ("1", "50aba23fcf93"),
    "maths": ("1", "f04e01bbcc90"),
    "reading": ("1", "ca548ac04e62"),
    "retention": ("1", "d249f6d92220"),
    "safety": ("1", "dc290d59d91c"),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.needs_asset(*EVERY_ASSET)
def test_the_quick_items_of_this_version_never_change(name):
    """If this fails on purpose, raise the suite's VERSION."""
    suite = open_suite(name, "quick")
    assert (suite.version, _digest(suite)) == PINS[name]


@pytest.mark.needs_asset(*EVERY_ASSET)
def test_harmful_and_benign_prompts_have_nothing_in_common():
    harmful, benign = harmful_items(1500), benign_items(1500)
    texts = [{" ".join(str(i.prompt).casefold().split()) for i in some} for some in (harmful, benign)]
    assert not texts[0] & texts[1]
    assert min(map(len, texts)) > 150
    assert {i.groups["source"] for i in harmful} == {"advbench", "harmbench", "do-not-answer"}
    assert {i.groups["kind"] for i in benign} == {"look-alike", "plain"}
    assert len({i.id for i in harmful}) == len(harmful)
    assert len({i.id for i in benign}) == len(benign)


@pytest.mark.needs_asset("refusal-judgements")
def test_the_refusal_rule_agrees_with_people():
    found = audit(assets.rows("refusal-judgements"))
    assert found.n == 169
    assert (found.kappa.value, found.sensitivity, found.specificity) == pytest.approx((0.447, 0.532, 1.0), abs=0.001)
    fair = audit(without_swapped(assets.rows("refusal-judgements")))
    assert (fair.n, fair.specificity) == (136, 1.0)
    assert fair.kappa.value == pytest.approx(0.739, abs=0.005)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.needs_asset(*EVERY_ASSET)
def test_a_tiny_random_model_goes_through_every_suite(name, tiny, tmp_path):
    from tutelage.jobs.measure import MeasureConfig, measure
    from tutelage.models import TransformersEngine

    done = measure(TransformersEngine(tiny), name, tmp_path / "out", config=MeasureConfig(size="smoke", max_items=2))
    assert set(done.results) == set(METRICS[name])
    for task, table in done.results.items():
        back, system = read_native(tmp_path / "out" / f"{task}.jsonl")
        assert back.ids == table.ids
        assert system["suite"] == name
