"""What can be put on top of a method, from one TOML; what cannot is refused with the reason."""

import json

import pytest
from typer.testing import CliRunner

from tutelage import config as configuration
from tutelage.cli import app
from tutelage.data import load_dataset_rows
from tutelage.data.reading import ReadOptions
from tutelage.errors import ConfigError
from tutelage.jobs.tune_config import TuneConfig
from tutelage.jobs.tune_options import advice, option_flags, options_text, reweights_of

ALL = """
method = "raft"
[data]
train = "rows.jsonl"
[reweight]
supervised = "vcore"
distillation = "prune"
[reweight.vcore]
kl_budget = 0.2
[reweight.prune.length]
start = 32
[curriculum]
order = "ascend"
column = "grade"
[average]
kind = "ema"
[train]
schedule = "moderate_decay"
"""


def loaded(tmp_path, text, *overrides):
    path = tmp_path / "run.toml"
    path.write_text(text, encoding="utf-8")
    return configuration.load(TuneConfig, path, overrides=list(overrides), flags={}).value


def test_raft_with_vcore_prune_a_curriculum_and_an_average_from_one_file(tmp_path):
    config = loaded(tmp_path, ALL)
    found = reweights_of(config)
    assert found["sft"].settings.kl_budget == 0.2
    assert found["kl"].controller.limit == 32
    assert config.average.settings().n == 6
    assert config.curriculum.settings().order == "ascend"
    assert advice(config) == []
    assert options_text(config) == (
        "vcore weights, prune weights, rows in ascend order of grade, ema average of 6 checkpoints"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (['method="sft"'], "sft distils nothing"),
        (['method="sdft"'], "sdft learns from no answers"),
        (['objective="ranking"'], "raft learns from one answer"),
        (['method="sft"', 'reweight.distillation="none"', 'objective="ranking"'], "weighs the tokens of one answer"),
        (['method="sft"', 'reweight.distillation="none"', 'objective="jsd"'], "divergence from a teacher"),
        (['reweight.vcore.estimator="fd"', 'model.dtype="bfloat16"'], "below what bfloat16"),
        (["rollout.max_new_tokens=64"], "may grow to 128"),
        (["average.n=0"], "n is 0"),
        (["curriculum.folds=2"], "folds"),
        (["train.floor_ratio=0"], "floor_ratio"),
        (["reweight.prune.theta=2"], "theta"),
        (["reweight.keep=0"], "keep is 0"),
        (['reweight.supervised="vcor"'], "vcore"),
    ],
)
def test_what_cannot_be_combined_is_refused_with_the_reason(tmp_path, changes, words):
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, ALL, *changes)
    assert words in f"{caught.value} {caught.value.hint}"
    assert caught.value.hint


def test_a_falling_rate_under_an_average_and_a_curriculum_is_advised_against(tmp_path):
    assert len(advice(loaded(tmp_path, ALL, 'train.schedule="linear"'))) == 2


def test_short_flags_are_settings(tmp_path):
    assert option_flags("jsd", ["vcore", "prune"], "fold", "sma") == {
        "objective": "jsd",
        "reweight.supervised": "vcore",
        "reweight.distillation": "prune",
        "curriculum.order": "fold",
        "average.kind": "sma",
    }
    with pytest.raises(ConfigError, match="both weigh"):
        option_flags(None, ["vcore", "dft"], None, None)
    with pytest.raises(ConfigError, match="no reweighting"):
        option_flags(None, ["vcor"], None, None)
    flags = ["--reweight", "vcore", "--reweight", "prune", "--average", "ema", "--curriculum", "ascend"]
    done = CliRunner().invoke(app, ["tune", "--out", str(tmp_path / "o"), "--data", "x", *flags, "--dry-run"])
    assert done.exit_code == 0, done.output
    shown = tmp_path / "shown.toml"
    shown.write_text(done.output, encoding="utf-8")
    again = configuration.load(TuneConfig, shown, overrides=[], flags={}).value  # what is shown can be used
    assert set(reweights_of(again)) == {"sft", "kl"}


def written(tmp_path, *rows):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_quality_and_scored_responses_are_read_and_bad_ones_set_aside(tmp_path):
    listed = {"prompt": "p", "responses": ["bad", "good", "fine"], "scores": [0, 1, 0.5], "grade": "3"}
    report = load_dataset_rows(
        written(
            tmp_path,
            listed,
            {**listed, "prompt": "q", "scores": [0, 1]},
            {**listed, "prompt": "r", "grade": "high"},
            {**listed, "prompt": "s", "responses": ["one"], "scores": [1]},
        ),
        ReadOptions(quality_column="grade"),
    )
    (row,) = report.rows
    assert row["completion"][0]["content"] == "good"
    assert (row["quality"], row["responses"], row["scores"]) == (3.0, ["bad", "good", "fine"], [0.0, 1.0, 0.5])
    assert [one.line for one in report.rejected] == [2, 3, 4]
    assert "grade must be a finite number" in report.rejected[1].detail
