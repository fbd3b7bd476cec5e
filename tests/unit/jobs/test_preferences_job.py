"""Prompts with constraints become preference pairs from the command line."""

import json

import pytest
import typer
from typer.testing import CliRunner

from tutelage.cli.refine import refine
from tutelage.errors import ConfigError, DataError
from tutelage.jobs import refine as job
from tutelage.jobs.preferences import PreferenceConfig, preference_data
from tutelage.types import Completion

app = typer.Typer()
app.command()(refine)


class Answers:
    """Gives the same list of answers to every prompt, in order."""

    name = "answers"

    def __init__(self, *texts):
        self.texts = texts

    def generate(self, prompts, *, sampling, n=1, seed=0):
        assert sampling.temperature > 0
        return [[Completion(self.texts[k % len(self.texts)], (), "stop") for k in range(n)] for _ in prompts]


ENGINE = Answers('{"a": 1}', "one two three", '{"a": "one two three four"}')


def data(tmp_path, *rows):
    file = tmp_path / "prompts.jsonl"
    file.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in rows))
    return str(file)


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_row_is_ranked_by_its_own_constraints_and_those_of_all(tmp_path):
    source = data(
        tmp_path,
        {"id": "p", "prompt": "Say a as JSON."},
        {"id": "q", "prompt": "Briefly.", "constraints": [{"name": "words", "most": 2}]},
    )
    found = preference_data(source, PreferenceConfig(["json"], answers=3), ENGINE, tmp_path / "out")
    pairs = {one["id"]: one for one in read(tmp_path / "out" / "pairs.jsonl")}
    assert set(pairs["p"]) >= {"prompt", "chosen", "rejected"}
    assert pairs["p"]["prompt"] == [{"role": "user", "content": "Say a as JSON."}]
    assert (pairs["p"]["chosen_score"], pairs["p"]["rejected_score"]) == (1.0, 0.0)
    assert pairs["q"]["chosen"] == [{"role": "assistant", "content": '{"a": 1}'}]
    assert pairs["q"]["chosen_score"] == 1.0
    assert found.table.names == ("json", "words")


def test_lines_that_cannot_be_used_are_told_with_number_and_reason(tmp_path):
    source = data(
        tmp_path, {"id": "p", "prompt": "x"}, "{torn", {"prompt": " "}, {"id": "p", "prompt": "y"}, {"prompt": 3},
        {"prompt": "z", "constraints": ["jsn"]}, {"prompt": "z", "constraints": "json"},
        {"prompt": "z", "reference": 3}, [1],
    )  # fmt: skip
    preference_data(source, PreferenceConfig(["json"]), ENGINE, tmp_path / "out")
    found = [(one["line"], one["reason"]) for one in read(tmp_path / "out" / "rejected.jsonl")]
    assert found == [
        (2, "not_a_row"), (3, "empty_prompt"), (4, "duplicate"), (5, "not_a_chat"), (6, "wrong_constraint"),
        (7, "wrong_type"), (8, "wrong_type"), (9, "not_a_row"),
    ]  # fmt: skip


def test_without_any_constraint_there_is_nothing_to_rank(tmp_path):
    with pytest.raises(DataError, match="no constraints"):
        preference_data(data(tmp_path, {"prompt": "x"}), PreferenceConfig(), ENGINE, tmp_path / "out")


@pytest.mark.parametrize("wrong", [{"answers": 1}, {"min_gap": 1.0}, {"temperature": 0.0}, {"max_new_tokens": 0}])
def test_settings_that_make_no_sense(wrong):
    with pytest.raises(ConfigError):
        PreferenceConfig(**wrong)


def test_the_command_makes_pairs_and_says_what_was_met(tmp_path, monkeypatch):
    monkeypatch.setattr(job, "_open_parts", lambda config: job.Parts(ENGINE, None, None))
    call = ["--data", data(tmp_path, {"prompt": "x"}, "torn"), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*call, "--constraint", "json", "--constraint", '{name = "words", most = 2}'])
    assert done.exit_code == 0, done.output
    assert "1 pairs from 1 prompts" in done.output
    assert "66.7%  of answers meet json" in done.output
    assert "1 lines set aside" in done.output
    assert len(read(tmp_path / "out" / "pairs.jsonl")) == 1
    told = CliRunner().invoke(app, [*call, "--constraint", "json", "--json"])
    assert json.loads(told.stdout)["kept"] == 1


def test_an_unknown_constraint_of_all_is_refused(tmp_path, monkeypatch):
    from tutelage.errors import TutelageError

    monkeypatch.setattr(job, "_open_parts", lambda config: job.Parts(ENGINE, None, None))
    done = CliRunner().invoke(
        app, ["--data", data(tmp_path, {"prompt": "x"}), "--out", str(tmp_path / "out"), "--constraint", "jsn"]
    )
    assert isinstance(done.exception, TutelageError)
    assert "jsn" in str(done.exception)
