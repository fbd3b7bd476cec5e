"""Prompts with constraints become preference pairs from the command line."""

import json

import numpy as np
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


class Drawn:
    """Draws answers by the seed and by who stands in the batch; dies in the call with the number ``dies``."""

    name = "drawn"

    def __init__(self, dies=None):
        self.calls, self.dies = 0, dies

    def generate(self, prompts, *, sampling, n=1, seed=0):
        self.calls += 1
        if self.calls == self.dies:
            raise KeyboardInterrupt
        draw = np.random.default_rng([seed % 2**32, len(prompts), len(prompts[0][0]["content"])])
        words = ("short", "a longer answer", '{"a": 1}', "some more words here")
        return [[Completion(words[draw.integers(4)], (), "stop") for _ in range(n)] for _ in prompts]


@pytest.mark.parametrize("dies", [1, 2, 3])
def test_killed_and_started_again_it_asks_the_rest_and_writes_the_same(tmp_path, dies):
    source = data(tmp_path, *({"id": f"p{n}", "prompt": "Say " + "a" * n} for n in range(40)))
    config = PreferenceConfig([{"name": "words", "most": 2}], answers=4)
    whole = Drawn()
    preference_data(source, config, whole, tmp_path / "whole")
    assert whole.calls == 3
    with pytest.raises(KeyboardInterrupt):
        preference_data(source, config, Drawn(dies), tmp_path / "broken")
    log = tmp_path / "broken" / "work" / "answers.jsonl"
    log.write_bytes(log.read_bytes() + b'{"key": "torn')
    again = Drawn()
    preference_data(source, config, again, tmp_path / "broken")
    assert again.calls == 3 - (dies - 1)
    files = sorted(path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file())
    assert len(files) > 3
    for name in files:
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "broken" / name).read_bytes(), name


def test_other_settings_ask_anew(tmp_path):
    source = data(tmp_path, {"id": "p", "prompt": "Say a."}, {"id": "q", "prompt": "Say b."})
    engine = Drawn()
    for config, seed, calls in (
        (PreferenceConfig(["json"], answers=3), 0, 1),
        (PreferenceConfig(["json"], answers=3, min_gap=0.1), 0, 1),  # looks at the same answers
        (PreferenceConfig(["json"], answers=4), 0, 2),
        (PreferenceConfig(["json"], answers=4, temperature=0.5), 0, 3),
        (PreferenceConfig(["json"], answers=4, temperature=0.5), 1, 4),
    ):
        preference_data(source, config, engine, tmp_path / "out", seed=seed)
        assert engine.calls == calls
