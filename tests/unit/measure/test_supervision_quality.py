"""Rates of error beside a naive count, labels from three sources, and the command on real files."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from tutelage.cli.measure import measure
from tutelage.data.steps import StepRow
from tutelage.errors import ConfigError, DataError, NumericalError
from tutelage.jobs.supervision import audit_supervision, read_solutions
from tutelage.measure.results import read_native
from tutelage.measure.step_labels import (
    equation_holds,
    known_until_first_error,
    labelled_by_check,
    labelled_by_reference,
    labelled_by_scores,
)
from tutelage.measure.supervision import solution_errors, supervision_quality
from tutelage.papers.lab.chains import chains, spoil_set

app = typer.Typer()
app.command()(measure)


def rows_of(solutions):
    return [
        StepRow(one.chain.id, one.chain.question, one.steps, one.labels, one.right, f"{len(one.steps)} steps")
        for one in solutions
    ]


ROWS = rows_of(spoil_set(chains(200, [6, 7, 8], seed=1000), 0.9, 0.2, seed=3))


def row(name="a", labels=(1, 1), outcome=None, domain="", steps=None):
    steps = steps or tuple(f"{k} + 1 = {k + 1}" for k in range(len(labels)))
    return StepRow(name, "0 + 1 + 1?", steps, tuple(labels), outcome, domain)


def test_rates_are_the_ones_that_were_put_in():
    found = supervision_quality(ROWS)
    assert found.outcome.value == 0.9
    assert found.step.value == round(0.2 * found.steps) / found.steps
    assert found.steps == sum(len(one.steps) for one in ROWS)
    assert found.step.low < 0.2 < found.step.high
    assert (found.unknown_steps, found.lucky, found.unexplained, found.notes) == (0, 0, 0, ())


def test_everything_else_is_what_a_naive_count_gives():
    found = supervision_quality(ROWS)
    macro = np.mean([sum(label == 0 for label in one.labels) / len(one.labels) for one in ROWS])
    flawed = [one for one in ROWS if 0 in one.labels]
    firsts = [one.labels.index(0) + 1 for one in flawed]
    assert found.step_macro.value == pytest.approx(macro)
    assert found.places == {place: firsts.count(place) for place in range(1, 9) if place in firsts}
    assert found.first.value == pytest.approx(np.mean([f / len(o.steps) for f, o in zip(firsts, flawed, strict=True)]))
    later = [sum(one.labels[first:]) for first, one in zip(firsts, flawed, strict=True)]
    assert found.propagated.value == pytest.approx(np.mean(later))
    assert found.wrong_steps.value == pytest.approx(np.mean([one.labels.count(0) for one in flawed]))


def test_groups_are_measured_on_their_own():
    found = supervision_quality(ROWS)
    assert list(found.groups) == ["6 steps", "7 steps", "8 steps"]
    for name, group in found.groups.items():
        alone = supervision_quality([one for one in ROWS if one.domain == name])
        assert group == alone
        assert group.groups == {}


def test_unknown_labels_are_left_out():
    found = supervision_quality([row(labels=(1, -1, 0)), row("b", (-1, -1)), row("c", (1, 1), True)])
    assert (found.step.value, found.step.n, found.unknown_steps) == (0.25, 4, 3)
    assert (found.outcome.value, found.outcome.n) == (0.0, 1)
    assert found.propagated.value == 0
    assert any("2 of 3 solutions have no outcome" in note for note in found.notes)
    assert any("later ones have" in note for note in found.notes)


def test_without_outcomes_a_wrong_step_makes_a_wrong_end():
    found = supervision_quality([row(labels=(1, 0)), row("b", (1, 1)), row("c", (1, -1))])
    assert (found.outcome.value, found.outcome.n) == (0.5, 2)
    assert "no row says" in found.notes[0]
    nothing = supervision_quality([row(labels=(-1, -1), outcome=False)])
    assert (nothing.step, nothing.first, nothing.propagated) == (None, None, None)


def test_lucky_and_unexplained_ends_are_counted():
    found = supervision_quality([row(labels=(1, 0), outcome=True), row("b", (1, 1), False), row("c", (0, 1), False)])
    assert (found.lucky, found.unexplained) == (1, 1)


def test_labels_that_mark_all_that_follows_are_noticed():
    spoilt = [row(str(k), (1, 0, 0, 0), False) for k in range(6)]
    assert "count up to the first error only" in supervision_quality(spoilt).notes[0]
    cut = supervision_quality([known_until_first_error(one) for one in spoilt])
    assert (cut.step.value, cut.propagated, cut.wrong_steps, cut.first.value) == (0.5, None, None, 0.5)
    assert cut.notes == ()
    assert supervision_quality([*spoilt, row("x", (0, 1), False)]).notes == ()


def test_no_solutions():
    with pytest.raises(DataError):
        supervision_quality([])


def test_equations_are_read_and_not_run():
    told = {
        "5 + 3 = 8": True,
        "So 5 + 3 = 8, and 8 * 2 = 17.": False,
        "2*(3+1) = 8": True,
        "7 / 2 = 3.5": True,
        "x = 5": None,
        "5 = 5": None,
        "no numbers": None,
        "1 / 0 = 0": False,
        "__import__('os') = 1": None,
        "(" * 5000 + "1 + 1 = 2": None,
        "1,000 + 1 = 1,001": True,
        "1,000 + 1 = 1001, then 5 + 5 = 11": False,
        "$5 + 3 = $8": None,
        "7 / 3 = 2.33": True,
        "7 / 3 = 2.34": False,
        "7 / 3 = 2": False,
        "-3 + 5 = 2": None,
        "so -3 + 5 = 9": None,
        "x + 3 - 1 = 10": None,
        "y - 5 + 3 = 8": None,
        "2x + 3 + 4 = 15": None,
        "f(3) + 2 = 7": None,
        "2^3 + 1 = 9": None,
        "half of 10 + 2 = 7": None,
        "5 apples + 3 + 1 = 9": None,
        "x = 5 + 3 = 8": True,
        "Total: 5 + 3 = 9": False,
    }
    assert {step: equation_holds("", (), step) for step in told} == told


def test_chains_without_a_clock_are_labelled_by_their_equations():
    solutions = spoil_set(chains(60, [3, 5], seed=1001, modulus=1000), 0.5, 0.2, seed=1)
    rows = [one for one in rows_of(solutions) if not any(" = 9" in step for step in one.steps)]  # below zero: 9xx
    assert labelled_by_check([replace(one, labels=(-1,) * len(one.steps)) for one in rows], equation_holds) == rows


def test_labels_from_scores():
    (found,) = labelled_by_scores([row(labels=(-1, -1, -1))], [[0.9, 0.5, 0.49]])
    assert found.labels == (1, 1, 0)
    with pytest.raises(NumericalError, match="not finite"):
        labelled_by_scores([row(labels=(-1, -1))], [[0.9, float("nan")]])
    with pytest.raises(DataError, match="scores of 0 solutions for 1"):
        labelled_by_scores([row()], [])
    with pytest.raises(DataError, match="1 scores for 3 steps"):
        labelled_by_scores([row(labels=(-1, -1, -1))], [[0.9]])


def test_labels_from_a_second_file():
    bare = replace(ROWS[0], labels=(-1,) * len(ROWS[0].steps), outcome=None)
    assert labelled_by_reference([bare], ROWS) == [replace(bare, labels=ROWS[0].labels, outcome=ROWS[0].outcome)]
    right = row("r", (-1,) * 3, None, steps=("1 + 1 = 2", "2 + 5 = 7", "7 - 3 = 4"))
    for steps, labels, outcome in (
        (("1 + 1 = 2", "2 + 5 = 8", "8 - 3 = 5"), (1, 0, -1), False),
        (("1 +  1 = 2", "2 + 5 = 7", "7 - 3 = 4"), (1, 1, 1), True),
        (("1 + 1 = 2", "so 4"), (1, 0), True),
        (("1 + 1 = 2", "2 + 5 = 7", "7 - 3 = 4", "the end: 4"), (1, 1, 1, 0), True),
    ):
        (found,) = labelled_by_reference([row("r", (-1,) * len(steps), steps=steps)], [right])
        assert (found.labels, found.outcome) == (labels, outcome)
    with pytest.raises(DataError, match="no row with this id"):
        labelled_by_reference([bare], [])
    with pytest.raises(DataError, match="another question"):
        labelled_by_reference([bare], [replace(ROWS[0], question="Begin 1?")])
    with pytest.raises(DataError, match="itself wrong"):
        labelled_by_reference([row("r", (-1,) * 3)], [replace(right, outcome=False)])


def test_the_table_has_a_line_for_every_solution():
    table = solution_errors(ROWS)
    assert table.ids == tuple(one.id for one in ROWS)
    assert table.values["outcome_wrong"].mean() == 0.9
    steps = np.array([len(one.steps) for one in ROWS])
    assert table.values["wrong_steps"].sum() == round(0.2 * steps.sum())
    assert set(table.values) == {"outcome_wrong", "step_errors", "wrong_steps"}
    assert len(set(table.asked)) == len(ROWS)
    assert table.missing == {}
    assert solution_errors([row(labels=(-1, -1))]).missing == {"a": "not labelled"}


def written(path, rows):
    path.write_text("".join(json.dumps(one if isinstance(one, dict) else one.record()) + "\n" for one in rows))
    return path


def test_files_in_both_forms_are_read(tmp_path):
    trl = {"prompt": "q?", "completions": ["1 + 1 = 2", "2 + 1 = 4"], "labels": [True, False]}
    file = written(tmp_path / "x.jsonl", [row(), {"question": "q", "steps": ["s"]}, trl, {"id": "z", "steps": []}])
    rows, rejected = read_solutions(file)
    assert [(one.id, one.labels) for one in rows] == [("a", (1, 1)), ("line 2", (-1,)), ("line 3", (1, 0))]
    assert [(one.line, one.reason) for one in rejected] == [(4, "bad_row")]
    with pytest.raises(DataError, match="twice"):
        read_solutions(written(tmp_path / "y.jsonl", [row(), row()]))
    with pytest.raises(DataError, match=r"line 1: unknown key 'completion'"):
        read_solutions(written(tmp_path / "z.jsonl", [{"prompt": "q", "completion": "c"}]))
    with pytest.raises(DataError, match="empty"):
        read_solutions(written(tmp_path / "e.jsonl", []))


def test_the_command_shows_the_rates_and_writes_them(tmp_path):
    file, out = written(tmp_path / "teacher.jsonl", ROWS), tmp_path / "out"
    done = CliRunner().invoke(app, ["--supervision", str(file), "--out", str(out)])
    assert done.exit_code == 0, done.output
    for text in ("solutions that end wrong", "0.900", "propagated", "7 steps: wrong steps", "200 solutions"):
        assert text in done.output
    told = json.loads(CliRunner().invoke(app, ["--supervision", str(file), "--json"]).stdout)
    assert told == json.loads((out / "supervision.json").read_text())
    assert told["outcome"]["value"] == 0.9
    assert read_native(out / "supervision.jsonl")[0].ids == tuple(one.id for one in ROWS)


def test_unlabelled_files_and_a_second_one(tmp_path):
    bare = [{"id": one.id, "question": one.question, "steps": list(one.steps)} for one in ROWS]
    file, labels = written(tmp_path / "bare.jsonl", bare), written(tmp_path / "labels.jsonl", ROWS)
    with pytest.raises(DataError, match="no step has a label"):
        audit_supervision(file)
    assert audit_supervision(file, against=labels).quality.step == supervision_quality(ROWS).step
    assert audit_supervision(file, labels="equations").quality.unknown_steps == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["m", "--supervision", "x"], "not a model"),
        (["--against", "x"], "belong to --supervision"),
        (["--supervision", "x", "--labels", "second"], "'second'"),
        (["--supervision", "x", "--against", "y", "--labels", "equations"], "not both"),
    ],
)
def test_flags_that_do_not_go_together(arguments, says):
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, ConfigError)
    assert says in str(done.exception)


def test_equal_solutions_are_no_certainty():
    half = 1.959964**2 / (30 + 1.959964**2)  # Wilson's upper end of 0 of 30
    found = supervision_quality([row(str(k), (1, 0, 1), False) for k in range(30)])
    assert (found.step_macro.low, found.step_macro.high) == pytest.approx((1 / 3 - half, 1 / 3 + half), abs=1e-6)
    assert (found.wrong_steps.low, found.wrong_steps.high) == pytest.approx((1 - 3 * half, 1 + 3 * half), abs=1e-6)
    assert (found.first.low, found.first.high) == pytest.approx((2 / 3 - half * 2 / 3, 2 / 3 + half * 2 / 3), abs=1e-6)
    assert found.propagated.high == pytest.approx(1 + 2 * half, abs=1e-6)
    whole = supervision_quality([row(str(k), (0,), False) for k in range(30)])
    assert (whole.step_macro.low, whole.step_macro.high) == pytest.approx((1 - half, 1.0), abs=1e-6)
    assert (whole.first.low, whole.propagated.high) == (1.0, 0.0)  # steps of one can be no other


def test_ends_that_nobody_stated_are_neither_lucky_nor_unexplained():
    found = supervision_quality([row(labels=(1, 0)), row("b", (1, 1))])
    assert (found.lucky, found.unexplained) == (None, None)


def test_numbers_are_ids_and_true_and_false_are_labels(tmp_path):
    lines = [{"id": 7, "question": "q", "steps": ["a", "b"], "labels": [True, False]}]
    assert read_solutions(written(tmp_path / "a.jsonl", lines))[0] == [StepRow("7", "q", ("a", "b"), (1, 0))]


def test_faults_say_where_and_what_to_do(tmp_path):
    given = {"id": "a", "question": "q", "steps": ["x"], "labels": [1]}
    with pytest.raises(DataError, match="first on line 1") as twice:
        read_solutions(written(tmp_path / "twice.jsonl", [given, given]))
    assert twice.value.where.endswith("twice.jsonl:2")
    assert twice.value.hint
    rejected = read_solutions(written(tmp_path / "words.jsonl", [given, {**given, "labels": ["right"]}]))[1]
    assert "1 right, 0 wrong" in rejected[0].detail
    unlabelled = written(tmp_path / "none.jsonl", [{**given, "labels": [-1]}])
    with pytest.raises(DataError, match="equation") as tried:
        audit_supervision(unlabelled, labels="equations")
    assert "try" not in tried.value.hint
    with pytest.raises(DataError, match="no row with this id") as strangers:
        audit_supervision(unlabelled, against=written(tmp_path / "b.jsonl", [{**given, "id": "b"}]))
    assert "b.jsonl" in strangers.value.where


def test_the_examples_are_what_the_page_says():
    examples = Path(__file__).parents[3] / "examples" / "supervision"
    page = (Path(__file__).parents[3] / "docs" / "supervision-quality.md").read_text()
    for name, rate, counted in (("careful", 0.15, 1.17), ("careless", 0.6, 4.67)):
        found = audit_supervision(examples / f"{name}.jsonl").quality
        assert found.outcome.value == 0.9
        assert found.step.value == pytest.approx(rate, abs=0.001)
        assert found.wrong_steps.value == pytest.approx(counted, abs=0.005)
        assert f"examples/supervision/{name}.jsonl" in page
    assert (examples / "hard.jsonl").is_file()
