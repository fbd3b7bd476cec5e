"""Comparing whole result tables: numbers, families, what is said at the top, and the worst regressions."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np
import pytest

from example_comparison import example, systems
from made_up_results import graded, paired, results, task
from tutelage.errors import ConfigError, DataError, NumericalError
from tutelage.jobs.compare import CompareSettings, compare_results
from tutelage.jobs.compare_cases import shortened
from tutelage.jobs.gate import Gate, Rule
from tutelage.measure.results import MetricFacts, TaskResults
from tutelage.stats import PairedCounts, holm, mcnemar, newcombe


def compared(counts, **more):
    old, new = counts if isinstance(counts[0], np.ndarray) else paired(*counts)
    return compare_results(results("old", task("t", old, **more)), results("new", task("t", new, **more)))


def test_the_numbers_are_those_of_the_paired_table():
    (one,) = compared((209, 38, 13, 152)).metrics
    table = PairedCounts(209, 38, 13, 152)
    interval = newcombe(table)
    assert (one.change.delta.low, one.change.delta.high) == pytest.approx((interval.low, interval.high), abs=0.001)
    assert one.change.p == pytest.approx(mcnemar(table))
    assert (one.old.value, one.new.value) == pytest.approx((247 / 412, 222 / 412))
    assert one.flips is not None
    assert (one.flips.broken, one.flips.mended) == (38, 13)
    assert {name: cell.items for name, cell in one.flips.quadrants.items()} == {
        "both_right": 209,
        "broken": 38,
        "mended": 13,
        "both_wrong": 152,
    }
    assert one.flips.kept is not None
    assert one.flips.kept.value == pytest.approx(209 / 247)


def test_levels_of_shares_with_halves_stay_between_none_and_all():
    halves = np.array([0.5, 1.0, 1.0, 0.0, 1.0])
    (one,) = compared((halves, halves)).metrics
    assert one.old.high == one.new.high == 1.0
    assert 0.0 < one.old.low < one.old.value


def test_metrics_are_one_family_and_groups_another():
    document = example(gated=False)
    for family in (document.metrics, document.groups):
        expected = holm([one.change.p for one in family])
        assert [one.change.p_adjusted for one in family] == pytest.approx(list(expected))
    assert {one.group for one in document.groups} == set(systems()[0].tasks["support"].groups["topic"])
    assert sum(one.n for one in document.groups) == document.metrics[0].n


def test_items_are_paired_by_id_in_any_order():
    old, new = paired(50, 10, 20, 20)
    ids = [f"x{i}" for i in range(100)]
    order = np.random.default_rng(0).permutation(100)
    a = results("old", task("t", old, ids=ids))
    b = results("new", task("t", new[order], ids=[ids[i] for i in order]))
    assert compare_results(a, b).metrics[0].change.discordant == (10, 20)


def test_what_has_no_partner_is_said():
    old, new = paired(50, 10, 20, 20)
    a = results("old", task("t", old), task("only", [1.0, 0.0]))
    b = results("new", task("t", new[:60]))
    document = compare_results(a, b)
    assert document.metrics[0].n == 60
    told = " ".join(document.cautions)
    assert "40 of 100" in told
    assert "only" in told
    assert any("40 items of the old system" in note for note in document.notes)


def test_nothing_in_common_is_an_error():
    one, two = task("t", [1.0, 0.0]), task("t", [1.0, 0.0], ids=["a", "b"])
    with pytest.raises(DataError, match="no item in common"):
        compare_results(results("old", one), results("new", two))
    with pytest.raises(DataError, match="no task in common"):
        compare_results(results("old", one), results("new", task("u", [1.0])))
    with pytest.raises(ConfigError, match="no metric is called"):
        compare_results(results("old", one), results("new", one), CompareSettings(metrics=("x",)))
    with pytest.raises(ConfigError, match="no breakdown"):
        compare_results(results("old", one), results("new", one), CompareSettings(by=("x",)))


def test_missing_scores_are_left_out_counted_and_explained():
    old, new = paired(50, 10, 20, 20)
    new[:5] = math.nan
    a = results("old", task("t", old))
    missing = {f"i{n:06d}": "timed out" for n in range(5)}
    document = compare_results(a, results("new", replace(task("t", new), missing=missing)))
    assert (document.metrics[0].n, document.metrics[0].left_out) == (95, 5)
    assert any("5 items have no score in the new system (timed out)" in text for text in document.cautions)
    gone = results("new", task("t", np.full(100, math.nan)))
    with pytest.raises(DataError, match="no item has a score on both sides"):
        compare_results(a, gone)
    with pytest.raises(NumericalError):
        compare_results(a, results("new", task("t", np.full(100, math.inf))))


@pytest.mark.parametrize(
    "counts", [(1, 0, 0, 0), (0, 1, 0, 0), (2, 0, 0, 0), (40, 0, 0, 0), (0, 0, 0, 40), (0, 0, 40, 0)]
)
def test_tiny_and_uniform_results_have_defined_answers(counts):
    (one,) = compared(counts).metrics
    delta = one.change.delta
    assert not math.isnan(delta.value)
    assert delta.low <= delta.value <= delta.high
    assert 0 <= one.change.p_adjusted <= 1


def test_the_same_file_twice_is_noticed():
    document = compared((40, 0, 0, 40))
    assert any("same file" in text for text in document.cautions)
    assert not any("same file" in text for text in compared((40, 1, 0, 40)).cautions)


def test_what_got_worse_without_a_rule_is_said():
    (a, b), (c, d) = paired(300, 0, 30, 70), paired(300, 60, 5, 35)
    old, new = results("old", task("one", a), task("two", c)), results("new", task("one", b), task("two", d))
    gated = compare_results(old, new, gate=Gate((Rule("one", "gain"),)))
    assert gated.answer.decision == "pass"
    assert any("two got worse" in text and "no rule looks at it" in text for text in gated.cautions)
    both = compare_results(old, new, gate=Gate((Rule("*", "gain"),)))
    assert not any("no rule looks" in text for text in both.cautions)


def test_the_first_line_without_a_gate_says_what_moved():
    assert compared((300, 40, 15, 57)).answer.sentence.startswith("new is worse than old on t: \u22126.1 points [")
    assert "not clearly different" in compared((300, 20, 15, 77)).answer.sentence
    sentence = example(gated=False).answer.sentence
    assert sentence == "support-v2 is better on support, worse on arithmetic and text (4 metrics compared)"


def test_answers_of_a_choice_task_enter_the_flips():
    old, new = np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 0.0, 0.0, 1.0])
    a = results("old", task("t", old, choices=("A", "B", "C", "D")))
    b = results("new", task("t", new, choices=("A", "C", "B", "D")))
    flips = compare_results(a, b).metrics[0].flips
    assert flips is not None
    assert flips.choice_rate is not None
    assert flips.choice_rate.value == 0.5  # items 2 and 3: wrong now, with another answer
    assert flips.quadrants["both_wrong"].same == 1


def test_a_second_run_of_the_old_system_shows_what_flips_by_itself():
    old, new = paired(50, 10, 20, 20)
    again = old.copy()
    again[[0, 1, 99]] = 1 - again[[0, 1, 99]]
    document = compare_results(
        results("old", task("t", old)), results("new", task("t", new)), baseline=results("again", task("t", again))
    )
    flips = document.metrics[0].flips
    assert flips is not None
    assert flips.self_rate is not None
    assert flips.excess is not None
    assert flips.self_rate.value == pytest.approx(0.015)
    assert flips.excess.value == pytest.approx(0.085)


def test_clusters_widen_the_interval():
    old, new = paired(100, 30, 10, 60)
    rng = np.random.default_rng(0)
    order = rng.permutation(200)
    alone = compared((old[order], new[order])).metrics[0].change.delta
    repeated = np.repeat(order, 5)
    clusters = tuple(f"c{i}" for i in repeated)
    many = compared((old[repeated], new[repeated]), clusters=clusters).metrics[0].change.delta
    assert many.n_clusters == 200
    assert many.high - many.low == pytest.approx(alone.high - alone.low, rel=0.1)


def test_the_worst_regressions_come_first_ties_by_id():
    ids = ["d", "c", "b", "a"]
    a = results("old", task("t", [1.0, 0.9, 0.9, 0.2], ids=ids, outputs=("o1", "o2", "o3", "o4"), prompts=("p",) * 4))
    b = results("new", task("t", [0.9, 0.1, 0.1, 0.8], ids=ids, outputs=("n1", "n2", "n3", "n4"), prompts=("p",) * 4))
    (suite,) = compare_results(a, b).regressions
    assert [case.id for case in suite.cases] == ["b", "c", "d"]
    assert (suite.worse, suite.items) == (3, 4)
    assert (suite.cases[0].before, suite.cases[0].after, suite.cases[0].prompt) == ("o3", "n3", "p")
    (few,) = compare_results(a, b, CompareSettings(cases=1)).regressions
    assert [case.id for case in few.cases] == ["b"]


def test_where_lower_is_better_a_rise_is_a_regression():
    facts = MetricFacts(higher_is_better=False, unit="nats")
    document = compared((np.array([1.0, 2.0, 3.0]), np.array([1.5, 1.0, 3.0])), facts=facts)
    (suite,) = document.regressions
    assert [case.id for case in suite.cases] == ["i000000"]
    assert document.metrics[0].unit == "nats"


def test_long_texts_are_cut_and_a_prompt_keeps_its_question():
    few_shot = "Example. " * 10_000 + "Question: what is 2 + 2?"
    kept = shortened(few_shot, ends=True)
    assert kept.startswith("Example.")
    assert kept.endswith("Question: what is 2 + 2?")
    assert "86,024 more characters" in kept
    assert len(shortened("x" * 1_000_000)) < 4_100
    assert shortened("short") == "short"


def test_metrics_of_two_versions_are_refused():
    one, two = task("t", [1.0, 0.0]), task("t", [1.0, 0.0], facts=MetricFacts(version=2))
    with pytest.raises(DataError, match="does not mean the same"):
        compare_results(results("old", one), results("new", two))


def test_several_metrics_of_one_task_keep_their_names():
    values = {"exact": np.array([1.0, 0.0, 1.0]), "f1": np.array([0.9, 0.3, 1.0])}
    table = TaskResults("t", ("a", "b", "c"), values, {name: MetricFacts() for name in values})
    document = compare_results(results("old", table), results("new", table))
    assert [one.title for one in document.metrics] == ["t/exact", "t/f1"]
    assert len(document.regressions) == 1


@pytest.mark.slow
def test_a_hundred_thousand_items_take_seconds():
    old, new = graded(100_000, -0.01)
    groups = {"topic": tuple(f"g{i % 50}" for i in range(100_000))}
    wrong = (np.round(old), np.round(new))
    a = results("old", task("graded", old), task("binary", wrong[0], groups=groups))
    b = results("new", task("graded", new), task("binary", wrong[1], groups=groups))
    gate = Gate((Rule("*", "every-group", margin=0.05), Rule("binary", "negative-flips", most=0.3)))
    started = time.process_time()
    document = compare_results(a, b, gate=gate)
    assert time.process_time() - started < 10
    assert len(document.groups) == 50
    assert len(document.rules[0].parts) + len(document.rules[1].parts) == 52
    assert document.rules[0].decision in ("pass", "fail", "underpowered")


def test_the_same_input_gives_the_same_document():
    old, new = systems()
    one, two = (replace(compare_results(old, new), created="") for _ in range(2))
    assert one == two
