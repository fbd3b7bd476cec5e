"""The installed command on a tiny model: a whole run, a run that is killed again and again, and bad input."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tutelage.io.tensors import load_tensors

COMMAND = [sys.executable, "-c", "from tutelage.cli import main; main()"]
QUICK = ["refine_answers=false", "measure.retention=off", "measure.max_new_tokens=4", "rollout.max_new_tokens=6"]
QUICK += [
    "train.batch_size=4",
    "train.checkpoint_every=2",
    "distill.top_k=32",
    "run.threads=1",
    "data.test_fraction=0.2",
]


@pytest.fixture
def data(tmp_path):
    words = ["sky", "grass", "apple", "pear", "blue", "green", "fruit", "word", "name", "plus"]
    rows = [
        {"prompt": f"Name {i} {w}?", "completion": f"{w} {i}", "quality": (7 * i) % 30} for i, w in enumerate(words * 3)
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def environment(tmp_path):
    return {**os.environ, "TUTELAGE_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}


def run(*arguments, environment, check=True):
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=300
    )
    assert "Traceback" not in done.stderr, done.stderr
    if check:
        assert done.returncode == 0, done.stderr
    return done


def tune_arguments(model, data, out, *, method="raft", steps=6):
    sets = [part for setting in QUICK for part in ("--set", setting)]
    return ["tune", "--model", model, "--data", data, "--out", out, "--method", method, "--max-steps", steps, *sets]


def adapter(out: Path):
    return load_tensors(out / "model" / "adapter" / "adapter_model.safetensors")


@pytest.mark.slow
def test_a_run_ends_with_a_report_and_a_model_that_loads(tiny_model_dir, data, environment, tmp_path):
    out = tmp_path / "run"
    done = run(*tune_arguments(tiny_model_dir, data, out), "--compare-with", "sft", "--json", environment=environment)
    report = json.loads(done.stdout)
    assert report == json.loads((out / "report.json").read_text())
    assert [arm["name"] for arm in report["arms"]] == ["base", "raft", "sft"]
    assert report["run"]["command"].startswith("tutelage tune")
    page = (out / "report.html").read_text()
    assert report["headline"]["sentence"].split(",")[0][:20] in page
    metrics = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [m["step"] for m in metrics if m["arm"] == "raft"] == [1, 2, 3, 4, 5, 6]

    from tutelage.models import load

    load(str(out / "model" / "merged"), dtype="float32", device="cpu")
    assert not list(out.rglob("*.bin")) + list(out.rglob("*.pt")) + list(out.rglob("*.pkl"))


EVERYTHING = ["--reweight", "vcore", "--reweight", "prune", "--curriculum", "ascend", "--average", "ema"]
EVERYTHING += ["--set", "average.n=2", "--set", "average.every=2", "--set", "reweight.prune.length.start=4"]
EVERYTHING += ["--set", "reweight.prune.length.minimum=2", "--set", "reweight.prune.length.maximum=6"]


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], EVERYTHING], ids=["plain", "everything"])
def test_a_run_killed_at_random_moments_ends_bit_equal(tiny_model_dir, data, environment, tmp_path, options):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    started = time.monotonic()
    run(*tune_arguments(tiny_model_dir, data, whole), *options, environment=environment)
    length = time.monotonic() - started
    draw = random.Random(int(os.environ.get("TUTELAGE_KILL_SEED", "0")))
    arguments = [*tune_arguments(tiny_model_dir, data, broken), *options]
    for _ in range(int(os.environ.get("TUTELAGE_KILLS", "4"))):
        process = subprocess.Popen(
            [*COMMAND, *map(str, arguments)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(draw.uniform(0.3, 1.0) * length)
        process.send_signal(signal.SIGKILL)
        process.wait()
        arguments = ["resume", broken] if (broken / "run.json").exists() else arguments
    run(*arguments, environment=environment)
    expected, found = adapter(whole), adapter(broken)
    assert expected.keys() == found.keys()
    assert all((expected[name] == found[name]).all() for name in expected)
    before, after = (json.loads((out / "report.json").read_text()) for out in (whole, broken))
    assert before["headline"] == after["headline"]
    assert before["curves"] == after["curves"]
    assert bool(options) == any("was trained with vcore weights" in note["text"] for note in before["notes"])


@pytest.mark.slow
def test_ctrl_c_saves_and_exits_130(tiny_model_dir, data, environment, tmp_path):
    out = tmp_path / "run"
    process = subprocess.Popen(
        [*COMMAND, *map(str, tune_arguments(tiny_model_dir, data, out, method="sft", steps=2000))],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    for _ in range(600):
        if (out / "metrics.jsonl").exists() and (out / "metrics.jsonl").stat().st_size:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    steps = [json.loads(line)["step"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert (out / "arms" / "sft" / "checkpoints" / f"step-{steps[-1]:06d}" / "manifest.json").is_file()


def _flip_last_bit(model, out):
    weights = model / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)


def _change_a_row(model, out):
    rows = out / "data" / "train.jsonl"
    first, rest = rows.read_text().split("\n", 1)
    row = json.loads(first)
    row["completion"][-1]["content"] += " indeed"
    rows.write_text(json.dumps(row) + "\n" + rest)


@pytest.mark.slow
@pytest.mark.parametrize(("change", "named"), [(_flip_last_bit, "model"), (_change_a_row, "data")])
def test_resume_refuses_other_inputs(tiny_model_dir, data, environment, tmp_path, change, named):
    model, out = tmp_path / "model", tmp_path / "run"
    shutil.copytree(tiny_model_dir, model)
    run(*tune_arguments(model, data, out, method="sft", steps=2), environment=environment)
    change(model, out)
    done = run("resume", out, environment=environment, check=False)
    assert done.returncode == 2
    assert f"not the run's own inputs: {named}" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["tune", "--out", "x"], "no training data"),
        (["tune", "--out", "x", "--data", "missing.jsonl"], "missing.jsonl"),
        (["tune", "--out", "x", "--data", "d", "--method", "rafd"], "rafd"),
        (["tune", "--out", "x", "--data", "d", "--set", "train.learning_rat=1"], "learning_rate"),
        (["tune", "--out", "x", "--data", "d", "--set", "train.batch_size=0"], "must be positive"),
        (["resume", "nowhere"], "there is no run here"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(arguments, says, environment, tmp_path):
    done = subprocess.run(
        [*COMMAND, *arguments], env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=120
    )
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
