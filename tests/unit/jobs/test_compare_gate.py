"""Gates on made-up results with a known truth: pass, fail, underpowered, and input that decides nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from made_up_results import graded, paired, results, task
from tutelage.errors import ConfigError, TutelageError
from tutelage.jobs.compare import compare_results
from tutelage.jobs.gate import Gate, GateSettings, Rule, load_gate, matches
from tutelage.measure.results import MetricFacts
from tutelage.stats import PairedCounts, newcombe, proportion_interval
from tutelage.stats.paired_proportions import difference_of_shares


def judged(counts, *rules, settings=None, **more):
    old, new = counts if isinstance(counts[0], np.ndarray) else paired(*counts)
    gate = Gate(tuple(rules), settings or GateSettings())
    return compare_results(results("old", task("t", old, **more)), results("new", task("t", new, **more)), gate=gate)


KEEP = Rule("t", "no-loss", name="kept", margin=0.02)
BREAK = Rule("t", "negative-flips", name="flips", most=0.03)


@pytest.mark.parametrize(
    ("counts", "rule", "decision"),
    [
        ((1000, 5, 10, 985), KEEP, "pass"),
        ((300, 40, 15, 57), KEEP, "fail"),
        ((300, 20, 15, 77), KEEP, "underpowered"),
        ((900, 5, 10, 85), BREAK, "pass"),
        ((800, 60, 90, 50), BREAK, "fail"),
        ((900, 25, 40, 35), BREAK, "underpowered"),
        ((300, 10, 60, 42), Rule("t", "gain"), "pass"),
        ((300, 60, 10, 42), Rule("t", "gain"), "fail"),
        ((300, 30, 35, 47), Rule("t", "gain"), "underpowered"),
        ((300, 10, 60, 42), Rule("t", "gain", margin=0.1), "underpowered"),
        ((1000, 5, 6, 989), Rule("t", "equivalent", margin=0.02), "pass"),
        ((300, 10, 60, 42), Rule("t", "equivalent", margin=0.02), "fail"),
        ((300, 20, 25, 67), Rule("t", "equivalent", margin=0.02), "underpowered"),
        ((850, 10, 10, 130), Rule("t", "at-least", least=0.8), "pass"),
        ((850, 10, 10, 130), Rule("t", "at-least", least=0.9), "fail"),
        ((850, 10, 10, 130), Rule("t", "at-least", least=0.86), "underpowered"),
        ((100, 10, 10, 880), Rule("t", "at-most", most=0.2), "pass"),
        ((100, 10, 10, 880), Rule("t", "at-most", most=0.05), "fail"),
    ],
)
def test_a_rule_goes_by_where_the_interval_lies(counts, rule, decision):
    document = judged(counts, rule)
    (result,) = document.rules
    assert result.decision == decision == document.answer.decision
    part = result.parts[0]
    both, broke, mended, neither = counts
    table = PairedCounts(both, broke, mended, neither)
    if rule.require == "negative-flips":
        expected = proportion_interval(broke, table.n)
    elif rule.require.startswith("at-"):
        expected = proportion_interval(both + mended, table.n)
    else:
        expected = newcombe(table)
    assert part.value.value == pytest.approx(expected.value)
    ends = (part.value.low, part.value.high)
    assert ends == pytest.approx((expected.low, expected.high), abs=0.001)  # Newcombe's, a little widened


def test_the_three_first_lines():
    assert judged((1000, 5, 10, 985), KEEP, BREAK).answer.sentence == "new may replace old: 2 of 2 rules pass"
    sentence = judged((300, 40, 15, 57), KEEP).answer.sentence
    assert sentence.startswith("new must not replace old: t lost 6.1 points [")
    sentence = judged((300, 20, 15, 77), KEEP).answer.sentence
    assert sentence.startswith("Not decided: 412 items, need about ")
    assert "kept" in sentence


def test_the_number_needed_is_what_makes_it_pass_four_times_out_of_five():
    """A no-loss rule on a pair with known discordance: simulate at the number that it asks for."""
    rule = Rule("t", "no-loss", margin=0.05)
    part = judged((130, 12, 10, 48), rule).rules[0].parts[0]
    assert part.decision == "underpowered"
    needed = part.needed
    assert needed is not None
    assert needed > 200
    rng = np.random.default_rng(3)
    shares = np.array([130, 12, 10, 48]) / 200
    passed = 0
    for _ in range(400):
        found = newcombe(PairedCounts(*map(int, rng.multinomial(needed, shares))))
        passed += found.low > -0.05
    assert 0.72 < passed / 400 < 0.88


@pytest.mark.parametrize(("broke", "n"), [(0, 50), (5, 300), (10, 500)])
def test_the_number_needed_for_flips(broke, n):
    part = judged((n - broke, broke, 0, 0), BREAK).rules[0].parts[0]
    assert part.decision == "underpowered"
    assert part.needed is not None
    rng = np.random.default_rng(4)
    drawn = rng.binomial(part.needed, broke / n, 2000)
    passed = np.mean([proportion_interval(int(k), part.needed).high < 0.03 for k in drawn])
    assert passed > 0.72
    assert part.needed > n


def test_a_finding_on_the_wrong_side_needs_no_number():
    document = judged((300, 22, 10, 80), KEEP)
    part = document.rules[0].parts[0]
    assert (part.decision, part.needed) == ("underpowered", None)
    assert "more items would not help" in part.sentence
    assert "improve the new system" in document.answer.next_step


def test_a_system_on_the_line_passes_no_more_often_than_the_level_says():
    rng, passed, runs = np.random.default_rng(0), 0, 1500
    region = KEEP.region()
    for _ in range(runs):
        counts = rng.multinomial(500, [0.6, 0.08, 0.06, 0.26])  # true loss: exactly 2 points
        a, b = paired(*map(int, counts))
        passed += region.decide(difference_of_shares(a, b)) == "pass"
    assert passed / runs < 0.025 + 3 * math.sqrt(0.025 * 0.975 / runs)


def test_where_lower_is_better_signs_turn():
    facts = MetricFacts(higher_is_better=False, unit="nats")
    rng = np.random.default_rng(1)
    old = rng.normal(3, 0.5, 400)
    worse, better = old + rng.normal(0.2, 0.1, 400), old - rng.normal(0.2, 0.1, 400)
    keep, gain = Rule("t", "no-loss", name="keep", margin=0.05), Rule("t", "gain", name="gain")
    assert [r.decision for r in judged((old, worse), keep, gain, facts=facts).rules] == ["fail", "fail"]
    assert [r.decision for r in judged((old, better), keep, gain, facts=facts).rules] == ["pass", "pass"]
    assert "t got worse by 0." in judged((old, worse), keep, facts=facts).answer.sentence


def test_graded_scores_may_move_within_a_dead_band():
    pair = graded(600, 0.0, spread=0.02)
    assert judged(pair, BREAK).rules[0].decision == "fail"
    band = Rule("t", "negative-flips", most=0.03, dead_band=0.08)
    assert judged(pair, band).rules[0].decision == "pass"
    line = Rule("t", "negative-flips", most=0.2, right_from=0.5)
    assert judged(pair, line).rules[0].decision == "pass"


def test_equal_scores_are_not_certainty():
    same = np.full(12, 0.4)
    part = judged((same, same), KEEP).rules[0].parts[0]
    assert part.value.low < -0.02 < 0.02 < part.value.high
    assert part.decision == "underpowered"
    document = judged((same, same + 0.1), Rule("t", "gain"))
    assert document.rules[0].decision == "underpowered"
    assert document.metrics[0].moved == "unclear"
    assert judged((np.full(400, 0.4), np.full(400, 0.5)), Rule("t", "gain")).metrics[0].moved == "better"
    same = np.full(5000, 0.4)
    assert judged((same, same), KEEP).rules[0].decision == "pass"


def test_few_items_decide_nothing():
    part = judged((0, 8, 0, 0), KEEP).rules[0].parts[0]
    assert part.decision == "underpowered"
    assert "fewer than the 10" in part.sentence
    assert judged((0, 8, 0, 0), Rule("t", "no-loss", margin=0.02, minimum_items=2)).answer.decision == "fail"
    one = judged((1, 0, 0, 0), KEEP)
    assert one.answer.decision == "underpowered"


def test_missing_answers_cannot_get_a_system_through():
    old, new = paired(1000, 5, 10, 985)
    new[:100] = math.nan  # all of them were right before
    part = judged((old, new), KEEP).rules[0].parts[0]
    assert part.decision == "underpowered"
    assert "100 items have no score in the new system" in part.sentence
    old, new = paired(1000, 5, 10, 985)
    new[:2] = math.nan  # too few to matter
    assert judged((old, new), KEEP).rules[0].decision == "pass"
    old[:100] = math.nan  # missing in the old one is no trick of the new
    assert judged((old, new), KEEP).rules[0].decision == "pass"


TOPICS = ("law",) * 500 + ("tax",) * 500 + ("art",)


def test_every_group_must_hold():
    old = np.concatenate([np.ones(500), np.ones(500), [1.0]])
    new = np.concatenate([np.ones(500), np.repeat([0.0, 1.0], [100, 400]), [1.0]])
    rule = Rule("t", "every-group", name="groups", by="topic", margin=0.05)
    result = judged((old, new), rule, groups={"topic": TOPICS}).rules[0]
    assert result.decision == "fail"
    found = {part.title.rpartition("= ")[2]: part.decision for part in result.parts}
    assert found == {"law": "pass", "tax": "fail", "art": "underpowered"}
    assert result.parts[0].title == "t, topic = tax"
    assert judged((old, new), rule, groups={"topic": ("all",) * 1001}).rules[0].decision == "fail"


def test_a_group_without_any_score_is_not_forgotten():
    old, new = paired(1000, 0, 0, 0)
    new[:500] = math.nan
    rule = Rule("t", "every-group", name="groups", by="topic", margin=0.05)
    result = judged((old, new), rule, groups={"topic": ("law",) * 500 + ("tax",) * 500}).rules[0]
    assert {part.title: part.decision for part in result.parts} == {
        "t, topic = law": "underpowered",
        "t, topic = tax": "pass",
    }
    assert result.decision == "underpowered"
    assert "0 items are fewer" in result.sentence


def test_groups_with_a_dotted_path_and_of_an_unknown_name():
    old, new = paired(900, 0, 0, 100)
    groups = {"topic": ("a", "b") * 500}
    assert judged((old, new), Rule("t", "no-loss", margin=0.05, by="doc.topic"), groups=groups).rules[0].parts[1:]
    with pytest.raises(ConfigError, match="no such breakdown") as caught:
        judged((old, new), Rule("t", "no-loss", margin=0.05, by="topc"), groups=groups)
    assert "topic" in (caught.value.hint or "")
    with pytest.raises(ConfigError, match="no such breakdown"):
        judged((old, new), Rule("t", "every-group", margin=0.05))


def two_tasks(first, second, *rules):
    (a, b), (c, d) = paired(*first), paired(*second)
    old, new = results("old", task("one", a), task("two", c)), results("new", task("one", b), task("two", d))
    return compare_results(old, new, gate=Gate(rules))


def test_a_rule_over_several_metrics_passes_only_if_all_do():
    every = Rule("*", "no-loss", margin=0.02)
    good, open_, bad = (1000, 5, 10, 985), (300, 20, 15, 77), (300, 48, 12, 52)
    assert two_tasks(good, good, every).answer.decision == "pass"
    assert two_tasks(good, open_, every).answer.decision == "underpowered"
    assert two_tasks(open_, bad, every).answer.decision == "fail"


def test_failing_is_corrected_for_the_number_of_parts():
    slight = (300, 52, 25, 37)  # 6.5 points lost, just beyond the margin of 2 at 95 %
    rule = Rule("*", "no-loss", margin=0.02)
    value = two_tasks(slight, (300, 0, 0, 100), rule).rules[0].parts
    one = next(part for part in value if part.title == "one")
    assert one.value.high < -0.02
    assert one.decision == "underpowered"  # not at Holm's first step for two parts
    (a, b), (c, d) = paired(*slight), paired(300, 0, 0, 100)
    old, new = results("old", task("one", a), task("two", c)), results("new", task("one", b), task("two", d))
    loose = Gate((rule,), GateSettings(correction="none"))
    assert compare_results(old, new, gate=loose).answer.decision == "fail"


def test_a_composite_is_judged_as_a_mean():
    lost, gained = (300, 48, 12, 52), (300, 15, 60, 37)
    each, mean = Rule("*", "no-loss", margin=0.02), Rule("*", "no-loss", margin=0.02, composite=True)
    assert two_tasks(lost, gained, each).answer.decision == "fail"
    part = two_tasks(lost, gained, mean).rules[0].parts[0]
    assert part.decision == "pass"
    assert part.value.value == pytest.approx((-36 / 412 + 45 / 412) / 2)


def test_a_rule_about_nothing_is_an_error():
    with pytest.raises(ConfigError, match="no metric is called 'tt'"):
        judged((9, 1, 1, 9), Rule("tt", "gain"))
    with pytest.raises(ConfigError, match="no metric is called 'u/\\*'"):
        judged((9, 1, 1, 9), Rule(["t", "u/*"], "gain"))


def test_points_written_as_points_are_refused():
    with pytest.raises(ConfigError, match="larger than any score") as caught:
        judged((9, 1, 1, 9), Rule("t", "no-loss", margin=2.0))
    assert "0.02" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"require": "no-loss"}, "needs margin"),
        ({"require": "negative-flips"}, "needs most"),
        ({"require": "no-loss", "margin": 0.0}, "above 0"),
        ({"require": "no-loss", "margin": -0.02}, "above 0"),
        ({"require": "gain", "margin": -0.02}, "below 0"),
        ({"require": "negative-flips", "most": 3.0}, "between 0 and 1"),
        ({"require": "negative-flips", "margin": 0.03}, "takes most, not margin"),
        ({"require": "at-least", "most": 0.5}, "takes least"),
        ({"require": "gain", "composite": True, "by": "topic"}, "no groups"),
        ({"require": "gain", "minimum_items": 0}, "minimum_items"),
        ({"require": "no-loss", "margin": math.nan}, "no limit"),
        ({"require": "gain", "dead_band": 0.1}, "negative-flips"),
        ({"require": "gain", "metric": []}, "needs a metric"),
    ],
)
def test_rules_that_make_no_sense(fields, message):
    with pytest.raises(ConfigError, match=message):
        Rule(**({"metric": "t"} | fields))


FILE = """
[gate]
level = 0.9

[[rules]]
name = "kept"
metric = "t"
require = "no-loss"
margin = 0.02

[[rules]]
metric = ["t", "u/*"]
require = "gain"
"""


def test_a_gate_file_is_read_strictly(tmp_path):
    file = tmp_path / "gate.toml"
    file.write_text(FILE)
    gate = load_gate(file)
    assert gate.gate.level == 0.9
    assert [rule.title for rule in gate.rules] == ["kept", "gain: t, u/*"]
    assert load_gate(file, {"gate.level": 0.99, "gate.seed": None}).gate.level == 0.99
    for wrong, message in (
        ("margin", "did you mean 'rules\\[0\\].margin'"),
        ("require", "did you mean 'rules\\[0\\].require'"),
    ):
        file.write_text(FILE.replace(wrong, wrong[:-1] + "z", 1))
        with pytest.raises(ConfigError) as caught:
            load_gate(file)
        assert "gate.toml:" in str(caught.value)
        assert message.replace("\\", "") in str(caught.value)
    file.write_text(FILE.replace('"no-loss"', '"no-los"'))
    with pytest.raises(ConfigError, match="cannot be 'no-los'"):
        load_gate(file)
    for empty in ("", "rules = []", "[gate]\nlevel = 0.9"):
        file.write_text(empty)
        with pytest.raises(ConfigError):
            load_gate(file)
    file.write_text(FILE + '[[rules]]\nname = "kept"\nmetric = "v"\nrequire = "gain"\n')
    with pytest.raises(ConfigError, match="two rules are called"):
        load_gate(file)


def test_the_example_gate_is_a_gate():
    from pathlib import Path

    gate = load_gate(Path(__file__).parents[3] / "examples" / "gate.toml")
    assert {rule.require for rule in gate.rules} == {"gain", "no-loss", "negative-flips", "every-group"}


def test_the_fingerprint_hangs_on_the_rules_and_not_on_the_results():
    first = judged((9, 1, 1, 9), KEEP).plan.fingerprint
    assert judged((300, 40, 15, 57), KEEP).plan.fingerprint == first
    assert judged((9, 1, 1, 9), Rule("t", "no-loss", name="kept", margin=0.03)).plan.fingerprint != first
    assert judged((9, 1, 1, 9), KEEP, settings=GateSettings(level=0.9)).plan.fingerprint != first


def test_names_match_tasks_and_metrics():
    assert matches("t", "t/exact")
    assert not matches("exact", "t/exact")
    assert matches("*", "t/exact")
    assert matches("*/exact", "t/exact")
    assert matches("a/b", "a/b/acc")
    assert not matches("T", "t/exact")


def test_the_worst_of_a_decision_is_named_first():
    document = two_tasks((300, 60, 15, 37), (300, 48, 12, 52), Rule("*", "no-loss", margin=0.02))
    assert document.rules[0].parts[0].title == "one"
    assert "and 1 more of 2" in document.rules[0].sentence


def test_every_error_is_one_of_ours():
    with pytest.raises(TutelageError):
        judged((0, 0, 0, 0), KEEP)


def test_the_example_workflow_runs_what_the_command_line_knows():
    from pathlib import Path

    import yaml
    from typer.testing import CliRunner

    from tutelage.cli import app

    text = (Path(__file__).parents[3] / "examples" / "github-action.yml").read_text()
    steps = yaml.safe_load(text)["jobs"]["gate"]["steps"]
    (run,) = [step["run"] for step in steps if step.get("name") == "Compare"]
    options = {word for word in run.split() if word.startswith("--")}
    known = CliRunner().invoke(app, ["compare", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
    assert {"--gate", "--junit", "--html"} <= options
    assert all(option in known for option in options)
