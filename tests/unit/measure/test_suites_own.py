"""Suites of the user's own: what they may say, and that everything else is refused with its place."""

import json
from pathlib import Path

import numpy as np
import pytest

from tutelage.errors import ConfigError, DataError, TutelageError, UnsafePathError
from tutelage.measure import open_suite
from tutelage.measure import task as domain_task
from tutelage.measure.suites.own import read_suite

EXAMPLE = Path(__file__).parents[3] / "examples" / "suite.toml"
HEAD = '[suite]\nname = "mine"\n\n[[tasks]]\nname = "one"\n'


def toml(tmp_path, body, head=HEAD):
    file = tmp_path / "mine.toml"
    file.write_text(head + body, encoding="utf-8")
    return file


def lines(tmp_path, *values, name="mine.jsonl"):
    file = tmp_path / name
    file.write_text("".join(v if isinstance(v, str) else json.dumps(v) + "\n" for v in values), encoding="utf-8")
    return file


class TestGood:
    def test_the_example(self, letters):
        suite = open_suite(str(EXAMPLE))
        assert (suite.name, suite.version) == ("support-desk", "1")
        assert [(task.name, len(task.items)) for task in suite.tasks] == [
            ("facts", 2),
            ("sums", 1),
            ("triage", 3),
            ("form", 2),
        ]
        tables = {task.name: task.measure(letters(reply="60")) for task in suite.tasks}
        assert tables["sums"].values["number"].tolist() == [1.0]
        assert tables["sums"].ids == ("licences",)
        assert tables["facts"].groups == {"topic": ("keyboard", "hardware")}
        assert tables["facts"].prompts[0].startswith("system: You answer")
        assert tables["triage"].clusters[:2] == ("black screen",) * 2
        assert tables["triage"].clusters[2] == tables["triage"].ids[2]
        assert list(tables["triage"].metrics) == ["correct", "correct_norm"]
        assert list(tables["form"].metrics) == ["score"]

    def test_lines_make_a_suite_of_one_task(self, tmp_path, letters):
        file = lines(
            tmp_path,
            {"prompt": "How much is 3 and 4?", "target": 7, "scorer": "number", "version": "2"},
            {"prompt": [{"role": "user", "content": "And 5 and 5?"}], "target": "10", "scorer": "number", "id": "ten"},
        )
        suite = read_suite(file)
        (task,) = suite.tasks
        assert (suite.name, suite.version, task.name, task.version) == ("mine", "2", "mine", "2")
        found = task.measure(letters(reply="7, I think"))
        assert found.values["number"].tolist() == [1.0, 0.0]
        assert found.ids[1] == "ten"
        assert found.metrics["number"].baseline is None  # two targets, neither commoner than the other
        twice = [{"prompt": f"Q{k}?", "target": str(k // 2), "scorer": "number"} for k in range(3)]
        tables = read_suite(lines(tmp_path, *twice)).tasks[0].measure(letters())
        assert tables.metrics["number"].baseline == pytest.approx(2 / 3)

    def test_choices_alone_mean_choice(self, tmp_path):
        suite = read_suite(lines(tmp_path, {"prompt": "Q?", "target": "a", "choices": ["a", "b"]}))
        assert list(suite.tasks[0].method.metrics) == ["correct", "correct_norm"]

    def test_items_in_a_file_beside(self, tmp_path):
        lines(tmp_path, {"prompt": "Q?", "target": "a"}, name="items.jsonl")
        suite = read_suite(toml(tmp_path, 'scorer = "exact"\nfile = "items.jsonl"\n'))
        assert suite.tasks[0].items[0].prompt == "Q?"

    def test_the_version_follows_what_is_asked_and_how_it_is_scored(self, tmp_path):
        def version(**changes):
            return read_suite(lines(tmp_path, {"prompt": "Q?", "target": "1", "scorer": "exact", **changes})).version

        versions = [version(), version(prompt="R?"), version(target="2"), version(scorer="number")]
        assert len(set(versions)) == 4
        assert version() == version(groups={"a": "b"}) == versions[0]

    def test_an_id_is_what_is_asked(self, tmp_path):
        (one,) = read_suite(lines(tmp_path, {"prompt": "Q?", "target": "1", "scorer": "exact"})).tasks[0].items
        again = {"prompt": "Q?", "target": "1", "scorer": "contains", "groups": {"a": "b"}}
        assert read_suite(lines(tmp_path, again)).tasks[0].items[0].id == one.id

    def test_meaning(self, tmp_path, letters, monkeypatch):
        vectors = {"yes": [1.0, 0.0], "no": [0.0, 1.0], "both": [0.6, 0.8]}
        stand_in = type("E", (), {"embed": lambda self, texts: np.array([vectors[t] for t in texts])})()
        real = domain_task.cosines
        monkeypatch.setattr(
            "tutelage.measure.suites.own_methods.cosines", lambda texts, targets: real(texts, targets, stand_in)
        )
        suite = read_suite(lines(tmp_path, *[{"prompt": t, "target": t, "scorer": "free_text"} for t in ("yes", "no")]))
        found = suite.tasks[0].measure(letters(reply="both"))
        assert found.values["free_text"].tolist() == pytest.approx([0.6, 0.8])

    def test_a_named_choice_is_recorded(self, tmp_path, letters):
        item = {"prompt": "Q?", "target": "red", "choices": ["red", "blue"], "scorer": "named-choice"}
        found = read_suite(lines(tmp_path, item)).tasks[0].measure(letters(reply="It is Blue."))
        assert (found.choices, found.values["named-choice"].tolist()) == (("blue",), [0.0])

    def test_sampling(self, tmp_path, letters):
        body = 'scorer = "exact"\ntemperature = 0.5\nmax_new_tokens = 9\nstop = ["."]\n'
        suite = read_suite(toml(tmp_path, body + '[[tasks.items]]\nprompt = "Q?"\ntarget = "a"\n'))
        engine = letters()
        suite.tasks[0].measure(engine)
        sampling = engine.samplings[0]
        assert (sampling.max_new_tokens, sampling.temperature, sampling.stop) == (9, 0.5, (".",))


GOOD = {"prompt": "Q?", "target": "1", "scorer": "exact"}
BAD_ITEMS = [
    ([GOOD, {**GOOD, "promt": "x"}], ":2", "unknown key 'promt'", "did you mean 'prompt'"),
    ([GOOD, "not json\n"], ":2", "not JSON", ""),
    ([GOOD, [1, 2]], ":2", "must be an object", ""),
    ([{"target": "1", "scorer": "exact"}], ":1", "needs a prompt", ""),
    ([{**GOOD, "prompt": "  "}], ":1", "needs a prompt", ""),
    ([{**GOOD, "prompt": []}], ":1", "needs a prompt", ""),
    ([{**GOOD, "prompt": [{"role": "user"}]}], ":1", "exactly a role and a content", ""),
    ([{**GOOD, "prompt": [{"role": "robot", "content": "x"}]}], ":1", "a role that is one of", ""),
    ([{**GOOD, "prompt": [{"role": "assistant", "content": "x"}]}], ":1", "must be the user's", ""),
    ([{"prompt": "Q?", "scorer": "exact"}], ":1", "needs a target", ""),
    ([{**GOOD, "target": ["1"]}], ":1", "target must be text", ""),
    ([{**GOOD, "target": True}], ":1", "target must be text", ""),
    ([{"prompt": "Q?", "target": "1"}], ":1", "no scorer", ""),
    ([{**GOOD, "scorer": "exakt"}], ":1", "no verifier 'exakt'", "did you mean 'exact'"),
    ([{**GOOD, "scorer": "words", "parameters": {"lest": 3}}], ":1", "words", "it takes"),
    ([{**GOOD, "scorer": "words", "parameters": {"least": "many"}}], ":1", "words", ""),
    ([{**GOOD, "scorer": "json-keys", "parameters": {"keys": 3}}], ":1", "json-keys", ""),
    ([{**GOOD, "scorer": "words", "parameters": {"least": 9, "most": 2}}], ":1", "leave no number", ""),
    ([{**GOOD, "parameters": {"least": 3}}], ":1", "takes no parameters", ""),
    ([{**GOOD, "parameters": 3}], ":1", "parameters must map", ""),
    ([{**GOOD, "scorer": "choice"}], ":1", "at least two choices", ""),
    ([{**GOOD, "scorer": "choice", "choices": ["1", "1"]}], ":1", "all different", ""),
    ([{**GOOD, "scorer": "choice", "choices": ["2", "3"]}], ":1", "none of the choices", ""),
    ([{**GOOD, "scorer": "choice", "choices": "1, 2"}], ":1", "must be a list of texts", ""),
    ([{**GOOD, "groups": ["law"]}], ":1", "groups must map", ""),
    ([{**GOOD, "groups": {"year": 3}}], ":1", "groups must map", ""),
    ([{**GOOD, "cluster": 3}], ":1", "cluster must be text", ""),
    ([{**GOOD, "id": 3}], ":1", "id must be text", ""),
    ([{**GOOD, "id": ""}], ":1", "the id is empty", ""),
    ([GOOD, GOOD], ":2", "stands twice", "same question twice"),
    ([GOOD, {"prompt": "Q?", "target": "a", "choices": ["a", "b"]}], ":2", "", "no scorer is named|two tasks"),
    ([{**GOOD, "version": "1"}, {**GOOD, "prompt": "R?", "version": "2"}], "", "several versions", ""),
    ([], "", "no items", ""),
]


@pytest.mark.parametrize(("values", "place", "says", "hint"), BAD_ITEMS)
def test_a_bad_item_is_named_with_its_line(values, place, says, hint, tmp_path):
    file = lines(tmp_path, *values)
    with pytest.raises(DataError) as caught:
        read_suite(file)
    assert caught.value.where.startswith(f"{file}{place}")
    assert says in caught.value.what
    assert not hint or any(part in f"{caught.value.what} {caught.value.hint}" for part in hint.split("|"))


ITEM = '\n[[tasks.items]]\nprompt = "Q?"\ntarget = "1"\n'
BAD_FILES = [
    ("", f'scorr = "exact"{ITEM}', "unknown key", "scorer"),
    ("", 'scorer = "exact"', "no items", ""),
    ("", f'scorer = "exact"\nmax_new_tokens = 0{ITEM}', "max_new_tokens must be at least 1", ""),
    ("", f'scorer = "exact"\nmax_new_tokens = "9"{ITEM}', "a whole number", ""),
    ("", f'scorer = "exact"\ntemperature = -1.0{ITEM}', "temperature must be 0 or more", ""),
    ("", f'scorer = "exact"\nfile = "items.jsonl"{ITEM}', "not both", ""),
    ("", 'scorer = "exact"\nfile = "nowhere.jsonl"', "no such file", ""),
    ("", 'scorer = "exact"\nfile = "../items.jsonl"', "must stay inside", ""),
    ("", 'scorer = "exact"\nfile = "/etc/passwd"', "must stay inside", ""),
    ("", f'scorer = "exact"{ITEM}[[tasks]]\nname = "one"\nscorer = "exact"{ITEM}', "two tasks are called", ""),
    ('[suite]\nname = "mine"\n[[tasks]]\n', f'scorer = "exact"{ITEM}', "cannot name a file", ""),
    ('[suite]\nname = "a/b"\n[[tasks]]\nname = "one"\n', f'scorer = "exact"{ITEM}', "cannot name a file", ""),
    ('[[tasks]]\nname = "one"\n', f'scorer = "exact"{ITEM}', "'suite' is required", ""),
    ('[suite]\nname = "mine"\ntasks = []\n', "", "unknown key", ""),
    ('tasks = []\n[suite]\nname = "mine"\n', "", "at least one task", ""),
    (
        '[suite]\nname = "mine"\nversion = 2\n[[tasks]]\nname = "one"\n',
        f'scorer = "exact"{ITEM}',
        "must be text",
        "quotes",
    ),
    ("[suite\n", "", "not TOML", ""),
    ("", 'scorer = "exact"\nitems = 3', "a list", ""),
]


@pytest.mark.parametrize(("head", "body", "says", "hint"), BAD_FILES)
def test_a_bad_file_is_refused(head, body, says, hint, tmp_path):
    with pytest.raises(TutelageError) as caught:
        read_suite(toml(tmp_path, body, head or HEAD))
    assert says in caught.value.what
    assert hint in (caught.value.hint or "")
    assert isinstance(caught.value, ConfigError | DataError | UnsafePathError)


def test_items_of_a_table_are_named_with_their_lines(tmp_path):
    file = toml(
        tmp_path, 'scorer = "number"\n[[tasks.items]]\nprompt = "Q?"\ntarget = 1\n[[tasks.items]]\nprompt = 3\n'
    )
    with pytest.raises(DataError) as caught:
        read_suite(file)
    assert caught.value.where == f"{file}:10"
    inline = toml(tmp_path, 'scorer = "number"\nitems = [{prompt = "Q?", target = 1}, {prompt = 3}]\n')
    with pytest.raises(DataError) as caught:
        read_suite(inline)
    assert caught.value.where == f"{inline}:4, item 2"


def test_a_file_of_another_kind(tmp_path):
    with pytest.raises(ConfigError, match=r"\.toml or a \.jsonl"):
        read_suite(tmp_path / "suite.yaml")
    with pytest.raises(ConfigError, match="no such file"):
        open_suite(str(tmp_path / "missing.toml"))
