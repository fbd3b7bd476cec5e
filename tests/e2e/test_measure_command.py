"""The installed command: a user's own suite on a tiny model, Ctrl-C, a kill, lists, help and bad input."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

COMMAND = [sys.executable, "-c", "from tutelage.cli import main; main()"]


@pytest.fixture
def environment(tmp_path):
    return {**os.environ, "TUTELAGE_HOME": str(tmp_path / "home"), "OMP_NUM_THREADS": "1", "NO_COLOR": "1"}


def run(*arguments, environment, code=0):
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture
def suite(tmp_path):
    """Enough to say that it takes some seconds."""
    words = ["sky", "grass", "apple", "pear", "blue", "green", "fruit", "word"]
    rows = [
        {
            "prompt": f"Name {k} {words[k % 8]}?",
            "target": words[k % 8],
            "scorer": "contains",
            "groups": {"word": words[k % 8]},
        }
        for k in range(400)
    ]
    file = tmp_path / "mine.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return file


SETS = ["--set", "threads=1", "--set", "batch_size=4"]


@pytest.mark.slow
def test_killed_and_continued_equals_uninterrupted(tiny_model_dir, suite, environment, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    arguments = ["measure", tiny_model_dir, "--suite", suite, *SETS]
    shown = run(*arguments, "--max-items", 60, "--out", whole, environment=environment)
    assert "contains" in shown.stdout
    assert "95 % interval" in shown.stdout
    log = broken / "work" / "calls.jsonl"
    for how, code in ((signal.SIGKILL, -9), (signal.SIGINT, 130)):
        before = log.stat().st_size if log.exists() else 0
        process = subprocess.Popen(
            [*COMMAND, *map(str, [*arguments, "--out", broken])],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(600):
            if log.exists() and log.stat().st_size > before:
                break
            time.sleep(0.05)
        process.send_signal(how)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == code, errors
        assert "Traceback" not in errors
        assert not (broken / "results.json").exists()
    done = run(*arguments, "--max-items", 60, "--out", broken, "--json", environment=environment)
    told = json.loads(done.stdout)
    assert told["cost"]["remembered"] > 0
    assert (whole / "mine.jsonl").read_bytes() == (broken / "mine.jsonl").read_bytes()
    again = json.loads(run(*arguments, "--max-items", 60, "--out", broken, "--json", environment=environment).stdout)
    assert again["cost"]["asked"] == 0


@pytest.mark.slow
def test_help_and_list_load_no_torch(environment):
    watch = "import sys; from tutelage.cli import app; app(sys.argv[1:], standalone_mode=False); "
    watch += "assert 'torch' not in sys.modules"
    for arguments in (["measure", "--help"], ["measure", "--list"]):
        done = subprocess.run(
            [sys.executable, "-c", watch, *arguments], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
    assert "tutelage assets install" in done.stdout  # an empty home: what is missing is said, nothing fails
    records = json.loads(run("measure", "--list", "--json", environment=environment).stdout)
    assert [r["suite"] for r in records] == [
        *("format", "instructions", "knowledge", "maths", "reading", "retention", "safety")
    ]
    assert "advbench" in records[-1]["evaluation_only"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["measure"], "MODEL is missing"),
        (["measure", "m", "--out", "x"], "--suite is missing"),
        (["measure", "m", "--suite", "knowledge"], "--out is missing"),
        (["measure", "m", "--suite", "knowlege", "--out", "x"], "did you mean 'knowledge'"),
        (["measure", "m", "--suite", "nowhere.toml", "--out", "x"], "no such file"),
        (["measure", "m", "--suite", "knowledge", "--out", "x", "--size", "huge"], "'size' cannot be 'huge'"),
        (["measure", "m", "--suite", "knowledge", "--out", "x", "--set", "batchsize=1"], "batch_size"),
        (["measure", "m", "--suite", "knowledge", "--out", "x"], "tutelage assets install"),
    ],
)
def test_bad_input_is_one_message_and_exit_code_2(arguments, says, environment, tmp_path):
    done = subprocess.run(
        [*COMMAND, *arguments], env=environment, capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert done.returncode == 2, done.stderr
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
