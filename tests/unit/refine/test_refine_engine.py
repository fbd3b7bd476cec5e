import json
import threading

import pytest
from rich.console import Console

from scripted_engines import ScriptedEngine, good_rewrite, raft, row_of
from tutelage.errors import DataError, EngineError, Interrupted, RangeError, StoreError
from tutelage.refine import RefineSettings, RowRefiner, RunOptions, report_on, run
from tutelage.types import Refined

ROWS = [row_of(i) for i in range(10)]
SMALL = RunOptions(batch_size=2, rows_at_once=3)


class Echo(RowRefiner):
    """Keeps every row; ``spoil`` may replace its results."""

    name = "echo"

    def __init__(self, spoil=None):
        self.spoil = spoil
        self.seen = []

    def fingerprint(self):
        return "echo"

    def refine(self, rows, calls):
        self.seen += [row["id"] for row in rows]
        results = [Refined(row, "kept", "as it was") for row in rows]
        return results if self.spoil is None else self.spoil(results)


def files_of(folder):
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.rglob("*") if p.is_file()}


def test_rows_come_back_in_order_whatever_the_batch_sizes(tmp_path):
    expected = list(raft(tau=0.5)(ROWS))
    for n, options in enumerate([SMALL, RunOptions(batch_size=16, rows_at_once=1), RunOptions()]):
        result = run(ROWS, raft(tau=0.5), tmp_path / str(n), options=options)
        assert [json.dumps(r.trace) for r in result.refined] == [json.dumps(r.trace) for r in expected]
        assert [r.row for r in result.refined] == [r.row for r in expected]
    assert all(r.outcome == "changed" for r in expected)


def test_a_second_run_asks_nothing_and_changes_no_file(tmp_path):
    first = run(ROWS, raft(), tmp_path, options=SMALL)
    before = files_of(tmp_path)
    engine = ScriptedEngine()
    second = run(ROWS, raft(engine), tmp_path, options=SMALL)
    assert engine.asked == []
    assert (second.calls, second.tokens, second.reused) == (0, 0, 10)
    assert second.refined == first.refined
    assert second.seconds == first.seconds
    assert files_of(tmp_path) == before


def test_more_rows_later_cost_only_the_new_ones(tmp_path):
    run(ROWS[:6], raft(), tmp_path, options=SMALL)
    result = run([*ROWS[8:], *ROWS[:8]], raft(), tmp_path, options=SMALL)
    assert (result.reused, result.calls) == (6, 4)
    assert [r.trace["id"] for r in result.refined] == [r["id"] for r in [*ROWS[8:], *ROWS[:8]]]


def test_a_change_of_the_filter_reuses_the_rewrites_but_judges_anew(tmp_path):
    loose = run(ROWS, raft(tau=0.1, attempts=1), tmp_path, options=SMALL)
    strict = run(ROWS, raft(tau=1.0, attempts=1), tmp_path, options=SMALL)
    assert {r.outcome for r in loose.refined} == {"changed"}
    assert {r.outcome for r in strict.refined} == {"kept"}
    assert strict.calls == 0


def test_a_changed_row_is_done_again(tmp_path):
    run(ROWS, raft(), tmp_path)
    changed = [row_of(0, answer="brass"), *ROWS[1:]]
    assert run(changed, raft(), tmp_path).calls == 1


def test_rows_that_stand_twice_are_done_once_and_come_back_twice(tmp_path):
    result = run([ROWS[0], ROWS[1], ROWS[0]], raft(), tmp_path)
    assert result.calls == 2
    assert result.refined[0] == result.refined[2]
    assert report_on([ROWS[0], ROWS[1], ROWS[0]], result, {}).tokens_generated == result.tokens


def test_a_request_to_stop_keeps_what_is_done(tmp_path):
    asked = iter([False] * 5 + [True])
    options = RunOptions(batch_size=2, rows_at_once=4, should_stop=lambda: next(asked))
    with pytest.raises(Interrupted):
        run([*ROWS, row_of(10), row_of(11)], raft(), tmp_path, options=options)
    result = run([*ROWS, row_of(10), row_of(11)], raft(), tmp_path, options=SMALL)
    assert (result.reused, result.calls) == (8, 2)


def test_a_request_that_comes_too_late_changes_nothing(tmp_path):
    run(ROWS, raft(), tmp_path)
    result = run(ROWS, raft(), tmp_path, options=RunOptions(should_stop=lambda: True))
    assert result.reused == 10


def test_an_engine_that_fails_leaves_the_finished_batches(tmp_path):
    class Failing(ScriptedEngine):
        def generate(self, prompts, **rest):
            if len(self.batches) == 3:
                raise EngineError("the server is gone")
            return super().generate(prompts, **rest)

    failing = Failing()
    with pytest.raises(EngineError):
        run(ROWS, raft(failing), tmp_path, options=RunOptions(batch_size=2, rows_at_once=10))
    result = run(ROWS, raft(), tmp_path, options=RunOptions(batch_size=2, rows_at_once=10))
    assert (result.calls, result.reused) == (4, 0)
    assert len(failing.asked) + result.calls == 10


SPOILED = {
    "one too few": lambda results: results[:-1],
    "kept but gone": lambda results: [Refined(None, "kept", ""), *results[1:]],
    "dropped but there": lambda results: [Refined(results[0].row, "dropped", ""), *results[1:]],
    "another row": lambda results: list(reversed(results)),
    "changed but called kept": lambda results: [Refined({**results[0].row, "group": "g"}, "kept", ""), *results[1:]],
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_a_refiner_that_breaks_its_contract_is_stopped(tmp_path, spoil):
    with pytest.raises(DataError):
        run(ROWS, Echo(spoil), tmp_path)
    assert run(ROWS, Echo(), tmp_path).reused == 0


def test_two_processes_cannot_work_in_one_folder(tmp_path):
    inside, leave = threading.Event(), threading.Event()

    def wait(results):
        inside.set()
        leave.wait(10)
        return results

    worker = threading.Thread(target=run, args=(ROWS, Echo(wait), tmp_path))
    worker.start()
    assert inside.wait(10)
    with pytest.raises(StoreError, match="another process"):
        run(ROWS, Echo(), tmp_path)
    leave.set()
    worker.join()
    assert run(ROWS, Echo(), tmp_path).reused == 10


@pytest.mark.parametrize("spoiled", [b"{", b"[]\n", b'{"key": "k"}\n', b"\x00\x00\n"])
def test_damaged_records_are_done_again(tmp_path, spoiled):
    run(ROWS, Echo(), tmp_path, options=SMALL)
    log = tmp_path / "work" / "rows.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:5]) + spoiled + (b"" if spoiled == b"{" else b"".join(lines[6:])))
    echo = Echo()
    result = run(ROWS, echo, tmp_path, options=SMALL)
    assert [r.row for r in result.refined] == ROWS
    assert "row-5" in echo.seen
    assert "row-0" not in echo.seen


def test_no_rows_are_fine(tmp_path):
    result = run([], raft(), tmp_path)
    assert result.refined == []
    assert report_on([], result, {}).share_changed == 0.0


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        run(ROWS, Echo(), tmp_path / "file")


@pytest.mark.parametrize("wrong", [{"batch_size": 0}, {"rows_at_once": 0}])
def test_sizes_must_be_positive(wrong):
    with pytest.raises(RangeError):
        RunOptions(**wrong)


def test_progress_is_shown_where_a_console_is_given(tmp_path):
    console = Console(record=True, width=100, force_terminal=True)
    run(ROWS, Echo(), tmp_path, options=RunOptions(console=console))
    assert "10/10" in console.export_text()


def test_the_report_adds_up_and_is_json(tmp_path):
    rows = [*ROWS[:4], row_of(4, answer=""), row_of(5, "Is it?", "a very long answer " * 4)]
    result = run(rows, raft(tau=0.5), tmp_path)
    report = report_on(rows, result, {"tau": 0.5})
    assert (report.rows, report.changed, report.kept, report.dropped) == (6, 4, 1, 1)
    assert report.fused + report.rewritten == report.changed
    assert sum(report.reasons.values()) == report.kept + report.dropped
    assert sum(report.histogram["passed"]) == 4
    assert len(report.histogram["edges"]) == len(report.histogram["passed"]) + 1
    assert report.tokens_generated == result.tokens > 0
    assert {e.id for e in report.examples} == {row["id"] for row in rows}
    assert json.loads(json.dumps(report.to_dict()))["settings"] == {"tau": 0.5}


def test_an_answer_that_never_changes_while_others_do_is_warned_of(tmp_path):
    def reply(prompt):
        return "no" if "brass" in prompt[-1]["content"] else good_rewrite(prompt)

    rows = [row_of(i, answer="strings" if i % 2 else "brass") for i in range(10)]
    report = report_on(rows, run(rows, raft(ScriptedEngine(reply), tau=0.1, attempts=1), tmp_path), {})
    assert any("'brass' was ever changed" in warning for warning in report.warnings)
    none = report_on(rows[::2], run(rows[::2], raft(ScriptedEngine(reply), attempts=1), tmp_path), {})
    assert any("only 0 of 5" in warning for warning in none.warnings)
    assert RefineSettings().method == "raft"
