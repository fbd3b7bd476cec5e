"""A run killed with SIGKILL at random moments loses the one call under way, and nothing else."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from scripted_engines import ScriptedEngine, raft, row_of
from tutelage.refine import RunOptions, run

ROWS, BATCH = 48, 4
HERE = Path(__file__).parents[1]
CHILD = f"""
import sys, time
sys.path.insert(0, {str(HERE)!r})
from pathlib import Path
from scripted_engines import ScriptedEngine, good_rewrite, raft, row_of
from tutelage.refine import RunOptions, run

def slow(prompt):
    time.sleep(0.002)
    return good_rewrite(prompt)

engine = ScriptedEngine(slow, ledger=Path(sys.argv[2]))
print("ready", flush=True)
run([row_of(i) for i in range({ROWS})], raft(engine, tau=0.5), sys.argv[1],
    options=RunOptions(batch_size={BATCH}, rows_at_once=8))
print("done", flush=True)
"""


def outcome(refined):
    return [json.dumps([r.row, r.outcome, r.reason, dict(r.trace)]) for r in refined]


def test_what_is_asked_twice_is_at_most_one_batch_for_each_kill(tmp_path):
    rows = [row_of(i) for i in range(ROWS)]
    whole = ScriptedEngine()
    expected = run(rows, raft(whole, tau=0.5), tmp_path / "whole")
    ledger, chance, kills = tmp_path / "ledger", random.Random(7), 0
    for _ in range(40):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path / "out"), str(ledger)],
            stdout=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        assert child.stdout is not None
        child.stdout.readline()
        time.sleep(chance.uniform(0.005, 0.08))
        if child.poll() is None and kills < 6:
            child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        if child.returncode == 0:
            break
        kills += 1
    assert child.returncode == 0
    assert kills >= 2
    asked = len(ledger.read_text())
    assert len(whole.asked) <= asked <= len(whole.asked) + kills * BATCH
    silent = ScriptedEngine()
    result = run(rows, raft(silent, tau=0.5), tmp_path / "out", options=RunOptions(batch_size=BATCH, rows_at_once=8))
    assert silent.asked == []
    assert outcome(result.refined) == outcome(expected.refined)
