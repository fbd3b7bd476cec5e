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
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    file = tmp_path / "mine.toml"
    head = '[suite]\nname = "mine"\n[[tasks]]\nname = "words"\nmax_new_tokens = 6\nfile = "items.jsonl"\n'
    file.write_text(head, encoding="utf-8")
    return file


@pytest.mark.slow
def test_killed_and_continued_equals_uninterrupted(tiny_model_dir, suite, environment, tmp_path):
    from tutelage.jobs.measure import MeasureConfig, measure

    config = MeasureConfig(threads=1, batch_size=4)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    log = broken / "work" / "calls.jsonl"
    command = [
        "measure",
        tiny_model_dir,
        "--suite",
        suite,
        "--set",
        "threads=1",
        "--set",
        "batch_size=4",
        "--out",
        broken,
    ]
    for how, code in ((signal.SIGKILL, -9), (signal.SIGINT, 130)):
        before = log.stat().st_size if log.exists() else 0
        process = subprocess.Popen(
            [*COMMAND, *map(str, command)],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(1200):
            if log.exists() and log.stat().st_size > before:
                break
            time.sleep(0.05)
        process.send_signal(how)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == code, errors
        assert "Traceback" not in errors
        assert not (broken / "results.json").exists()
    measure(str(tiny_model_dir), str(suite), whole, config=config)
    done = measure(str(tiny_model_dir), str(suite), broken, config=config)
    assert 0 < done.summary["cost"]["remembered"] < 400
    assert (whole / "words.jsonl").read_bytes() == (broken / "words.jsonl").read_bytes()


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


def test_bad_input_is_one_message_and_exit_code_2(environment, tmp_path):
    done = run("measure", "m", "--suite", "knowlege", "--out", tmp_path / "x", environment=environment, code=2)
    assert "did you mean 'knowledge'" in " ".join(done.stderr.split())
